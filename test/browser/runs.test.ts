import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { findings } from "./findings.js";
import { data, useLab } from "./use-lab.js";

const lab = useLab();

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
  const text = await readFile(join(lab.folder, run, "metrics.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).step);
}

test("a run is started from the form, paused and resumed; reloads, a killed server and a killed run lose nothing", async () => {
  const { page, troubles } = await lab.open();
  // Far more steps than any machine takes while this test looks on.
  await startRun(page, "runs/page", 60_000);
  await page.reload();
  await page.getByRole("heading", { name: "Loss of F" }).waitFor();
  const progress = page.getByRole("progressbar", { name: "Progress" });
  const step = async () => Number(await progress.getAttribute("value"));
  const before = await step();
  await expect.poll(step).toBeGreaterThan(before);

  // The server dies and comes back at its place: the run goes on, and so does the page.
  await lab.kill();
  await page.getByText("The server does not answer").waitFor();
  await lab.serveAgain();
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
    (await readdir(join(lab.folder, ".headstart-lab")))
      .filter((name) => name.endsWith(".json"))
      .map(async (name) => JSON.parse(await readFile(join(lab.folder, ".headstart-lab", name), "utf8"))),
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
  const { page, troubles } = await lab.open();
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

  const extend = page.getByRole("button", { name: "Extend" });
  await extend.press("Enter");
  await expect.poll(() => page.evaluate("document.activeElement.value")).toBe("200");
  await page.keyboard.press("Escape");
  await page.getByLabel("All steps").waitFor({ state: "detached" });
  await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("Extend");
  await extend.press("Enter");
  await page.getByLabel("All steps").fill("150");
  await page.getByRole("button", { name: "Extend" }).click();
  await page.getByText("150 of 150 steps").waitFor();
  await page.locator("main .tag.finished").waitFor();
  expect(JSON.parse(await readFile(join(lab.folder, "runs/short/run.json"), "utf8")).extendedAt).toEqual([100]);
  expect(troubles).toEqual([]);
});

test("a start that fails says why, in the command's own words, and is started again or deleted", async () => {
  const { page } = await lab.open("#/start/init");
  await writeFile(join(lab.folder, "empty.npy"), "");
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

  await page.getByRole("checkbox", { name: "Compare runs/failing" }).check();
  await page.getByRole("link", { name: "Compare 1 marked" }).waitFor();
  await page.getByRole("link", { name: /^runs\/failing/ }).click();
  await page.getByRole("button", { name: "Delete ..." }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Delete ..." }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("link", { name: /^runs\/failing/ }).waitFor({ state: "detached" });
  // What is not there is marked no more.
  await page.getByRole("link", { name: "Compare 1 marked" }).waitFor({ state: "detached" });
  await page.goto(`${lab.page}#/run/runs%2Ffailing`);
  await page.getByText("There is no runs/failing here").waitFor();
});

test("a command is copied, or selected where the browser allows no more", async () => {
  const { page } = await lab.open("#/run/runs%2Fdefault");
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
  const { page, troubles } = await lab.open();
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

test("a comparison says which runs are gone or lack the metric, and a run keeps its colour", async () => {
  const { page } = await lab.open("#/compare/runs%2Fgone,runs%2Fautoencoder,runs%2Fdefault");
  await page.getByText("There is no runs/gone here, or no longer.").waitFor();
  await page.getByRole("row", { name: /^runs\/gone – – – – –$/ }).waitFor();
  await page.getByRole("link", { name: "Compare 2 marked" }).waitFor();
  const legend = page.locator(".legend li", { hasText: "runs/default" }).locator("line");
  const color = await legend.getAttribute("stroke");
  await page.getByLabel("Metric").selectOption("discriminator/loss");
  await page.getByRole("row", { name: /^runs\/autoencoder autoencoder 0 – – –$/ }).waitFor();
  const line = page.getByRole("application", { name: /^discriminator\/loss/ }).locator("[aria-label=line] g");
  await expect.poll(() => line.getAttribute("stroke")).toBe(color);
});

test("a run that comes to its end is said to, and cannot be asked again", async () => {
  const { page } = await lab.open();
  const list = await (await page.request.get(`${lab.page}api/entries`)).json();
  const [entry] = list.entries.filter(({ id }: { id: string }) => id === "runs/default");
  const ending = { ...entry, state: "running", controlled: true, ending: true };
  await page.route("**/api/entries/events", (route) =>
    route.fulfill({
      contentType: "text/event-stream",
      body: `event: entries\ndata: ${JSON.stringify({ ...list, entries: [ending] })}\n\n`,
    }),
  );
  await page.reload();
  await page.getByRole("link", { name: /^runs\/default/ }).click();
  await page.getByText("Coming to an end: what is done is kept.").waitFor();
  for (const name of ["Pause", "Stop"]) expect(await page.getByRole("button", { name }).isDisabled(), name).toBe(true);
});
