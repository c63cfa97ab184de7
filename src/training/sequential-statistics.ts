/** Unit statistics of one layer after another, where each layer's weights follow from what was measured before. */
import type { Dataset } from "../data/dataset.js";
import { floatTensor } from "../graph/tensor.js";
import { mergeUnitStatistics, type UnitStatistics, unitStatistics } from "../initializers/conditioning.js";
import type { Network } from "../ops/network.js";
import type { Weights } from "../recipe/initial-values.js";
import { supervisedFeedNames } from "../recipe/supervised-graph.js";
import { type EvaluateOptions, usualBatch } from "./evaluate.js";
import { type BatchValues, StagedEvaluator, unitStatisticsOf } from "./staged-evaluator.js";

/** Most bytes of values that are held between two layers, for all samples together. */
const usuallyHeld = 256e6;

export interface SequentialOptions extends EvaluateOptions {
  /** Most bytes of values that are held between two layers, for all samples together. */
  readonly heldBytes?: number;
}

/**
 * Measures layers from the input on. Where they are few enough bytes, the values that samples have in front of a layer are
 * held, so that the next measurement begins there; otherwise it begins at the last place where they were, or is one run of
 * the network from the samples on.
 */
export class SequentialStatistics {
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

  /** @param targets names of the values to measure, in the order in which the network computes them */
  static async open(
    network: Network,
    targets: readonly string[],
    dataset: Dataset,
    indices: ArrayLike<number>,
    options: SequentialOptions = {},
  ): Promise<SequentialStatistics> {
    const settings = { ...options, normalization: "batch", stageBytes: 0 } as const;
    const stages = await StagedEvaluator.open(network, targets, settings);
    return new SequentialStatistics(network, stages, targets, dataset, indices, options);
  }

  /**
   * Measures a value with these weights, BatchNormalization by batches. It is quick where values are asked for in their
   * order and the weights in front of the last one asked for are still the same arrays.
   */
  async measure(target: string, channelAxis: number, weights: Weights): Promise<UnitStatistics> {
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
    if (!holds && this.#from === 0)
      return (
        await unitStatisticsOf(
          this.#network,
          new Map([[target, channelAxis]]),
          weights,
          this.#dataset,
          this.#indices,
          this.#options,
        )
      ).get(target)!;
    const reached: BatchValues[] = [];
    let result: UnitStatistics | undefined;
    for await (let batch of this.#held ?? this.#stages.batches(this.#dataset, this.#indices)) {
      for (let before = this.#from; before < stage; before++)
        batch = (await this.#stages.run(before, weights, batch)).next;
      if (holds) reached.push(withOwnSamples(batch));
      const { targets } = await this.#stages.run(stage, weights, batch);
      const { data, shape } = targets.get(target)!;
      const measured = unitStatistics(data, shape, channelAxis);
      result = result ? mergeUnitStatistics(result, measured) : measured;
    }
    if (holds) {
      this.#from = stage;
      this.#held = reached;
      this.#heldWith = new Map(weights);
      await this.#stages.release(stage);
    }
    if (!result) throw new Error("no samples to measure with");
    return result;
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
