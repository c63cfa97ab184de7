import { existsSync } from "node:fs";
import { appendFile, cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { writeStudy } from "../web/lab-folder.js";
import { headstart, labFolder, openBrowser, removeFolder, type ServedLab, serveLab, watchPage } from "./lab-browser.js";

/** Milliseconds that a page may take for anything before a test gives up: many times what a slow machine needs. */
const longestWait = 120_000;
const data = "t10k-images-idx3-ubyte.gz";
let browser: Browser;
let folder = "";
let served: ServedLab;

beforeAll(async () => {
  [browser, folder] = await Promise.all([openBrowser(), labFolder()]);
  // One with G and D, whatever the default is for such pictures, and one with G alone.
  for (const [name, recipe] of [
    ["default", "contrast"],
    ["autoencoder", "autoencoder"],
  ])
    await headstart(
      folder,
      "init",
      "model.onnx",
      "--data",
      data,
      "--limit",
      "200",
      "--steps",
      "30",
      "--batch-size",
      "16",
      "--recipe",
      recipe,
      "--output",
      `runs/${name}`,
    );
  await mkdir(join(folder, "runs", "torn"));
  await writeFile(join(folder, "runs", "torn", "run.json"), "{");
  await writeStudy(join(folder, "study"), 3);
  served = await serveLab(folder);
});

afterAll(async () => {
  await browser?.close();
  await served?.kill();
  if (folder) await removeFolder(folder);
});

async function open(
  hash = "#/",
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<{ page: Page; troubles: string[] }> {
  const page = await browser.newPage({ locale: "en-US", acceptDownloads: true, ...options });
  onTestFinished(() => page.close());
  page.setDefaultTimeout(longestWait);
  const troubles = watchPage(page, served.page);
  await page.goto(served.address + hash);
  await page.getByRole("link", { name: /runs\/default/ }).waitFor({ state: "attached" });
  return { page, troubles };
}

const views = [
  "#/",
  "#/run/runs%2Fdefault",
  "#/compare/runs%2Fdefault,runs%2Fautoencoder",
  "#/study/study",
  "#/start/init",
  "#/start/compare",
];

/** What can be operated and has no name for those who do not see it, where axe sees one. */
async function nameless(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send("Accessibility.getFullAXTree");
  await session.detach();
  const operable = ["button", "link", "checkbox", "combobox", "textbox", "searchbox", "slider", "tab", "spinbutton"];
  return nodes.filter(({ ignored, role, name }) => !ignored && operable.includes(String(role?.value)) && !name?.value)
    .length;
}

/** What axe finds that is more than minor. */
async function findings(page: Page): Promise<string[]> {
  // As text of the page's own world: its policy lets no other script in.
  const result = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ["violations"] })`);
  const { violations } = result as { violations: { id: string; impact: string; nodes: { html: string }[] }[] };
  return violations
    .filter(({ impact }) => impact !== "minor")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(" | ")}`);
}

test.each(["light", "dark"] as const)("axe finds nothing that matters on any view, %s", async (colorScheme) => {
  const { page, troubles } = await open("#/", { colorScheme, reducedMotion: "reduce" });
  for (const view of views) {
    await page.goto(served.page + view);
    await page.getByRole("heading", { level: 1 }).waitFor();
    if (view.startsWith("#/run")) {
      for (const tab of ["Curves", "x and G(x)", "Layers", "Take away", "Settings"]) {
        await page.getByRole("tab", { name: tab }).click();
        expect(await findings(page), `${view} ${tab}`).toEqual([]);
        expect(await nameless(page), `${view} ${tab}`).toBe(0);
      }
    } else {
      expect(await findings(page), view).toEqual([]);
      expect(await nameless(page), view).toBe(0);
    }
  }
  expect(troubles).toEqual([]);
});

test("in Korean and in a narrow window every view fits", async () => {
  const { page } = await open("#/", { locale: "ko-KR", viewport: { width: 360, height: 720 } });
  expect(await page.evaluate("document.documentElement.lang")).toBe("ko");
  await page.getByRole("link", { name: "새 실행" }).first().waitFor();
  for (const view of views) {
    await page.goto(served.page + view);
    await page.getByRole("heading", { level: 1 }).waitFor();
    // All that is folded away must fit, too.
    await page.evaluate("document.querySelectorAll('main details').forEach((details) => { details.open = true; })");
    const [width, seen] = (await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as number[];
    expect(width, view).toBeLessThanOrEqual(seen);
    const inner = (await page.evaluate("[content.scrollWidth, content.clientWidth]")) as number[];
    expect(inner[0], view).toBeLessThanOrEqual(inner[1]);
    expect(await findings(page), view).toEqual([]);
  }
  await page.goto(`${served.page}#/run/runs%2Fdefault`);
  await page.getByRole("heading", { name: "G와 D의 손실" }).waitFor();
  await page.getByRole("combobox", { name: "언어" }).selectOption("en");
  await page.getByRole("heading", { name: "Losses of G and D" }).waitFor();
});

/** Fills in the form for a run on a few pictures, starts it, and waits for its page. */
async function startRun(page: Page, output: string, steps: number): Promise<void> {
  await page.getByRole("link", { name: "New run" }).first().click();
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill(data);
  await page.getByLabel("--steps", { exact: true }).fill(`${steps}`);
  await page.getByLabel("--output").fill(output);
  await page.getByText("All options").click();
  for (const [flag, value] of [
    ["--batch-size", "8"],
    ["--limit", "100"],
    ["--threads", "1"],
  ])
    await page.getByLabel(flag).fill(value);
  await page
    .getByText(
      `headstart init --data=${data} --steps=${steps} --output=${output} --batch-size=8 --limit=100 --threads=1`,
    )
    .waitFor();
  await page.getByText("10,713 parameters").waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("heading", { level: 1, name: output }).waitFor();
  await page.getByRole("heading", { name: "Loss of F" }).waitFor();
}

/** The steps of the lines of a run's metrics.jsonl. */
async function loggedSteps(run: string): Promise<number[]> {
  const text = await readFile(join(folder, run, "metrics.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).step);
}

test("a run is started from the form, paused and resumed; reloads, a killed server and a killed run lose nothing", async () => {
  const { page, troubles } = await open();
  // Far more steps than any machine takes while this test looks on.
  await startRun(page, "runs/page", 60_000);
  await page.reload();
  await page.getByRole("heading", { name: "Loss of F" }).waitFor();
  const progress = page.getByRole("progressbar", { name: "Progress" });
  const step = async () => Number(await progress.getAttribute("value"));
  const before = await step();
  await expect.poll(step).toBeGreaterThan(before);

  // The server dies and comes back at its place: the run goes on, and so does the page.
  await served.kill();
  await page.getByText("The server does not answer").waitFor();
  served = await serveLab(folder, Number(new URL(served.address).port));
  await page.getByText("The server does not answer").waitFor({ state: "detached" });
  const after = await step();
  await expect.poll(step).toBeGreaterThan(after);

  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("main .tag.paused").waitFor();
  const paused = await step();
  expect(paused).toBeLessThan(60_000);
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("main .tag.running").waitFor();
  await expect.poll(step).toBeGreaterThan(paused);

  // The run's own process is killed: it is seen to have stopped, and goes on from its checkpoint.
  const kept = await Promise.all(
    (await readdir(join(folder, ".headstart-lab")))
      .filter((name) => name.endsWith(".json"))
      .map(async (name) => JSON.parse(await readFile(join(folder, ".headstart-lab", name), "utf8"))),
  );
  process.kill(kept.find(({ id }) => id === "runs/page").pid, "SIGKILL");
  await page.locator("main .tag.stopped").waitFor();
  const stopped = (await loggedSteps("runs/page")).at(-1) ?? 0;
  await page.getByRole("button", { name: "Resume" }).click();
  await page.locator("main .tag.running").waitFor();
  await expect.poll(step).toBeGreaterThan(stopped);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator("main .tag.paused").waitFor();
  const steps = await loggedSteps("runs/page");
  expect(steps.at(-1)).toBeGreaterThan(stopped);
  // Neither a gap nor a repetition where it was paused and killed; the pause itself may have its own line at the end.
  expect(steps.slice(0, -1)).toEqual(Array.from({ length: steps.length - 1 }, (_, index) => 120 * (index + 1)));
  expect(troubles).toEqual([]);
});

test("a run is watched to its end, taken away and extended", async () => {
  const { page, troubles } = await open();
  await startRun(page, "runs/short", 100);
  await page.locator("main .tag.finished").waitFor();
  expect(await loggedSteps("runs/short")).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));

  await page.getByRole("tab", { name: "Take away" }).click();
  const waiting = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download weights.safetensors" }).click();
  const file = await (await waiting).path();
  const { tensors } = readSafetensors(await readFile(file), file);
  expect([...tensors.keys()]).toContain("features.0.weight");
  expect(await page.getByText("load_state_dict").count()).toBe(1);

  await page.getByRole("button", { name: "Extend" }).click();
  await page.getByLabel("All steps").fill("150");
  await page.getByRole("button", { name: "Extend" }).click();
  await page.getByText("150 of 150 steps").waitFor();
  await page.locator("main .tag.finished").waitFor();
  expect(JSON.parse(await readFile(join(folder, "runs/short/run.json"), "utf8")).extendedAt).toEqual([90]);
  expect(troubles).toEqual([]);
});

test("a start that fails says why, in the command's own words, and is started again or deleted", async () => {
  const { page } = await open("#/start/init");
  await writeFile(join(folder, "empty.npy"), "");
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill("empty.npy");
  await page.getByLabel("--output").fill("runs/failing");
  await page.evaluate(`missed = false; new MutationObserver(() => {
    missed ||= document.body.textContent.includes("There is no runs/failing");
  }).observe(document.body, { childList: true, subtree: true })`);
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page
    .getByRole("alert")
    .filter({ hasText: /empty\.npy/ })
    .waitFor();
  expect(await page.evaluate("missed")).toBe(false);
  await page.getByText("headstart init --data=empty.npy --output=runs/failing model.onnx").waitFor();
  expect(await findings(page)).toEqual([]);

  await page.getByRole("link", { name: "Start another like it" }).click();
  await expect.poll(() => page.getByLabel(/^Data/).inputValue()).toBe("empty.npy");
  expect(await page.getByLabel("--output").inputValue()).toBe("runs/failing");

  await page.getByRole("link", { name: /^runs\/failing/ }).click();
  await page.getByRole("button", { name: "Delete ..." }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Delete ..." }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("link", { name: /^runs\/failing/ }).waitFor({ state: "detached" });
  await page.goto(`${served.page}#/run/runs%2Ffailing`);
  await page.getByText("There is no runs/failing here").waitFor();
});

test("what is wrong with a value stands at its field", async () => {
  const { page } = await open("#/start/init");
  await page.getByLabel(/^Model/).fill("../../etc/passwd");
  await page.getByText(/required a path below/).waitFor();
  await page.getByLabel(/^Model/).fill("model.onnx");
  const field = page.getByLabel(/^Data/);
  await field.fill("nothing.npy");
  await expect.poll(() => field.getAttribute("aria-invalid")).toBe("true");
  await field.fill(data);
  await expect.poll(() => field.getAttribute("aria-invalid")).toBe("false");
  const steps = page.getByLabel("--steps", { exact: true });
  await steps.fill("many");
  await expect.poll(() => steps.getAttribute("aria-invalid")).toBe("true");
  const described = (await steps.getAttribute("aria-describedby"))?.split(" ") ?? [];
  expect(await page.locator(`[id="${described[0]}"]`).textContent()).toBe(
    'required a whole number of at least 1, got "many".',
  );
  expect(await findings(page)).toEqual([]);
});

test("tabs that nobody looks at hold no connection, and catch up when they are seen", async () => {
  await headstart(
    folder,
    ..."init model.onnx --steps 3 --batch-size 8 --limit 20 --output runs/tabs --data".split(" "),
    data,
  );
  const context = await browser.newContext({ locale: "en-US" });
  onTestFinished(() => context.close());
  const look = (page: Page, seen: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, "hidden", { value: ${!seen}, configurable: true });` +
        'document.dispatchEvent(new Event("visibilitychange"));',
    );
  // A browser opens six connections to a server: seven tabs have one each too many, if not two.
  const pages: Page[] = [];
  for (let count = 0; count < 7; count++) {
    const page = await context.newPage();
    await page.goto(`${served.address}#/run/runs%2Ftabs`);
    await page.getByText("3 of 3 steps").waitFor();
    await page.getByRole("link", { name: /^runs\/tabs/ }).waitFor();
    await look(page, false);
    pages.push(page);
  }
  await appendFile(join(folder, "runs", "tabs", "metrics.jsonl"), '{"step":4,"brightness":1}\n');
  await writeFile(join(folder, "runs", "tabs", "result.json"), '{"warnings":[{"kind":"","message":"Look here."}]}');
  await look(pages[0], true);
  await pages[0].getByRole("heading", { name: "brightness" }).waitFor();
  await pages[0].getByText("Look here.").waitFor();
});

test("what is not supported is marked in the model's drawing", async () => {
  const { page } = await open("#/start/init");
  const model = (await readFile(join(folder, "model.onnx"))).toString("latin1");
  await writeFile(join(folder, "strange.onnx"), Buffer.from(model.replaceAll("Relu", "Zzzz"), "latin1"));
  await page.getByLabel(/^Model/).fill("strange.onnx");
  await page.getByText("Zzzz features.1/Zzzz: headstart does not know this operator").waitFor();
});

test("a command is copied, or selected where the browser allows no more", async () => {
  const { page } = await open("#/run/runs%2Fdefault");
  await page.getByRole("tab", { name: "Take away" }).click();
  await page.evaluate('Object.defineProperty(navigator, "clipboard", { value: undefined, configurable: true })');
  await page.getByRole("button", { name: "Copy: PyTorch" }).click();
  await expect.poll(() => page.evaluate("String(getSelection())")).toContain("load_state_dict");
  await page.evaluate(
    'Object.defineProperty(navigator, "clipboard", { value: { writeText: async (text) => { kept = text; } } })',
  );
  await page.getByRole("button", { name: "Copy: PyTorch" }).click();
  await page.getByRole("button", { name: "Copied: PyTorch" }).waitFor();
  expect(await page.evaluate("kept")).toContain("load_state_dict");
});

test("runs are compared, and every chart and table is saved", async () => {
  const { page, troubles } = await open();
  for (const name of ["default", "autoencoder"])
    await page.getByRole("checkbox", { name: `Compare runs/${name}` }).check();
  await page.getByRole("link", { name: "Compare 2 marked" }).click();
  await page.getByRole("cell", { name: "autoencoder", exact: true }).waitFor();
  await page.getByLabel("Metric").selectOption("reconstruction");
  const save = async (name: string): Promise<Buffer> => {
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name }).click();
    return readFile(await (await waiting).path());
  };
  const svg = (await save("Save reconstruction as SVG")).toString();
  expect(svg).toMatch(/^<svg xmlns/);
  expect(svg.match(/stroke="#/g)?.length).toBeGreaterThanOrEqual(2);
  expect((await save("Save reconstruction as PNG")).subarray(1, 4).toString()).toBe("PNG");
  const csv = (await save("Save reconstruction as CSV")).toString().trimEnd().split("\r\n");
  expect(csv[0]).toBe("step,runs/default,runs/autoencoder");
  expect(csv.length).toBe(31);
  expect((await save("Save Values as CSV")).toString()).toMatch(/^Run,Recipe,Seed/);
  expect(troubles).toEqual([]);
});

test("a study is shown while it runs and filtered; a torn file is named", async () => {
  const { page } = await open("#/study/study");
  await page.getByText("3 of 4 trials").waitFor();
  await page.getByRole("row", { name: /^he 2 55\.0\s%/ }).waitFor();
  await page.getByRole("checkbox", { name: "he", exact: true }).uncheck();
  await page.getByRole("row", { name: /^he 2/ }).waitFor({ state: "detached" });
  await page.getByText("runs/torn/run.json").first().waitFor();
  await writeStudy(join(folder, "study"), 4);
  await page.getByText("4 of 4 trials").waitFor();
});

test("a study that balanced accuracy judges is shown by it", async () => {
  const study = join(folder, "balanced");
  await writeStudy(study, 4);
  const plan = JSON.parse(await readFile(join(study, "study.json"), "utf8"));
  await writeFile(join(study, "study.json"), JSON.stringify({ ...plan, measure: "balanced-accuracy" }));
  const trials = (await readFile(join(study, "trials.jsonl"), "utf8")).trim().split("\n");
  const points = [{ step: 0, score: 0.9, balancedAccuracy: 0.4, loss: null }];
  const measured = trials.map((line) => JSON.stringify({ ...JSON.parse(line), steps: 5, points, classSizes: [9, 1] }));
  await writeFile(join(study, "trials.jsonl"), `${measured.join("\n")}\n`);
  const { page, troubles } = await open("#/study/balanced");
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
    await writeToyPictures(join(folder, name), count, shade);
  const { page, troubles } = await open();
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

  await watchPartOfStudy(page, join(folder, "studies/page"), join(folder, "studies/part"));
  expect(troubles).toEqual([]);
});

/** Shows a copy of a finished study as it was half-way, and lets it end: verdicts are provisional until then. */
async function watchPartOfStudy(page: Page, whole: string, part: string): Promise<void> {
  await mkdir(part);
  for (const name of ["study.json", "timing.json"]) await cp(join(whole, name), join(part, name)).catch(() => {});
  const trials = (await readFile(join(whole, "trials.jsonl"), "utf8")).split(/(?<=\n)/);
  await writeFile(join(part, "trials.jsonl"), trials.slice(0, 9).join(""));
  await page.goto(`${served.page}#/study/studies%2Fpart`);
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

/** Drops files of these names onto the page, each with its content in base64. */
async function drop(page: Page, files: Readonly<Record<string, string>>): Promise<void> {
  await page.evaluate(`(() => {
    const transfer = new DataTransfer();
    for (const [name, content] of Object.entries(${JSON.stringify(files)}))
      transfer.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name));
    dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
  })()`);
}

test("a model and data dropped onto the page are copied and filled in, each where it belongs", async () => {
  const { page } = await open();
  const model = (await readFile(join(folder, "model.onnx"))).toString("base64");
  await drop(page, { "dropped.onnx": model, "table.csv": btoa("a,b\n1,2\n") });
  await expect.poll(() => page.getByLabel(/^Model/).inputValue()).toBe("lab-files/dropped.onnx");
  await expect.poll(() => page.getByLabel(/^Data/).inputValue()).toBe("lab-files/table.csv");
  expect(existsSync(join(folder, "lab-files", "table.csv"))).toBe(true);

  await page.goto(`${served.page}#/start/compare`);
  await page.getByRole("heading", { name: "Start a study" }).waitFor();
  const names = [
    "train-images.idx3-ubyte",
    "train-labels.idx1-ubyte",
    "t10k-images.idx3-ubyte",
    "t10k-labels.idx1-ubyte",
  ];
  await drop(page, Object.fromEntries(names.map((name) => [name, btoa(name)])));
  await page.getByText("Copied to lab-files/t10k-labels.idx1-ubyte.").waitFor();
  expect(await page.getByLabel(/^Data/).inputValue()).toBe("lab-files/train-images.idx3-ubyte");
  expect(await page.getByLabel(/^Test data/).inputValue()).toBe("lab-files/t10k-images.idx3-ubyte");
});

test("everything is reached with the keyboard", async () => {
  const { page } = await open("#/run/runs%2Fdefault");
  await page.getByRole("heading", { name: "Losses of G and D" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  expect(await page.evaluate("document.activeElement.id")).toBe("content");
  await page.getByRole("tab", { name: "Curves" }).focus();
  await page.keyboard.press("ArrowRight");
  expect(await page.getByRole("tab", { name: "x and G(x)" }).getAttribute("aria-selected")).toBe("true");
  const slider = page.getByRole("slider").first();
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByRole("img", { name: "Pictures x beside G(x) after step 1", exact: true }).waitFor();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("ArrowLeft");
  const chart = page.getByRole("application", { name: /^Losses of G and D/ });
  await chart.focus();
  const ticks = () => chart.locator("[aria-label^='x-axis tick label']").textContent();
  const all = await ticks();
  await page.keyboard.press("+");
  await expect.poll(ticks).not.toBe(all);
  await page.keyboard.press("0");
  await expect.poll(ticks).toBe(all);
});
