import { existsSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { type CompareOptions, compare } from "../../src/library/compare.js";
import { memoryOfSteps } from "../../src/library/study-memory.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { idxFile } from "../data/array-files.js";
import { armsOf, planOf } from "../support/study-plan.js";
import { barDataset, barPictures, folderWith, toyModel, toyNetwork } from "../support/toy-data.js";

afterEach(() => vi.restoreAllMocks());

const side = 8;

test("every kind of step that the plan has is counted, with what takes less", async () => {
  const features = featureExtractor(
    toyNetwork({ template: "mlp", inputShape: [1, side, side], widths: [32], classes: 2 }),
  );
  const of = async (batchSize: number, ...arms: string[]) =>
    memoryOfSteps(planOf(await armsOf(...arms), { batchSize }), features, { unlabelled: barDataset(40, side) });
  const [supervised, measured, ...none] = await of(8, "he");
  expect(none).toEqual([]);
  expect(supervised).toMatchObject({ batchSize: 8, advice: expect.stringContaining("--batch-size") });
  expect(measured).toMatchObject({ batchSize: 250 });
  // The hidden layer's outputs alone.
  expect(measured.peakBytes).toBeGreaterThanOrEqual(4 * 250 * 32);
  const [larger] = await of(2048, "he");
  expect(larger.peakBytes).toBeGreaterThan(supervised.peakBytes);
  const [, , pretraining, selfTraining] = await of(8, "he", "autoencoder", "he+self-training");
  expect(pretraining).toMatchObject({ batchSize: 128, advice: expect.stringContaining("batchSize") });
  expect(selfTraining.peakBytes).toBeGreaterThan(0);
});

/** Compares on a machine with so many bytes of memory: what it notes, what it ends with, and what it trained. */
async function compared(memory: { free: number; all: number }, arm: string) {
  vi.spyOn(process, "availableMemory").mockReturnValue(memory.free);
  vi.spyOn(process, "constrainedMemory").mockReturnValue(memory.all);
  const [train, tested] = [barPictures(40, side, 0), barPictures(20, side, 1)];
  const path = folderWith({
    "net.onnx": toyModel({ template: "mlp", inputShape: [1, side, side], widths: [32], classes: 2 }),
    "a-images-idx3-ubyte": idxFile(8, [40, side, side], train.pixels),
    "a-labels-idx1-ubyte": idxFile(8, [40], train.labels),
    "b-images-idx3-ubyte": idxFile(8, [20, side, side], tested.pixels),
    "b-labels-idx1-ubyte": idxFile(8, [20], tested.labels),
  });
  const notes: string[] = [];
  const options: CompareOptions = {
    ...{ model: path("net.onnx"), data: path("a-images-idx3-ubyte"), test: path("b-images-idx3-ubyte") },
    ...{ output: path("study"), arms: [arm], labels: ["all"], seeds: 1, steps: 5, workers: 1, pretrainingEpochs: 1 },
    onEvent: (event) => {
      if (event.type === "note") notes.push(event.message);
    },
  };
  const error = await compare(options).then(
    () => "",
    (reason: Error) => reason.message,
  );
  return { notes, error, isTrained: existsSync(path("study/trials.jsonl")) };
}

const much = 2 ** 40;

test("a study says that its steps take more memory than is free, and whose", async () => {
  const tight = await compared({ free: 100_000, all: much }, "autoencoder");
  expect(tight).toMatchObject({ error: "", isTrained: true });
  expect(tight.notes).toContainEqual(
    expect.stringMatching(/^a training step of 128 samples takes .*: a recipe of your own with a smaller batchSize/),
  );
  const roomy = await compared({ free: much, all: much }, "autoencoder");
  expect(roomy.notes.filter((note) => /training step/.test(note))).toEqual([]);
});

test("a study is refused before anything is trained where a step does not fit into memory", async () => {
  const { error, isTrained } = await compared({ free: much, all: 100_000 }, "autoencoder");
  expect(error).toMatch(/^a training step of 128 samples: required values that fit into .* A recipe of your own/);
  expect(isTrained).toBe(false);
});
