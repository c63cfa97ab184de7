/** Fits a small study into the time that there is. */
import { type Arm, isTrained } from "../study/arm.js";
import { pretrainingKey, type StudyPlan, selfTrained, settingsOf } from "../study/plan.js";
import { pretrainingSteps } from "../training/pretrain.js";
import type { StudyBench } from "./study-bench.js";

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

function tooShort(expected: number): string {
  const minutes = Math.ceil(expected / 60);
  return `the pilot will probably end before its trials do, which take about ${minutes} minutes: give it more time, as with --pilot ${minutes}`;
}

/**
 * Measures a few steps, then gives pretraining and trials their shares of the time: epochs are cut to what fits, then as
 * many seeds as fit, from 3 to 10, and with fewer than 3 fewer steps.
 *
 * @param besides self-trained arms that are taken along where the network allows it and there is time
 * @param seconds of the whole pilot
 * @param askedSeeds a number of seeds to keep, whatever fits
 * @param onTimed told how many kinds of steps have been measured, and how many there are
 */
export async function fitPilot(
  bench: PilotBench,
  draft: StudyPlan,
  besides: readonly Arm[],
  seconds: number,
  workers: number,
  askedSeeds: number | undefined,
  signal: AbortSignal,
  onTimed: (done: number, kinds: number) => void = () => {},
): Promise<PilotFit> {
  const able = besides.length > 0 && (await bench.takesHead(draft, "self-training", signal));
  const whole = able ? { ...draft, arms: [...draft.arms, ...besides] } : draft;
  bench.usePlan(whole);
  const [setting] = settingsOf(draft);
  const pretrainingOf = (arm: Arm) => pretrainingKey(draft, setting.network, arm, 0);
  const kinds = 1 + new Set(draft.arms.filter(isTrained).map(pretrainingOf)).size;
  onTimed(0, kinds);
  const timing = await bench.run(
    { kind: "timing", network: setting.network, optimizer: setting.optimizer },
    signal,
    () => {},
  );
  if (timing.kind !== "timing") throw new Error("a timing was asked for");
  const { secondsPerStep, secondsPerEvaluation, selfTrainingSeconds = 0 } = timing;
  onTimed(1, kinds);
  const preparing = selfTrainingSeconds * besides.length * settingsOf(draft).length * fewestSeeds;
  const plan = preparing <= besidesShare * trialShare * seconds * workers ? whole : draft;
  bench.usePlan(plan);

  const trained = plan.arms.filter(isTrained);
  const runs =
    new Set(trained.map((arm) => pretrainingKey(plan, setting.network, arm, 0))).size *
    (plan.pretrainingSeeds ?? 1) *
    plan.networks.length;
  const rounds = Math.max(1, Math.ceil(runs / workers));
  const each = (pretrainingShare * seconds) / rounds;
  const count = await bench.unlabelledCount(signal);
  let longest = 0;
  const arms: Arm[] = [];
  // Arms that differ in what follows share a pretraining, and have to be cut alike.
  const perStepOf = new Map<string, number>();
  for (const arm of plan.arms) {
    if (!isTrained(arm)) {
      arms.push(arm);
      continue;
    }
    const { recipe } = arm.source;
    const key = pretrainingKey(plan, setting.network, arm, 0);
    const known = perStepOf.get(key);
    const perStep = known ?? (await bench.timePretraining(setting.network, arm.name, signal));
    perStepOf.set(key, perStep);
    if (known === undefined) onTimed(1 + perStepOf.size, kinds);
    const full = pretrainingSteps(recipe, count);
    const share = Math.min(1, Math.max(1, each / perStep) / full);
    longest = Math.max(longest, share * full * perStep);
    const cut = { ...recipe, minimumSteps: 0 };
    const epochs = Number(((recipe.epochs * share * full) / pretrainingSteps(cut, count)).toPrecision(3));
    arms.push(share === 1 ? arm : { ...arm, source: { kind: "recipe", recipe: { ...cut, epochs } } });
  }

  const trialsASeed = settingsOf(plan).length * plan.arms.length;
  const selfTraining = (selfTrainingSeconds * plan.arms.filter(selfTrained).length) / plan.arms.length;
  const cost = (steps: number): number =>
    1 + selfTraining + steps * secondsPerStep * (1 + plan.longestExtension) + evaluations * secondsPerEvaluation;
  const available = trialShare * seconds * workers;
  let { steps } = plan;
  const fitting = Math.floor(available / (trialsASeed * cost(steps)));
  if (fitting < fewestSeeds) {
    const perTrial = available / (trialsASeed * fewestSeeds) - cost(0);
    steps = Math.max(30, Math.min(steps, Math.floor(perTrial / (secondsPerStep * (1 + plan.longestExtension)))));
  }
  const seeds = askedSeeds ?? Math.min(mostSeeds, Math.max(fewestSeeds, fitting));
  const expected = longest * rounds + (trialsASeed * seeds * cost(steps)) / workers;
  return {
    plan: { ...plan, arms, steps, seeds },
    expected,
    secondsPerStep,
    ...(expected > seconds ? { tooShort: tooShort(expected) } : {}),
    ...(whole !== draft && plan === draft
      ? {
          leftOut: `self-training is left out: it takes ${Math.ceil(selfTrainingSeconds)} s for each start; a longer pilot takes it along, and so do --arms ${[...draft.arms, ...besides].map(({ name }) => name).join(",")}`,
        }
      : {}),
  };
}
