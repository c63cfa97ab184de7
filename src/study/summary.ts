/** What a study's trials say: curves, intervals, comparisons, verdicts, and warnings about the study itself. */

import { selfTrainingSamples } from "../training/self-training.js";
import { meanResolution, meanScore, stepsToTarget } from "./early-training.js";
import { fullExtension, preparationSeconds } from "./equal-time.js";
import { leastR2, type Measure, measureOf } from "./measure.js";
import {
  armOf,
  prepares,
  pretrainingKey,
  pretrainingSeed,
  ratesOf,
  type Setting,
  type StudyPlan,
  selfTrained,
  settingName,
  settingsOf,
} from "./plan.js";
import type { LayerStart, TrialPoint, TrialRecord } from "./records.js";
import { stalledMargin } from "./run-trial.js";
import {
  type ArmComparison,
  type ArmScores,
  compareArms,
  compareQuantities,
  type ScoredQuantity,
} from "./statistics/compare-arms.js";
import { studentQuantile } from "./statistics/distributions.js";
import type { Interval } from "./statistics/interval.js";
import { kaplanMeier } from "./statistics/kaplan-meier.js";
import { pairedDifferencesOverSettings } from "./statistics/paired-differences.js";
import { pairedT } from "./statistics/paired-t.js";
import { interquartileMean, mean, standardDeviation } from "./statistics/sample-statistics.js";
import { wilsonInterval } from "./statistics/wilson.js";
import type { StudyResults } from "./study-results.js";
import { notesOf, type Remark, warningsOf } from "./summary-remarks.js";

/** A mean over seeds; the interval (Student's) needs two. */
export interface MeanOverSeeds {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

/** How often something happened. */
export interface Rate {
  readonly count: number;
  readonly trials: number;
  readonly interval: Interval;
}

/** An arm in a setting. */
export interface ArmInSetting {
  readonly arm: string;
  readonly seeds: readonly number[];
  readonly learningRate: number;
  readonly labelsUsed: number;
  /** What {@link StudySummary.measure} says, after the plan's steps. */
  readonly score: MeanOverSeeds;
  /** Root mean squared error then, of each number that is predicted, in the data's own units. */
  readonly rmse?: readonly MeanOverSeeds[];
  /** Over the steps: the area under the curve. */
  readonly meanScore: MeanOverSeeds;
  readonly interquartileMean: number;
  readonly bestScore: MeanOverSeeds;
  /** What the plan's steps changed: {@link score} minus that before the first of them, paired by seed. */
  readonly change: MeanOverSeeds;
  /** At equal total time: after {@link timeStop}. */
  readonly scoreAtEqualTime: MeanOverSeeds;
  /** Where it stops by then: see {@link stopWithin}. */
  readonly timeStop: number;
  /** Supervised steps at equal total time, and whether the trials were too short for them. */
  readonly timeSteps: number;
  readonly timeStepsMade: number;
  readonly curve: readonly (MeanOverSeeds & {
    readonly step: number;
    readonly rmse?: readonly MeanOverSeeds[];
    readonly loss: number | null;
    readonly testLoss: number | null;
  })[];
  readonly stepsToTarget: {
    readonly reached: number;
    readonly median: number | null;
    readonly low: number | null;
    readonly high: number | null;
  };
  readonly diverged: Rate;
  readonly stalled: Rate;
  readonly pretraining: { readonly seconds: number; readonly samples: number };
  readonly secondsPerStep: number;
  /** Means over seeds. */
  readonly start: readonly LayerStart[];
}

export interface SettingSummary {
  readonly name: string;
  readonly setting: Setting;
  readonly chance: number;
  readonly target: number;
  readonly arms: readonly ArmInSetting[];
}

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
  const scoresOf = (arm: string, score: (trial: TrialRecord, index: number) => number): ArmScores => ({
    name: arm,
    settings: complete.map(
      ({ trials }, index) =>
        new Map(trials.filter((trial) => trial.arm === arm).map((trial) => [trial.seed, score(trial, index)])),
    ),
  });
  const finest = stepOf(plan, complete[0]?.trials[0], testCount);
  const { factor, differenceUnit } = measureOf(plan);
  const shownAs = { factor, unit: differenceUnit };
  const quantity = (score: (trial: TrialRecord, index: number) => number, resolution = finest): ScoredQuantity => ({
    baseline: scoresOf(baseline, score),
    arms: others.map((arm) => scoresOf(arm, score)),
    options: { resamples, resolution, minimumEffect: plan.minimumEffect, shownAs },
  });
  const bySetting = (whole: ScoredQuantity): Comparison["bySetting"] => {
    if (complete.length < 2 || baseline !== plan.baselines[0] || others.length === 0) return [];
    const only = ({ name, settings }: ArmScores, index: number): ArmScores => ({ name, settings: [settings[index]] });
    return complete.map(({ setting }, index) => ({
      setting: settingName(plan, setting),
      arms: compareArms(
        only(whole.baseline, index),
        whole.arms.map((arm) => only(arm, index)),
        whole.options,
      ),
    }));
  };

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
  const steps = (arm: string): ArmScores =>
    scoresOf(arm, (trial, index) => stepsToTarget(trial.points, plan.steps, summaries[index].target) ?? plan.steps);
  return [
    {
      baseline,
      at: "equal steps",
      arms: endArms,
      early: earlyArms.map((arm) => {
        const { differences } = pairedDifferencesOverSettings(steps(arm.name).settings, steps(baseline).settings);
        const own = complete.map(({ trials }) => trials.filter((trial) => [arm.name, baseline].includes(trial.arm)));
        const trials = own.flat().length;
        const missed = own.flatMap((trials, index) =>
          trials.filter((trial) => stepsToTarget(trial.points, plan.steps, summaries[index].target) === undefined),
        ).length;
        const difference = differences.length > 0 && missed < trials ? overSeeds(differences) : null;
        return { ...arm, stepsToTarget: { difference, missed, trials } };
      }),
      bySetting: bySetting(ends),
    },
    {
      baseline,
      at: "equal time",
      arms: timedArms,
      early: [],
      bySetting: bySetting(timed),
    },
  ];
}

/** How far one test sample moves a score, one of the rarest class where classes count alike; R² moves without steps. */
function stepOf(plan: StudyPlan, trial: TrialRecord | undefined, testCount: number): number {
  if (plan.task === "regression") return 0;
  const { classSizes } = trial ?? {};
  if (plan.measure !== "balanced-accuracy" || classSizes === undefined) return 1 / testCount;
  return 1 / (classSizes.length * Math.min(...classSizes));
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

/** Supervised steps of an arm at equal total time, without the limit on how far trials go. */
function timeStepsOf(plan: StudyPlan, setting: Setting, arm: string, { pretrainings, timing }: StudyResults): number {
  return (
    plan.steps +
    fullExtension(plan, { network: setting.network, arm, optimizer: setting.optimizer }, pretrainings, timing)
  );
}

/**
 * Where an arm that has `most` steps stops: after the plan's steps, after a measured step beyond them or at the end,
 * wherever its mean over the seeds is best. Whoever has time left does not train on into overfitting. The choice rests on
 * the test data, which favours arms with more steps, those that were pretrained less, a little.
 */
function stopWithin(trials: readonly TrialRecord[], least: number, most: number): number {
  const steps = new Set(trials.flatMap(({ points }) => points.map(({ step }) => step)));
  const measured = [...steps].filter((step) => step > least && step < most).sort((a, b) => a - b);
  const score = (step: number): number => mean(trials.map(({ points }) => scoreAt(points, step)));
  return [...measured, most].reduce((best, step) => (score(step) > score(best) ? step : best), least);
}

/** The score after some steps: on the straight line between measured points, the last one beyond them. */
function scoreAt(points: readonly TrialPoint[], step: number): number {
  const after = points.findIndex((point) => point.step >= step);
  if (after < 0) return points[points.length - 1].score;
  if (after === 0 || points[after].step === step) return points[after].score;
  const [before, next] = [points[after - 1], points[after]];
  const share = (step - before.step) / (next.step - before.step);
  return before.score + share * (next.score - before.score);
}

function summarizeSetting(
  plan: StudyPlan,
  setting: Setting,
  trials: readonly TrialRecord[],
  results: StudyResults,
  testCount: number,
): SettingSummary {
  const { chance } = trials[0];
  const finest = stepOf(plan, trials[0], testCount);
  const target = plan.target ?? usualTarget(plan, trials);
  const arms = plan.arms.flatMap(({ name }) => {
    const own = trials.filter(({ arm }) => arm === name);
    return own.length > 0 ? [summarizeArm(plan, setting, name, own, target, finest, results)] : [];
  });
  return { name: settingName(plan, setting), setting, chance, target, arms };
}

/**
 * Nine tenths of the way from chance to the baseline's mean end; to the best arm's where the baseline stalled, since every
 * trial is at chance before it starts.
 */
function usualTarget(plan: StudyPlan, trials: readonly TrialRecord[]): number {
  const { chance } = trials[0];
  const ends = (name: string): number => mean(trials.flatMap(({ arm, score }) => (arm === name ? [score] : [])));
  const present = plan.arms.map(({ name }) => name).filter((name) => trials.some(({ arm }) => arm === name));
  const [first] = plan.baselines;
  const baseline = present.includes(first) ? ends(first) : Number.NEGATIVE_INFINITY;
  const reference = baseline > chance + stalledMargin ? baseline : Math.max(...present.map(ends));
  return Math.min(1, chance + Math.max(stalledMargin, 0.9 * (reference - chance)));
}

function summarizeArm(
  plan: StudyPlan,
  setting: Setting,
  arm: string,
  trials: readonly TrialRecord[],
  target: number,
  finest: number,
  results: StudyResults,
): ArmInSetting {
  const timeSteps = timeStepsOf(plan, setting, arm, results);
  const timeStop = stopWithin(trials, plan.steps, timeSteps);
  const targetSteps = trials.map(({ points }) => stepsToTarget(points, plan.steps, target));
  const survival = kaplanMeier(
    targetSteps.map((first) => ({ steps: first ?? plan.steps, reached: first !== undefined })),
  );
  const reached = targetSteps.filter((first) => first !== undefined).length;
  const steps = trials[0].points.map(({ step }) => step).filter((step) => step <= plan.steps);
  const ends = trials.map(({ score }) => score);
  return {
    arm,
    seeds: trials.map(({ seed }) => seed),
    learningRate: trials[0].optimizer.learningRate,
    labelsUsed: trials[0].labelsUsed,
    score: overSeeds(ends),
    ...rmseOf(trials.flatMap(({ points }) => points.filter(({ step }) => step === plan.steps))),
    meanScore: overSeeds(trials.map(({ points }) => meanScore(points, plan.steps))),
    interquartileMean: interquartileMean(ends),
    bestScore: overSeeds(trials.map(({ bestScore }) => bestScore)),
    change: changeOver(trials, finest),
    scoreAtEqualTime: overSeeds(trials.map(({ points }) => scoreAt(points, timeStop))),
    timeStop,
    timeSteps,
    timeStepsMade: Math.min(...trials.map(({ points }) => points[points.length - 1].step)),
    curve: steps.map((step) => {
      const here = trials.flatMap(({ points }) => points.find((point) => point.step === step) ?? []);
      const losses = here.flatMap(({ loss }) => loss ?? []);
      const testLosses = here.flatMap(({ testLoss }) => testLoss ?? []);
      return {
        step,
        ...overSeeds(trials.map(({ points }) => scoreAt(points, step))),
        ...rmseOf(here),
        loss: losses.length > 0 ? mean(losses) : null,
        testLoss: testLosses.length > 0 ? mean(testLosses) : null,
      };
    }),
    stepsToTarget: {
      reached,
      median: survival.median ?? null,
      low: survival.medianInterval.low ?? null,
      high: survival.medianInterval.high ?? null,
    },
    diverged: rate(trials.filter(({ diverged }) => diverged !== null).length, trials.length),
    stalled: rate(trials.filter(({ stalled }) => stalled).length, trials.length),
    pretraining: {
      seconds: preparationSeconds(plan, setting.network, arm, results.pretrainings, results.timing),
      samples: pretrainingSamples(plan, setting.network, arm, results),
    },
    secondsPerStep: mean(trials.map(({ timing }) => timing.secondsPerStep)),
    start: meanStarts(trials),
  };
}

function pretrainingSamples(plan: StudyPlan, network: string, name: string, { pretrainings }: StudyResults): number {
  const arm = armOf(plan, name);
  const own = selfTrained(arm) ? selfTrainingSamples(plan.selfTrainingSteps) : 0;
  if (arm.source.kind !== "recipe") return own;
  return own + (pretrainings.get(pretrainingKey(plan, network, arm, pretrainingSeed(plan, 0)))?.samples ?? 0);
}

function overSeeds(values: readonly number[]): MeanOverSeeds {
  const centre = mean(values);
  if (values.length < 2) return { mean: centre, low: null, high: null };
  const half = (studentQuantile(0.975, values.length - 1) * standardDeviation(values)) / Math.sqrt(values.length);
  return { mean: centre, low: centre - half, high: centre + half };
}

/** @param resolution the smallest step that a score can move by */
function changeOver(trials: readonly TrialRecord[], resolution: number): MeanOverSeeds {
  const changes = trials.map(({ points, score }) => score - points[0].score);
  if (changes.length < 2) return overSeeds(changes);
  const { mean: centre, interval } = pairedT(changes, { resolution });
  return { mean: centre, low: interval.low, high: interval.high };
}

/** Errors over seeds, one for each number that is predicted. */
function rmseOf(points: readonly TrialPoint[]): { rmse?: MeanOverSeeds[] } {
  const errors = points.flatMap(({ rmse }) => (rmse === undefined ? [] : [rmse]));
  if (errors.length === 0) return {};
  return { rmse: errors[0].map((_, place) => overSeeds(errors.map((own) => own[place]))) };
}

function rate(count: number, trials: number): Rate {
  return { count, trials, interval: wilsonInterval(count, trials) };
}

function meanStarts(trials: readonly TrialRecord[]): LayerStart[] {
  const measured = trials.filter(({ start }) => start.length > 0);
  if (measured.length === 0) return [];
  return measured[0].start.map(({ layer }, index) => {
    const of = (value: (start: LayerStart) => number): number => mean(measured.map(({ start }) => value(start[index])));
    const gradients = measured.flatMap(({ start }) => start[index].gradient ?? []);
    return {
      layer,
      mean: of((start) => start.mean),
      standardDeviation: of((start) => start.standardDeviation),
      constantUnits: of((start) => start.constantUnits),
      gradient: gradients.length > 0 ? mean(gradients) : null,
    };
  });
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
