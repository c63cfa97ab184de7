/** Supervised training of the whole network, F and head, from given weights. */
import { BatchOrder, prepareAhead } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { InterruptedError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import { RandomStream } from "../random/stream.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { supervisedFeedNames } from "../recipe/feed-names.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import { logitsName, requireOutputMaps, type SupervisedLoss } from "../recipe/network-outputs.js";
import type { OptimizerSettings, Recipe } from "../recipe/recipe.js";
import { supervisedGraph } from "../recipe/supervised-graph.js";
import { emptyFeed, type TrainingGraph } from "../recipe/training-graph.js";
import { type Device, graphStyle } from "../runtime/device.js";
import { sessionOptions } from "../runtime/session.js";
import { type Augmentation, type Augmenter, augmenterFor, mapAugmenterFor } from "./augmentation.js";
import { checkDevice, checkedBatch, type DeviceCheck } from "./device-check.js";
import { type Evaluator, openEvaluator } from "./evaluate.js";
import { segmentation } from "./map-objective.js";
import { measuredBatch } from "./measured-batch.js";
import { classification, type Measurement, type Objective, regression, scalingOf } from "./objective.js";
import { optimizerFeeds, scheduleFactor } from "./optimizer-feeds.js";
import { DivergedError, Trainer } from "./trainer.js";

const constantSchedule: Recipe["schedule"] = { kind: "constant", warmUp: 0 };

export interface SupervisorOptions {
  readonly features: FeatureExtractor;
  /** Default: cross-entropy. */
  readonly loss?: SupervisedLoss;
  readonly optimizer: OptimizerSettings;
  readonly batchSize: number;
  readonly threads?: number;
  /** Default: cpu. */
  readonly device?: Device;
}

/** One training run. */
export interface SupervisedRun {
  /** Start values of all parameters of the network. */
  readonly weights: Weights;
  /** Labelled samples to train on. */
  readonly data: Dataset;
  /** Labelled samples to measure on. */
  readonly test: Dataset;
  /** Whether numbers to predict are scaled to mean 0 and deviation 1 over the training samples; default true. */
  readonly standardise?: boolean;
  /** How the training samples are changed at each step, see {@link augmenterFor}; default: not at all. */
  readonly augment?: readonly Augmentation[];
  readonly steps: number;
  /** Decides the order of the samples, and their changes. */
  readonly seed: number;
  /** Default: the optimiser's own. */
  readonly learningRate?: number;
  /** What becomes of the learning rate over these steps; default: it stays. */
  readonly schedule?: Recipe["schedule"];
  /** Numbers of steps after which the network is measured; 0 is before training. */
  readonly evaluateAt: readonly number[];
  readonly signal?: AbortSignal;
  readonly onStep?: (step: number, metrics: Readonly<Record<string, number>>) => void;
}

export interface SupervisedResult {
  /** Training loss by step. */
  readonly losses: readonly number[];
  readonly evaluations: readonly (Measurement & { readonly step: number })[];
  /** The step at which the loss became non-finite; the run ended there. */
  readonly divergedAt?: number;
  readonly weights: Weights;
}

/** Training sessions that serve many runs of the same network, optimiser and batch size. */
export class Supervisor {
  readonly #training: TrainingGraph;
  readonly #trainer: Trainer;
  readonly #evaluator: Evaluator;
  readonly #options: SupervisorOptions;

  private constructor(options: SupervisorOptions, training: TrainingGraph, trainer: Trainer, evaluator: Evaluator) {
    this.#options = options;
    this.#training = training;
    this.#trainer = trainer;
    this.#evaluator = evaluator;
  }

  /** Builds the graphs and loads them. */
  static async open(options: SupervisorOptions): Promise<Supervisor> {
    const { features, optimizer, batchSize, loss = "cross-entropy" } = options;
    const training = supervisedGraph({ features, loss, optimizer, batchSize, ...graphStyle(options.device) });
    const session = sessionOptions(options);
    const zeros = new Map(
      training.state.flatMap(({ name, shape, parameter }) =>
        parameter ? [[name, new Float32Array(sizeOf(shape))] as const] : [],
      ),
    );
    const trainer = await Trainer.open(training, zeros, session);
    try {
      const logits = logitsName(features.network, loss);
      const { batchSize } = measuredBatch(features.network, logits);
      const evaluator = await openEvaluator(features.network, logits, { ...session, batchSize });
      return new Supervisor(options, training, trainer, evaluator);
    } catch (error) {
      await trainer.release();
      throw error;
    }
  }

  /** Trains once. A loss that is not finite ends the run and is reported, not thrown. */
  async run(run: SupervisedRun): Promise<SupervisedResult> {
    const { data, test, steps, seed, schedule = constantSchedule } = run;
    const { optimizer, batchSize } = this.#options;
    const settings = run.learningRate === undefined ? optimizer : { ...optimizer, learningRate: run.learningRate };
    const samples = emptyFeed(this.#training, supervisedFeedNames.samples);
    const targets = emptyFeed(this.#training, supervisedFeedNames.targets);
    const { augment, augmentMaps } = this.#augmenters(run);
    const read = augment ? new Float32Array(samples.data.length) : samples.data;
    const filled = augmentMaps ? new Float32Array(targets.data.length) : targets.data;
    const objective = this.#objective(run);
    const order = new BatchOrder(data.count, batchSize, seed, data.blocks);
    await this.#trainer.load(run.weights);
    const losses: number[] = [];
    const evaluations: (Measurement & { step: number })[] = [];
    const measure = async (step: number): Promise<void> => {
      if (run.evaluateAt.includes(step))
        evaluations.push({ step, ...(await this.#measure(await this.#trainer.parameters(), test, objective)) });
    };
    await measure(0);
    for (let step = 0; step < steps; step++) {
      if (run.signal?.aborted) throw new InterruptedError(`stopped after ${step} of ${steps} supervised steps`);
      const indices = order.indices(step);
      await data.read(indices, read);
      augment?.(read, samples.data, seed, step);
      prepareAhead(data, order, step, steps);
      objective.fill(filled, indices);
      augmentMaps?.(filled, targets.data, seed, step);
      try {
        const { metrics } = await this.#trainer.step({
          [supervisedFeedNames.samples]: samples,
          [supervisedFeedNames.targets]: targets,
          ...optimizerFeeds("supervised", settings, step, scheduleFactor(schedule, step, steps)),
        });
        losses.push(metrics.loss);
        run.onStep?.(step + 1, metrics);
      } catch (error) {
        if (!(error instanceof DivergedError)) throw error;
        return { losses, evaluations, divergedAt: step, weights: await this.#trainer.parameters() };
      }
      await measure(step + 1);
    }
    return { losses, evaluations, weights: await this.#trainer.parameters() };
  }

  /** What changes a run's samples at each step, and the maps of classes with them. */
  #augmenters({ augment = [], data }: Pick<SupervisedRun, "augment" | "data">): {
    augment?: Augmenter;
    augmentMaps?: Augmenter;
  } {
    const { network } = this.#options.features;
    if (augment.length === 0) return {};
    return {
      augment: augmenterFor(augment, data, network),
      ...(data.maps ? { augmentMaps: mapAugmenterFor(augment, data, network) } : {}),
    };
  }

  /** Measures the network with these weights on all samples of a run's test data. */
  measure(weights: Weights, run: Pick<SupervisedRun, "data" | "test" | "standardise">): Promise<Measurement> {
    return this.#measure(weights, run.test, this.#objective(run));
  }

  async #measure(weights: Weights, test: Dataset, objective: Objective): Promise<Measurement> {
    const indices = Uint32Array.from({ length: test.count }, (_, index) => index);
    const judge = objective.judge();
    await this.#evaluator.evaluateEach(weights, test, indices, (batch, first) => judge.add(batch, first));
    return judge.measurement();
  }

  #objective({ data, test, standardise = true }: Pick<SupervisedRun, "data" | "test" | "standardise">): Objective {
    const width = this.#training.feeds.find(({ name }) => name === supervisedFeedNames.targets)?.shape[1] ?? 1;
    const { loss, features } = this.#options;
    if (loss === "map-cross-entropy") return segmentation(data, test, requireOutputMaps(features.network));
    if (loss !== "squared-error") return classification(data, test, width);
    if (!data.targets) throw new Error("supervised training needs numbers to predict");
    return regression(data, test, scalingOf(data.targets, standardise));
  }

  async release(): Promise<void> {
    await this.#trainer.release();
    await this.#evaluator.release();
  }
}

/** Checks a device with a supervised step from random weights on noise, see {@link checkDevice}. */
export async function checkSupervised(
  features: FeatureExtractor,
  optimizer: OptimizerSettings,
  device: Device,
  loss: SupervisedLoss = "cross-entropy",
): Promise<DeviceCheck> {
  const training = supervisedGraph({
    features,
    loss,
    optimizer,
    batchSize: checkedBatch,
    ...graphStyle(device),
  });
  const stream = new RandomStream(0, "device-check");
  const feeds = training.feeds.map(({ name, shape }) => {
    const tensor = emptyFeed(training, name);
    for (let index = 0; index < tensor.data.length; index++) {
      const [row, column] = [Math.floor(index / shape[1]), index % shape[1]];
      if (name === supervisedFeedNames.samples) tensor.data[index] = stream.normal();
      else if (loss === "map-cross-entropy") tensor.data[index] = index % 2;
      else tensor.data[index] = row % shape[1] === column ? 1 : 0;
    }
    return [name, tensor] as const;
  });
  return checkDevice(training, device, initialWeights(features.network, "he", 0), {
    ...Object.fromEntries(feeds),
    ...optimizerFeeds("supervised", optimizer, 0, 1),
  });
}
