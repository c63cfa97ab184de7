import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { openModel } from "../../src/library/open-model.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { evaluate, usualBatch } from "../../src/training/evaluate.js";
import { idxFile, npyFile } from "../data/array-files.js";
import { barDataset, barFile, barPictures, folderWith, toyModel } from "../support/toy-data.js";

/** A folder with a network, pictures, and others that are labelled and darker; and the options of a short run. */
function setUp(labelledCount: number) {
  const path = folderWith({
    "model.onnx": toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" }),
    "train-idx3-ubyte": barFile(96),
  });
  const { pixels, labels } = barPictures(labelledCount, 8, 5);
  const darker = pixels.map((value) => value >> 2);
  writeFileSync(path("some-idx3-ubyte"), idxFile(8, [labelledCount, 8, 8], darker));
  writeFileSync(path("some-labels-idx1-ubyte"), idxFile(8, [labelledCount], labels));
  const options = {
    model: path("model.onnx"),
    data: path("train-idx3-ubyte"),
    recipe: "autoencoder",
    batchSize: 16,
    steps: 4,
    threads: 1,
  } satisfies Partial<InitializeOptions>;
  const labelled = { labelled: path("some-idx3-ubyte"), labels: path("some-labels-idx1-ubyte") };
  return { path, options, labelled };
}

test("labelled samples are normalised as the data is, not by themselves", async () => {
  const { path, options, labelled } = setUp(40);
  const head = { ...options, head: "class-means" } as const;
  const { weights } = await initialize({ ...head, ...labelled, output: path("run") });
  const shape = { shape: [1, 8, 8], layout: "NCHW" } as const;
  const { record } = await openDataset(options.data, shape);
  const reading = { ...shape, labels: labelled.labels };
  const asTheData = await openDataset(labelled.labelled, { ...reading, fitted: record });
  const byThemselves = await openDataset(labelled.labelled, reading);
  const same = await initialize({ ...head, labelled: asTheData, output: path("same") });
  const other = await initialize({ ...head, labelled: byThemselves, output: path("other") });
  expect(same.weights).toEqual(weights);
  expect(other.weights).not.toEqual(weights);
});

test("the probe asks for labels that F was not taught, and for no others", async () => {
  const { path, options, labelled } = setUp(120);
  const run = { ...options, ...labelled, selfTrainingSteps: 2 };
  const { selfTrainingSteps: _, ...plain } = run;
  const untaught = await initialize({ ...plain, head: "class-means", output: path("untaught") });
  const taught = await initialize({ ...run, head: "self-training", output: path("taught") });
  for (const report of [untaught.before, untaught.after]) expect(report.nearestNeighbour).toEqual(expect.any(Number));
  for (const report of [taught.before, taught.after]) expect(report.nearestNeighbour).toBeUndefined();
});

test("tells what is to be known of labelled samples too, and names their classes in the transform", async () => {
  const { path, options } = setUp(40);
  const { pixels, labels } = barPictures(40, 8, 5);
  const codes = new Uint8Array(40 * 2);
  for (const [sample, label] of labels.entries()) codes[2 * sample + label] = 1;
  writeFileSync(path("some.npy"), npyFile("|u1", [40, 8, 8], pixels));
  writeFileSync(path("codes.npy"), npyFile("|u1", [40, 2], codes));
  const notes: string[] = [];
  await initialize({
    ...options,
    head: "class-means",
    labelled: path("some.npy"),
    labels: path("codes.npy"),
    classNames: ["flat", "upright"],
    output: path("run"),
    onEvent: (event) => event.type === "note" && notes.push(event.message),
  });
  expect(notes).toContainEqual(expect.stringMatching(/^the labels are one-hot/));
  expect(notes).toContainEqual(expect.stringMatching(/^the head's classes: output 0 = flat, output 1 = upright/));
  expect(JSON.parse(readFileSync(path("run/transform.json"), "utf8")).classNames).toEqual(["flat", "upright"]);
});

test("running statistics are those of the data under the weights that are written", async () => {
  const { path, options } = setUp(2);
  // A whole batch of what measures them.
  const data = barDataset(usualBatch);
  const { weights } = await initialize({ ...options, data, steps: 12, output: path("run") });
  const { network } = await openModel(options.model);
  const { feature } = featureExtractor(network);
  const everything = Array.from({ length: usualBatch }, (_, index) => index);
  const all = new Map([...initialWeights(network, "file", 0), ...weights]);
  const of = async (normalization: "batch" | "running") =>
    (await evaluate(network, feature, all, data, everything, { threads: 1, normalization })).data;
  const [running, batch] = [await of("running"), await of("batch")];
  for (const [index, value] of running.entries()) expect(value).toBeCloseTo(batch[index], 3);
});

test("a head that the network cannot have is refused before any data is read", async () => {
  const { path, options } = setUp(40);
  writeFileSync(path("train-idx3-ubyte"), "no pictures");
  const early = { ...options, head: "class-means", output: path("run") } as const;
  const { network } = await openModel(options.model);
  const [first] = featureExtractor(network).layers;
  await expect(initialize({ ...early, features: first.preActivation })).rejects.toThrow(
    /required one dense layer with a bias that reads the features/,
  );
  await expect(initialize({ ...options, head: "class-means", output: path("run") })).rejects.toThrow(
    /train-idx3-ubyte/,
  );
});
