import { expect, test } from "vitest";
import { buildDiscriminator } from "../../../src/recipe/discriminator.js";
import { featureExtractor } from "../../../src/recipe/feature-extractor.js";
import { pretrainingGraph, type Task } from "../../../src/recipe/pretraining-graph.js";
import { parseRecipe, type RecipeInput } from "../../../src/recipe/recipe.js";
import { learningNetworks, lossesTitle } from "../../../src/web/page/learning-networks.js";
import { TestNetwork } from "../../support/write-network.js";

/** The names of the metrics that training by a recipe records. */
function metricsOf(recipe: RecipeInput, task: Task = "none"): readonly string[] {
  const net = new TestNetwork();
  const hidden = net.node("Tanh", [net.node("Gemm", ["x", net.weight("w1", [3, 2]), net.weight("b1", [2])])]);
  return pretrainingGraph({
    features: featureExtractor(net.build([3], net.node("Gemm", [hidden, net.weight("w2", [2, 2])]))),
    recipe: parseRecipe(recipe, "test"),
    task,
    batchSize: 4,
    discriminator: buildDiscriminator({ kind: "mlp", sampleShape: [3] }),
    lastActivation: "none",
  }).metrics;
}

const game: RecipeInput = { adversarial: { weight: 1 } };
const reconstruction: RecipeInput = { reconstruction: { weight: 1 } };
const groups: RecipeInput = { selfSupervision: { task: "clusters", weight: 1, clusters: 3, groupings: 2 } };

test.each([
  ["the game", metricsOf(game), "G", "chart.losses"],
  ["the game beside a task", metricsOf({ ...game, ...groups }, "clusters"), "G-and-tasks", "chart.losses"],
  ["reconstruction", metricsOf(reconstruction), "G", "chart.losses.G"],
  ["a task alone", metricsOf(groups, "clusters"), "F", "chart.losses.F"],
])("by %s, losses are named for what learns", (_, metrics, networks, title) => {
  expect(metrics).toContain("generator/loss");
  expect(learningNetworks(metrics)).toBe(networks);
  expect(lossesTitle(metrics)).toBe(title);
});
