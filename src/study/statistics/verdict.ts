import { studentQuantile } from "./distributions.js";
import type { Interval } from "./interval.js";
import { mean, standardDeviation } from "./sample-statistics.js";

/** What a study says of an arm against the baseline. */
export type VerdictWord = "helps" | "hurts" | "no difference shown" | "unclear";

/** A verdict with what it rests on. */
export interface Verdict {
  verdict: VerdictWord;
  /** The grounds, one short sentence each, the deciding one first. Numbers are in the unit of the differences, or as {@link Evidence.shownAs} says. */
  reasons: string[];
  /**
   * About how many seeds would shrink the interval to ± minimumEffect at the spread seen here; undefined unless the
   * verdict is "unclear" for its interval's width. A guess: the spread of few differences is itself uncertain.
   */
  seedsNeeded: number | undefined;
}

/** How differences are written: multiplied by a factor, before a unit such as "points". */
export interface DifferenceUnit {
  factor: number;
  unit: string;
}

/** What {@link verdict} decides on. */
export interface Evidence {
  /** Arm minus baseline, one a seed, positive where the arm is better. */
  differences: readonly number[];
  /** The paired t-test's p-value after Holm's correction over all arms. */
  adjustedP: number;
  /** The interval of the mean difference. */
  interval: Interval;
  /**
   * The smallest difference that would matter to anyone, in the unit of the differences; 0.01 by default, one point of
   * accuracy.
   */
  minimumEffect?: number;
  /** How the grounds write differences; as they are by default. */
  shownAs?: DifferenceUnit;
}

/** Fewer pairs than this decide nothing: with two, the interval is 12.7 standard errors wide. */
export const fewestPairs = 3;

/**
 * The verdict on an arm, by the first rule that applies:
 *
 * 1. "unclear" with fewer than three pairs.
 * 2. "no difference shown" if all differences are exactly zero (an arm against itself).
 * 3. "helps" or "hurts", by the sign of the mean difference, if the adjusted p-value is at most 1 − level (0.05) and the
 *    interval excludes zero. A difference smaller than `minimumEffect` is called so too, with a reason that says it.
 * 4. "unclear" if the interval excludes zero but the adjusted p-value is above 0.05: one arm alone would have shown a
 *    difference, so many arms cannot.
 * 5. "unclear" if the interval is wider than ± `minimumEffect`, that is, its half width is above it: a difference that
 *    matters could have gone unseen. `seedsNeeded` then says how many seeds may do.
 * 6. "no difference shown" otherwise: the interval holds zero and is narrow enough that a difference of
 *    2·`minimumEffect` or more would have shown.
 */
export function verdict({
  differences,
  adjustedP,
  interval,
  minimumEffect = 0.01,
  shownAs: { factor, unit } = { factor: 1, unit: "" },
}: Evidence): Verdict {
  if (!(minimumEffect > 0)) throw new RangeError(`a positive smallest effect is required, got ${minimumEffect}`);
  if (!(adjustedP >= 0 && adjustedP <= 1)) throw new RangeError(`a p-value is required, got ${adjustedP}`);
  const pairs = differences.length;
  const decided = (word: VerdictWord, ...reasons: string[]): Verdict => ({
    verdict: word,
    reasons,
    seedsNeeded: undefined,
  });
  if (pairs < fewestPairs) {
    return decided(
      "unclear",
      `${pairs === 1 ? "1 pair" : `${pairs} pairs`} of trials, ${fewestPairs} or more are required`,
    );
  }
  if (differences.every((difference) => difference === 0)) {
    return decided("no difference shown", `all ${pairs} differences are exactly zero`);
  }
  const centre = mean(differences);
  const number = (difference: number): string => show(factor * difference);
  const write = (difference: number): string => {
    const figure = number(difference);
    return unit === "" ? figure : `${figure} ${figure === "1" ? unit.replace(/s$/, "") : unit}`;
  };
  const alpha = 1 - interval.level;
  const range = `the ${percent(interval.level)} interval is ${number(interval.low)} to ${write(interval.high)}`;
  const p = `p = ${show(adjustedP)} after Holm's correction`;
  const excludesZero = interval.low > 0 || interval.high < 0;
  // 1 − 0.95 is a little above 0.05.
  if (adjustedP <= alpha + 1e-12 && excludesZero) {
    const size = `mean difference ${write(centre)} over ${pairs} pairs: ${range}, ${p}`;
    const small = Math.abs(centre) < minimumEffect ? [`the difference is smaller than ${write(minimumEffect)}`] : [];
    return decided(centre > 0 ? "helps" : "hurts", size, ...small);
  }
  const nothing = `no difference at the ${percent(alpha)} level: ${range}, ${p}`;
  if (excludesZero) {
    return decided(
      "unclear",
      "the interval excludes zero, but not after the correction for several arms",
      `${range}, ${p}`,
    );
  }
  const halfWidth = (interval.high - interval.low) / 2;
  if (halfWidth > minimumEffect) {
    const seedsNeeded = seedsFor(minimumEffect, standardDeviation(differences), interval.level);
    return {
      verdict: "unclear",
      reasons: [
        `too few trials: ${range}, wider than ± ${write(minimumEffect)}`,
        p,
        `about ${seedsNeeded} seeds would narrow it to ± ${write(minimumEffect)}`,
      ],
      seedsNeeded,
    };
  }
  return decided("no difference shown", nothing, `the interval is no wider than ± ${write(minimumEffect)}`);
}

/** The least number of seeds whose interval t(1 − α/2, n − 1)·s/√n is at most `half` for the standard deviation s. */
export function seedsFor(half: number, spread: number, level = 0.95): number {
  const halfWidth = (seeds: number) => (studentQuantile((1 + level) / 2, seeds - 1) * spread) / Math.sqrt(seeds);
  // Doubling, then halving: the half width falls with every seed.
  let enough = fewestPairs;
  while (halfWidth(enough) > half && enough < mostSeeds) enough *= 2;
  if (enough >= mostSeeds) return mostSeeds;
  let least = fewestPairs;
  while (least < enough) {
    const middle = Math.floor((least + enough) / 2);
    if (halfWidth(middle) > half) least = middle + 1;
    else enough = middle;
  }
  return enough;
}

/** Beyond this, {@link seedsFor} does not count: no one trains that many networks. */
const mostSeeds = 10_000;

function show(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}
