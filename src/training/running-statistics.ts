/** Running statistics of F's batch normalisations, measured anew on real samples. */
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import { unitStatistics } from "../initializers/conditioning.js";
import { ancestors } from "../ops/network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { measuringSamples } from "./condition.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";

/**
 * Gives the weights with every BatchNormalization's running mean and variance as measured with these weights. Training
 * leaves averages over its course, and conditioning changes the scales that they belong to.
 */
export async function refreshRunningStatistics(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<Weights> {
  const result: Weights = new Map(weights);
  const indices = measuringSamples(dataset, 512, seed, "running-statistics");
  const held = holdingSamples(dataset, indices);
  for (const node of ancestors(features.network, [features.feature])) {
    if (node.op !== "BatchNormalization" || !result.has(node.inputs[3]) || !result.has(node.inputs[4])) continue;
    const measured = await evaluate(features.network, node.inputs[0], result, held, indices, {
      ...options,
      normalization: "batch",
    });
    const { mean, std } = unitStatistics(measured.data, measured.shape, 1);
    result.set(node.inputs[3], mean);
    result.set(
      node.inputs[4],
      std.map((deviation) => deviation ** 2),
    );
  }
  return result;
}
