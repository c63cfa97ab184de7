/** The tokens of some samples of a data set, to be counted. */
import type { Dataset } from "../data/dataset.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { readBatches } from "./evaluate.js";
import { measuringSamples } from "./measuring-samples.js";

/** Samples that are read at once. */
const readAtOnce = 256;

/** Tokens of samples, one after another. */
export interface Tokens {
  readonly tokens: Uint32Array;
  /** How many a sample has. */
  readonly length: number;
}

/**
 * Reads samples that are drawn by seed.
 *
 * @param most of so many samples, and of so many tokens
 * @param purpose names the stream of random numbers
 * @throws InterruptedError where the signal aborts
 */
export async function readTokens(
  dataset: Dataset,
  most: { readonly samples: number; readonly tokens: number },
  seed: number,
  purpose: string,
  signal: AbortSignal | undefined,
): Promise<Tokens> {
  const length = sizeOf(dataset.shape);
  const wanted = Math.max(1, Math.min(most.samples, Math.floor(most.tokens / length)));
  const indices = measuringSamples(dataset, wanted, seed, purpose);
  const tokens = new Uint32Array(indices.length * length);
  const shape = [Math.min(readAtOnce, indices.length), ...dataset.shape];
  const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
  for await (const { start, count } of readBatches(dataset, indices, samples, signal))
    tokens.set(samples.data.subarray(0, count * length), start * length);
  return { tokens, length };
}
