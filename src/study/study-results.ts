/** Which pretrainings and trials a plan asks for, and what of them a study has. */

import { extensionOf, type StudyTiming } from "./equal-time.js";
import { judgeTrials } from "./judge-trial.js";
import {
  pretrainingKey,
  pretrainingSeed,
  type Setting,
  type StudyPlan,
  seedsOf,
  settingsOf,
  type Trial,
  trialKey,
} from "./plan.js";
import type { PretrainingRecord, TrialRecord } from "./records.js";
import type { Job } from "./run-study.js";
import { type StudyFolder, studyFiles } from "./study-folder.js";
import { bestRates, tuningName, tuningOf } from "./tuning.js";

/** What a study has when it ends. */
export interface StudyResults {
  /** The plan's trials that are finished, as it judges them. */
  readonly trials: readonly TrialRecord[];
  /** How many the plan has. */
  readonly planned: number;
  readonly pretrainings: ReadonlyMap<string, PretrainingRecord>;
  readonly timing: StudyTiming;
  /** Learning rates chosen by tuning, by {@link tuningName}. */
  readonly tuned: Readonly<Record<string, number>>;
}

/**
 * What a study has by now, from its files alone.
 *
 * @param finished trials of any plan, by key, as they were written
 */
export function resultsSoFar(
  plan: StudyPlan,
  finished: ReadonlyMap<string, TrialRecord>,
  pretrainings: StudyResults["pretrainings"],
  timing: StudyTiming,
): StudyResults {
  const trials = judgeTrials(finished, plan);
  const settings = settingsOf(plan);
  const candidates = plan.tune ? tuningOf(plan, settings) : [];
  const tuning = candidates.flatMap(({ rates }) => rates.flatMap(({ keys }) => keys));
  // Before its rates are chosen, a study has no trials that count.
  if (tuning.some(({ key }) => !trials.has(key)))
    return { trials: [], planned: settings.length * plan.arms.length * plan.seeds, pretrainings, timing, tuned: {} };
  const tuned = bestRates(candidates, trials);
  const wanted = wantedOf(plan, settings, tuned, pretrainings, timing);
  return resultsOf(plan, wanted, trials, { pretrainings, timing, tuned });
}

/** What a study has by now, as its folder holds it. */
export async function resultsIn(folder: StudyFolder, plan: StudyPlan): Promise<StudyResults> {
  const pretrainings = new Map<string, PretrainingRecord>();
  for (const key of pretrainingKeysOf(plan)) {
    const record = await folder.readPretraining(key);
    if (record) pretrainings.set(key, record);
  }
  const timing = await folder.readJson<StudyTiming>(studyFiles.timing);
  return resultsSoFar(plan, await folder.readTrials(), pretrainings, timing ?? { secondsPerStep: {} });
}

/** Keys of a plan's pretrainings. */
export function pretrainingKeysOf(plan: StudyPlan): Set<string> {
  return new Set(pretrainingsOf(plan).map(({ key }) => key));
}

/** A trial that the plan asks for. */
export interface WantedTrial {
  readonly trial: Trial;
  readonly key: string;
  /** See {@link extensionOf}. */
  readonly extension: number;
}

/** The trials that a plan asks for, once its learning rates are chosen and its extensions are known. */
export function wantedOf(
  plan: StudyPlan,
  settings: readonly Setting[],
  tuned: Readonly<Record<string, number>>,
  pretrainings: StudyResults["pretrainings"],
  timing: StudyTiming,
): WantedTrial[] {
  // Trials of an arm that differ in their seeds and labels alone have one extension.
  const extensions = new Map<string, number>();
  return trialsOf(plan, settings, tuned).map((trial) => {
    const of = JSON.stringify([trial.network, trial.arm, trial.optimizer]);
    const extension = extensions.get(of) ?? extensionOf(plan, trial, pretrainings, timing);
    extensions.set(of, extension);
    return { trial, key: trialKey(plan, trial), extension };
  });
}

/** What a study has of the trials that it asks for. */
export function resultsOf(
  plan: StudyPlan,
  wanted: readonly WantedTrial[],
  trials: ReadonlyMap<string, TrialRecord>,
  others: Omit<StudyResults, "trials" | "planned">,
): StudyResults {
  const finished = wanted.flatMap(({ trial, key, extension }) => {
    const record = trials.get(key);
    // The names of this plan, should the record be from another one.
    return isLongEnough(record, plan.steps + extension) ? [{ ...record, ...trial }] : [];
  });
  return { trials: finished, planned: wanted.length, ...others };
}

/** The steps that equal total time asks for rest on seconds, whose mean moves a little with the pretraining of each further seed. */
const longEnough = 0.9;

/**
 * Whether a trial was measured as far as it has to be. An arm that was added to the study may take longer before its
 * trials than any other did: then those of the others are too short for the comparison at equal total time. Where there is
 * nothing to train on from, the steps that were made are all there are.
 */
export function isLongEnough(record: TrialRecord | undefined, steps: number): record is TrialRecord {
  if (record === undefined) return false;
  if (record.diverged === "pretraining" || record.diverged === "non-finite") return true;
  return record.points[record.points.length - 1].step >= longEnough * steps;
}

/** Seed by seed, so that a study that ends early has whole seeds. */
function trialsOf(plan: StudyPlan, settings: readonly Setting[], tuned: Readonly<Record<string, number>>): Trial[] {
  return seedsOf(plan).flatMap((seed) =>
    settings.flatMap((setting) =>
      plan.arms.map((arm): Trial => {
        const { network, labels } = setting;
        const learningRate =
          setting.learningRate === "tuned" ? tuned[tuningName(setting, arm.name)] : setting.learningRate;
        return {
          network,
          arm: arm.name,
          labels,
          optimizer: { ...setting.optimizer, learningRate },
          seed,
          purpose: "test",
        };
      }),
    ),
  );
}

/** The plan's pretrainings; where arms share one, it stands for each of them. */
export function pretrainingsOf(plan: StudyPlan): Extract<Job, { kind: "pretraining" }>[] {
  const seeds = [...new Set(seedsOf(plan).map((trialSeed) => pretrainingSeed(plan, trialSeed)))];
  return seeds.flatMap((seed) =>
    plan.networks.flatMap(({ name: network }) =>
      plan.arms.flatMap((arm) =>
        arm.source.kind === "recipe"
          ? [
              {
                kind: "pretraining" as const,
                key: pretrainingKey(plan, network, arm, seed),
                network,
                arm: arm.name,
                seed,
              },
            ]
          : [],
      ),
    ),
  );
}
