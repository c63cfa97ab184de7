import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { findings } from "./findings.js";
import { data, useLab } from "./use-lab.js";

const lab = useLab();

/** What is wrong with a field's value, as the field itself says. */
async function problemOf(page: Page, field: Locator): Promise<string | null> {
  const [described] = (await field.getAttribute("aria-describedby"))?.split(" ") ?? [];
  return page.locator(`[id="${described}"]`).textContent();
}

test("what is wrong with a value stands at its field", async () => {
  const { page } = await lab.open("#/start/init");
  const model = page.getByLabel(/^Model/);
  await model.fill("../../etc/passwd");
  await expect.poll(() => problemOf(page, model)).toMatch(/required a path below/);
  await model.fill("model.onnx");
  await expect.poll(() => model.getAttribute("aria-invalid")).toBe("false");
  const field = page.getByLabel(/^Data/);
  await field.fill("nothing.npy");
  await expect.poll(() => field.getAttribute("aria-invalid")).toBe("true");
  await field.fill(data);
  await expect.poll(() => field.getAttribute("aria-invalid")).toBe("false");
  const steps = page.getByLabel("--steps", { exact: true });
  await steps.fill("many");
  await expect.poll(() => steps.getAttribute("aria-invalid")).toBe("true");
  expect(await problemOf(page, steps)).toBe('required a whole number of at least 1, got "many".');
  expect(await findings(page)).toEqual([]);
  const output = page.getByLabel("--output", { exact: true });
  await steps.fill("3");
  await output.fill("runs/default");
  await expect.poll(() => problemOf(page, output)).toMatch(/got a folder with an earlier run/);
});

test("what is still to be filled in is no mistake", async () => {
  const { page } = await lab.open("#/start/compare");
  const answered = page.waitForResponse("**/api/command");
  await page.getByLabel(/^Model/).fill("model.onnx");
  expect((await (await answered).json()).error).toMatch(/^--(data|test): required/);
  await page.getByText("The model, as headstart sees it").waitFor();
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  expect(await page.locator("[aria-invalid=true]").count()).toBe(0);
  expect(await page.locator("main .warning").count()).toBe(0);
  expect(await page.getByRole("button", { name: "Start", exact: true }).isDisabled()).toBe(true);
});

test("options are explained, and neither that nor what is wrong with a value covers anything", async () => {
  const { page } = await lab.open("#/start/init");
  expect(await page.getByText("training steps, in place of epochs").isVisible()).toBe(true);
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill(data);
  const steps = page.getByLabel("--steps", { exact: true });
  const before = await steps.boundingBox();
  await steps.fill("many");
  const problem = page.locator("p.problem", { hasText: "required a whole number" });
  await problem.waitFor();
  const [after, below, help] = [
    await steps.boundingBox(),
    await problem.boundingBox(),
    await page.getByText("training steps, in place of epochs").boundingBox(),
  ];
  expect(after).toEqual(before);
  expect(below?.y).toBeGreaterThanOrEqual((after?.y ?? 0) + (after?.height ?? 0));
  expect(help?.y).toBeGreaterThanOrEqual((below?.y ?? 0) + (below?.height ?? 0));
});

test("what could not be started is said until something else is asked for", async () => {
  const { page } = await lab.open("#/start/init");
  await page.getByLabel(/^Model/).fill("model.onnx");
  await page.getByLabel(/^Data/).fill(data);
  await page.getByText(/^headstart init/).waitFor();
  await page.route("**/api/start", (route) => route.fulfill({ status: 400, json: { error: "the disk is full" } }));
  await page.getByRole("button", { name: "Start", exact: true }).click();
  const alert = page.getByText("That did not work: the disk is full");
  await alert.waitFor();
  await page.getByLabel("--steps", { exact: true }).fill("3");
  await alert.waitFor({ state: "detached" });
});

test("what the server refuses is said in the page's language", async () => {
  const { page } = await lab.open("#/start/init", { locale: "ko-KR" });
  await page.getByLabel(/^모델/).fill("model.onnx");
  await page.getByLabel(/^데이터/).fill("nowhere.npy");
  const problem = page.locator("p.problem", { hasText: /^nowhere\.npy: .* 안의 경로여야 하는데/ });
  await problem.waitFor();
  await page.getByRole("combobox", { name: "언어" }).selectOption("en");
  await page.getByLabel(/^Data/).fill("nowhere.csv");
  await page.locator("p.problem", { hasText: /^nowhere\.csv: required a path below/ }).waitFor();
});

test("what is not supported is marked in the model's drawing", async () => {
  const { page } = await lab.open("#/start/init");
  const model = (await readFile(join(lab.folder, "model.onnx"))).toString("latin1");
  await writeFile(join(lab.folder, "strange.onnx"), Buffer.from(model.replaceAll("Relu", "Zzzz"), "latin1"));
  await page.getByLabel(/^Model/).fill("strange.onnx");
  await page.getByText("Zzzz features.1/Zzzz: headstart does not know this operator").waitFor();
});

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
  const { page } = await lab.open();
  const model = (await readFile(join(lab.folder, "model.onnx"))).toString("base64");
  await drop(page, { "dropped.onnx": model, "table.csv": btoa("a,b\n1,2\n") });
  await expect.poll(() => page.getByLabel(/^Model/).inputValue()).toBe("lab-files/dropped.onnx");
  await expect.poll(() => page.getByLabel(/^Data/).inputValue()).toBe("lab-files/table.csv");
  expect(existsSync(join(lab.folder, "lab-files", "table.csv"))).toBe(true);
  // What a model reads beside its own file is no data.
  await drop(page, { "model.json": btoa("{}"), "group1-shard1of1.bin": btoa("1") });
  await page.getByText("Copied to lab-files/group1-shard1of1.bin.").waitFor();
  expect(await page.getByLabel(/^Model/).inputValue()).toBe("lab-files/model.json");
  expect(await page.getByLabel(/^Data/).inputValue()).toBe("lab-files/table.csv");

  await page.goto(`${lab.page}#/start/compare`);
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

test("a file that cannot be copied is said to be, and no longer once another could", async () => {
  const { page } = await lab.open("#/start/init");
  await page.getByRole("heading", { name: "Start a run" }).waitFor();
  await drop(page, { "one.csv": btoa("a,b\n1,2\n") });
  await page.getByText("Copied to lab-files/one.csv.").waitFor();
  await drop(page, { "one.csv": btoa("a,b\n3,4\n") });
  const alert = page.getByText(/That did not work: one\.csv: required a name that is free/);
  await alert.waitFor();
  expect(await page.getByText("Copying one.csv ...").count()).toBe(0);
  await drop(page, { "two.csv": btoa("a,b\n3,4\n") });
  await alert.waitFor({ state: "detached" });
  await expect.poll(() => page.getByLabel(/^Data/).inputValue()).toBe("lab-files/two.csv");
});

test("a text that is dropped is none of the page's business", async () => {
  const { page } = await lab.open("#/run/runs%2Fdefault");
  const untouched = await page.evaluate(`(() => {
    const transfer = new DataTransfer();
    transfer.setData("text/plain", "some words");
    return dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
  })()`);
  expect(untouched).toBe(true);
  expect(await page.evaluate("location.hash")).toBe("#/run/runs%2Fdefault");
});
