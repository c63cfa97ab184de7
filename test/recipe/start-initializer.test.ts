import { expect, it } from "vitest";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { builtInRecipe, parseRecipe } from "../../src/recipe/recipe.js";
import { startInitializer } from "../../src/recipe/start-initializer.js";
import { startOfFeatures } from "../../src/training/pretrain.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";

const mlp = (depth: number) =>
  featureExtractor(toyNetwork({ template: "mlp", inputShape: [12], widths: Array(depth).fill(6) }));

it.each([
  ["auto", 1, "pytorch-default"],
  ["auto", 3, "pytorch-default"],
  ["auto", 4, "he"],
  ["lecun", 1, "lecun"],
  ["file", 4, "file"],
])("start %s is, for F of %i layers, %s", (start, depth, initializer) => {
  expect(startInitializer({ start }, mlp(depth))).toBe(initializer);
});

it.each([
  [3, "pytorch-default"],
  [4, "he"],
])("contrast begins F of %i layers by %s", async (depth, initializer) => {
  const features = mlp(depth);
  const recipe = builtInRecipe("contrast");
  const start = await startOfFeatures({ features, recipe, dataset: toyDataset([12], 8), seed: 3, threads: 1 });
  const drawn = initialWeights(features.network, initializer, 3);
  for (const { name } of features.parameters) expect(start.get(name)).toEqual(drawn.get(name));
});

it("is the same recipe written out", () => {
  expect(parseRecipe({ start: "auto", reconstruction: { weight: 1 } }, "r.json").start).toBe("auto");
});
