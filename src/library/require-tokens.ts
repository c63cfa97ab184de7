/** Samples of tokens, which an embedding must have vectors for. */
import type { Dataset } from "../data/dataset.js";
import { userError } from "../errors.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { readBatches } from "../training/evaluate.js";

/** Samples that are read at once. */
const readAtOnce = 1024;

/**
 * Reads all samples of a data set.
 *
 * @param vocabulary how many tokens there are, from 0 on; undefined where samples are none
 * @throws UserError where a value is no token; InterruptedError where the signal aborts
 */
export async function requireTokens(
  dataset: Dataset,
  vocabulary: number | undefined,
  signal?: AbortSignal,
): Promise<void> {
  if (vocabulary === undefined) return;
  const size = sizeOf(dataset.shape);
  const indices = Uint32Array.from({ length: dataset.count }, (_, index) => index);
  const shape = [Math.min(readAtOnce, dataset.count), ...dataset.shape];
  const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
  for await (const { start, count } of readBatches(dataset, indices, samples, signal)) {
    const values = samples.data.subarray(0, count * size);
    const at = values.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < vocabulary));
    if (at >= 0)
      throw userError({
        where: `${dataset.where}: sample ${start + Math.floor(at / size)}`,
        required: `tokens, whole numbers from 0 to ${vocabulary - 1}, for which the network's embedding has vectors`,
        got: `${values[at]}`,
        advice: Number.isInteger(values[at])
          ? "Make the tokens as they were made for the network, or give a network with a larger embedding."
          : "Give the tokens as they are, without --normalise.",
      });
  }
}
