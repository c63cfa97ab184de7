/** What the optimisers in a training graph are fed: learning rates by schedule, and Adam's corrections. */
import { type FloatTensor, floatTensor } from "../graph/tensor.js";
import { optimizerScalars } from "../recipe/optimizers.js";
import type { OptimizerSettings, Recipe } from "../recipe/recipe.js";

/** The learning rate's factor at a step (from 0): a linear rise, then constant or half a cosine (Loshchilov and Hutter, 2017). */
export function scheduleFactor(schedule: Recipe["schedule"], step: number, steps: number): number {
  const rise = Math.round(schedule.warmUp * steps);
  if (step < rise) return (step + 1) / rise;
  if (schedule.kind === "constant") return 1;
  return 0.5 * (1 + Math.cos((Math.PI * (step - rise)) / Math.max(1, steps - rise)));
}

/** A scalar feed. */
export function scalarTensor(value: number): FloatTensor {
  return floatTensor([value], []);
}

/** An optimiser's three scalars under its prefix, for a step counted from 0. */
export function optimizerFeeds(
  prefix: string,
  settings: OptimizerSettings,
  step: number,
  factor: number,
): Record<string, FloatTensor> {
  const [learningRate, first, second] = optimizerScalars(settings, step + 1, settings.learningRate * factor);
  return {
    [`${prefix}/learning-rate`]: scalarTensor(learningRate),
    [`${prefix}/first-correction`]: scalarTensor(first),
    [`${prefix}/second-correction`]: scalarTensor(second),
  };
}
