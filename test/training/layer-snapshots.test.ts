import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { newModel } from "../../src/library/new-model.js";
import { openModel } from "../../src/library/open-model.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { histogram, layerSnapshots } from "../../src/training/layer-snapshots.js";

test("counts values in bins from the smallest to the largest", () => {
  const { low, high, counts } = histogram(Float32Array.of(-1, -1, 0, 3, Number.NaN, Number.POSITIVE_INFINITY));
  expect([low, high, counts.length]).toEqual([-1, 3, 40]);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4);
  expect([counts[0], counts[10], counts[39]]).toEqual([2, 1, 1]);
  expect(histogram(Float32Array.of(2, 2)).counts[0]).toBe(2);
  expect(histogram(Float32Array.of(Number.NaN)).counts).toEqual([]);
});

test("each layer's singular values have the sum of squares of its weight, and all its values are counted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "headstart-snapshots-"));
  try {
    const model = join(folder, "model.onnx");
    await newModel({ template: "mlp", inputShape: [6], classes: 3, output: model });
    const { network } = await openModel(model);
    const features = featureExtractor(network);
    const weights = initialWeights(network, "he", 3);
    const data = Float32Array.from({ length: 30 * 6 }, (_, index) => Math.sin(index * index));
    const dataset = memoryDataset(data, [6]);
    const first = await layerSnapshots(features, weights, dataset, 5, { threads: 1 });
    expect(first.map(({ layer }) => layer)).toEqual(features.layers.map(({ weight }) => weight.name));
    for (const { layer, singularValues, preActivations } of first) {
      const squares = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value ** 2, 0);
      expect(squares(singularValues ?? [])).toBeCloseTo(squares(weights.get(layer) ?? []), 2);
      expect(preActivations.counts.reduce((sum, count) => sum + count, 0) % 30).toBe(0);
    }
    expect(await layerSnapshots(features, weights, dataset, 5, { threads: 1 })).toEqual(first);
    const diverged = new Map([...weights].map(([name, values]) => [name, values.map(() => Number.NaN)]));
    for (const { singularValues } of await layerSnapshots(features, diverged, dataset, 5, { threads: 1 }))
      expect(singularValues).toBeNull();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
