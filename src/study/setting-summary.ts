/** What the trials of one setting say of each arm: scores, curves, steps to the target, and how often training went wrong. */
import { selfTrainingSamples } from "../training/self-training.js";
import { meanScore, stepsToTarget } from "./early-training.js";
import { fullExtension, preparationSeconds } from "./equal-time.js";
import {
  armOf,
  pretrainingKey,
  pretrainingSeed,
  type Setting,
  type StudyPlan,
  selfTrained,
  settingName,
} from "./plan.js";
import type { LayerStart, TrialPoint, TrialRecord } from "./records.js";
import { stalledMargin } from "./run-trial.js";
import { studentQuantile } from "./statistics/distributions.js";
import type { Interval } from "./statistics/interval.js";
import { kaplanMeier } from "./statistics/kaplan-meier.js";
import { pairedT } from "./statistics/paired-t.js";
import { interquartileMean, mean, standardDeviation } from "./statistics/sample-statistics.js";
import { wilsonInterval } from "./statistics/wilson.js";
import type { StudyResults } from "./study-results.js";

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
  /** What the plan measures, after the plan's steps. */
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

/**
 * How far one test sample moves a score, one of the rarest class where classes count alike. R² moves without steps, and so,
 * nearly, do shares of positions.
 */
export function scoreResolution(plan: StudyPlan, trial: TrialRecord | undefined, testCount: number): number {
  if (plan.task !== undefined && plan.task !== "classification") return 0;
  const { classSizes } = trial ?? {};
  if (plan.measure !== "balanced-accuracy" || classSizes === undefined) return 1 / testCount;
  return 1 / (classSizes.length * Math.min(...classSizes));
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
export function scoreAt(points: readonly TrialPoint[], step: number): number {
  const after = points.findIndex((point) => point.step >= step);
  if (after < 0) return points[points.length - 1].score;
  if (after === 0 || points[after].step === step) return points[after].score;
  const [before, next] = [points[after - 1], points[after]];
  const share = (step - before.step) / (next.step - before.step);
  return before.score + share * (next.score - before.score);
}

/** What a setting's trials say, arm by arm. */
export function summarizeSetting(
  plan: StudyPlan,
  setting: Setting,
  trials: readonly TrialRecord[],
  results: StudyResults,
  testCount: number,
): SettingSummary {
  const { chance } = trials[0];
  const finest = scoreResolution(plan, trials[0], testCount);
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

/** The mean of numbers, one a seed, with its 95 % interval. */
export function overSeeds(values: readonly number[]): MeanOverSeeds {
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
    const of = (name: Exclude<keyof LayerStart, "layer">): number | null => {
      const finite = measured.flatMap(({ start }) => start[index][name] ?? []);
      return finite.length > 0 ? mean(finite) : null;
    };
    return {
      layer,
      mean: of("mean"),
      standardDeviation: of("standardDeviation"),
      constantUnits: of("constantUnits"),
      gradient: of("gradient"),
    };
  });
}
