import { describe, expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { accuraciesOf, accuracyOf, crossEntropyOf, evaluate, readBatches } from "../../src/training/evaluate.js";
import { normalTensor } from "../support/run-graph.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

describe("evaluate", () => {
  const net = new TestNetwork();
  const output = net.node("Gemm", ["x", net.weight("w", [3, 2]), net.weight("b", [2])]);
  const network = net.build([3], output);
  const weights = initialWeights(network, "file", 0);
  const samples = normalTensor("samples", [10, 3]).data;
  const dataset = memoryDataset(samples, [3]);

  it.each([1, 3, 4, 128])("gives the rows of the samples asked for, in batches of %d", async (batchSize) => {
    const indices = [9, 0, 0, 4, 7];
    const { data, shape } = await evaluate(network, output, weights, dataset, indices, { batchSize, threads: 1 });
    expect(shape).toEqual([5, 2]);
    indices.forEach((sample, row) => {
      for (const unit of [0, 1]) {
        let expected = weights.get("b")![unit];
        for (let i = 0; i < 3; i++) expected += samples[sample * 3 + i] * weights.get("w")![i * 2 + unit];
        expect(data[row * 2 + unit]).toBeCloseTo(expected, 5);
      }
    });
  });

  it("gives nothing for no samples", async () => {
    expect(await evaluate(network, output, weights, dataset, [], { threads: 1 })).toEqual({
      data: new Float32Array(),
      shape: [0, 2],
    });
  });

  it("stops where it is told to", async () => {
    const run = evaluate(network, output, weights, dataset, [0], { threads: 1, signal: AbortSignal.abort() });
    await expect(run).rejects.toThrow(InterruptedError);
  });

  it("normalises by running statistics or by the batch", async () => {
    const batch = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [3], normalization: "batch" });
    const start = initialWeights(batch, "file", 0);
    const pictures = toyDataset([1, 8, 8]);
    const normal = batch.graph.nodes.find(({ op }) => op === "BatchNormalization")!;
    const measure = (normalization: "batch" | "running") =>
      evaluate(batch, normal.outputs[0], start, pictures, [0, 1, 2, 3], { batchSize: 4, normalization, threads: 1 });
    const spread = ({ data }: { data: Float32Array }): number =>
      data.reduce((sum, value) => sum + value ** 2, 0) / data.length;
    expect(spread(await measure("batch"))).toBeCloseTo(1, 2);
    expect(Math.abs(spread(await measure("running")) - 1)).toBeGreaterThan(0.05);
  });
});

it("fills a batch up with other samples than its last, by which a batch's statistics would go", async () => {
  const read: number[][] = [];
  const dataset = memoryDataset(Float32Array.of(0, 1, 2, 3, 4), [1]);
  const samples = floatTensor(new Float32Array(4), [4, 1]);
  for await (const { start, count } of readBatches(dataset, [4, 3, 2, 1, 0], samples, undefined))
    read.push([start, count, ...samples.data]);
  expect(read).toEqual([
    [0, 4, 4, 3, 2, 1],
    [4, 1, 0, 4, 3, 2],
  ]);
});

describe("accuracyOf", () => {
  it("is the share of rows whose largest score is the label's", () => {
    const scores = { data: Float32Array.of(1, 2, 3, 0, -1, -2, 5, 5), shape: [4, 2] };
    expect(accuracyOf(scores, [1, 0, 0, 0])).toBe(1);
    expect(accuracyOf(scores, [1, 1, 1, 1])).toBe(0.25);
  });
});

describe("accuraciesOf", () => {
  // The classes 2, 0, 0, 1, 0, 2 are named.
  const scores = { data: Float32Array.of(0, 1, 2, 9, 8, 7, 5, 0, 0, 0, 5, 0, 1, 1, 1, 0, 0, 3), shape: [6, 3] };

  it("is the mean of the shares of the classes that are named right", () => {
    // Right are 3 of the four of class 0 (not the fourth), 1 of 1, and 0 of 1.
    const { accuracy, balanced } = accuraciesOf(scores, [2, 0, 0, 0, 0, 1]);
    expect(balanced).toBeCloseTo((3 / 4 + 0 / 1 + 1 / 1) / 3, 12);
    expect(accuracy).toBeCloseTo(4 / 6, 12);
    expect(accuraciesOf(scores, [2, 0, 0, 1, 0, 2])).toEqual({ accuracy: 1, balanced: 1 });
  });

  it("leaves out classes that no label names", () => {
    expect(accuraciesOf(scores, [1, 0, 0, 1, 1, 1]).balanced).toBeCloseTo((1 + 1 / 4) / 2, 12);
    expect(accuraciesOf(scores, [0, 0, 0, 0, 0, 0]).balanced).toBeCloseTo(1 / 2, 12);
  });
});

describe("crossEntropyOf", () => {
  it("is the mean of −log softmax at the label, also for large scores", () => {
    const scores = { data: Float32Array.of(0, 0, 1, 0, 1000, 998), shape: [3, 2] };
    const expected = (Math.LN2 + Math.log(1 + Math.exp(-1)) + 2 + Math.log(1 + Math.exp(-2))) / 3;
    expect(crossEntropyOf(scores, [1, 0, 1])).toBeCloseTo(expected, 12);
    expect(crossEntropyOf({ data: Float32Array.of(Number.NaN, 0), shape: [1, 2] }, [1])).toBeNaN();
  });
});
