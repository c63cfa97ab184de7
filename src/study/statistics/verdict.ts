import { counted } from "../../counted.js";
import { studentQuantile } from "./distributions.js";
import type { Interval } from "./interval.js";
import { mean } from "./sample-statistics.js";

/** What a study says of an arm against the baseline. */
export type VerdictWord = "helps" | "hurts" | "no difference shown" | "unclear";

/**
 * What a verdict rests on: its kind and its numbers, in the unit of the differences. An interval's ends stand with its
 * level, p-values are those after the correction.
 */
export type Ground =
  | { readonly kind: "few-pairs"; readonly pairs: number; readonly required: number }
  | { readonly kind: "all-zero"; readonly pairs: number }
  | ({ readonly kind: "difference"; readonly mean: number; readonly pairs: number } & Tested)
  | { readonly kind: "small"; readonly minimumEffect: number }
  | ({ readonly kind: "none-at-level" } & Tested)
  | { readonly kind: "not-after-correction" }
  | ({ readonly kind: "interval" } & Tested)
  | { readonly kind: "corrected"; readonly p: number }
  | {
      readonly kind: "wide";
      readonly low: number;
      readonly high: number;
      readonly level: number;
      readonly minimumEffect: number;
    }
  | { readonly kind: "seeds-needed"; readonly seeds: number; readonly minimumEffect: number }
  | { readonly kind: "narrow"; readonly minimumEffect: number };

type Tested = { readonly low: number; readonly high: number; readonly level: number; readonly p: number };

/** A verdict with what it rests on. */
export interface Verdict {
  verdict: VerdictWord;
  /** What it rests on, the deciding ground first. */
  grounds: Ground[];
  /** The same in words, one short sentence each; numbers are as {@link Evidence.shownAs} says. */
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
 * 2. "no difference shown" if all differences are exactly zero (an arm against itself), unless the scores move in steps so
 *    coarse that the interval is wider than ± `minimumEffect` all the same.
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
  shownAs = { factor: 1, unit: "" },
}: Evidence): Verdict {
  if (!(minimumEffect > 0)) throw new RangeError(`a positive smallest effect is required, got ${minimumEffect}`);
  if (!(adjustedP >= 0 && adjustedP <= 1)) throw new RangeError(`a p-value is required, got ${adjustedP}`);
  const pairs = differences.length;
  const decided = (word: VerdictWord, grounds: Ground[], seedsNeeded?: number): Verdict => ({
    verdict: word,
    grounds,
    reasons: grounds.map((ground) => inWords(ground, shownAs)),
    seedsNeeded,
  });
  if (pairs < fewestPairs) return decided("unclear", [{ kind: "few-pairs", pairs, required: fewestPairs }]);
  const { low, high, level } = interval;
  const half = (high - low) / 2;
  if (differences.every((difference) => difference === 0) && half <= minimumEffect)
    return decided("no difference shown", [{ kind: "all-zero", pairs }]);
  const centre = mean(differences);
  const tested = { low, high, level, p: adjustedP };
  const excludesZero = low > 0 || high < 0;
  // 1 − 0.95 is a little above 0.05.
  if (adjustedP <= 1 - level + 1e-12 && excludesZero) {
    const small: Ground[] = Math.abs(centre) < minimumEffect ? [{ kind: "small", minimumEffect }] : [];
    return decided(centre > 0 ? "helps" : "hurts", [{ kind: "difference", mean: centre, pairs, ...tested }, ...small]);
  }
  if (excludesZero) return decided("unclear", [{ kind: "not-after-correction" }, { kind: "interval", ...tested }]);
  if (half > minimumEffect) {
    // The spread that the interval rests on, which is more than that of the differences where scores move in steps.
    const spread = (half * Math.sqrt(pairs)) / studentQuantile((1 + level) / 2, pairs - 1);
    const seeds = seedsFor(minimumEffect, spread, level);
    const wide: Ground = { kind: "wide", low, high, level, minimumEffect };
    const needed: Ground = { kind: "seeds-needed", seeds, minimumEffect };
    return decided("unclear", [wide, { kind: "corrected", p: adjustedP }, needed], seeds);
  }
  return decided("no difference shown", [
    { kind: "none-at-level", ...tested },
    { kind: "narrow", minimumEffect },
  ]);
}

function inWords(ground: Ground, { factor, unit }: DifferenceUnit): string {
  const number = (difference: number): string => show(factor * difference);
  const write = (difference: number): string => {
    const figure = number(difference);
    return unit === "" ? figure : `${figure} ${figure === "1" ? unit.replace(/s$/, "") : unit}`;
  };
  const range = ({ low, high, level }: Omit<Tested, "p">): string =>
    `the ${percent(level)} interval is ${number(low)} to ${write(high)}`;
  const corrected = ({ p }: Pick<Tested, "p">): string => `p = ${show(p)} after Holm's correction`;
  switch (ground.kind) {
    case "few-pairs":
      return `${counted(ground.pairs, "pair")} of trials, ${ground.required} or more are required`;
    case "all-zero":
      return `all ${ground.pairs} differences are exactly zero`;
    case "difference":
      return `mean difference ${write(ground.mean)} over ${ground.pairs} pairs: ${range(ground)}, ${corrected(ground)}`;
    case "small":
      return `the difference is smaller than ${write(ground.minimumEffect)}`;
    case "none-at-level":
      return `no difference at the ${percent(1 - ground.level)} level: ${range(ground)}, ${corrected(ground)}`;
    case "not-after-correction":
      return "the interval excludes zero, but not after the correction for several arms: more seeds would tell";
    case "interval":
      return `${range(ground)}, ${corrected(ground)}`;
    case "corrected":
      return corrected(ground);
    case "wide":
      return `too few trials: ${range(ground)}, wider than ± ${write(ground.minimumEffect)}`;
    case "seeds-needed":
      return `${ground.seeds < mostSeeds ? "about" : "more than"} ${ground.seeds} seeds would narrow it to ± ${write(ground.minimumEffect)}`;
    case "narrow":
      return `the interval is no wider than ± ${write(ground.minimumEffect)}`;
  }
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
