import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";

const data = fileURLToPath(new URL("../../demo-data/t10k-images-idx3-ubyte.gz", import.meta.url));
let folder = "";
let settings: Parameters<typeof initialize>[0];

const lines = async (name: string) =>
  (await readFile(join(folder, "run", name), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "headstart-extension-"));
  const model = join(folder, "model.onnx");
  await newModel({ template: "mlp", inputShape: [1, 28, 28], classes: 10, output: model });
  settings = {
    model,
    data,
    output: join(folder, "run"),
    limit: 100,
    batchSize: 8,
    threads: 1,
    seed: 4,
    recipe: "contrast",
  };
  await initialize({ ...settings, steps: 6, checkpointEvery: 2 });
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

test("keeps layers, filters and learning rates along the run, the start included", async () => {
  const layers = await lines("layers.jsonl");
  expect(layers.map(({ step }) => step)).toEqual([0, 1, 2, 3, 6]);
  expect(layers[0].layers[0].singularValues.length).toBeGreaterThan(1);
  expect(layers[4].layers[0]).not.toEqual(layers[0].layers[0]);
  expect((await readdir(join(folder, "run", "filters"))).length).toBe(5);
  expect((await lines("metrics.jsonl"))[5]).toMatchObject({ step: 6, "generator/learning-rate": expect.any(Number) });
  expect((await lines("timing.jsonl"))[5].memory).toBeGreaterThan(1e6);
});

test("a finished run goes on from its last checkpoint to more steps, and says so", async () => {
  await initialize({ ...settings, steps: 9, resume: true });
  expect((await lines("metrics.jsonl")).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  // The longer run passed through the old end as it was.
  expect((await readdir(join(folder, "run", "samples"))).map((name) => Number(name.slice(5, 14)))).toEqual([
    1, 2, 3, 6, 9,
  ]);
  const record = JSON.parse(await readFile(join(folder, "run", "run.json"), "utf8"));
  expect([record.steps, record.extendedAt]).toEqual([9, [6]]);
  expect((await readdir(join(folder, "run"))).includes("result.json")).toBe(true);
});

test("refuses fewer steps and other settings", async () => {
  await expect(initialize({ ...settings, steps: 5, resume: true })).rejects.toThrow(/another steps: 5 instead of 9/);
  await expect(initialize({ ...settings, steps: 20, seed: 5, resume: true })).rejects.toThrow(/another seed/);
  expect(JSON.parse(await readFile(join(folder, "run", "run.json"), "utf8")).steps).toBe(9);
});
