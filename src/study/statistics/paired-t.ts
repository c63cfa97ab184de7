import { studentQuantile, studentWithin } from "./distributions.js";
import { type Interval, requireLevel } from "./interval.js";
import { mean, standardDeviation } from "./sample-statistics.js";

/** What {@link pairedT} finds. */
export interface PairedT {
  mean: number;
  /** The standard deviation of the differences that the test used, see `resolution`. */
  standardDeviation: number;
  /** mean / (standardDeviation / √n); ±Infinity where there is no spread but a mean. */
  t: number;
  /** The two-sided p-value, with an absolute error below 1e-14. */
  p: number;
  interval: Interval;
}

/**
 * Student's paired t-test (1908) and interval: mean ± t(1 − α/2, n − 1)·s/√n. It is the test that decides, and the
 * interval that stands beside it, because it holds at any number of seeds for differences that are near normal; under
 * the null hypothesis of equal arms a difference is symmetric whatever the scores look like, which keeps the
 * false-positive rate at its level or below (see trustworthy.ts for both, measured).
 *
 * @param differences arm minus baseline, one a seed; two or more
 * @param options.level of the interval
 * @param options.resolution the smallest step that a score can move by (1 / test samples for an accuracy). Scores on a
 *   grid can agree by rounding, so that the spread looks smaller than it is; each carries a rounding variance of
 *   resolution²/12, and the differences' variance is taken as no less than two of those.
 */
export function pairedT(
  differences: ArrayLike<number>,
  { level = 0.95, resolution = 0 }: { level?: number; resolution?: number } = {},
): PairedT {
  requireLevel(level);
  const count = differences.length;
  const spread = standardDeviation(differences);
  const centre = mean(differences);
  const used = Math.max(spread, resolution / Math.sqrt(6));
  const error = used / Math.sqrt(count);
  const t = centre === 0 ? 0 : centre / error;
  const half = studentQuantile((1 + level) / 2, count - 1) * error;
  return {
    mean: centre,
    standardDeviation: used,
    t,
    p: 1 - studentWithin(t, count - 1),
    interval: { low: centre - half, high: centre + half, level },
  };
}
