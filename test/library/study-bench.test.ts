import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { newModel } from "../../src/library/new-model.js";
import { openModel } from "../../src/library/open-model.js";
import { StudyBench } from "../../src/library/study-bench.js";
import { armsOf, planOf } from "../support/study-plan.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barDataset } from "../support/toy-data.js";

afterEach(() => vi.restoreAllMocks());

const side = 8;

/** A bench on samples that take a second a batch to read, and nothing else any time. */
async function benchOn(plan: Awaited<ReturnType<typeof planFor>>) {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const samples = barDataset(40, side, 0);
  const data: Dataset = {
    ...samples,
    read: (indices, target) => {
      now += 1000;
      return samples.read(indices, target);
    },
  };
  const settings = {
    folder: temporaryFolder(),
    train: "",
    test: "",
    reading: { shape: [1, side, side], normalise: "none" as const },
    dropped: { train: [], unlabelled: [] },
  };
  const bench = await StudyBench.open(settings, { train: data, test: data, unlabelled: data });
  bench.usePlan(plan);
  return bench;
}

async function planFor(arm: string) {
  const file = join(temporaryFolder(), "net.onnx");
  await newModel({ template: "cnn", inputShape: [1, side, side], widths: [4], classes: 2, output: file });
  const { hash } = await openModel(file);
  return planOf(await armsOf(arm), { networks: [{ name: "net", file, hash }] });
}

test.each([
  ["autoencoder", { start: 0, perStep: 1 }],
  // It reads samples for principal components first,
  ["contrast", { start: 1, perStep: 1 }],
  // which are all of this one.
  ["principal-components", { start: 1, perStep: 0 }],
])("times a pretraining's steps, and what comes before the first: %s", async (arm, expected) => {
  const bench = await benchOn(await planFor(arm));
  try {
    expect(await bench.timePretraining("net", arm, new AbortController().signal)).toEqual(expected);
  } finally {
    await bench.close();
  }
});
