/** Which trials choose learning rates, and what they choose. */
import { ratesOf, type Setting, type StudyPlan, type Trial, trialKey, tuningSeedsOf } from "./plan.js";
import type { TrialRecord } from "./records.js";

/** Names an arm's tuning in a setting. */
export function tuningName(setting: Setting, arm: string): string {
  return [setting.network, setting.labels, setting.optimizer.kind, arm].join(" | ");
}

/** An arm's tuning in a setting: the trials at each rate. */
export interface Tuning {
  readonly name: string;
  readonly rates: readonly {
    readonly learningRate: number;
    readonly keys: readonly { readonly trial: Trial; readonly key: string }[];
  }[];
}

/** The trials that choose a plan's learning rates: the same for every arm. */
export function tuningOf(plan: StudyPlan, settings: readonly Setting[]): Tuning[] {
  const seeds = tuningSeedsOf(plan);
  return settings.flatMap((setting) =>
    plan.arms.map((arm) => ({
      name: tuningName(setting, arm.name),
      rates: ratesOf(plan, setting.optimizer).map((learningRate) => ({
        learningRate,
        keys: seeds.map((seed) => {
          const { network, labels } = setting;
          const trial: Trial = {
            network,
            arm: arm.name,
            labels,
            optimizer: { ...setting.optimizer, learningRate },
            seed,
            purpose: "tuning",
          };
          return { trial, key: trialKey(plan, trial) };
        }),
      })),
    })),
  );
}

/** The rate of each arm in each setting that tells its held-back labels best, by {@link tuningName}. */
export function bestRates(
  candidates: readonly Tuning[],
  trials: ReadonlyMap<string, TrialRecord>,
): Record<string, number> {
  return Object.fromEntries(
    candidates.map(({ name, rates }) => {
      const scored = rates.map(({ learningRate, keys }) => ({
        learningRate,
        score: keys.reduce((sum, { key }) => sum + (trials.get(key)?.score ?? 0), 0),
      }));
      // Of equals the smallest rate.
      const best = [...scored].sort((a, b) => b.score - a.score || a.learningRate - b.learningRate)[0];
      return [name, best.learningRate];
    }),
  );
}
