import { normalQuantile } from "./distributions.js";
import { type Interval, requireLevel } from "./interval.js";

/**
 * Wilson's score interval for a rate (1927), as for the share of trials that diverged:
 * (p̂ + z²/2n ± z·√(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n). Unlike p̂ ± z·s it stays within 0 to 1 and has a width when none
 * or all of the trials were counted: 0 of 5 still allows a rate of 43 %.
 *
 * @param hits how many were counted
 * @param trials of how many, one or more
 */
export function wilsonInterval(hits: number, trials: number, level = 0.95): Interval {
  requireLevel(level);
  if (!Number.isInteger(trials) || trials < 1 || !Number.isInteger(hits) || hits < 0 || hits > trials) {
    throw new RangeError(`0 to n hits of n trials are required, got ${hits} of ${trials}`);
  }
  const z = normalQuantile((1 + level) / 2);
  const rate = hits / trials;
  const scale = 1 + z ** 2 / trials;
  const centre = (rate + z ** 2 / (2 * trials)) / scale;
  const half = (z * Math.sqrt((rate * (1 - rate)) / trials + z ** 2 / (4 * trials ** 2))) / scale;
  // The formula gives exactly 0 or 1 at the ends, but for rounding.
  return { low: hits === 0 ? 0 : centre - half, high: hits === trials ? 1 : centre + half, level };
}
