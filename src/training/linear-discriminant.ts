/**
 * Scores of classes by linear discriminant analysis (Fisher 1936; Rao 1948): normal distributions of features around a
 * mean for each class, with one covariance for all. The covariance is shrunk towards that of features that vary alike
 * and by themselves (Friedman 1989), by as much as tells samples best that were held out.
 */
import { userError } from "../errors.js";
import { RandomStream } from "../random/stream.js";
import { type ClassMeans, ClassSums, classMeansScores, scoreFromMeans, withUnitDeviation } from "./class-means.js";
import { solveTogether } from "./conjugate-gradients.js";
import { accuracyOf, type ClassScores, crossEntropyOf, type EvaluateOptions } from "./evaluate.js";
import type { LabelledFeatures } from "./labelled-features.js";
import { letOthersRun } from "./let-others-run.js";
import { type LinearScore, scaledScores, scoresOf } from "./linear-head.js";
import { MatrixProducts } from "./matrix-products.js";

/** Features are at most so many numbers: their covariance has as many as the square, 64 MiB, and is held twice. */
export const mostDiscriminantFeatures = 4096;

/** Shares of the covariance that are replaced; 1 leaves one variance for all features, and so the nearest mean. */
const shrinkages = [1, 0.9, 0.6, 0.3, 0.1, 0.03, 0.01] as const;

/** Every sample is held out once where there are fewer than these, else a fifth of all. */
const fewSamples = 5000;
const foldCount = 5;

/** At most so many are held out in all, and fewer where there are many classes, whose scores are all kept. */
const mostHeldOut = 10_000;
const leastHeldOut = 100;
const mostHeldOutScores = 2 ** 20;

/** Standard deviations of the scores among which the best is chosen, each by a fifth above the one before. */
const deviations = Array.from({ length: 26 }, (_, index) => 0.3 * 1.2 ** index);

/** What came of a choice by samples that were held out. */
export interface DiscriminantAccount {
  /** The share of the covariance that was replaced by one variance for all features. */
  readonly shrinkage: number;
  /** Samples that were held out while the choice was made, */
  readonly heldOut: number;
  /** and the share of them that was classified right; undefined where there were none. */
  readonly accuracy?: number;
}

/**
 * For features f, the score of class c with mean mc among nc of n samples is k · ((mc − m) S⁻¹ f − (mc − m) S⁻¹ (mc + m) / 2) +
 * ln((nc + 1) / (n + C)): S is the covariance within classes, shrunk, and m the mean of all. How far S is shrunk, and k, are
 * those of least cross-entropy on samples that S and the means were not made of; so the outputs are fit to be read as
 * probabilities by softmax.
 *
 * @param classes their number C; a class without samples has the offset alone
 * @param seed decides which samples are held out
 * @param options progress counts shrinkages: those that scores are made with, for each part of the samples that is held out,
 *   then those that have been judged
 * @throws UserError where features are too many for their covariance; InterruptedError where the signal aborts
 */
export async function discriminantScores(
  features: LabelledFeatures,
  classes: number,
  seed: number,
  options: EvaluateOptions = {},
): Promise<{ scores: readonly LinearScore[]; account: DiscriminantAccount }> {
  requireWidth(features.width);
  const products = await MatrixProducts.open(features.width, classes, options);
  try {
    const held = await heldOutScores(features, classes, seed, products, options.onProgress);
    if (held.labels.length === 0) {
      const nearest = await classMeansScores(features, classes);
      return { scores: await withUnitDeviation(features, nearest), account: { shrinkage: 1, heldOut: 0 } };
    }
    const priors = logPriors(features.labels, classes);
    const { shrinkage, factor, accuracy } = await bestFit(held, priors, options);
    const covariance = await covarianceWithin(features, classes, products);
    const { linear } = await scoresAt(covariance, shrinkage, products);
    return {
      scores: scaledScores(linear, factor).map(({ slope, offset }, label) => ({
        slope,
        offset: offset + priors[label],
      })),
      account: { shrinkage, heldOut: held.labels.length, ...(accuracy === undefined ? {} : { accuracy }) },
    };
  } finally {
    await products.release();
  }
}

/** @throws UserError where features are too many for their covariance */
export function requireWidth(width: number): void {
  if (width <= mostDiscriminantFeatures) return;
  throw userError({
    where: "head linear-discriminant",
    required: `features of at most ${mostDiscriminantFeatures} numbers, whose covariance is computed`,
    got: `${width}`,
    advice: "Take the head class-means.",
  });
}

/** Held-out samples' scores, by shrinkage: [samples, classes]. */
interface HeldOut {
  readonly labels: number[];
  readonly scores: readonly number[][];
}

async function heldOutScores(
  features: LabelledFeatures,
  classes: number,
  seed: number,
  products: MatrixProducts,
  onProgress: EvaluateOptions["onProgress"],
): Promise<HeldOut> {
  const held: HeldOut = { labels: [], scores: shrinkages.map(() => []) };
  const order = new RandomStream(seed, "linear-discriminant").permutation(features.count);
  const foldOf = foldsByClass(features.labels, classes, order);
  const folds = features.count < fewSamples ? foldCount : 1;
  const most = Math.min(mostHeldOut, Math.max(leastHeldOut, Math.floor(mostHeldOutScores / classes)));
  for (let fold = 0; fold < folds; fold++) {
    const test = order
      .filter((place) => foldOf[place] === fold)
      .slice(0, Math.ceil(most / folds))
      .sort();
    const train = order.filter((place) => foldOf[place] !== fold).sort();
    if (test.length === 0 || train.length === 0) continue;
    const covariance = await covarianceWithin(features, classes, products, train);
    const fits: (readonly LinearScore[])[] = [];
    let last: Float64Array | undefined;
    for (const shrinkage of shrinkages) {
      const { linear, slopes } = await scoresAt(covariance, shrinkage, products, last);
      fits.push(linear);
      last = slopes;
      onProgress?.(fold * shrinkages.length + fits.length, folds * shrinkages.length);
    }
    for await (const some of features.read(test)) {
      held.labels.push(...some.labels);
      fits.forEach((linear, index) => {
        for (const score of scoresOf(some, linear)) held.scores[index].push(score);
      });
    }
  }
  return held;
}

/** No fifth: never held out. */
const never = foldCount;

/**
 * Which fifth each sample is in: those of each class are shared out evenly, in this order. Classes of fewer samples than there
 * are fifths begin with different ones, and a class's only sample is not held out, since nothing would tell what it is.
 */
function foldsByClass(labels: Int32Array, classes: number, order: Uint32Array): Uint8Array {
  const counts = new Uint32Array(classes);
  for (const label of labels) counts[label]++;
  const seen = new Uint32Array(classes);
  const folds = new Uint8Array(labels.length);
  for (const place of order) {
    const label = labels[place];
    const first = counts[label] < foldCount ? label : 0;
    folds[place] = counts[label] === 1 ? never : (first + seen[label]++) % foldCount;
  }
  return folds;
}

/** ln((nc + 1) / (n + C)), so that a class without samples is no impossible one. */
function logPriors(labels: Int32Array, classes: number): Float64Array {
  const counts = new Float64Array(classes).fill(1);
  for (const label of labels) counts[label]++;
  return counts.map((count) => Math.log(count / (labels.length + classes)));
}

/** The shrinkage and the factor of all scores that tell held-out samples best, and how many of them are told right. */
async function bestFit(
  { labels, scores }: HeldOut,
  priors: Float64Array,
  { signal, onProgress }: EvaluateOptions,
): Promise<{ shrinkage: number; factor: number; accuracy: number | undefined }> {
  const classes = priors.length;
  let best = { shrinkage: 1, factor: 1, loss: Number.POSITIVE_INFINITY, index: -1 };
  const shape = [labels.length, classes];
  const fitted = (own: readonly number[], factor: number): ClassScores => {
    const data = new Float64Array(own.length);
    // Up to a million scores 182 times: an iterator would take several times as long to go through them.
    for (let at = 0; at < own.length; at++) data[at] = factor * own[at] + priors[at % classes];
    return { data, shape };
  };
  for (const [index, own] of scores.entries()) {
    onProgress?.(index, scores.length);
    // A million scores take seconds, in which nothing else would be heard of.
    await letOthersRun(signal, "measuring");
    const deviation = deviationOf(own);
    if (!(deviation > 0)) continue;
    for (const wanted of deviations) {
      const factor = wanted / deviation;
      const loss = crossEntropyOf(fitted(own, factor), labels);
      if (loss < best.loss) best = { shrinkage: shrinkages[index], factor, loss, index };
    }
  }
  onProgress?.(scores.length, scores.length);
  const { shrinkage, factor, index } = best;
  return { shrinkage, factor, accuracy: scores[index] && accuracyOf(fitted(scores[index], factor), labels) };
}

function deviationOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** What the samples say. */
interface Covariance extends ClassMeans {
  /** The covariance within classes: [width, width]. */
  readonly within: Float32Array;
  /** The mean of its diagonal. */
  readonly variance: number;
}

/** @param places the samples; default: all */
async function covarianceWithin(
  features: LabelledFeatures,
  classes: number,
  products: MatrixProducts,
  places?: Uint32Array,
): Promise<Covariance> {
  const { width } = features;
  const sums = new ClassSums(classes, width);
  // Squares of numbers far from zero would lose their digits: all are taken from the mean of the first ones.
  let shift: Float64Array | undefined;
  products.begin();
  for await (const { points, labels } of features.read(places)) {
    shift ??= meanOf(points, width);
    for (let start = 0; start < points.length; start += width)
      for (let column = 0; column < width; column++) points[start + column] -= shift[column];
    sums.add(points, labels);
    await products.add(points);
  }
  const { counts, means, whole } = sums.means();
  const within = products.sum();
  counts.forEach((count, label) => {
    const mean = means[label];
    if (count > 0)
      for (let row = 0; row < width; row++) {
        const scaled = count * mean[row];
        for (let column = 0; column < width; column++) within[row * width + column] -= scaled * mean[column];
      }
  });
  const { length } = places ?? features.labels;
  for (let at = 0; at < within.length; at++) within[at] /= length;
  let trace = 0;
  for (let row = 0; row < width; row++) trace += Math.max(0, within[row * width + row]);
  const moved = (mean: Float64Array): Float64Array => mean.map((value, column) => value + (shift?.[column] ?? 0));
  return { counts, means: means.map(moved), whole: moved(whole), within, variance: trace / width };
}

function meanOf(points: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let start = 0; start < points.length; start += width)
    for (let column = 0; column < width; column++) mean[column] += points[start + column];
  return mean.map((sum) => sum / (points.length / width));
}

/**
 * The classes' scores without k and priors.
 *
 * @param near slopes to begin from: [width, classes]
 */
async function scoresAt(
  { counts, means, whole, within, variance }: Covariance,
  shrinkage: number,
  products: MatrixProducts,
  near?: Float64Array,
): Promise<{ linear: readonly LinearScore[]; slopes: Float64Array }> {
  const classes = counts.length;
  const width = whole.length;
  const differences = new Float64Array(width * classes);
  means.forEach((mean, label) => {
    if (counts[label] > 0)
      for (let column = 0; column < width; column++)
        differences[column * classes + label] = mean[column] - whole[column];
  });
  // Where nothing varies within classes there is nothing to divide by.
  const identity = variance > 0 ? shrinkage * variance : 1;
  const multiply = async (directions: Float64Array): Promise<Float64Array> => {
    if (shrinkage === 1 || !(variance > 0)) return directions.map((value) => identity * value);
    const product = await products.times(within, directions);
    return directions.map((value, at) => (1 - shrinkage) * product[at] + identity * value);
  };
  const slopes = await solveTogether(multiply, differences, classes, near);
  const linear = means.map((mean, label): LinearScore => {
    const slope = new Float64Array(width);
    for (let column = 0; column < width; column++) slope[column] = slopes[column * classes + label];
    return scoreFromMeans(slope, mean, whole);
  });
  return { linear, slopes };
}
