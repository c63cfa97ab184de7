import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page, Route } from "playwright-core";
import { expect, test } from "vitest";
import { lock, writeStudy } from "../web/lab-folder.js";
import { findings } from "./findings.js";
import { useLab } from "./use-lab.js";

const lab = useLab();

test("a study is shown while it runs and filtered; a torn file is named", async () => {
  const { page } = await lab.open("#/study/study");
  await page.getByText("3 of 4 trials").waitFor();
  await page.getByRole("row", { name: /^he 2 55\.0\s%/ }).waitFor();
  await page.getByRole("checkbox", { name: "he", exact: true }).uncheck();
  await page.getByRole("row", { name: /^he 2/ }).waitFor({ state: "detached" });
  await page.getByText("runs/torn/run.json").first().waitFor();
  await writeStudy(join(lab.folder, "study"), 4);
  await page.getByText("4 of 4 trials").waitFor();

  await page.getByRole("button", { name: "Delete ..." }).click();
  await page.getByText(/^Everything that it has written goes: trials/).waitFor();
  await page.getByRole("button", { name: "Keep" }).click();
  // Another program's lock, of a process that is there: this one.
  await lock(join(lab.folder, "study", "study.lock"));
  await page.getByText(/^Started elsewhere: .* the same command continues/).waitFor();
});

test("a study's lines have the colours of the theme that was chosen last", async () => {
  const { page } = await lab.open("#/study/study");
  const colors = (selector: string, attribute: string) => () =>
    page.evaluate(
      `[...new Set([...document.querySelectorAll("main ${selector}")].map((one) => one.getAttribute("${attribute}")))]`,
    );
  const explained = colors(".legend line", "stroke");
  const drawn = colors(".plot [fill^='#']", "fill");
  const seen = new Set<string>();
  for (const theme of ["light", "dark"]) {
    await page.getByRole("combobox", { name: "Colours" }).selectOption(theme);
    await expect.poll(() => page.evaluate("document.documentElement.dataset.theme")).toBe(theme);
    const wanted = (await page.evaluate(
      `["--line-1", "--line-2"].map((name) => getComputedStyle(document.body).getPropertyValue(name).trim())`,
    )) as string[];
    await expect.poll(explained, { message: theme }).toEqual(wanted);
    await expect.poll(drawn, { message: theme }).toEqual(wanted);
    for (const color of wanted) seen.add(color);
  }
  expect(seen.size).toBe(4);
});

test("what a study's command said is shown, and a report that fails", async () => {
  const { page } = await lab.open();
  await page.route("**/api/study/report?*", (route) =>
    route.fulfill({ status: 500, json: { error: "headstart lab: no report" } }),
  );
  await page.route("**/api/study?*", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), log: "pretraining 1 of 2" } });
  });
  await page.goto(`${lab.page}#/study/study`);
  await page.getByText("That did not work: headstart lab: no report").waitFor();
  await page.getByRole("heading", { name: "What the command said" }).waitFor();
  await page.getByText("pretraining 1 of 2").waitFor();
});

test("what is answered more slowly than a study changes is shown all the same", async () => {
  const study = join(lab.folder, "quick");
  await writeStudy(study, 1);
  const { page } = await lab.open("#/study/quick");
  await page.getByRole("heading", { name: "Results" }).waitFor();
  const asked: Route[] = [];
  await page.route("**/api/study?*", (route) => void asked.push(route));
  await writeStudy(study, 2);
  await page.getByText("2 of 4 trials").waitFor();
  await expect.poll(() => asked.length).toBe(1);
  await writeStudy(study, 3);
  await page.getByText("3 of 4 trials").waitFor();
  // The study has changed since it was asked for.
  const answer = await asked[0].fetch();
  await asked[0].fulfill({ response: answer, json: { ...(await answer.json()), log: "answered at last" } });
  await page.getByText("answered at last").waitFor();
  await expect.poll(() => asked.length).toBe(2);
});

test("a study that balanced accuracy judges is shown by it", async () => {
  const study = join(lab.folder, "balanced");
  await writeStudy(study, 4);
  const { plan } = JSON.parse(await readFile(join(study, "study.json"), "utf8"));
  await writeFile(join(study, "study.json"), JSON.stringify({ plan: { ...plan, measure: "balanced-accuracy" } }));
  const trials = (await readFile(join(study, "trials.jsonl"), "utf8")).trim().split("\n");
  const points = [{ step: 5, score: 0.9, balancedAccuracy: 0.4, loss: null }];
  const measured = trials.map((line) => JSON.stringify({ ...JSON.parse(line), points, classSizes: [9, 1] }));
  await writeFile(join(study, "trials.jsonl"), `${measured.join("\n")}\n`);
  const { page, troubles } = await lab.open("#/study/balanced");
  await page.getByRole("heading", { name: "Balanced test accuracy along training" }).waitFor();
  const results = page.locator("section", { has: page.getByRole("heading", { name: "Results" }) });
  await results.getByRole("columnheader", { name: "Balanced accuracy, mean" }).waitFor();
  await results.getByRole("row", { name: /^he 2 40\.0.?% / }).waitFor();
  expect(troubles).toEqual([]);
});

test("a study is started from the form and watched to its verdicts; its page is filtered", async () => {
  for (const [name, count, shade] of [
    ["toy-train", 120, 0],
    ["toy-test", 60, 1],
  ] as const)
    await writeToyPictures(join(lab.folder, name), count, shade);
  const { page, troubles } = await lab.open();
  await page.getByRole("link", { name: "New study" }).first().click();
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill("toy-train-images-idx3-ubyte");
  await page.getByLabel(/^Test data/).fill("toy-test-images-idx3-ubyte");
  await page.getByText("All options").click();
  for (const [flag, value] of [
    ["--arms", "he,he+calibrated"],
    ["--baseline", "he"],
    ["--seeds", "2"],
    ["--steps", "6"],
    ["--labels", "20,40"],
    ["--learning-rates", "0.001,0.01"],
    ["--batch-size", "10"],
    ["--workers", "1"],
    ["--output", "studies/page"],
  ])
    await page.getByLabel(flag, { exact: true }).fill(value);
  await page.getByText(/headstart compare .*--arms=he,he\+calibrated/).waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "studies/page" }).waitFor();
  await page.getByText("16 of 16 trials", { exact: true }).waitFor();
  await page.locator("main .tag.finished").waitFor();
  await page
    .getByRole("row", { name: /^he\+calibrated unclear – – pairs of trials: 2; 3 or more are required/ })
    .first()
    .waitFor();
  await page.getByRole("heading", { name: "Who learns faster: mean accuracy over the steps, against he" }).waitFor();
  expect(await page.getByText(/so far/i).count()).toBe(0);

  const results = page.locator("section", { has: page.getByRole("heading", { name: "Results" }) });
  await results.getByRole("columnheader", { name: "Trials" }).waitFor();
  const row = (arm: string, seeds: number) => results.getByRole("row", { name: new RegExp(`^${arm} ${seeds} `) });
  await row("he", 8).waitFor();
  await row("he\\+calibrated", 8).waitFor();
  await page.getByRole("combobox", { name: "Labels" }).selectOption("20");
  await row("he", 4).waitFor();
  await page.getByRole("combobox", { name: "Learning rate" }).selectOption("0.01");
  await row("he", 2).waitFor();
  await page.getByRole("checkbox", { name: "he", exact: true }).uncheck();
  await row("he", 2).waitFor({ state: "detached" });
  await row("he\\+calibrated", 2).waitFor();
  await page.getByRole("combobox", { name: "Labels" }).selectOption("all");
  await row("he\\+calibrated", 4).waitFor();

  for (const title of ["Accuracy against the number of labels", "Steps to the target", "Cost"]) {
    await page.getByRole("combobox", { name: "Labels" }).selectOption("");
    const save = async (format: string): Promise<Buffer> => {
      const waiting = page.waitForEvent("download");
      await page.getByRole("button", { name: `Save ${title} as ${format}` }).click();
      return readFile(await (await waiting).path());
    };
    expect((await save("SVG")).toString()).toMatch(/^<svg xmlns.*<path|^<svg xmlns.*<rect/s);
    expect((await save("PNG")).subarray(1, 4).toString()).toBe("PNG");
    expect((await save("CSV")).toString().split("\r\n").length).toBeGreaterThan(2);
  }
  expect(troubles).toEqual([]);

  await watchPartOfStudy(page, join(lab.folder, "studies/page"), join(lab.folder, "studies/part"));
  expect(troubles).toEqual([]);
});

/** Shows a copy of a finished study as it was half-way, and lets it end: verdicts are provisional until then. */
async function watchPartOfStudy(page: Page, whole: string, part: string): Promise<void> {
  await mkdir(part);
  for (const name of ["study.json", "timing.json"]) await cp(join(whole, name), join(part, name)).catch(() => {});
  const trials = (await readFile(join(whole, "trials.jsonl"), "utf8")).split(/(?<=\n)/);
  await writeFile(join(part, "trials.jsonl"), trials.slice(0, 9).join(""));
  await page.goto(`${lab.page}#/study/studies%2Fpart`);
  await page.getByText("So far, 9 of 16 trials.").waitFor();
  await page.getByRole("heading", { name: "Against he, at equal steps (so far)" }).waitFor();
  await page.getByText("so far: unclear").first().waitFor();
  expect(await findings(page)).toEqual([]);

  await page.getByRole("combobox", { name: "Labels" }).selectOption("20");
  await page.getByText(/So far, \d of 8 trials\./).waitFor();
  await page.getByText("Of the chosen settings only.").waitFor();
  await page.getByRole("checkbox", { name: "he+calibrated", exact: true }).uncheck();
  await page.getByText("so far: unclear").first().waitFor({ state: "detached" });
  await page.getByRole("checkbox", { name: "he+calibrated", exact: true }).check();
  await page.getByRole("combobox", { name: "Labels" }).selectOption("");

  await writeFile(join(part, "trials.jsonl"), trials.join(""));
  await page.getByText("So far, 16 of 16 trials.").waitFor();
  await cp(join(whole, "summary.json"), join(part, "summary.json"));
  await page
    .getByText(/so far/i)
    .first()
    .waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "Against he, at equal steps", exact: true }).waitFor();

  await page.getByRole("combobox", { name: "Language" }).selectOption("ko");
  await page.getByText("시행이 2쌍뿐이며 3쌍 이상이 필요합니다").first().waitFor();
  await page.getByText("불분명").first().waitFor();
  expect(await findings(page)).toEqual([]);
}

/** Pictures of 28 × 28 with a bright row for each of ten classes, as IDX files; `shade` keeps two sets apart. */
async function writeToyPictures(path: string, count: number, shade: number): Promise<void> {
  const pictures = Buffer.alloc(16 + count * 784);
  const labels = Buffer.alloc(8 + count);
  for (const [place, value] of [0x803, count, 28, 28].entries()) pictures.writeUInt32BE(value, 4 * place);
  for (const [place, value] of [0x801, count].entries()) labels.writeUInt32BE(value, 4 * place);
  for (let index = 0; index < count; index++) {
    const label = index % 10;
    labels[8 + index] = label;
    const start = 16 + 784 * index;
    for (let pixel = 0; pixel < 784; pixel++) pictures[start + pixel] = (31 * index + 7 * pixel + 50 * shade) % 90;
    pictures.fill(200 + shade, start + 56 * label, start + 56 * (label + 1));
  }
  await writeFile(`${path}-images-idx3-ubyte`, pictures);
  await writeFile(`${path}-labels-idx1-ubyte`, labels);
}
