/** The training graph of the supervised network, F and head. */
import { gradients } from "../autodiff/gradients.js";
import type { Value } from "../graph/builder.js";
import { type Instance, instantiate } from "../ops/instantiate.js";
import { crossEntropy, mapCrossEntropy } from "./cross-entropy.js";
import type { FeatureExtractor } from "./feature-extractor.js";
import { supervisedFeedNames } from "./feed-names.js";
import { classScores, logitsName, mapScores, requireOutputMaps, rows, type SupervisedLoss } from "./network-outputs.js";
import type { OptimizerSettings } from "./recipe.js";
import { type GraphStyle, type TrainingGraph, TrainingGraphBuilder } from "./training-graph.js";

export interface SupervisedPlan extends GraphStyle {
  readonly features: FeatureExtractor;
  readonly loss: SupervisedLoss;
  readonly optimizer: OptimizerSettings;
  readonly batchSize: number;
  readonly gradientClip?: number;
}

/** One supervised step of the whole network: loss, gradients, optimiser. Metrics: loss, accuracy, gradient-norm. */
export function supervisedGraph(plan: SupervisedPlan): TrainingGraph {
  const { features, batchSize } = plan;
  const { network } = features;
  const build = new TrainingGraphBuilder(plan);
  const samples = build.feed(supervisedFeedNames.samples, [batchSize, ...network.sampleShape]);
  const instance = wholeNetwork(build, features, samples, plan.loss);
  const loss = lossOf(build, plan, instance);
  descend(build, "supervised", plan.optimizer, loss, instance, plan.gradientClip);
  return build.build("supervised", batchSize);
}

/** The loss against targets that are fed, as {@link SupervisedLoss} has them; of classes the accuracy becomes a metric. */
function lossOf(build: TrainingGraphBuilder, plan: SupervisedPlan, instance: Instance): Value {
  const { emit } = build;
  const { network } = plan.features;
  const targetsOf = (shape: readonly number[]): Value => build.feed(supervisedFeedNames.targets, shape);
  if (plan.loss === "squared-error") {
    const outputs = rows(emit, network, instance);
    return emit.reduceMean(emit.square(emit.subtract(outputs, targetsOf(outputs.shape))));
  }
  let measured: { loss: Value; accuracy: Value };
  if (plan.loss === "map-cross-entropy") {
    const scores = mapScores(emit, requireOutputMaps(network), instance.targets[0]);
    measured = mapCrossEntropy(emit, scores, targetsOf([scores.shape[0], scores.shape[2]]));
  } else {
    const scores = classScores(emit, network, instance);
    measured = crossEntropy(emit, scores, targetsOf(scores.shape));
  }
  build.metric("accuracy", measured.accuracy);
  return measured.loss;
}

/** F and head on a batch, with the parameters of the graph under construction. */
export function wholeNetwork(
  build: TrainingGraphBuilder,
  { network, parameters }: FeatureExtractor,
  input: Value,
  loss: SupervisedLoss,
): Instance {
  const inF = new Set(parameters.map(({ name }) => name));
  return instantiate({
    emit: build.emit,
    network,
    input,
    targets: [logitsName(network, loss)],
    parameter: (name) => {
      const spec = network.parameters.get(name);
      if (!spec) throw new Error(`${name} is not a parameter`);
      return build.parameter(inF.has(name) ? "features" : "head", spec);
    },
    normalization: "batch",
  });
}

/**
 * An optimiser's step of F and head down a loss. Running statistics become those of the instance. Metrics: loss,
 * gradient-norm.
 */
export function descend(
  build: TrainingGraphBuilder,
  prefix: string,
  optimizer: OptimizerSettings,
  loss: Value,
  { runningStatistics }: Instance,
  gradientClip = 0,
): void {
  build.metric("loss", loss);
  const trainable = build.trainable(["features", "head"]);
  const slopes = gradients(
    build.emit,
    [{ value: loss }],
    trainable.map(({ value }) => value),
  );
  const { norm } = build.optimize(prefix, optimizer, trainable, slopes, gradientClip);
  build.metric("gradient-norm", norm);
  for (const [name, value] of runningStatistics) build.replace(name, value);
}
