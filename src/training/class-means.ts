/** Scores of classes by the nearest mean of features. */
import type { LabelledFeatures } from "./labelled-features.js";
import { difference, type LinearScore, scaledScores, scoresOf } from "./linear-head.js";

/** How many samples each class has, the mean of each class's features, and that of all. */
export interface ClassMeans {
  readonly counts: Float64Array;
  /** A class without samples has zeros. */
  readonly means: readonly Float64Array[];
  readonly whole: Float64Array;
}

/** Adds up features by class; see {@link ClassMeans}. */
export class ClassSums {
  readonly #counts: Float64Array;
  readonly #sums: readonly Float64Array[];

  constructor(classes: number, width: number) {
    this.#counts = new Float64Array(classes);
    this.#sums = Array.from({ length: classes }, () => new Float64Array(width));
  }

  add(points: Float32Array, labels: Int32Array): void {
    const width = points.length / labels.length;
    labels.forEach((label, row) => {
      this.#counts[label]++;
      const sums = this.#sums[label];
      for (let column = 0; column < width; column++) sums[column] += points[row * width + column];
    });
  }

  means(): ClassMeans {
    const counts = this.#counts;
    const count = counts.reduce((sum, own) => sum + own, 0);
    return {
      counts,
      means: this.#sums.map((sums, label) => sums.map((sum) => sum / Math.max(1, counts[label]))),
      whole: this.#sums[0].map((_, column) => this.#sums.reduce((sum, own) => sum + own[column], 0) / count),
    };
  }
}

/**
 * A class's score with this slope, but for a constant that all classes share: zero half-way between the class's mean and that
 * of all.
 */
export function scoreFromMeans(slope: Float64Array, mean: Float64Array, whole: Float64Array): LinearScore {
  const half = (column: number): number => whole[column] + (mean[column] - whole[column]) / 2;
  return { slope, offset: 0 - slope.reduce((sum, value, column) => sum + value * half(column), 0) };
}

/**
 * With mc the mean of the features f of class c, and m that of all, the score of c is (mc − m) · (f − m) − ‖mc − m‖² / 2, so
 * that the largest score is that of the nearest mean (linear discriminant analysis with one variance for all features,
 * Fisher 1936). A class without samples has zeros.
 */
export async function classMeansScores(features: LabelledFeatures, classes: number): Promise<readonly LinearScore[]> {
  const sums = new ClassSums(classes, features.width);
  for await (const { points, labels } of features.read()) sums.add(points, labels);
  const { counts, means, whole } = sums.means();
  return means.map((mean, label) => {
    const slope = counts[label] === 0 ? new Float64Array(features.width) : difference(mean, whole);
    return scoreFromMeans(slope, mean, whole);
  });
}

/** The scores with a standard deviation of one over all samples, which is what a random head gives calibrated features. */
export async function withUnitDeviation(
  features: LabelledFeatures,
  scores: readonly LinearScore[],
): Promise<readonly LinearScore[]> {
  return scaledScores(scores, 1 / ((await deviationOf(features, scores)) || 1));
}

/** Standard deviation of all scores of all samples. */
async function deviationOf(features: LabelledFeatures, scores: readonly LinearScore[]): Promise<number> {
  let [sum, squares, count] = [0, 0, 0];
  for await (const some of features.read())
    for (const score of scoresOf(some, scores)) {
      sum += score;
      squares += score ** 2;
      count++;
    }
  return Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
}
