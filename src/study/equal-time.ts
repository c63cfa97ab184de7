/** What the comparison at equal total time rests on: seconds before supervised training, and the steps that they are worth. */
import type { OptimizerSettings } from "../recipe/recipe.js";
import {
  armOf,
  augmentationOf,
  computationOf,
  pretrainingKey,
  pretrainingSeed,
  type StudyPlan,
  seedsOf,
  selfTrained,
  shortHash,
  type Trial,
} from "./plan.js";
import type { PretrainingRecord } from "./records.js";

/** timing.json, for the conversion of time into steps. */
export interface StudyTiming {
  /** Seconds of a supervised step by {@link timingName}. */
  readonly secondsPerStep: Readonly<Record<string, number>>;
  /** Seconds of a self-training by {@link selfTrainingName}, where arms have it. */
  readonly selfTrainingSeconds?: Readonly<Record<string, number>>;
}

/** Names the time of a supervised step, by all that decides it but the machine. */
export function timingName(plan: StudyPlan, network: string, optimizer: OptimizerSettings): string {
  // The learning rate is fed at each step.
  const of = {
    ...computationOf(plan, network),
    batchSize: plan.batchSize,
    ...augmentationOf(plan),
    optimizer: { ...optimizer, learningRate: 0 },
  };
  return [network, optimizer.kind, shortHash(of)].join(" | ");
}

/** Names the time of a plan's self-training, which another plan of the same folder may have changed. */
export function selfTrainingName(plan: StudyPlan, network: string): string {
  const { selfTrainingSteps = null } = plan;
  return [network, "self-training", shortHash({ ...computationOf(plan, network), selfTrainingSteps })].join(" | ");
}

/** Mean seconds of an arm's training before its supervised training: pretraining and self-training; 0 without. */
export function preparationSeconds(
  plan: StudyPlan,
  network: string,
  armName: string,
  pretrainings: ReadonlyMap<string, PretrainingRecord>,
  { selfTrainingSeconds }: StudyTiming,
): number {
  const own = selfTrained(armOf(plan, armName)) ? (selfTrainingSeconds?.[selfTrainingName(plan, network)] ?? 0) : 0;
  return own + pretrainingSeconds(plan, network, armName, pretrainings);
}

/** Mean seconds of an arm's pretrainings of a network; 0 for an arm without. */
function pretrainingSeconds(
  plan: StudyPlan,
  network: string,
  armName: string,
  pretrainings: ReadonlyMap<string, PretrainingRecord>,
): number {
  const arm = armOf(plan, armName);
  if (arm.source.kind !== "recipe") return 0;
  const seconds = [...new Set(seedsOf(plan).map((seed) => pretrainingSeed(plan, seed)))].flatMap((seed) => {
    const record = pretrainings.get(pretrainingKey(plan, network, arm, seed));
    return record ? [record.seconds] : [];
  });
  return seconds.reduce((sum, value) => sum + value, 0) / Math.max(1, seconds.length);
}

/** The most steps that any arm makes beyond the plan's. */
export function longestExtensionOf({ longestExtension, steps }: StudyPlan): number {
  return Math.round(longestExtension * steps);
}

/**
 * Supervised steps that an arm makes beyond the plan's for the comparison at equal total time: as many as fit into what
 * the costliest arm's {@link preparationSeconds} are more than its own, at most {@link StudyPlan.longestExtension} times the steps.
 */
export function extensionOf(
  plan: StudyPlan,
  { network, arm, optimizer }: Pick<Trial, "network" | "arm" | "optimizer">,
  pretrainings: ReadonlyMap<string, PretrainingRecord>,
  timing: StudyTiming,
): number {
  const full = fullExtension(plan, { network, arm, optimizer }, pretrainings, timing);
  return Math.min(full, longestExtensionOf(plan));
}

/** The same, without the limit. */
export function fullExtension(
  plan: StudyPlan,
  { network, arm, optimizer }: Pick<Trial, "network" | "arm" | "optimizer">,
  pretrainings: ReadonlyMap<string, PretrainingRecord>,
  timing: StudyTiming,
): number {
  const perStep = timing.secondsPerStep[timingName(plan, network, optimizer)];
  if (perStep === undefined || perStep <= 0) return 0;
  const seconds = (name: string): number => preparationSeconds(plan, network, name, pretrainings, timing);
  return Math.round((Math.max(...plan.arms.map(({ name }) => seconds(name))) - seconds(arm)) / perStep);
}
