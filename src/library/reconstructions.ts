import type { Dataset } from "../data/dataset.js";
import { pictureGrid } from "../data/picture-grid.js";
import { type FloatTensor, sizeOf } from "../graph/tensor.js";

/**
 * Draws the first of some samples beside what G makes of them.
 *
 * @param samples [samples, ...shape]
 * @param generated of the same samples in the same order
 * @param most how many are drawn
 * @returns the bytes of a PNG file; undefined where the samples are no pictures
 */
export async function reconstructions(
  samples: FloatTensor,
  generated: FloatTensor,
  { record }: Pick<Dataset, "record">,
  most: number,
): Promise<Uint8Array | undefined> {
  const [count, ...shape] = samples.shape;
  const length = Math.min(most, count) * sizeOf(shape);
  try {
    return await pictureGrid(samples.data.subarray(0, length), generated.data.subarray(0, length), record);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
