/** How much memory the steps of a study take, as their graphs tell. */
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { logitsName } from "../recipe/network-outputs.js";
import { supervisedGraph } from "../recipe/supervised-graph.js";
import type { TrainingGraph } from "../recipe/training-graph.js";
import { graphStyle } from "../runtime/device.js";
import { isTrained } from "../study/arm.js";
import { lossOf } from "../study/measure.js";
import { type StudyPlan, selfTrained } from "../study/plan.js";
import type { StudyData } from "../study/run-trial.js";
import { measuredBatch } from "../training/measured-batch.js";
import { trainingGraphOf } from "../training/pretrain.js";
import { selfTrainingGraphOf } from "../training/self-training.js";

import { chooseDiscriminator } from "./choose-discriminator.js";

/** The memory of one kind of step. */
export interface StepMemory extends Pick<TrainingGraph, "peakBytes" | "batchSize"> {
  /** What makes it less, in words. */
  readonly advice: string;
}

/** The steps of a study on a network: supervised ones, measuring, each recipe's pretraining, and self-training. */
export async function memoryOfSteps(
  plan: StudyPlan,
  features: FeatureExtractor,
  { unlabelled }: Pick<StudyData, "unlabelled">,
): Promise<StepMemory[]> {
  const { network } = features;
  const style = graphStyle(plan.device);
  const loss = lossOf(plan.task);
  const supervised = plan.optimizers.map((optimizer) =>
    supervisedGraph({ features, loss, optimizer, batchSize: plan.batchSize, ...style }),
  );
  const measuring = measuredBatch(network, logitsName(network, loss));
  const pretraining: TrainingGraph[] = [];
  for (const arm of plan.arms) {
    if (!isTrained(arm)) continue;
    const { recipe } = arm.source;
    const chosen = recipe.adversarial.weight > 0 ? await chooseDiscriminator(plan.discriminator, features) : undefined;
    const discriminator = chosen ? { discriminator: chosen.discriminator } : {};
    const device = plan.device === undefined ? {} : { device: plan.device };
    pretraining.push(trainingGraphOf({ features, dataset: unlabelled, recipe, ...discriminator, ...device }));
  }
  const others = plan.arms.some(selfTrained) ? [selfTrainingGraphOf(features, plan.device)] : [];
  const smallerNetwork = "a smaller network takes less";
  return [
    ...supervised.map((graph) => withAdvice(graph, "a smaller --batch-size takes less")),
    withAdvice(measuring, smallerNetwork),
    ...pretraining.map((graph) => withAdvice(graph, "a recipe of your own with a smaller batchSize takes less")),
    ...others.map((graph) => withAdvice(graph, smallerNetwork)),
  ];
}

function withAdvice(
  { peakBytes, batchSize }: Pick<TrainingGraph, "peakBytes" | "batchSize">,
  advice: string,
): StepMemory {
  return { peakBytes, batchSize, advice };
}
