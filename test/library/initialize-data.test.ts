import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { streamDataset } from "../../src/data/stream-dataset.js";
import { InterruptedError, UserError } from "../../src/errors.js";
import { type InitializeEvent, type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { readAll } from "../data/read-all.js";
import { folderWith, toyDataset, toyModel } from "../support/toy-data.js";

const mlp = toyModel({ template: "mlp", inputShape: [4], widths: [6] });
const rows = Array.from({ length: 400 }, (_, row) =>
  [0, 1, 2, 3].map((column) => Math.sin(row * (column + 1)).toFixed(4)).join(","),
);

function setUp(options: Partial<InitializeOptions> = {}) {
  const path = folderWith({ "model.onnx": mlp, "t.csv": Buffer.from(`a,b,c,d\n${rows.join("\n")}\n`) });
  const common = { recipe: "autoencoder", batchSize: 16, steps: 40, threads: 1, output: path("run") };
  return { path, options: { model: path("model.onnx"), data: path("t.csv"), ...common, ...options } };
}

test("a run on data beyond memory continues at the exact sample, across epochs; another memory is refused", async () => {
  const { path, options } = setUp();
  const disk = { ...options, memory: 2000, cache: path("cache") };
  await initialize({ ...disk, output: path("whole") });
  const interruption = new AbortController();
  const stopped = initialize({
    ...disk,
    output: path("parts"),
    signal: interruption.signal,
    onEvent: (event) => event.type === "step" && event.step === 29 && interruption.abort(),
  });
  await expect(stopped).rejects.toThrow(InterruptedError);
  const resumed = { ...disk, output: path("parts"), resume: true };
  await expect(initialize({ ...resumed, memory: 4000 })).rejects.toThrow(/another data\.understood\.blocks/);
  await initialize(resumed);
  const weights = (name: string) => readFileSync(path(`${name}/weights.safetensors`)).toString("base64");
  expect(weights("parts") === weights("whole")).toBe(true);
});

test("transform.json beside the weights treats the same data alike", async () => {
  const { path, options } = setUp({ normalise: "quantile", steps: 2 });
  await initialize(options);
  const fitted = JSON.parse(readFileSync(path("run/transform.json"), "utf8")) as Record<string, unknown>;
  expect(fitted).toMatchObject({ transform: 1, kind: "table", shape: [4] });
  const opened = await openDataset(path("t.csv"), { fitted });
  expect(await readAll(opened)).toEqual(await readAll(await openDataset(path("t.csv"), { normalise: "quantile" })));
});

test("refuses to read open samples in another way than they were opened", async () => {
  const { path, options } = setUp({ steps: 2 });
  const data = await openDataset(path("t.csv"));
  for (const reading of [{ normalise: "unit" }, { limit: 100 }, { labels: "a" }, { fitted: {} }] as const)
    await expect(initialize({ ...options, data, ...reading })).rejects.toThrow(
      new RegExp(`^${Object.keys(reading)[0]}: required .* open already\\. .*openDataset`),
    );
  // Labelled samples that are named by a path are read as the options say.
  const labelled = { labelled: path("labelled.csv"), labels: "e", head: "class-means" } as const;
  writeFileSync(path("labelled.csv"), `a,b,c,d,e\n${rows.map((row, index) => `${row},${index % 2}\n`).join("")}`);
  const model = toyModel({ template: "mlp", inputShape: [4], widths: [6], classes: 2 });
  writeFileSync(path("model.onnx"), model);
  await initialize({ ...options, data, ...labelled });
});

test("says which recipe the default is for pictures in colour", async () => {
  const model = toyModel({ template: "cnn", inputShape: [3, 8, 8], widths: [4] });
  const path = folderWith({ "model.onnx": model });
  const notes: string[] = [];
  const { run } = await initialize({
    model: path("model.onnx"),
    data: toyDataset([3, 8, 8], 32),
    recipe: "default",
    output: path("run"),
    batchSize: 16,
    learningRate: 0.002,
    steps: 2,
    threads: 1,
    onEvent: (event) => event.type === "note" && notes.push(event.message),
  });
  expect(notes).toEqual([
    expect.stringMatching(/the recipe default is rotation;.*--recipe contrast was level to one point better/),
  ]);
  expect(run).toMatchObject({ task: "rotation", discriminator: null });
  expect(run.recipe).toMatchObject({ name: "rotation", batchSize: 16, generatorOptimizer: { learningRate: 0.002 } });
});

test("says what helps where a network without convolutions sees pictures, and trains by it", async () => {
  const model = toyModel({ template: "mlp", inputShape: [64], widths: [8] });
  const path = folderWith({ "model.onnx": model });
  const pictures = {
    ...toyDataset([64], 32),
    record: { picture: { channels: 1, height: 8, width: 8, layout: "NCHW" } },
  };
  const notes: string[] = [];
  const options = {
    model: path("model.onnx"),
    data: pictures,
    batchSize: 16,
    steps: 2,
    threads: 1,
    onEvent: (event: InitializeEvent) => event.type === "note" && notes.push(event.message),
  };
  await initialize({ ...options, recipe: "default", output: path("run") });
  expect(notes).toEqual([
    expect.stringMatching(/no convolutions, for which the recipe default is clusters; .*most where --head class-means/),
  ]);
  notes.length = 0;
  const { run, finalMetrics } = await initialize({ ...options, recipe: "clusters", output: path("run-2") });
  expect(notes).toEqual([]);
  expect(run).toMatchObject({ task: "clusters", discriminator: null });
  expect(finalMetrics["task/accuracy"]).toBeGreaterThanOrEqual(0);
});

test("takes samples of the caller's own source, of the model's shape", async () => {
  const { options } = setUp({ steps: 2 });
  const samples = (width: number) =>
    streamDataset(
      Array.from({ length: 40 }, (_, row) => Float32Array.from({ length: width }, (_, at) => Math.cos(row + at))),
      [width],
    );
  const { run } = await initialize({ ...options, data: await samples(4) });
  expect(run.data).toMatchObject({ file: "the caller's samples", count: 40 });
  await expect(initialize({ ...options, data: await samples(5), overwrite: true })).rejects.toBeInstanceOf(UserError);
});
