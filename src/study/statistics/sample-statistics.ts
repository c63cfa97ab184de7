/**
 * Location and spread of a sample. All of them throw a RangeError for an empty sample or a value that is not finite: a
 * diverged trial must be counted as such by the caller, never vanish in a mean.
 */

/** The arithmetic mean, Σx / n. */
export function mean(values: ArrayLike<number>): number {
  requireSample(values, 1);
  return sum(values) / values.length;
}

/** The standard deviation of a sample, √(Σ(x − mean)² / (n − 1)); at least two values are required. */
export function standardDeviation(values: ArrayLike<number>): number {
  requireSample(values, 2);
  const centre = sum(values) / values.length;
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += (values[index] - centre) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}

/**
 * The quantile of a sample, linear between order statistics: with h = (n − 1)·probability, the value at ⌊h⌋ plus the
 * fraction of the step to the next (type 7 of Hyndman and Fan, 1996; NumPy's and R's default).
 */
export function quantile(values: ArrayLike<number>, probability: number): number {
  requireSample(values, 1);
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`a probability from 0 to 1 is required, got ${probability}`);
  }
  return quantileOfSorted(Float64Array.from(values).sort(), probability);
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/**
 * The interquartile mean: the mean of what is left when ⌊n/4⌋ values are cut from each end (the 25 % trimmed mean;
 * Agarwal et al., 2021, "Deep RL at the edge of the statistical precipice", section 4). Fewer than four values are all
 * kept.
 */
export function interquartileMean(values: ArrayLike<number>): number {
  requireSample(values, 1);
  return interquartileMeanOfSorted(Float64Array.from(values).sort());
}

/** {@link quantile} of values which are finite and in ascending order; nothing is checked. */
export function quantileOfSorted(sorted: ArrayLike<number>, probability: number): number {
  const position = (sorted.length - 1) * probability;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (position - below) * (sorted[above] - sorted[below]);
}

/** {@link interquartileMean} of values which are finite and in ascending order; nothing is checked. */
export function interquartileMeanOfSorted(sorted: ArrayLike<number>): number {
  const cut = Math.floor(sorted.length / 4);
  let total = 0;
  for (let index = cut; index < sorted.length - cut; index++) total += sorted[index];
  return total / (sorted.length - 2 * cut);
}

/** Throws a RangeError unless there are at least `least` values and all are finite. */
export function requireSample(values: ArrayLike<number>, least: number): void {
  if (values.length < least) throw new RangeError(`a sample of ${least} or more is required, got ${values.length}`);
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) {
      throw new RangeError(`finite values are required, got ${values[index]} at position ${index}`);
    }
  }
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let index = 0; index < values.length; index++) total += values[index];
  return total;
}
