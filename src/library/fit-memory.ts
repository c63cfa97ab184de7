/** What a study's steps take of the memory, before anything is trained. */
import { UserError } from "../errors.js";
import type { Arm } from "../study/arm.js";
import type { StudyPlan } from "../study/plan.js";
import { requireMemory } from "../training/require-memory.js";
import type { StudyBench } from "./study-bench.js";
import type { StepMemory } from "./study-memory.js";

/** A study whose steps fit into memory. */
export interface MemoryFit {
  /** The step that takes most, of the plan and of what a pilot may take along. */
  readonly largest: StepMemory;
  /** What of the arms besides fits. */
  readonly besides: readonly Arm[];
  /** Why arms were left out, in words. */
  readonly leftOut?: string;
}

/**
 * Fits a study into memory.
 *
 * @param besides self-trained arms that a pilot takes along where the network allows it
 * @throws UserError where an arm's weights or head, the augmentation, or a step cannot be had, which would else show after hours of
 *   pretraining
 */
export async function fitMemory(
  bench: Pick<StudyBench, "requireWeights" | "requireHeads" | "requireAugmentation" | "largestStep" | "takesHead">,
  plan: StudyPlan,
  besides: readonly Arm[],
  signal: AbortSignal,
): Promise<MemoryFit> {
  await bench.requireWeights(plan, signal);
  await bench.requireHeads(plan, signal);
  await bench.requireAugmentation(plan, signal);
  const fitting = async (tried: StudyPlan): Promise<StepMemory> => {
    const largest = await bench.largestStep(tried, signal);
    requireMemory(largest, tried.device, undefined, sentence(largest.advice));
    return largest;
  };
  const least = await fitting(plan);
  if (besides.length === 0 || !(await bench.takesHead(plan, "self-training", signal)))
    return { largest: least, besides };
  try {
    return { largest: await fitting({ ...plan, arms: [...plan.arms, ...besides] }), besides };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { largest: least, besides: [], leftOut: `self-training is left out: ${error.message}` };
  }
}

function sentence(phrase: string): string {
  return `${phrase[0].toUpperCase()}${phrase.slice(1)}.`;
}
