/** By which initializer F starts. */
import type { FeatureExtractor } from "./feature-extractor.js";
import type { Recipe } from "./recipe.js";

/** Layers up to which small weights let enough of the signal through. Four were level, eight lost three points (docs/log.md). */
const shallow = 3;

/** The name of the initializer that F starts by, or "file": a recipe's `start`, with what "auto" is for this F. */
export function startInitializer(
  { start }: Pick<Recipe, "start">,
  { layers }: Pick<FeatureExtractor, "layers">,
): string {
  if (start !== "auto") return start;
  return new Set(layers.map(({ weight }) => weight.name)).size <= shallow ? "pytorch-default" : "he";
}
