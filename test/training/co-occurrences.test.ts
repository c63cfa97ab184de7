import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { coOccurrences, startFromCoOccurrences } from "../../src/training/co-occurrences.js";
import { textDataset, toyNetwork } from "../support/toy-data.js";

const vocabulary = 20;
const network = toyNetwork({ template: "text", inputShape: [8], vocabulary, widths: [6, 4] });
const features = featureExtractor(network);
const name = "embedding.weight";

async function started(dataset = textDataset(400), seed = 0): Promise<Float32Array> {
  const weights = initialWeights(network, "pytorch-default", seed);
  return (await startFromCoOccurrences(features, weights, dataset, seed)).get(name) ?? new Float32Array();
}

const vectorOf = (table: Float32Array, token: number): number[] => Array.from(table.subarray(token * 6, token * 6 + 6));

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, at) => sum + value * b[at], 0) / (Math.hypot(...a) * Math.hypot(...b));
}

test("tokens of the same texts get vectors that are alike, and those of others do not", async () => {
  const table = await started();
  const [low, high] = [1, 8].map((first) => Array.from({ length: 7 }, (_, at) => vectorOf(table, first + at)));
  const mean = (some: readonly number[][], others: readonly number[][]): number => {
    const all = some.flatMap((one) => others.filter((other) => other !== one).map((other) => cosine(one, other)));
    return all.reduce((sum, each) => sum + each, 0) / all.length;
  };
  expect(mean(low, low)).toBeGreaterThan(0.5);
  expect(mean(high, high)).toBeGreaterThan(0.5);
  expect(mean(low, high)).toBeLessThan(-0.3);
});

test("vectors of tokens that there are have deviation one, and those of others are drawn so", async () => {
  const table = await started();
  const deviationOf = (from: number, to: number): number => {
    const numbers = table.subarray(from * 6, to * 6);
    return Math.sqrt(numbers.reduce((sum, value) => sum + value * value, 0) / numbers.length);
  };
  expect(deviationOf(0, 16)).toBeCloseTo(1, 4);
  expect(deviationOf(16, vocabulary)).toBeGreaterThan(0.5);
  expect(deviationOf(16, vocabulary)).toBeLessThan(1.6);
  const again = await started();
  expect(again).toEqual(table);
  expect((await started(textDataset(400), 1)).subarray(16 * 6)).not.toEqual(table.subarray(16 * 6));
});

test("there are as many axes as are wanted, with mean zero over the tokens that were seen", async () => {
  const { axes, seen } = await coOccurrences(textDataset(400), vocabulary, 3, 0);
  expect(axes.length).toBe(3);
  expect(seen).toEqual(Array.from({ length: 16 }, (_, token) => token));
  for (const axis of axes) expect(Math.abs(seen.reduce((sum, token) => sum + axis[token], 0))).toBeLessThan(1e-6);
});

test("what no axis fills of a wide vector is drawn, and small", async () => {
  const width = 40;
  const wide = toyNetwork({ template: "text", inputShape: [8], vocabulary, widths: [width, 4] });
  const weights = initialWeights(wide, "he", 0);
  const table = (await startFromCoOccurrences(featureExtractor(wide), weights, textDataset(400), 0)).get(name);
  const sizeOf = (column: number): number =>
    Math.hypot(...Array.from({ length: 16 }, (_, token) => table?.[token * width + column] ?? 0));
  expect(sizeOf(width - 1)).toBeGreaterThan(0);
  expect(sizeOf(width - 1)).toBeLessThan(0.2 * sizeOf(0));
});

test("where no two tokens stand together, all vectors are drawn", async () => {
  const alone = memoryDataset(Float32Array.from({ length: 80 }, (_, at) => (at % 8 === 0 ? at / 8 : 0)).fill(3), [8]);
  const table = await started(alone);
  expect(table.every(Number.isFinite)).toBe(true);
  expect(new Set(table).size).toBeGreaterThan(100);
});

test("networks of numbers stay as they are", async () => {
  const other = toyNetwork({ template: "mlp", inputShape: [8], widths: [4] });
  const weights = initialWeights(other, "he", 0);
  expect(await startFromCoOccurrences(featureExtractor(other), weights, textDataset(), 0)).toBe(weights);
});
