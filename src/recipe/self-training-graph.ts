/** The training graph of self-training: labelled samples, and confident guesses about the others. */
import { attribute } from "../graph/graph.js";
import type { FeatureExtractor } from "./feature-extractor.js";
import { classScores } from "./network-outputs.js";
import type { OptimizerSettings } from "./recipe.js";
import { descend, wholeNetwork } from "./supervised-graph.js";
import { type GraphStyle, type TrainingGraph, TrainingGraphBuilder } from "./training-graph.js";

/**
 * samples: samples without labels, as they are; views: changed copies of them, and behind them changed copies of labelled
 * samples; targets: one-hot rows for the latter.
 */
export const selfTrainingFeedNames = { samples: "samples", views: "views", targets: "targets" } as const;

/** The prefix of the optimiser's scalars. */
export const selfTrainingOptimizer = "self-training";

export interface SelfTrainingPlan extends GraphStyle {
  readonly features: FeatureExtractor;
  readonly optimizer: OptimizerSettings;
  /** Samples without labels in a step, B. */
  readonly batchSize: number;
  /** Labelled samples in a step, L. */
  readonly labelledBatchSize: number;
  /** Guesses count from this probability on, between 0.5 and 1. */
  readonly threshold: number;
}

/**
 * One step of the whole network, F and head, with FixMatch's loss (Sohn et al., 2020, equations 3 to 5, with λ = 1): with
 * p(·) the network's class probabilities, H the cross-entropy, and v(·) a changed copy,
 *
 * 1/L Σ H(y, p(v(x))) over labelled samples + 1/B Σ 1[max p(u) ≥ threshold] · H(argmax p(u), p(v(u))) over the others,
 *
 * where p(u) is taken as given: no gradient runs through it. Metrics: loss; confident, the share of samples whose guess
 * counts; gradient-norm.
 *
 * @throws UserError where the network has several outputs or an operator without gradient
 */
export function selfTrainingGraph(plan: SelfTrainingPlan): TrainingGraph {
  const { features, batchSize, labelledBatchSize } = plan;
  const { network } = features;
  const build = new TrainingGraphBuilder(plan);
  const { emit } = build;
  const scoresOf = (name: string, count: number) => {
    const input = build.feed(name, [count, ...network.sampleShape]);
    const instance = wholeNetwork(build, features, input, "cross-entropy");
    return { instance, scores: classScores(emit, network, instance) };
  };
  const guessed = scoresOf(selfTrainingFeedNames.samples, batchSize);
  const learned = scoresOf(selfTrainingFeedNames.views, batchSize + labelledBatchSize);
  const classes = learned.scores.shape[1];
  const probabilities = emit.one("Softmax", [guessed.scores], { axis: attribute.int(1) });
  // Above one half no second class is as likely.
  const confident = emit.indicator(emit.one("GreaterOrEqual", [probabilities, emit.scalar(plan.threshold)]));
  build.metric("confident", emit.scale(emit.reduceSum(confident), 1 / batchSize));
  const targets = emit.concat(
    [
      emit.scale(confident, 1 / batchSize),
      emit.scale(build.feed(selfTrainingFeedNames.targets, [labelledBatchSize, classes]), 1 / labelledBatchSize),
    ],
    0,
  );
  const logProbabilities = emit.one("LogSoftmax", [learned.scores], { axis: attribute.int(1) });
  const loss = emit.scale(emit.reduceSum(emit.multiply(targets, logProbabilities)), -1);
  descend(build, selfTrainingOptimizer, plan.optimizer, loss, learned.instance);
  return build.build("self-training", batchSize);
}
