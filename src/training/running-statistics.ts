/** Running statistics of F's batch normalisations, measured anew on real samples. */
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import { mergeUnitStatistics, type UnitStatistics } from "../initializers/conditioning.js";
import { ancestors } from "../ops/network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import type { EvaluateOptions } from "./evaluate.js";
import { measuringSamples } from "./measuring-samples.js";
import { unitStatisticsOf } from "./staged-evaluator.js";

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
  const nodes = ancestors(features.network, [features.feature]).filter(
    ({ op, inputs }) => op === "BatchNormalization" && result.has(inputs[3]) && result.has(inputs[4]),
  );
  // With statistics of the batch, the running ones of one node have no part in those of the next.
  const channelAxes = new Map(nodes.map(({ inputs }) => [inputs[0], 1]));
  const measured = await unitStatisticsOf(features.network, channelAxes, weights, held, indices, options);
  const taken = new Map<string, UnitStatistics>();
  for (const { inputs } of nodes) {
    // A normalisation that is called again goes by what it sees in all calls, as in training.
    const [, , , meanName, varianceName] = inputs;
    const before = taken.get(meanName);
    const own = measured.get(inputs[0])!;
    const statistics = before ? mergeUnitStatistics(before, own) : own;
    taken.set(meanName, statistics);
    result.set(meanName, statistics.mean);
    result.set(
      varianceName,
      statistics.std.map((deviation) => deviation ** 2),
    );
  }
  return result;
}
