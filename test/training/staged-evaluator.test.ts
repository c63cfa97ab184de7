import { InferenceSession } from "onnxruntime-node";
import { describe, expect, it, vi } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { unitStatistics } from "../../src/initializers/conditioning.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { sequenceMessage, sequenceOutput } from "../../src/runtime/uncopied-outputs.js";
import { evaluate } from "../../src/training/evaluate.js";
import { StagedEvaluator, unitStatisticsOf } from "../../src/training/staged-evaluator.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";

const network = toyNetwork({ template: "resnet", inputShape: [3, 8, 8], widths: [4, 6], normalization: "batch" });
const features = featureExtractor(network);
const targets = features.layers.map(({ preActivation }) => preActivation);
const weights = initialWeights(network, "he", 0);
const dataset = toyDataset([3, 8, 8], 40);
const indices = Array.from({ length: 38 }, (_, index) => (7 * index) % 40);
// The last of three batches is not full.
const options = { threads: 1, batchSize: 16, normalization: "batch" } as const;

async function valuesOf(stageBytes: number): Promise<Map<string, { data: number[]; rows: number[] }>> {
  const seen = new Map<string, { data: number[]; rows: number[] }>();
  const stages = await StagedEvaluator.open(network, targets, { ...options, stageBytes });
  await stages.evaluate(weights, dataset, indices, (target, { data, shape }) => {
    const own = seen.get(target) ?? { data: [], rows: [] };
    seen.set(target, own);
    for (const value of data) own.data.push(value);
    own.rows.push(shape[0]);
  });
  await stages.release();
  return seen;
}

describe("StagedEvaluator", () => {
  it.each([
    ["a stage for every value", 0],
    ["a few stages", 20_000],
    ["one stage", 1e9],
  ])("computes what evaluate does, in %s", async (_, stageBytes) => {
    const seen = await valuesOf(stageBytes);
    expect([...seen.keys()].sort()).toEqual([...targets].sort());
    for (const target of targets) {
      const { data } = await evaluate(network, target, weights, dataset, indices, options);
      const own = seen.get(target)!;
      expect(own.rows).toEqual([16, 16, 6]);
      expect(own.data.length).toBe(data.length);
      expect(Math.max(...own.data.map((value, index) => Math.abs(value - data[index])))).toBeLessThan(1e-4);
    }
  });

  it("opens a session for each stage, and as many stages as the bytes of its values need", async () => {
    await channelBlock();
    const create = vi.spyOn(InferenceSession, "create");
    try {
      await valuesOf(1e9);
      expect(create).toHaveBeenCalledTimes(1);
      create.mockClear();
      await valuesOf(0);
      expect(create).toHaveBeenCalledTimes(targets.length);
    } finally {
      create.mockRestore();
    }
  });

  it("lets its sessions write where the values are read, without a copy", async () => {
    await channelBlock();
    expect(await sequenceMessage()).toBeDefined();
    const create = vi.spyOn(InferenceSession, "create");
    try {
      await valuesOf(0);
      const sessions = await Promise.all(create.mock.results.map(({ value }) => value as Promise<InferenceSession>));
      expect(sessions.length).toBe(targets.length);
      for (const { outputNames } of sessions) expect(outputNames).toContain(sequenceOutput);
    } finally {
      create.mockRestore();
    }
  });

  it("hands on what later stages read, and nothing else", async () => {
    const stages = await StagedEvaluator.open(network, targets, { ...options, stageBytes: 0 });
    for await (let batch of stages.batches(dataset, indices))
      for (let stage = 0; stage < targets.length; stage++) {
        batch = (await stages.run(stage, weights, batch)).next;
        const bytes = Object.values(batch.values).reduce((sum, { data }) => sum + 4 * data.length, 0);
        expect(bytes).toBe(stages.bytesBehind(stage));
        if (stage === targets.length - 1) expect(bytes).toBe(0);
        else expect(bytes).toBeGreaterThan(0);
      }
    await stages.release();
  });

  it("stops where it is told to", async () => {
    const stages = await StagedEvaluator.open(network, targets, { ...options, signal: AbortSignal.abort() });
    await expect(stages.evaluate(weights, dataset, indices, () => {})).rejects.toThrow(InterruptedError);
  });
});

describe("unitStatisticsOf", () => {
  it("gives the statistics of all samples together", async () => {
    const found = await unitStatisticsOf(
      network,
      new Map(targets.map((target) => [target, 1])),
      weights,
      dataset,
      indices,
      options,
    );
    for (const target of targets) {
      const { data, shape } = await evaluate(network, target, weights, dataset, indices, options);
      const expected = unitStatistics(data, shape, 1);
      const { mean, std, count } = found.get(target)!;
      expect(count).toBe(expected.count);
      expected.mean.forEach((value, unit) => {
        expect(mean[unit]).toBeCloseTo(value, 5);
        expect(std[unit]).toBeCloseTo(expected.std[unit], 5);
      });
    }
  });
});
