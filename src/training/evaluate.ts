/** Computes values of a network on samples of a data set, without training. */
import type { Dataset } from "../data/dataset.js";
import { InterruptedError, userError } from "../errors.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import type { Network } from "../ops/network.js";
import { supervisedFeedNames } from "../recipe/feed-names.js";
import type { Weights } from "../recipe/initial-values.js";
import { lookingGraph } from "../recipe/looking-graph.js";
import { rewriteForCpu } from "../rewrite/rewrite-for-cpu.js";
import { rewriteForDevice } from "../rewrite/rewrite-for-device.js";
import { channelBlock } from "../runtime/channel-block.js";
import { openSession } from "../runtime/node.js";
import type { SessionOptions } from "../runtime/session.js";
import { plansMemory } from "./memory-plan.js";

/** Samples a run where nothing else is asked for. */
export const usualBatch = 128;

export interface EvaluateOptions extends SessionOptions {
  /** Samples a run; default 128. With batch statistics this changes results. */
  readonly batchSize?: number;
  /** BatchNormalization by the batch or by running statistics; default running. */
  readonly normalization?: "batch" | "running";
  readonly signal?: AbortSignal;
  /** Told how much is done, in parts of equal work: what is counted depends on who measures. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** How something is measured that no network computes. */
export type MeasureOptions = SessionOptions & Pick<EvaluateOptions, "signal">;

/** One value of the network for many samples, row-major: [samples, ...shape]. */
export interface Evaluation {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A network made ready to compute one value for any number of samples. */
export interface Evaluator {
  /** @param weights every parameter that the value needs */
  evaluate(weights: Weights, dataset: Dataset, indices: ArrayLike<number>): Promise<Evaluation>;
  /**
   * The same batch by batch, where the values of all samples would be too many.
   *
   * @param take given a batch's values, which the next one overwrites, and which of the samples its first one is
   */
  evaluateEach(
    weights: Weights,
    dataset: Dataset,
    indices: ArrayLike<number>,
    take: (batch: Evaluation, first: number) => void,
  ): Promise<void>;
  release(): Promise<void>;
}

/** Prepares the computation of a value; the last batch is filled up with the first samples, and the filling left out. */
export async function openEvaluator(
  network: Network,
  target: string,
  options: EvaluateOptions = {},
): Promise<Evaluator> {
  const batchSize = options.batchSize ?? usualBatch;
  const emit = new Emitter();
  const graph = lookingGraph(network, [target], batchSize, emit, options.normalization);
  // Weights are fed, as in training, so that ONNX Runtime leaves convolutions in the plain layout of its own accord.
  const { device = "cpu" } = options;
  const quick = device === "cpu" ? rewriteForCpu(graph, await channelBlock()) : rewriteForDevice(graph, device);
  const session = await openSession(quick, { ...options, plansMemory: plansMemory(emit.peakBytes, device) });
  const sampleSize = sizeOf(network.sampleShape);
  const samples = floatTensor(new Float32Array(batchSize * sampleSize), [batchSize, ...network.sampleShape]);
  const outputName = graph.outputs[0].name;
  const valueShape = (graph.outputs[0].shape ?? []).map(Number);
  const rows = rowsPerSample(network, target, valueShape, batchSize);
  const rowShape = valueShape.slice(1);
  const rowSize = sizeOf(rowShape) * rows;
  const output = floatTensor(new Float32Array(batchSize * rowSize), valueShape);
  const evaluateEach: Evaluator["evaluateEach"] = async (weights, dataset, indices, take) => {
    const feeds: Record<string, typeof samples> = { [supervisedFeedNames.samples]: samples };
    for (const { name, shape } of graph.inputs) {
      const elements = weights.get(name);
      if (elements) feeds[name] = floatTensor(elements, (shape ?? []).map(Number));
    }
    for await (const { start, count } of readBatches(dataset, indices, samples, options.signal)) {
      await session.run(feeds, { [outputName]: output });
      take({ data: output.data.subarray(0, count * rowSize), shape: [count * rows, ...rowShape] }, start);
      options.onProgress?.(start + count, indices.length);
    }
  };
  return {
    evaluateEach,
    async evaluate(weights, dataset, indices) {
      const data = new Float32Array(indices.length * rowSize);
      await evaluateEach(weights, dataset, indices, (batch, first) => data.set(batch.data, first * rowSize));
      return { data, shape: [indices.length * rows, ...rowShape] };
    },
    release: () => session.release(),
  };
}

/** Some networks fold samples and tokens into one axis: a sample then has several rows, which statistics may mix. */
export function rowsPerSample(
  network: Network,
  target: string,
  valueShape: readonly number[],
  batchSize: number,
): number {
  const rows = valueShape[0] / batchSize;
  if (Number.isInteger(rows) && rows >= 1) return rows;
  throw userError({
    where: `${network.where}: ${target}`,
    required: "a tensor whose first axis counts the samples",
    got: `[${valueShape.join(", ")}] for a batch of ${batchSize}`,
    advice: "Choose another feature tensor with --features",
  });
}

/**
 * Reads samples batch by batch into one tensor of a batch; the last batch is filled up with the first samples, so that
 * statistics of a batch are of many.
 *
 * @returns for each batch where it starts among the samples, and how many of its samples count
 */
export async function* readBatches(
  dataset: Dataset,
  indices: ArrayLike<number>,
  samples: FloatTensor,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ start: number; count: number }> {
  const [batchSize] = samples.shape;
  const places = new Uint32Array(batchSize);
  for (let start = 0; start < indices.length; start += batchSize) {
    if (signal?.aborted) throw new InterruptedError("stopped while measuring");
    const count = Math.min(batchSize, indices.length - start);
    for (let row = 0; row < batchSize; row++) places[row] = indices[(start + row) % indices.length];
    await dataset.read(places, samples.data);
    const next = Array.prototype.slice.call(indices, start + batchSize, start + 2 * batchSize) as number[];
    if (next.length > 0) dataset.prepare?.(next);
    yield { start, count };
  }
}

/** Computes one value once, see {@link openEvaluator}. */
export async function evaluate(
  network: Network,
  target: string,
  weights: Weights,
  dataset: Dataset,
  indices: ArrayLike<number>,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const evaluator = await openEvaluator(network, target, options);
  try {
    return await evaluator.evaluate(weights, dataset, indices);
  } finally {
    await evaluator.release();
  }
}

/** Scores of samples by class: [samples, classes], row-major. */
export interface ClassScores {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

/** Mean cross-entropy of softmax(scores) against the labels, in nats. */
export function crossEntropyOf({ data, shape }: ClassScores, labels: ArrayLike<number>): number {
  const [rows, classes] = shape;
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * classes, (row + 1) * classes];
    let largest = Number.NEGATIVE_INFINITY;
    for (let at = start; at < end; at++) largest = Math.max(largest, data[at]);
    // Scores below the largest one: their exponentials cannot overflow.
    let sum = 0;
    for (let at = start; at < end; at++) sum += Math.exp(data[at] - largest);
    total += largest + Math.log(sum) - data[start + labels[row]];
  }
  return total / rows;
}

/** How many samples are named right: whose largest class score is their label's. */
export interface Accuracies {
  /** The share of all samples. */
  readonly accuracy: number;
  /** The mean of the shares of each class; those that no label names have no part in it. */
  readonly balanced: number;
}

/** Looks for the largest score of each sample once. */
export function accuraciesOf(scores: ClassScores, labels: ArrayLike<number>): Accuracies {
  const [rows, classes] = scores.shape;
  const sizes = new Float64Array(classes);
  const right = new Float64Array(classes);
  for (let row = 0; row < rows; row++) {
    sizes[labels[row]]++;
    if (largestOf(scores, row) === labels[row]) right[labels[row]]++;
  }
  const shares = [...right.keys()].filter((label) => sizes[label] > 0).map((label) => right[label] / sizes[label]);
  return {
    accuracy: right.reduce((sum, count) => sum + count, 0) / rows,
    balanced: shares.reduce((sum, share) => sum + share, 0) / shares.length,
  };
}

/** The share of samples that are named right, see {@link Accuracies}. */
export function accuracyOf(scores: ClassScores, labels: ArrayLike<number>): number {
  return accuraciesOf(scores, labels).accuracy;
}

/** The first class of a row that no other has a larger score than. */
function largestOf({ data, shape: [, classes] }: ClassScores, row: number): number {
  let best = 0;
  for (let column = 1; column < classes; column++)
    if (data[row * classes + column] > data[row * classes + best]) best = column;
  return best;
}
