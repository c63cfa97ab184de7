/** What a run says of its recipe and head before and while it trains, in words. */
import { counted } from "../counted.js";
import type { Dataset } from "../data/dataset.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { type Recipe, trainsFeatures } from "../recipe/recipe.js";
import { startInitializer } from "../recipe/start-initializer.js";
import type { TrainingGraph } from "../recipe/training-graph.js";
import type { Device } from "../runtime/device.js";
import type { ReplacedRecipe } from "../study/arm.js";
import { type HeadStart, needsLabels } from "../training/head-start.js";
import type { DiscriminantAccount } from "../training/linear-discriminant.js";
import { datasetGeometry } from "../training/picture-geometry.js";
import { principalLayers } from "../training/principal-components.js";
import type { InitializeOptions } from "./initialize-types.js";

/** Says how good a head by linear discriminant is. */
export function discriminantNote({ heldOut, accuracy }: DiscriminantAccount): string {
  if (accuracy === undefined)
    return "too few labelled samples to hold any out: the head tells classes by the nearest mean";
  const samples = heldOut.toLocaleString("en");
  return `before any training with labels, features and head classify ${(100 * accuracy).toFixed(1)} % of ${samples} held-out samples right`;
}

/** Says which recipe has taken the place of the one that was asked for, and why. */
export function replacedNote({ asked, recipe, because }: ReplacedRecipe): string {
  const start = recipe.start === "pytorch-default" ? " from PyTorch's weights" : "";
  return `${because}, for which the recipe ${asked.name} is ${recipe.name}${start}`;
}

/** Says the same to whom a single run is for, and what else may be better. */
export function replacedInRunNote(replaced: ReplacedRecipe, head: HeadStart | undefined): string {
  const { task } = replaced.recipe.selfSupervision;
  const advice =
    task === "rotation"
      ? "; on pictures without an upright position, as seen from above, --recipe contrast was level to one point better"
      : task === "clusters" && !needsLabels(head)
        ? "; it was measured to help most where --head class-means, linear-discriminant or self-training starts from labels, too"
        : "";
  return `${replacedNote(replaced)}${advice}`;
}

/** Warns of the task that was measured to cost accuracy on samples that are no pictures. */
export function clustersNote({ selfSupervision }: Recipe, dataset: Dataset): string | undefined {
  if (selfSupervision.task !== "clusters" || datasetGeometry(dataset) !== undefined) return undefined;
  return "the samples are no pictures, on which the task clusters was not seen to help with --head class-means, and without it to cost up to 20 points of accuracy (docs/log.md)";
}

/** Names the layers that a recipe without training leaves as they are drawn. */
export function drawnNote(recipe: Recipe, features: FeatureExtractor): string | undefined {
  if (recipe.principalComponents !== "all" || trainsFeatures(recipe)) return undefined;
  if (recipe.start === "file")
    return "the model's own weights are kept, and scaled on the data: nothing starts from principal components";
  const principal = principalLayers(features, "all");
  const others = features.layers.filter((layer) => !principal.includes(layer)).map(({ weight }) => weight.name);
  if (others.length === 0) return undefined;
  const drawn = `drawn (${startInitializer(recipe, features)}), not from principal components, which are for convolutions of one group, or depthwise ones, with an activation behind them`;
  return principal.length === 0 ? `all layers of F are ${drawn}` : `${[...new Set(others)].join(", ")}: ${drawn}`;
}

/** What training steps on a CPU were measured to take, in {@link TrainingGraph.peakBytes}: mostly so much, up to 2.5 (docs/log.md). */
export const usualPeaks = 1.3;

/**
 * Warns of training steps that take more memory than is free.
 *
 * @param available in bytes
 * @param advice what takes less
 */
export function memoryNote(
  { peakBytes, batchSize }: Pick<TrainingGraph, "peakBytes" | "batchSize">,
  device: Device,
  available = process.availableMemory(),
  advice = "a smaller --batch-size takes less",
): string | undefined {
  const taken = usualPeaks * peakBytes;
  if (device !== "cpu" || taken <= available) return undefined;
  return `a training step of ${counted(batchSize, "sample")} takes about ${inGigabytes(taken)} of memory or more, and ${inGigabytes(available)} are free, so it may be slow, or the system may end it: ${advice}`;
}

/** Bytes in words. */
export function inGigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** Names the settings that were given, and that a recipe has no use for. */
export function unusedNote(recipe: Recipe, options: InitializeOptions): string | undefined {
  const { discriminator, discriminatorLearningRate, learningRate, batchSize, checkpointEvery } = options;
  const trains = trainsFeatures(recipe);
  const unused: readonly (readonly [string, unknown])[] = [
    ...(trains
      ? []
      : [
          ["batch size", batchSize] as const,
          ["learning rate", learningRate] as const,
          ["checkpoints", checkpointEvery] as const,
        ]),
    ...(recipe.adversarial.weight > 0
      ? []
      : [
          ["discriminator", discriminator] as const,
          ["discriminator's learning rate", discriminatorLearningRate] as const,
        ]),
  ];
  const given = unused.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length === 0) return undefined;
  return `the recipe ${recipe.name} ${trains ? "has no discriminator" : "trains nothing"}, so these settings are not used: ${given.join(", ")}`;
}
