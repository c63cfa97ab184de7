/** Fits a small study into the time that there is. */
import { counted } from "../counted.js";
import { type Arm, isTrained } from "../study/arm.js";
import { pretrainingKey, type StudyPlan, selfTrained, settingsOf } from "../study/plan.js";
import type { TrialTiming } from "../study/run-study.js";
import { stepsMadeFor } from "../study/supervise-trial.js";
import { pretrainingSteps } from "../training/pretrain.js";
import type { PretrainingTiming, StudyBench } from "./study-bench.js";

/** What a pilot became. */
export interface PilotFit {
  readonly plan: StudyPlan;
  /** Seconds that it is expected to take. */
  readonly expected: number;
  readonly secondsPerStep: number;
  /** Why arms that a pilot takes along where it can were left out, in words. */
  readonly leftOut?: string;
  /** How long a pilot would have to be, where the least that it compares takes longer than it may, in words. */
  readonly tooShort?: string;
}

/** A pilot that is to be fitted into its time. */
export interface PilotRequest {
  readonly draft: StudyPlan;
  /** Self-trained arms that are taken along where the network allows it and there is time. */
  readonly besides: readonly Arm[];
  /** How long the whole pilot may take. */
  readonly minutes: number;
  /** How many trials run side by side. */
  readonly workers: number;
  /** A number of seeds to keep, whatever fits. */
  readonly askedSeeds?: number | undefined;
}

/** What a pilot asks of a bench. */
export type PilotBench = Pick<StudyBench, "usePlan" | "run" | "takesHead" | "unlabelledCount" | "timePretraining">;

/** Shares of the time: the rest is for reading, measuring and the report. */
const pretrainingShare = 0.4;
const trialShare = 0.4;
/** Evaluations of a trial, extension included. */
const evaluations = 20;
const [fewestSeeds, mostSeeds] = [3, 10];
/** Most of the trials' time that what is taken along may spend before them. */
const besidesShare = 0.5;

/**
 * Measures a few steps, then gives pretraining and trials their shares of the time: epochs are cut to what fits behind
 * the start of pretraining, then as many seeds as fit, from 3 to 10, and with fewer than 3 fewer steps.
 *
 * @param onTimed told how many kinds of steps have been measured, and how many there are
 */
export async function fitPilot(
  bench: PilotBench,
  request: PilotRequest,
  signal: AbortSignal,
  onTimed: (done: number, kinds: number) => void = () => {},
): Promise<PilotFit> {
  const { draft, besides, workers } = request;
  const seconds = request.minutes * 60;
  const able = besides.length > 0 && (await bench.takesHead(draft, "self-training", signal));
  const whole = able ? { ...draft, arms: [...draft.arms, ...besides] } : draft;
  bench.usePlan(whole);
  const [{ network, optimizer }] = settingsOf(draft);
  const kinds = 1 + pretrainedArms(draft, network).size;
  onTimed(0, kinds);
  const timing = await bench.run({ kind: "timing", network, optimizer }, signal, () => {});
  if (timing.kind !== "timing") throw new Error("a timing was asked for");
  onTimed(1, kinds);
  const { selfTrainingSeconds = 0 } = timing;
  const preparing = selfTrainingSeconds * besides.length * settingsOf(draft).length * fewestSeeds;
  const plan = preparing <= besidesShare * trialShare * seconds * workers ? whole : draft;
  bench.usePlan(plan);

  const timings = await timePretrainings(bench, plan, network, signal, (timed) => onTimed(1 + timed, kinds));
  const count = await bench.unlabelledCount(signal);
  const pretraining = cutPretrainings(plan, network, timings, count, pretrainingShare * seconds, workers);
  const trials = fitTrials(plan, timing, trialShare * seconds * workers, request.askedSeeds);
  const expected = pretraining.expected + trials.expected / workers;
  return {
    plan: { ...plan, arms: pretraining.arms, steps: trials.steps, seeds: trials.seeds },
    expected,
    secondsPerStep: timing.secondsPerStep,
    ...(expected > seconds ? { tooShort: tooShort(expected) } : {}),
    ...(whole !== draft && plan === draft ? { leftOut: leftOut(request, selfTrainingSeconds) } : {}),
  };
}

/** How long pretraining takes, by its key. */
type PretrainingTimings = ReadonlyMap<string, PretrainingTiming>;

/** Measures each pretraining once: arms that differ in what follows share one. */
async function timePretrainings(
  bench: PilotBench,
  plan: StudyPlan,
  network: string,
  signal: AbortSignal,
  onTimed: (timed: number) => void,
): Promise<PretrainingTimings> {
  const timings = new Map<string, PretrainingTiming>();
  for (const [key, arm] of pretrainedArms(plan, network)) {
    timings.set(key, await bench.timePretraining(network, arm.name, signal));
    onTimed(timings.size);
  }
  return timings;
}

/** An arm of each pretraining of a network, by the pretraining's key. */
function pretrainedArms(plan: StudyPlan, network: string): Map<string, Arm> {
  const arms = plan.arms.filter(({ source }) => source.kind === "recipe");
  return new Map(arms.map((arm) => [pretrainingKey(plan, network, arm, 0), arm]));
}

/**
 * Cuts the epochs of pretrainings to what fits behind their starts.
 *
 * @param timings on this network
 * @param count how many samples pretraining has
 * @param seconds that all pretrainings may take, side by side
 * @returns the arms, and the seconds that their pretrainings are expected to take
 */
function cutPretrainings(
  plan: StudyPlan,
  network: string,
  timings: PretrainingTimings,
  count: number,
  seconds: number,
  workers: number,
): { arms: Arm[]; expected: number } {
  const pretrained = [...pretrainedArms(plan, network)];
  const runsOfEach = (plan.pretrainingSeeds ?? 1) * plan.networks.length;
  const rounds = Math.max(1, Math.ceil((pretrained.filter(([, arm]) => isTrained(arm)).length * runsOfEach) / workers));
  // Recipes that train nothing are a start alone, which cannot be cut.
  const untrained = pretrained
    .filter(([, arm]) => !isTrained(arm))
    .reduce((sum, [key]) => sum + (timings.get(key)!.start * runsOfEach) / workers, 0);
  const each = (seconds - untrained) / rounds;
  let longest = 0;
  const arms = plan.arms.map((arm): Arm => {
    if (!isTrained(arm)) return arm;
    const { recipe } = arm.source;
    const { start, perStep } = timings.get(pretrainingKey(plan, network, arm, 0))!;
    const full = pretrainingSteps(recipe, count);
    const share = Math.min(1, Math.max(1, (each - start) / perStep) / full);
    longest = Math.max(longest, start + share * full * perStep);
    if (share === 1) return arm;
    const cut = { ...recipe, minimumSteps: 0 };
    const epochs = Number(((recipe.epochs * share * full) / pretrainingSteps(cut, count)).toPrecision(3));
    return { ...arm, source: { kind: "recipe", recipe: { ...cut, epochs } } };
  });
  return { arms, expected: longest * rounds + untrained };
}

/**
 * Chooses how many seeds and steps fit.
 *
 * @param seconds that all trials may take, one after another
 * @returns seeds and steps, and the seconds that all trials are expected to take, one after another
 */
function fitTrials(
  plan: StudyPlan,
  { secondsPerStep, secondsPerEvaluation, selfTrainingSeconds = 0 }: TrialTiming,
  seconds: number,
  askedSeeds: number | undefined,
): { seeds: number; steps: number; expected: number } {
  const trialsASeed = settingsOf(plan).length * plan.arms.length;
  const selfTraining = (selfTrainingSeconds * plan.arms.filter(selfTrained).length) / plan.arms.length;
  const stepsForEach = stepsMadeFor(1, plan.longestExtension, plan.schedule);
  const cost = (steps: number): number =>
    1 + selfTraining + steps * secondsPerStep * stepsForEach + evaluations * secondsPerEvaluation;
  let { steps } = plan;
  const fitting = Math.floor(seconds / (trialsASeed * cost(steps)));
  if (fitting < fewestSeeds) {
    const perTrial = seconds / (trialsASeed * fewestSeeds) - cost(0);
    steps = Math.max(30, Math.min(steps, Math.floor(perTrial / (secondsPerStep * stepsForEach))));
  }
  const seeds = askedSeeds ?? Math.min(mostSeeds, Math.max(fewestSeeds, fitting));
  return { seeds, steps, expected: trialsASeed * seeds * cost(steps) };
}

function tooShort(expected: number): string {
  const minutes = Math.ceil(expected / 60);
  return `the pilot will probably end before its trials do, which take about ${counted(minutes, "minute")}: give it more time, as with --pilot ${minutes}`;
}

function leftOut({ draft, besides }: PilotRequest, selfTrainingSeconds: number): string {
  const arms = [...draft.arms, ...besides].map(({ name }) => name).join(",");
  return `self-training is left out: it takes ${Math.ceil(selfTrainingSeconds)} s for each start; a longer pilot takes it along, and so do --arms ${arms}`;
}
