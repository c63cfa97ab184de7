/** What pretraining feeds at a step: samples, corrupted and turned copies, noise, learning rates. */
import { BatchOrder, prepareAhead } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import { feedNames } from "../recipe/feed-names.js";
import { rotationClasses } from "../recipe/pretraining-graph.js";
import { descriptions, type Recipe } from "../recipe/recipe.js";
import { emptyFeed, type TrainingGraph } from "../recipe/training-graph.js";
import { corrupt } from "./corruption.js";
import type { DescriptionTargets } from "./description-targets.js";
import { NormalPool } from "./normal-pool.js";
import { optimizerFeeds, scheduleFactor } from "./optimizer-feeds.js";
import { datasetGeometry } from "./picture-geometry.js";
import { possibleTurns, rotateQuarter } from "./picture-rotation.js";
import { drawView } from "./picture-views.js";
import type { SampleClusters } from "./sample-clusters.js";
import { signalGeometry, signalViews } from "./signal-geometry.js";

/** The tensors of one step; valid until the next call. Everything depends on (seed, step) alone. */
export interface StepFeeds {
  at(step: number): Promise<Readonly<Record<string, FloatTensor>>>;
}

/** What the right answers of the tasks come from, where they are not drawn. */
export interface TaskAnswers {
  readonly clusters?: SampleClusters;
  readonly orientations?: DescriptionTargets;
  readonly visualWords?: DescriptionTargets;
  readonly topics?: DescriptionTargets;
}

/**
 * Prepares the feeds of a pretraining run.
 *
 * @param answers needed where the graph asks for them
 */
export function pretrainingFeeds(
  training: TrainingGraph,
  recipe: Recipe,
  dataset: Dataset,
  network: Network,
  seed: number,
  steps: number,
  { clusters, ...answers }: TaskAnswers = {},
): StepFeeds {
  const { batchSize } = training;
  const { sampleShape } = network;
  const sampleSize = sizeOf(sampleShape);
  const picture = datasetGeometry(dataset);
  const signal = picture ? undefined : signalGeometry(network);
  const geometry = picture ?? signal;
  const viewSettings = signal ? signalViews(recipe.contrast, signal) : recipe.contrast;
  const groups = dataset.oneHotGroups ?? [];
  const pool = new NormalPool(seed);
  const possible = possibleTurns(picture);
  const copies = recipe.selfSupervision.allTurns ? possible.length : 1;
  const tensors = new Map(training.feeds.map(({ name }) => [name, emptyFeed(training, name)]));
  // G may see fewer samples than the batch has.
  const generatorSamples = tensors.get(feedNames.samples);
  const rotated = tensors.get(feedNames.rotated);
  // Where turned samples are all that is fed, no more of them are read than come in every turn.
  const own = rotated && !generatorSamples ? batchSize / copies : batchSize;
  const order = new BatchOrder(dataset.count, own, seed, dataset.blocks);
  const samples =
    generatorSamples?.shape[0] === batchSize
      ? generatorSamples
      : floatTensor(new Float32Array(own * sampleSize), [own, ...sampleShape]);
  const corrupted = tensors.get(feedNames.corrupted);
  const swapped = tensors.get(feedNames.swapped);
  const turns = tensors.get(feedNames.turns);
  const described = descriptions.flatMap((key) => {
    const tensor = tensors.get(feedNames[key]);
    return tensor ? [{ key, tensor }] : [];
  });
  const groupRows = tensors.get(feedNames.clusters);
  const mixture = tensors.get(feedNames.mixture);
  const views = [tensors.get(feedNames.firstView), tensors.get(feedNames.secondView)];
  // A corruption that the task itself needs is there even where the recipe names none.
  const corruption =
    swapped && recipe.corruption.kind !== "swapped-values"
      ? { kind: "swapped-values" as const, amount: 0.3 }
      : recipe.corruption;
  const context = { seed, batchSize, sampleSize, geometry, groups, pool };
  return {
    async at(step) {
      const indices = order.indices(step);
      await dataset.read(indices, samples.data);
      // Read and decoded while the step is computed.
      prepareAhead(dataset, order, step, steps);
      if (generatorSamples && generatorSamples !== samples)
        generatorSamples.data.set(samples.data.subarray(0, generatorSamples.data.length));
      if (corrupted)
        corrupt(
          corruption.kind,
          corruption.amount,
          samples.data.subarray(0, corrupted.data.length),
          corrupted.data,
          { ...context, step, batchSize: corrupted.shape[0] },
          swapped?.data,
        );
      if (groupRows) await clusters?.writeOneHot(indices, samples.data, groupRows.data);
      for (const { key, tensor } of described)
        await answers[key]?.write(indices.subarray(0, tensor.shape[0]), samples.data, tensor.data);
      if (rotated) repeat(samples.data.subarray(0, rotated.data.length / copies), rotated.data);
      views.forEach((view, index) => {
        const purpose = `view/${index}`;
        if (view && geometry)
          drawView(samples.data, view.data, batchSize, geometry, viewSettings, new RandomStream(seed, purpose, step));
        else if (view)
          corrupt("swapped-values", recipe.contrast.swap, samples.data, view.data, { ...context, step, purpose });
      });
      if (turns && picture) {
        const stream = new RandomStream(seed, "rotation", step);
        const quarterTurns = Uint8Array.from({ length: batchSize }, (_, row) =>
          copies > 1 ? possible[Math.floor((row * copies) / batchSize)] : possible[stream.below(possible.length)],
        );
        for (const turned of [rotated, ...views])
          if (turned) rotateQuarter(turned.data, batchSize, picture, quarterTurns);
        writeOneHot(quarterTurns, rotationClasses, turns.data);
      }
      const progress = step / steps;
      const deviation = recipe.adversarial.instanceNoise * Math.max(0, 1 - progress);
      for (const name of [feedNames.realNoise, feedNames.fakeNoise]) {
        const noise = tensors.get(name);
        if (noise) pool.fill(noise.data, deviation, name, step);
      }
      if (mixture) {
        const stream = new RandomStream(seed, "mixture", step);
        for (let row = 0; row < mixture.data.length; row++) mixture.data[row] = stream.uniform();
      }
      const factor = scheduleFactor(recipe.schedule, step, steps);
      return {
        ...Object.fromEntries(tensors),
        ...optimizerFeeds("generator", recipe.generatorOptimizer, step, factor),
        ...optimizerFeeds("discriminator", recipe.discriminatorOptimizer, step, factor),
      };
    },
  };
}

/** Writes classes as rows of zeros with a one each. */
function writeOneHot(classes: Uint8Array, count: number, target: Float32Array): void {
  target.fill(0);
  classes.forEach((one, row) => {
    target[row * count + one] = 1;
  });
}

/** Fills an array with copies of a shorter one, as many as fit. */
function repeat(values: Float32Array, target: Float32Array): void {
  for (let start = 0; start < target.length; start += values.length) target.set(values, start);
}
