/** What a study's trials say: of each setting, of arms against the baselines, and warnings about the study itself. */
import { meanResolution, meanScore, stepsToTarget } from "./early-training.js";
import { leastR2, type Measure, measureOf } from "./measure.js";
import { prepares, ratesOf, type Setting, type StudyPlan, settingName, settingsOf } from "./plan.js";
import type { TrialRecord } from "./records.js";
import {
  type MeanOverSeeds,
  overSeeds,
  type SettingSummary,
  scoreAt,
  scoreResolution,
  summarizeSetting,
} from "./setting-summary.js";
import {
  type ArmComparison,
  type ArmScores,
  compareArms,
  compareQuantities,
  type ScoredQuantity,
} from "./statistics/compare-arms.js";
import { pairedDifferencesOverSettings } from "./statistics/paired-differences.js";
import type { StudyResults } from "./study-results.js";
import { notesOf, type Remark, warningsOf } from "./summary-remarks.js";

/** An arm against a baseline by how fast it learns. */
export interface EarlyComparison extends ArmComparison {
  readonly stepsToTarget: {
    /**
     * Arm minus baseline, paired by seed, mean over the settings; null without pairs, or where no trial reached the target.
     * A trial that never reaches it counts with all its steps, so that the true difference is at least as large as this
     * where only one arm misses it.
     */
    readonly difference: MeanOverSeeds | null;
    /** How many of the trials of both arms never reached it. */
    readonly missed: number;
    readonly trials: number;
  };
}

/** All arms against a baseline. */
export interface Comparison {
  readonly baseline: string;
  readonly at: "equal steps" | "equal time";
  /** By the score at the end, over all settings; this carries the verdicts. */
  readonly arms: readonly ArmComparison[];
  /**
   * By mean score over the steps, the area under the curve: who learns faster. Holm's correction runs over these and
   * {@link arms} together. At equal steps only.
   */
  readonly early: readonly EarlyComparison[];
  readonly bySetting: readonly { readonly setting: string; readonly arms: readonly ArmComparison[] }[];
}

type RemarkData = Omit<Remark, "text">;

/** summary.json */
export interface StudySummary {
  /** What scores are: accuracy, balanced accuracy, or R². */
  readonly measure: Measure["key"];
  /** Names of the numbers that are predicted. */
  readonly targets?: readonly string[];
  readonly trials: number;
  readonly planned: number;
  readonly seeds: number;
  readonly settings: readonly SettingSummary[];
  readonly comparisons: readonly Comparison[];
  readonly warnings: readonly string[];
  /** What the numbers can bear. */
  readonly notes: readonly string[];
  /** The same warnings and notes, in the same order, as data. */
  readonly remarks: { readonly warnings: readonly RemarkData[]; readonly notes: readonly RemarkData[] };
}

/**
 * @param results with scores as the plan's measure has them
 * @param testCount how many samples scores were measured on: accuracies move by steps of one of them
 * @param resamples of the bootstrap, which no verdict rests on: few where a summary is only looked at in passing
 */
export function summarize(plan: StudyPlan, results: StudyResults, testCount: number, resamples = 2000): StudySummary {
  const settings = settingsOf(plan);
  const counted = plan.task === "regression" ? results.trials.map(withinBounds) : results.trials;
  const grouped = settings.map((setting) => ({
    setting,
    trials: counted.filter((trial) => isOf(plan, setting, trial, results.tuned)),
  }));
  const complete = grouped.filter(({ trials }) => trials.length > 0);
  const summaries = complete.map(({ setting, trials }) => summarizeSetting(plan, setting, trials, results, testCount));
  const comparisons = plan.baselines.flatMap((baseline) =>
    comparisonsAgainst(plan, baseline, complete, summaries, testCount, resamples),
  );
  const warnings = warningsOf(plan, results, summaries);
  const notes = notesOf(plan, summaries, results, testCount);
  return {
    measure: measureOf(plan).key,
    ...(plan.targets === undefined ? {} : { targets: plan.targets }),
    trials: results.trials.length,
    planned: results.planned,
    seeds: plan.seeds,
    settings: summaries,
    comparisons,
    warnings: warnings.map(({ text }) => text),
    notes: notes.map(({ text }) => text),
    remarks: { warnings: warnings.map(asData), notes: notes.map(asData) },
  };
}

function asData({ kind, values }: Remark): RemarkData {
  return { kind, values };
}

/** A setting's trials. */
interface SettingTrials {
  readonly setting: Setting;
  readonly trials: readonly TrialRecord[];
}

/** What counts of a trial, in the setting of this index. */
type ScoreOf = (trial: TrialRecord, index: number) => number;

/** All arms against one, at equal steps and at equal total time. */
function comparisonsAgainst(
  plan: StudyPlan,
  baseline: string,
  complete: readonly SettingTrials[],
  summaries: readonly SettingSummary[],
  testCount: number,
  resamples: number,
): Comparison[] {
  const others = plan.arms.map(({ name }) => name).filter((name) => name !== baseline && complete.length > 0);
  const finest = scoreResolution(plan, complete[0]?.trials[0], testCount);
  const { factor, differenceUnit } = measureOf(plan);
  const shownAs = { factor, unit: differenceUnit };
  const quantity = (score: ScoreOf, resolution = finest): ScoredQuantity => ({
    baseline: scoresOf(complete, baseline, score),
    arms: others.map((arm) => scoresOf(complete, arm, score)),
    options: { resamples, resolution, minimumEffect: plan.minimumEffect, shownAs },
  });
  const ends = quantity(({ score }) => score);
  const points = complete[0]?.trials[0].points ?? [];
  const early = quantity(
    (trial) => meanScore(trial.points, plan.steps),
    points.length > 0 ? meanResolution(points, plan.steps, finest) : finest,
  );
  const stopOf = (arm: string, index: number): number =>
    summaries[index].arms.find((own) => own.arm === arm)?.timeStop ?? plan.steps;
  const timed = quantity((trial, index) => scoreAt(trial.points, stopOf(trial.arm, index)));
  const [endArms, earlyArms] = compareQuantities([ends, early]);
  // Without training before it equal time is equal steps, and the same numbers must not get two verdicts.
  const timedArms = prepares(plan) ? compareArms(timed.baseline, timed.arms, timed.options) : endArms;
  return [
    {
      baseline,
      at: "equal steps",
      arms: endArms,
      early: earlyArms.map((arm) => withStepsToTarget(plan, baseline, arm, complete, summaries)),
      bySetting: bySetting(plan, ends, complete),
    },
    {
      baseline,
      at: "equal time",
      arms: timedArms,
      early: [],
      bySetting: bySetting(plan, timed, complete),
    },
  ];
}

/** The scores of an arm's trials, by setting and seed. */
function scoresOf(complete: readonly SettingTrials[], arm: string, score: ScoreOf): ArmScores {
  const own = (trials: readonly TrialRecord[]) => trials.filter((trial) => trial.arm === arm);
  return {
    name: arm,
    settings: complete.map(
      ({ trials }, index) => new Map(own(trials).map((trial) => [trial.seed, score(trial, index)])),
    ),
  };
}

/** The same in each setting alone, against the first baseline; nothing where there is but one setting. */
function bySetting(
  plan: StudyPlan,
  { baseline, arms, options }: ScoredQuantity,
  complete: readonly SettingTrials[],
): Comparison["bySetting"] {
  if (complete.length < 2 || baseline.name !== plan.baselines[0] || arms.length === 0) return [];
  const only = ({ name, settings }: ArmScores, index: number): ArmScores => ({ name, settings: [settings[index]] });
  return complete.map(({ setting }, index) => ({
    setting: settingName(plan, setting),
    arms: compareArms(
      only(baseline, index),
      arms.map((arm) => only(arm, index)),
      options,
    ),
  }));
}

/** How many steps an arm takes to the target more than the baseline. */
function withStepsToTarget(
  plan: StudyPlan,
  baseline: string,
  arm: ArmComparison,
  complete: readonly SettingTrials[],
  summaries: readonly SettingSummary[],
): EarlyComparison {
  const found = (trial: TrialRecord, index: number): number | undefined =>
    stepsToTarget(trial.points, plan.steps, summaries[index].target);
  const [ofArm, ofBaseline] = [arm.name, baseline].map((name) =>
    scoresOf(complete, name, (trial, index) => found(trial, index) ?? plan.steps),
  );
  const { differences } = pairedDifferencesOverSettings(ofArm.settings, ofBaseline.settings);
  const own = complete.map(({ trials }) => trials.filter((trial) => [arm.name, baseline].includes(trial.arm)));
  const trials = own.flat().length;
  const missed = own.flatMap((each, index) => each.filter((trial) => found(trial, index) === undefined)).length;
  const difference = differences.length > 0 && missed < trials ? overSeeds(differences) : null;
  return { ...arm, stepsToTarget: { difference, missed, trials } };
}

/**
 * A trial of numbers as it counts: R² of a network that is about to diverge may be −1e35, and would outweigh all other
 * trials. One that diverged is worth chance at least, as where its loss became non-finite.
 */
function withinBounds(trial: TrialRecord): TrialRecord {
  const least = trial.diverged === null ? leastR2 : trial.chance;
  const bounded = (score: number): number => Math.max(least, score);
  return {
    ...trial,
    score: bounded(trial.score),
    bestScore: bounded(trial.bestScore),
    points: trial.points.map((point) => ({ ...point, score: bounded(point.score) })),
  };
}

function isOf(plan: StudyPlan, setting: Setting, trial: TrialRecord, tuned: StudyResults["tuned"]): boolean {
  const { network, labels, optimizer, learningRate } = setting;
  const kind =
    JSON.stringify({ ...trial.optimizer, learningRate: 0 }) === JSON.stringify({ ...optimizer, learningRate: 0 });
  if (trial.network !== network || trial.labels !== labels || !kind) return false;
  if (learningRate !== "tuned") return trial.optimizer.learningRate === learningRate;
  return tuned !== undefined && ratesOf(plan, optimizer).includes(trial.optimizer.learningRate);
}

/** A share as a percentage with one digit behind the point. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** A difference in steps with its interval, in words. */
export function stepsDifference({ mean: centre, low, high }: MeanOverSeeds): string {
  const signed = (value: number): string => `${value > 0 ? "+" : ""}${Math.round(value)}`;
  return low === null || high === null ? signed(centre) : `${signed(centre)} (${signed(low)} to ${signed(high)})`;
}
