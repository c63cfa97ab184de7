import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { newModel } from "../../src/library/new-model.js";
import { openModel } from "../../src/library/open-model.js";
import { StudyBench } from "../../src/library/study-bench.js";
import { pretrainingKey, trialKey } from "../../src/study/plan.js";
import { armsOf, planOf, trialOf } from "../support/study-plan.js";
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
  const folder = temporaryFolder();
  const settings = {
    folder,
    train: "",
    test: "",
    reading: { shape: [1, side, side], normalise: "none" as const },
    dropped: { train: [], unlabelled: [] },
  };
  const bench = await StudyBench.open(settings, { train: data, test: data, unlabelled: data });
  bench.usePlan(plan);
  return { bench, folder };
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
  const { bench } = await benchOn(await planFor(arm));
  try {
    expect(await bench.timePretraining("net", arm, new AbortController().signal)).toEqual(expected);
  } finally {
    await bench.close();
  }
});

test("times self-training with the head that it begins with", async () => {
  const plan = await planFor("he+self-training");
  const { bench } = await benchOn(plan);
  const [optimizer] = plan.optimizers;
  const { signal } = new AbortController();
  try {
    const result = await bench.run({ kind: "timing", network: "net", optimizer }, signal, () => {});
    // A thousand steps read the labelled samples and the others, a second each; the head's start reads the labelled ones.
    expect(result.kind === "timing" && result.selfTrainingSeconds).toBeGreaterThan(2000);
  } finally {
    await bench.close();
  }
});

test("refuses pretrained weights that are not as they were written, and says how to go on", async () => {
  const plan = { ...(await planFor("principal-components")), steps: 2 };
  const { bench, folder } = await benchOn(plan);
  vi.restoreAllMocks();
  const { signal } = new AbortController();
  const key = pretrainingKey(plan, "net", plan.arms[0], 0);
  const trial = trialOf(plan, plan.arms[0].name, 0);
  const run = () => bench.run({ kind: "trial", key: trialKey(plan, trial), trial, extension: 0 }, signal, () => {});
  const file = join(folder, "pretraining", `${key}.safetensors`);
  try {
    await bench.run({ kind: "pretraining", key, network: "net", arm: plan.arms[0].name, seed: 0 }, signal, () => {});
    expect(await run()).toMatchObject({ kind: "trial" });
    const whole = readFileSync(file);
    const changed = Uint8Array.from(whole);
    changed[changed.length - 2] ^= 1;
    for (const [bytes, got] of [
      [changed, "a file that has changed"],
      [whole.subarray(0, 9), "a file that has changed"],
      [undefined, "nothing there"],
    ] as const) {
      rmSync(file);
      if (bytes) writeFileSync(file, bytes);
      await expect(run()).rejects.toThrow(
        new RegExp(
          `safetensors: required weights as a pretraining .*, got ${got}\\. Remove .*${key}\\.json: the same command`,
        ),
      );
      writeFileSync(file, whole);
    }
  } finally {
    await bench.close();
  }
});
