/** Which samples of a data set something is measured with. */
import type { Dataset } from "../data/dataset.js";
import { RandomStream } from "../random/stream.js";

/**
 * Indices of a few samples, drawn by seed.
 *
 * @param count of samples, at most; all where there are no more
 * @param purpose names the stream of random numbers, so that each measurement draws by itself
 */
export function measuringSamples(dataset: Dataset, count: number, seed: number, purpose: string): Uint32Array {
  return new RandomStream(seed, `samples/${purpose}`).sample(dataset.count, count);
}
