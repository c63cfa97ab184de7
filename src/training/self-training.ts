/** Self-training of a network: what a few labels say and, more and more, what the network itself is sure of. */
import { counted } from "../counted.js";
import { BatchOrder, prepareAhead } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import { InterruptedError } from "../errors.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { RandomStream } from "../random/stream.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import type { OptimizerSettings, Recipe } from "../recipe/recipe.js";
import { selfTrainingFeedNames, selfTrainingGraph, selfTrainingOptimizer } from "../recipe/self-training-graph.js";
import { emptyFeed, type TrainingGraph } from "../recipe/training-graph.js";
import { type Device, graphStyle } from "../runtime/device.js";
import { type SessionOptions, sessionOptions } from "../runtime/session.js";
import { corrupt } from "./corruption.js";
import { checkDevice, type DeviceCheck } from "./device-check.js";
import { NormalPool } from "./normal-pool.js";
import { optimizerFeeds, scheduleFactor } from "./optimizer-feeds.js";
import { datasetGeometry, type PictureGeometry } from "./picture-geometry.js";
import { drawView, type ViewSettings } from "./picture-views.js";
import { signalGeometry } from "./signal-geometry.js";
import { Trainer } from "./trainer.js";

/** Steps of self-training where nothing else is asked for, whatever the data's size. */
export const selfTrainingSteps = 1000;

/** What was measured to help most, see docs/log.md. */
const settings = {
  batchSize: 64,
  labelledBatchSize: 32,
  threshold: 0.8,
  /** Pictures are moved by up to this share of each side, and by a pixel at least; */
  shift: 0.05,
  /** those in colour, most of them photographs, by this one, and mirrored in half of the cases. */
  shiftInColour: 0.1,
  /** Signals are moved, magnified, and, where they have several channels, each of these changed by itself. */
  signals: { shift: 0.2, zoom: 0.4, flip: false, jitter: 0, colour: 0.4 },
  /**
   * This share of the signals' copies stays as the samples are: whoever has seen magnified ones alone knows less of plain
   * ones, until training with labels goes on (docs/log.md).
   */
  unchangedSignals: 0.25,
  /** This share of other samples' values comes from another sample. */
  swapped: 0.1,
} as const;

/** Samples without labels that a self-training sees, repeated ones counted again. */
export function selfTrainingSamples(steps = selfTrainingSteps): number {
  return steps * settings.batchSize;
}

const optimizer: OptimizerSettings = {
  kind: "adam",
  learningRate: 2e-3,
  momentum: 0.9,
  secondMoment: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
};

const schedule: Recipe["schedule"] = { kind: "cosine", warmUp: 0.1 };

/** How pictures of this geometry are changed: by a pixel at least, and those in colour farther, and mirrored. */
export function selfTrainingViews({ channels, height, width }: PictureGeometry): ViewSettings {
  const inColour = channels > 1;
  const shift = Math.max(inColour ? settings.shiftInColour : settings.shift, 1 / Math.max(height, width));
  return { shift, flip: inColour, zoom: 0, jitter: 0, colour: 0 };
}

/** What self-training has come to after some steps. */
export interface SelfTrainingState {
  readonly step: number;
  /** The parameters and what the optimiser keeps of them, by name. */
  readonly state: ReadonlyMap<string, Float32Array>;
}

export interface SelfTrainOptions extends SessionOptions {
  readonly signal?: AbortSignal;
  /** Default {@link selfTrainingSteps}. The learning rate's course is stretched over them. */
  readonly steps?: number;
  /** Called before the first step on another device than the CPU. Costs a step on both. */
  readonly onDeviceCheck?: (check: DeviceCheck) => void;
  readonly onStep?: (step: number, steps: number, metrics: Readonly<Record<string, number>>) => void;
  /** Where to go on from, of the same weights, samples, seed and steps: the end is the same, byte for byte. */
  readonly resume?: SelfTrainingState;
  /** Keeps the state every so many steps, after the last one, and where the signal aborts. */
  readonly keeping?: { readonly every: number; readonly keep: (reached: SelfTrainingState) => Promise<void> };
}

/**
 * The graph of a step, see {@link selfTrainingGraph}.
 *
 * @throws UserError where the network has several outputs or an operator without gradient
 */
export function selfTrainingGraphOf(features: FeatureExtractor, device?: Device): TrainingGraph {
  const { batchSize, labelledBatchSize, threshold } = settings;
  return selfTrainingGraph({
    features,
    optimizer,
    batchSize,
    labelledBatchSize,
    threshold,
    ...graphStyle(device),
  });
}

/**
 * Trains F and head by FixMatch (Sohn et al., 2020): copies of labelled samples, changed a little, are told their labels,
 * and copies of other samples what the network says of the originals, where it is sure. Pictures are shifted a
 * little, and mirrored where they are in colour; signals are moved, magnified and changed channel by channel, but for a
 * quarter of them; of other samples a tenth of the values comes from others.
 *
 * @param weights all parameters of the network; not changed
 * @param labelled samples with class labels; those with a label below 0 have none
 * @returns all parameters, running statistics included
 * @throws DivergedError where the loss is not finite; InterruptedError where the signal aborts
 */
export async function selfTrain(
  features: FeatureExtractor,
  weights: Weights,
  unlabelled: Dataset,
  labelled: Dataset,
  seed: number,
  options: SelfTrainOptions = {},
): Promise<Weights> {
  const { steps = selfTrainingSteps } = options;
  const { batchSize, labelledBatchSize } = settings;
  const { sampleShape } = features.network;
  const training = selfTrainingGraphOf(features, options.device);
  const views = emptyFeed(training, selfTrainingFeedNames.views);
  const targets = emptyFeed(training, selfTrainingFeedNames.targets);
  const classes = targets.shape[1];
  const sampleSize = sizeOf(sampleShape);
  const originals = new Float32Array(views.data.length);
  const ofUnlabelled = originals.subarray(0, batchSize * sampleSize);
  const samples = floatTensor(ofUnlabelled, [batchSize, ...sampleShape]);
  const picture = datasetGeometry(unlabelled);
  const geometry = picture ?? signalGeometry(features.network);
  const viewSettings = picture ? selfTrainingViews(picture) : settings.signals;
  const count = batchSize + labelledBatchSize;
  const groups = unlabelled.oneHotGroups ?? [];
  const pool = new NormalPool(seed);
  const change = (step: number): void => {
    if (geometry) {
      const stream = new RandomStream(seed, "self-training/views", step);
      drawView(originals, views.data, count, geometry, viewSettings, stream);
      if (picture) return;
      for (let start = 0; start < views.data.length; start += sampleSize)
        if (stream.uniform() < settings.unchangedSignals)
          views.data.set(originals.subarray(start, start + sampleSize), start);
    } else {
      const context = { seed, step, batchSize: count, sampleSize, geometry, groups, pool };
      corrupt("swapped-values", settings.swapped, originals, views.data, context);
    }
  };
  const { labels = new Int32Array() } = labelled;
  const known = knownLabels(labels);
  const order = new BatchOrder(unlabelled.count, batchSize, seed, unlabelled.blocks);
  const labelledOrder = new BatchOrder(known.length, labelledBatchSize, seed, undefined, "self-training/labelled");
  const feedsAt = async (step: number): Promise<Record<string, FloatTensor>> => {
    await unlabelled.read(order.indices(step), ofUnlabelled);
    prepareAhead(unlabelled, order, step, steps);
    const chosen = labelledOrder.indices(step).map((place) => known[place]);
    await labelled.read(chosen, originals.subarray(ofUnlabelled.length));
    targets.data.fill(0);
    chosen.forEach((index, row) => {
      targets.data[row * classes + labels[index]] = 1;
    });
    change(step);
    return {
      [selfTrainingFeedNames.samples]: samples,
      [selfTrainingFeedNames.views]: views,
      [selfTrainingFeedNames.targets]: targets,
      ...optimizerFeeds(selfTrainingOptimizer, optimizer, step, scheduleFactor(schedule, step, steps)),
    };
  };
  const { device = "cpu", onDeviceCheck, resume, keeping } = options;
  if (device !== "cpu" && onDeviceCheck) onDeviceCheck(await checkDevice(training, device, weights, await feedsAt(0)));
  const trainer = await Trainer.open(training, resume?.state ?? weights, sessionOptions(options));
  const first = resume?.step ?? 0;
  const keep = async (step: number): Promise<void> => keeping?.keep({ step, state: await trainer.state() });
  try {
    for (let step = first; step < steps; step++) {
      if (options.signal?.aborted) {
        if (step > first) await keep(step);
        throw new InterruptedError(`stopped after ${step} of ${counted(steps, "step")} of self-training`);
      }
      const { metrics } = await trainer.step(await feedsAt(step));
      const made = step + 1;
      options.onStep?.(made, steps, metrics);
      if (keeping && (made % keeping.every === 0 || made === steps)) await keep(made);
    }
    return await trainer.parameters();
  } finally {
    await trainer.release();
  }
}
