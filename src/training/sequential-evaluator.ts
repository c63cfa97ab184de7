/** Computes one value of a network after another, where each layer's weights follow from what was seen before. */
import type { Dataset } from "../data/dataset.js";
import { floatTensor } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { supervisedFeedNames } from "../recipe/feed-names.js";
import type { Weights } from "../recipe/initial-values.js";
import { type EvaluateOptions, type Evaluation, usualBatch } from "./evaluate.js";
import { type BatchValues, StagedEvaluator } from "./staged-evaluator.js";

/** Most bytes of values that are held between two layers, for all samples together. */
const usuallyHeld = 256e6;

export interface SequentialOptions extends EvaluateOptions {
  /** Most bytes of values that are held between two layers, for all samples together. */
  readonly heldBytes?: number;
}

/**
 * Computes values from the input on. Where they are few enough bytes, the values that samples have in front of a layer are
 * held, so that the next computation begins there; otherwise it begins at the last place where they were, or is one run of
 * the network from the samples on.
 */
export class SequentialEvaluator {
  readonly #network: Network;
  readonly #stages: StagedEvaluator;
  readonly #targets: readonly string[];
  readonly #dataset: Dataset;
  readonly #indices: ArrayLike<number>;
  readonly #options: SequentialOptions;
  readonly #heldBytes: number;
  readonly #batches: number;
  /** The stage in front of which values are held, these, and the weights that they come from. */
  #from = 0;
  #held: readonly BatchValues[] | undefined;
  #heldWith: Weights = new Map();

  private constructor(
    network: Network,
    stages: StagedEvaluator,
    targets: readonly string[],
    dataset: Dataset,
    indices: ArrayLike<number>,
    options: SequentialOptions,
  ) {
    this.#network = network;
    this.#options = options;
    this.#stages = stages;
    this.#targets = targets;
    this.#dataset = dataset;
    this.#indices = indices;
    this.#heldBytes = options.heldBytes ?? usuallyHeld;
    this.#batches = Math.ceil(indices.length / (options.batchSize ?? usualBatch));
  }

  /** @param targets names of the values to compute, in the order in which the network computes them */
  static async open(
    network: Network,
    targets: readonly string[],
    dataset: Dataset,
    indices: ArrayLike<number>,
    options: SequentialOptions = {},
  ): Promise<SequentialEvaluator> {
    const settings = { ...options, normalization: "batch", stageBytes: 0 } as const;
    const stages = await StagedEvaluator.open(network, targets, settings);
    return new SequentialEvaluator(network, stages, targets, dataset, indices, options);
  }

  /**
   * Computes a value with these weights, BatchNormalization by batches: `see` is given each batch of it once. It is quick
   * where values are asked for in their order and the weights in front of the last one asked for are still the same arrays.
   */
  async evaluate(target: string, weights: Weights, see: (values: Evaluation) => void): Promise<void> {
    const stage = this.#targets.indexOf(target);
    const isStale = this.#stages
      .parametersBefore(this.#from)
      .some((name) => weights.get(name) !== this.#heldWith.get(name));
    if (this.#from > stage || isStale) {
      this.#from = 0;
      this.#held = undefined;
    }
    const holds = stage > this.#from && this.#stages.bytesBehind(stage - 1) * this.#batches <= this.#heldBytes;
    // Large values between stages cost more than they save where they are not held.
    if (!holds && this.#from === 0) return this.#evaluateAlone(target, weights, see);
    const reached: BatchValues[] = [];
    for await (let batch of this.#held ?? this.#stages.batches(this.#dataset, this.#indices)) {
      for (let before = this.#from; before < stage; before++)
        batch = (await this.#stages.run(before, weights, batch)).next;
      if (holds) reached.push(withOwnSamples(batch));
      const { targets } = await this.#stages.run(stage, weights, batch);
      see(targets.get(target)!);
    }
    if (!holds) return;
    this.#from = stage;
    this.#held = reached;
    this.#heldWith = new Map(weights);
    await this.#stages.release(stage);
  }

  async #evaluateAlone(target: string, weights: Weights, see: (values: Evaluation) => void): Promise<void> {
    const alone = await StagedEvaluator.open(this.#network, [target], { ...this.#options, normalization: "batch" });
    try {
      await alone.evaluate(weights, this.#dataset, this.#indices, (_, values) => see(values));
    } finally {
      await alone.release();
    }
  }

  /** Frees the native memory. */
  release(): Promise<void> {
    return this.#stages.release();
  }
}

/** A batch of which the next one does not overwrite the samples, where later stages read these. */
function withOwnSamples({ values, count }: BatchValues): BatchValues {
  const { [supervisedFeedNames.samples]: samples, ...others } = values;
  if (!samples) return { values, count };
  const copy = floatTensor((samples.data as Float32Array).slice(), samples.shape);
  return { values: { ...others, [supervisedFeedNames.samples]: copy }, count };
}
