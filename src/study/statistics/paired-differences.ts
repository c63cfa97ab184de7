import { mean } from "./sample-statistics.js";

/** What an arm scored in one setting, by seed. */
export type ScoresBySeed = ReadonlyMap<number, number>;

/** Two arms' differences in one setting. */
export interface PairedDifferences {
  /** The seeds that both arms have, ascending. */
  seeds: number[];
  /** Arm minus baseline, in the order of the seeds. */
  differences: number[];
  /** How many trials of either arm had no partner and were left out. */
  unpaired: number;
}

/**
 * Arm minus baseline for every seed that both have: equal seeds mean equal heads, data order and labelled subset, so the
 * difference is free of what these do to a score.
 *
 * @throws RangeError if a score is not finite: a trial that diverged needs a score (its accuracy, or the worst one),
 *   since leaving it out would favour the arm that diverges
 */
export function pairedDifferences(arm: ScoresBySeed, baseline: ScoresBySeed): PairedDifferences {
  const seeds = [...arm.keys()].filter((seed) => baseline.has(seed)).sort((a, b) => a - b);
  const differences = seeds.map((seed) => arm.get(seed)! - baseline.get(seed)!);
  const unusable = differences.findIndex((difference) => !Number.isFinite(difference));
  if (unusable >= 0) throw new RangeError(`finite scores are required, got another for seed ${seeds[unusable]}`);
  return { seeds, differences, unpaired: arm.size + baseline.size - 2 * seeds.length };
}

/**
 * One difference a seed for a study of several settings: the mean over the settings of that seed's differences. The seed
 * stays the unit, so that settings which share a seed's heads and data do not count as independent evidence. Seeds that
 * lack a setting are left out and counted as unpaired.
 *
 * @param arm the arm's scores, one map a setting
 * @param baseline the baseline's scores in the same settings
 */
export function pairedDifferencesOverSettings(
  arm: readonly ScoresBySeed[],
  baseline: readonly ScoresBySeed[],
): PairedDifferences {
  if (arm.length !== baseline.length || arm.length === 0) {
    throw new RangeError(`the same settings are required of both arms, got ${arm.length} and ${baseline.length}`);
  }
  const settings = arm.map((scores, setting) => {
    const { seeds, differences } = pairedDifferences(scores, baseline[setting]);
    return new Map(seeds.map((seed, index) => [seed, differences[index]]));
  });
  const seeds = [...settings[0].keys()].filter((seed) => settings.every((setting) => setting.has(seed)));
  const trials = [...arm, ...baseline].reduce((total, scores) => total + scores.size, 0);
  return {
    seeds,
    differences: seeds.map((seed) => mean(settings.map((setting) => setting.get(seed)!))),
    unpaired: trials - 2 * seeds.length * settings.length,
  };
}

/** The scores of these seeds, in their order. */
export function scoresOfSeeds(scores: ScoresBySeed, seeds: readonly number[]): Float64Array {
  return Float64Array.from(seeds, (seed) => {
    const score = scores.get(seed);
    if (score === undefined) throw new RangeError(`a score is required for seed ${seed}`);
    return score;
  });
}
