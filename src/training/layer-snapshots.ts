/** What each layer of F looks like at a moment of training: singular values of its weight, histogram of what it gives. */
import type { Dataset } from "../data/dataset.js";
import { singularValues } from "../initializers/spectrum.js";
import { toUnitMatrices, unitMatrix } from "../initializers/unit-matrices.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import type { EvaluateOptions } from "./evaluate.js";
import { letOthersRun } from "./let-others-run.js";
import { measuringSamples } from "./measuring-samples.js";
import { StagedEvaluator } from "./staged-evaluator.js";

/** Counts of values in bins of equal width from `low` to `high`. */
export interface Histogram {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** One layer at one moment. */
export interface LayerSnapshot {
  /** Name of the layer's weight. */
  readonly layer: string;
  /** Singular values of the weight (output units × fan-in), largest first; null for a layer too large to take apart. */
  readonly singularValues: readonly number[] | null;
  /** Pre-activations over samples, positions and units. */
  readonly preActivations: Histogram;
}

/** Larger weights would hold training up for seconds: the decomposition grows with the cube of the lesser side. */
const largestSide = 256;

const bins = 40;

const samplesLookedWith = 128;

/** The samples that {@link layerSnapshots} looks with. */
export function snapshotSamples(dataset: Dataset, seed: number): Uint32Array {
  return measuringSamples(dataset, samplesLookedWith, seed, "snapshots");
}

/**
 * Looks at every layer of F, with the same 128 samples for the same seed.
 *
 * @throws InterruptedError where the signal aborts
 */
export async function layerSnapshots(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<LayerSnapshot[]> {
  const indices = snapshotSamples(dataset, seed);
  const histograms = new Map<string, Histogram>();
  const stages = await StagedEvaluator.open(
    features.network,
    features.layers.map(({ preActivation }) => preActivation),
    { ...options, normalization: "batch", batchSize: samplesLookedWith },
  );
  try {
    // All samples are one batch.
    await stages.evaluate(weights, dataset, indices, (target, { data }) => histograms.set(target, histogram(data)));
  } finally {
    await stages.release();
  }
  const snapshots: LayerSnapshot[] = [];
  for (const { weight, preActivation } of features.layers) {
    // The singular values of many layers take seconds, in which nothing else would be heard of.
    await letOthersRun(options.signal, "looking at layers");
    snapshots.push({
      layer: weight.name,
      singularValues: spectrumOf(weight, weights),
      preActivations: histograms.get(preActivation)!,
    });
  }
  return snapshots;
}

function spectrumOf({ name, shape, layout }: FeatureExtractor["layers"][number]["weight"], weights: Weights) {
  const elements = weights.get(name);
  // Of weights that have diverged nothing is recorded: training itself ends with what to do.
  if (!layout || !elements?.every(Number.isFinite)) return null;
  const matrices = toUnitMatrices(elements, shape, layout);
  if (Math.min(matrices.rows, matrices.cols) > largestSide) return null;
  const values: number[] = [];
  for (let group = 0; group < matrices.groups; group++)
    values.push(...singularValues(unitMatrix(matrices, group), matrices.rows, matrices.cols));
  // Six digits are more than a chart shows, and keep the file small.
  return values.sort((first, second) => second - first).map((value) => Number(value.toPrecision(6)));
}

/** Bins from the smallest to the largest value; one of width 0 where all are equal. Values that are not finite are left out. */
export function histogram(values: Float32Array): Histogram {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  // Layers of pictures have millions of values, which an iterator takes three times as long to go through.
  for (let place = 0; place < values.length; place++) {
    const value = values[place];
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 0, counts: [] };
  const counts = new Array<number>(bins).fill(0);
  const scale = high > low ? bins / (high - low) : 0;
  for (let place = 0; place < values.length; place++) {
    const value = values[place];
    if (Number.isFinite(value)) counts[Math.min(bins - 1, Math.floor((value - low) * scale))]++;
  }
  return { low, high, counts };
}
