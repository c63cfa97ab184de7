/** The optimisers that a study's supervised training can use. */
import { userError } from "../errors.js";
import { nearest } from "../nearest.js";
import type { OptimizerSettings } from "../recipe/recipe.js";

const adam = { learningRate: 1e-3, momentum: 0.9, secondMoment: 0.999, epsilon: 1e-8 };

const known: Readonly<Record<string, OptimizerSettings>> = {
  /** As Kingma and Ba (2015) recommend it. */
  adam: { kind: "adam", ...adam, weightDecay: 0 },
  /** As Loshchilov and Hutter (2019) have it. */
  adamw: { kind: "adamw", ...adam, weightDecay: 0.01 },
  /** With momentum 0.9. */
  sgd: { kind: "sgd", ...adam, learningRate: 0.05, weightDecay: 0 },
};

export const studyOptimizers: readonly string[] = Object.keys(known);

/** @throws UserError naming the nearest known one */
export function studyOptimizer(name: string): OptimizerSettings {
  if (Object.hasOwn(known, name)) return known[name];
  throw userError({
    where: "optimizer",
    required: `one of ${studyOptimizers.join(", ")}`,
    got: `"${name}"`,
    advice: `Did you mean ${nearest(name, studyOptimizers)}?`,
  });
}
