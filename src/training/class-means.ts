/** Scores of classes by the nearest mean of features. */
import type { LabelledFeatures } from "./labelled-features.js";
import { type LinearScore, scoresOf } from "./linear-head.js";

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
 * With mc the mean of the features f of class c, and m that of all, the score of c is
 * k · ((mc − m) · (f − m) − ‖mc − m‖² / 2), so that the largest score is that of the nearest mean (linear discriminant
 * analysis with one variance for all features, Fisher 1936); k gives the scores a standard deviation of one on the
 * samples, which is what a random head gives calibrated features. A class without samples keeps zeros.
 *
 * @returns the scores of the classes, and k
 * @param scoresOfUnits what the head's units compute of them: its deviation counts
 */
export async function classMeansScores(
  features: LabelledFeatures,
  classes: number,
  scoresOfUnits: (scores: readonly LinearScore[]) => readonly LinearScore[],
): Promise<{ scores: readonly LinearScore[]; factor: number }> {
  const sums = new ClassSums(classes, features.width);
  for await (const { points, labels } of features.read()) sums.add(points, labels);
  const { counts, means, whole } = sums.means();
  const scores = means.map((mean, label): LinearScore => {
    if (counts[label] === 0) return { slope: new Float64Array(features.width), offset: 0 };
    const slope = mean.map((value, column) => value - whole[column]);
    return { slope, offset: -slope.reduce((sum, value, column) => sum + value * (whole[column] + value / 2), 0) };
  });
  return { scores, factor: 1 / ((await deviationOf(features, scoresOfUnits(scores))) || 1) };
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
