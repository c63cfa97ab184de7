/**
 * Computes many values of a network on samples of a data set. One session for them all would hold every layer's values
 * at once, and one for each would begin at the samples again and again. So the network is cut into stages, run one after
 * another on a batch: each is fed what it reads of the stages before.
 */
import type { Dataset } from "../data/dataset.js";
import { InterruptedError } from "../errors.js";
import type { ValueInfo } from "../graph/graph.js";
import { floatTensor, sizeOf, type Tensor, zeros } from "../graph/tensor.js";
import { mergeUnitStatistics, type UnitStatistics, unitStatistics } from "../initializers/conditioning.js";
import type { Network } from "../ops/network.js";
import { supervisedFeedNames } from "../recipe/feed-names.js";
import type { Weights } from "../recipe/initial-values.js";
import { lookingGraph } from "../recipe/looking-graph.js";
import { rewritePartsForCpu } from "../rewrite/rewrite-for-cpu.js";
import { rewritePartsForDevice } from "../rewrite/rewrite-for-device.js";
import { channelBlock } from "../runtime/channel-block.js";
import { openSession } from "../runtime/node.js";
import type { Session, Tensors } from "../runtime/session.js";
import { type EvaluateOptions, type Evaluation, readBatches, rowsPerSample, usualBatch } from "./evaluate.js";

/** Most bytes of targets that a stage gives for a batch, where it gives more than one. */
const usualStage = 64e6;

/** A batch on its way: what later stages read of the samples and of the stages before, by name. */
export interface BatchValues {
  readonly values: Tensors;
  /** How many of its samples count; the others fill it up. */
  readonly count: number;
}

interface Stage {
  readonly targets: readonly string[];
  /** Names of the parameters that it reads, with their shapes. */
  readonly parameters: ReadonlyMap<string, readonly number[]>;
  /** What stages behind it read of the samples and of the stages so far. */
  readonly later: ReadonlySet<string>;
  /** Bytes of these for a batch. */
  readonly laterBytes: number;
  /** Where a run's outputs go, by name; the others it finds room for itself. */
  places(): Tensors;
  open(): Promise<Session>;
  session?: Session | undefined;
}

export interface StagedOptions extends EvaluateOptions {
  /** Most bytes of targets that a stage gives for a batch, where it gives more than one. */
  readonly stageBytes?: number;
}

/** A network cut into stages. */
export class StagedEvaluator {
  readonly #stages: readonly Stage[];
  readonly #network: Network;
  readonly #batchSize: number;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: StagedOptions["onProgress"];

  private constructor(network: Network, stages: readonly Stage[], { batchSize, signal, onProgress }: StagedOptions) {
    this.#network = network;
    this.#stages = stages;
    this.#batchSize = batchSize ?? usualBatch;
    this.#signal = signal;
    this.#onProgress = onProgress;
  }

  /**
   * Sessions are opened when they are needed.
   *
   * @param targets names of the values to compute, in the order in which the network computes them
   */
  static async open(
    network: Network,
    targets: readonly string[],
    options: StagedOptions = {},
  ): Promise<StagedEvaluator> {
    const distinct = [...new Set(targets)];
    const graph = lookingGraph(network, distinct, options.batchSize ?? usualBatch, undefined, options.normalization);
    const groups = grouped(
      distinct,
      graph.outputs.map(({ shape }) => 4 * sizeOf((shape ?? []).map(Number))),
      options.stageBytes ?? usualStage,
    );
    const cuts = groups.map((names) => ({
      out: new Map(names.map((name) => [outputOf(name), outputOf(name)])),
      back: [],
    }));
    const whole = { ...graph, outputs: [] };
    const { device = "cpu" } = options;
    const parts =
      device === "cpu"
        ? rewritePartsForCpu(whole, await channelBlock(), cuts)
        : rewritePartsForDevice(whole, cuts, device);
    const stages = groups.map((names, index): Stage => {
      const { inputs, outputs } = parts[index];
      const made = [...graph.inputs, ...parts.slice(0, index + 1).flatMap(({ outputs }) => outputs)];
      const read = new Set(parts.slice(index + 1).flatMap((part) => part.inputs.map(({ name }) => name)));
      const intoTargets = device === "cpu" && outputs.every(({ type }) => zeros(type, [0]) !== undefined);
      const later = made.filter(({ name }) => read.has(name) && !network.parameters.has(name));
      return {
        targets: names,
        parameters: new Map(
          inputs.flatMap(({ name, shape }) =>
            network.parameters.has(name) ? [[name, (shape ?? []).map(Number)]] : [],
          ),
        ),
        later: new Set(later.map(({ name }) => name)),
        laterBytes: later.reduce((sum, { shape }) => sum + 4 * sizeOf((shape ?? []).map(Number)), 0),
        places: () => (intoTargets ? placesFor(outputs) : {}),
        // Without an arena a session holds nothing between its runs, in which others take their turn.
        open: () => openSession(parts[index], { ...options, arena: groups.length === 1, intoTargets }),
      };
    });
    return new StagedEvaluator(network, stages, options);
  }

  /** Computes every target on the samples, batch by batch: `see` is given each batch of each target once. */
  async evaluate(
    weights: Weights,
    dataset: Dataset,
    indices: ArrayLike<number>,
    see: (target: string, values: Evaluation) => void,
  ): Promise<void> {
    const runs = this.#stages.length * Math.ceil(indices.length / this.#batchSize);
    let done = 0;
    for await (let batch of this.batches(dataset, indices))
      for (let stage = 0; stage < this.#stages.length; stage++) {
        const { targets, next } = await this.run(stage, weights, batch);
        for (const [target, values] of targets) see(target, values);
        batch = next;
        this.#onProgress?.(++done, runs);
      }
  }

  /** The samples as batches for the first stage. A batch's samples are those of the next one when that is asked for. */
  async *batches(dataset: Dataset, indices: ArrayLike<number>): AsyncGenerator<BatchValues> {
    const size = this.#batchSize;
    const { sampleShape } = this.#network;
    const samples = floatTensor(new Float32Array(size * sizeOf(sampleShape)), [size, ...sampleShape]);
    for await (const { count } of readBatches(dataset, indices, samples, this.#signal))
      yield { values: { [supervisedFeedNames.samples]: samples }, count };
  }

  /** Runs a stage on a batch that has been through those before it. */
  async run(
    index: number,
    weights: Weights,
    { values, count }: BatchValues,
  ): Promise<{ targets: Map<string, Evaluation>; next: BatchValues }> {
    if (this.#signal?.aborted) throw new InterruptedError("stopped while measuring");
    const stage = this.#stages[index];
    const feeds: Record<string, Tensor> = { ...values };
    for (const [name, shape] of stage.parameters) {
      const elements = weights.get(name);
      if (elements) feeds[name] = floatTensor(elements, shape);
    }
    stage.session ??= await stage.open();
    const outputs = await stage.session.run(feeds, stage.places());
    const targets = new Map<string, Evaluation>();
    for (const name of stage.targets) {
      const { data, shape } = outputs[outputOf(name)];
      const rows = rowsPerSample(this.#network, name, shape, this.#batchSize);
      const rowShape = shape.slice(1);
      const counted = (data as Float32Array).subarray(0, count * rows * sizeOf(rowShape));
      targets.set(name, { data: counted, shape: [count * rows, ...rowShape] });
    }
    const known = Object.entries({ ...values, ...outputs });
    return { targets, next: { values: Object.fromEntries(known.filter(([name]) => stage.later.has(name))), count } };
  }

  /** Bytes of a batch between a stage and the one after it. */
  bytesBehind(stage: number): number {
    return this.#stages[stage].laterBytes;
  }

  /** Names of the parameters that the stages before this one read. */
  parametersBefore(stage: number): string[] {
    return this.#stages.slice(0, stage).flatMap(({ parameters }) => [...parameters.keys()]);
  }

  /** Frees the native memory of the stages before this one, all by default. They open again when they are run. */
  async release(before = this.#stages.length): Promise<void> {
    for (const stage of this.#stages.slice(0, before)) {
      const { session } = stage;
      stage.session = undefined;
      await session?.release();
    }
  }
}

/** Memory that a stage writes its outputs into: without, each is written, and then copied. */
function placesFor(outputs: readonly ValueInfo[]): Tensors {
  return Object.fromEntries(
    outputs.flatMap(({ name, type, shape }) => {
      const place = zeros(type, (shape ?? []).map(Number));
      return place ? [[name, place]] : [];
    }),
  );
}

/** The name of a target among a looking graph's outputs. */
function outputOf(target: string): string {
  return `value/${target}`;
}

/** Targets one after another, as many in a group as have no more bytes than this together. */
function grouped(targets: readonly string[], bytes: readonly number[], most: number): string[][] {
  const groups: string[][] = [];
  let room = 0;
  targets.forEach((target, index) => {
    if (groups.length === 0 || bytes[index] > room) {
      groups.push([]);
      room = most;
    }
    groups[groups.length - 1].push(target);
    room -= bytes[index];
  });
  return groups;
}

/**
 * Mean and standard deviation of each unit of some values over samples and positions, with BatchNormalization by batches.
 *
 * @param channelAxes the axis of the units by the value's name, in the order in which the network computes them
 */
export async function unitStatisticsOf(
  network: Network,
  channelAxes: ReadonlyMap<string, number>,
  weights: Weights,
  dataset: Dataset,
  indices: ArrayLike<number>,
  options: StagedOptions = {},
): Promise<Map<string, UnitStatistics>> {
  const result = new Map<string, UnitStatistics>();
  const stages = await StagedEvaluator.open(network, [...channelAxes.keys()], { ...options, normalization: "batch" });
  try {
    await stages.evaluate(weights, dataset, indices, (target, { data, shape }) => {
      const measured = unitStatistics(data, shape, channelAxes.get(target) ?? -1);
      const known = result.get(target);
      result.set(target, known ? mergeUnitStatistics(known, measured) : measured);
    });
  } finally {
    await stages.release();
  }
  return result;
}
