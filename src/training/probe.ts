/** What can be seen of F's features: activation statistics, effective rank, a nearest-neighbour probe. */
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import { areHardlyClasses } from "../data/sample-labels.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { effectiveRank } from "../initializers/spectrum.js";
import { Emitter } from "../ops/emitter.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { openSession } from "../runtime/node.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";
import { measuringSamples } from "./measuring-samples.js";
import { unitStatisticsOf } from "./staged-evaluator.js";

/** Pre-activations of one layer over samples, positions and units. */
export interface ActivationStatistics {
  readonly layer: string;
  readonly mean: number;
  readonly standardDeviation: number;
  /** Share of units that hardly vary (under a thousandth of the layer's standard deviation). */
  readonly constantUnits: number;
}

/** Mean, standard deviation and constant units of each layer's pre-activations. */
export async function activationStatistics(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<ActivationStatistics[]> {
  const indices = measuringSamples(dataset, 256, seed, "statistics");
  const held = holdingSamples(dataset, indices);
  const result: ActivationStatistics[] = [];
  const channelAxes = new Map(
    features.layers.map(({ preActivation, weight }) => [preActivation, weight.layout?.kind === "convolution" ? 1 : -1]),
  );
  const measured = await unitStatisticsOf(features.network, channelAxes, weights, held, indices, options);
  for (const layer of features.layers) {
    const { mean, std } = measured.get(layer.preActivation)!;
    const units = mean.length;
    const average = mean.reduce((sum, value) => sum + value, 0) / units;
    const variance = std.reduce((sum, value, unit) => sum + value ** 2 + (mean[unit] - average) ** 2, 0) / units;
    const deviation = Math.sqrt(variance);
    const constant = std.filter((value) => !(value > 1e-3 * deviation)).length;
    result.push({
      layer: layer.weight.name,
      mean: average,
      standardDeviation: deviation,
      constantUnits: constant / units,
    });
  }
  return result;
}

/** The features of some samples as rows. */
export async function featureRows(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  indices: ArrayLike<number>,
  options: EvaluateOptions = {},
): Promise<{ data: Float32Array; size: number }> {
  const measured = await evaluate(features.network, features.feature, weights, dataset, indices, {
    ...options,
    normalization: "batch",
  });
  return { data: measured.data, size: sizeOf(measured.shape.slice(1)) };
}

/** exp of the entropy of the features' normalised singular values (Roy and Vetterli, 2007), over 256 samples. */
export async function featureRank(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<number> {
  const indices = measuringSamples(dataset, 256, seed, "rank");
  const { data, size } = await featureRows(features, weights, dataset, indices, options);
  return effectiveRank(data, indices.length, size);
}

/**
 * Accuracy of a nearest-neighbour vote in F's features: up to 2,000 samples vote (k = 20, cosine similarity), up to 500
 * others are asked. Undefined without labels or with fewer than 100 samples that have one, and for labels that are numbers
 * rather than classes.
 */
export async function nearestNeighbourProbe(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<number | undefined> {
  const { labels } = dataset;
  if (!labels || areHardlyClasses(dataset)) return undefined;
  const chosen = measuringSamples(dataset, 2500, seed, "probe").filter((index) => labels[index] >= 0);
  if (chosen.length < 100) return undefined;
  const asked = Math.floor(chosen.length / 5);
  const { data, size } = await featureRows(features, weights, dataset, chosen, options);
  normalizeRows(data, size);
  const voters = chosen.length - asked;
  const similarities = await productsOfRows(data, asked, voters, size, options);
  const neighbours = Math.min(20, voters);
  let right = 0;
  for (let row = 0; row < asked; row++) {
    const nearest: { similarity: number; label: number }[] = [];
    for (let voter = 0; voter < voters; voter++) {
      const similarity = similarities[row * voters + voter];
      if (nearest.length === neighbours && similarity <= nearest[nearest.length - 1].similarity) continue;
      const place = nearest.findIndex((entry) => entry.similarity < similarity);
      nearest.splice(place < 0 ? nearest.length : place, 0, { similarity, label: labels[chosen[asked + voter]] });
      if (nearest.length > neighbours) nearest.pop();
    }
    if (majority(nearest.map(({ label }) => label)) === labels[chosen[row]]) right++;
  }
  return right / asked;
}

/** Inner products of the first rows with those behind them: [asked, voters]. */
async function productsOfRows(
  data: Float32Array,
  asked: number,
  voters: number,
  size: number,
  options: EvaluateOptions,
): Promise<Float32Array> {
  const emit = new Emitter();
  const operands = [emit.input("asked", "float32", [asked, size]), emit.input("voters", "float32", [voters, size])];
  emit.output("products", emit.one("Gemm", operands, { transB: attribute.int(1) }));
  const session = await openSession(emit.build("products"), options);
  try {
    const { products } = await session.run({
      asked: floatTensor(data.subarray(0, asked * size), [asked, size]),
      voters: floatTensor(data.subarray(asked * size), [voters, size]),
    });
    return products.data as Float32Array;
  } finally {
    await session.release();
  }
}

/** Centres the columns and gives every row unit length. */
function normalizeRows(data: Float32Array, size: number): void {
  const rows = data.length / size;
  for (let column = 0; column < size; column++) {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += data[row * size + column];
    for (let row = 0; row < rows; row++) data[row * size + column] -= sum / rows;
  }
  for (let row = 0; row < rows; row++) {
    let squares = 0;
    for (let column = 0; column < size; column++) squares += data[row * size + column] ** 2;
    const factor = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let column = 0; column < size; column++) data[row * size + column] *= factor;
  }
}

/** The most frequent label; of equals, the one met first, which is the nearest neighbour's. */
function majority(labels: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  let best = labels[0];
  for (const [label, count] of counts) if (count > (counts.get(best) ?? 0)) best = label;
  return best;
}
