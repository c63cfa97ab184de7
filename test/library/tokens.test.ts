/** Networks that take tokens, from a file of them to weights and to a study. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { intTensor } from "../../src/graph/tensor.js";
import { compare } from "../../src/library/compare.js";
import { type InitializeEvent, initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";
import { openSerialized } from "../../src/runtime/node.js";
import type { TrialRecord } from "../../src/study/records.js";
import { npyFile } from "../data/array-files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { toyTexts } from "../support/toy-data.js";

const length = 8;

/** A text classifier, and files of tokens with their labels. */
async function material(vocabulary = 16) {
  const [train, test] = [toyTexts(200, 0), toyTexts(80, 1)];
  const files = (name: string, { tokens, labels }: typeof train) => ({
    [`${name}.npy`]: npyFile("<i8", [labels.length, length], BigInt64Array.from(tokens, BigInt)),
    [`${name}-labels.npy`]: npyFile("|u1", [labels.length], labels),
  });
  const folder = temporaryFolder({ ...files("train", train), ...files("test", test) });
  const path = (name: string): string => join(folder, name);
  const model = path("text.onnx");
  await newModel({ template: "text", inputShape: [length], vocabulary, widths: [6, 4], classes: 2, output: model });
  return { path, model, data: path("train.npy") };
}

it("init learns an embedding from a file of tokens, which the written model takes as they are", async () => {
  const { path, model, data } = await material();
  const events: InitializeEvent[] = [];
  const run = { model, data, output: path("run"), steps: 20, threads: 1 };
  const result = await initialize({ ...run, onEvent: (event) => events.push(event) });
  expect(result.run.recipe.name).toBe("topics");
  expect(events).toContainEqual({
    type: "note",
    message: "samples are tokens, by which F looks vectors up, for which the recipe default is topics",
  });
  const transform = JSON.parse(readFileSync(join(result.folder, "transform.json"), "utf8"));
  expect(transform.normalisation.name).toBe("none");
  const { tensors } = readSafetensors(readFileSync(result.weightsFile), result.weightsFile);
  expect(tensors.get("embedding.weight")?.shape).toEqual([16, 6]);
  const session = await openSerialized(readFileSync(result.modelFile), { threads: 1 });
  try {
    const { logits } = await session.run({ input: intTensor([1, 2, 3, 0, 0, 0, 0, 0], [1, length]) });
    expect(logits.shape).toEqual([1, 2]);
  } finally {
    await session.release();
  }
});

it.each([
  [{ normalise: "standard" }, 16, /sample 0: required tokens, whole numbers from 0 to 15, .*without --normalise/],
  [{}, 15, /sample \d+: required tokens, whole numbers from 0 to 14, .*, got 15\. Make the tokens as they were made/],
])("init refuses what are no tokens of the network: %j, %i", async (options, vocabulary, message) => {
  const { path, model, data } = await material(vocabulary);
  await expect(initialize({ model, data, output: path("run"), steps: 2, ...options })).rejects.toThrow(message);
});

it("compare trains such networks from labelled files of tokens", async () => {
  const { path, model, data } = await material();
  const output = path("study");
  await compare({
    model,
    data,
    labelColumn: path("train-labels.npy"),
    test: path("test.npy"),
    testLabelColumn: path("test-labels.npy"),
    output,
    arms: ["he", "default+class-means"],
    labels: ["20"],
    seeds: 2,
    steps: 20,
    batchSize: 10,
    duplicates: "drop",
    longestExtension: 0,
  });
  const lines = readFileSync(join(output, "trials.jsonl"), "utf8").trim().split("\n");
  const trials = lines.map((line) => JSON.parse(line) as TrialRecord);
  expect(trials.length).toBe(4);
  for (const { arm, points } of trials)
    if (arm === "default+class-means") expect(points.at(-1)?.score).toBeGreaterThan(0.9);
});
