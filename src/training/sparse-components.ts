/** The principal components of vectors that are zero almost everywhere, such as counts of words. */
import { transpose } from "../initializers/dense.js";
import type { EvaluateOptions } from "./evaluate.js";
import { type Components, componentsOfProduct, iterations } from "./leading-components.js";
import { letOthersRun } from "./let-others-run.js";

/** Vectors of which only what is not zero is kept. */
export interface SparseRows {
  /** Numbers of a vector. */
  readonly size: number;
  /** Where each row's numbers begin in the next two, and behind the last row where they end: [rows + 1]. */
  readonly starts: Uint32Array;
  /** Each number's place in its vector. */
  readonly places: Uint32Array;
  readonly values: Float32Array;
}

/** With so many directions more those that are wanted are found in few iterations. */
const moreDirections = 16;

export type SparseOptions = Pick<EvaluateOptions, "signal" | "onProgress">;

/**
 * The directions in which rows are largest together: right singular vectors of the matrix of rows, unit vectors, with the
 * squares of the singular values as variances, the largest first. No mean is taken off. As many as are wanted, or as there
 * are rows or numbers of a vector.
 *
 * @throws InterruptedError where the signal aborts
 */
export async function sparseComponents(
  rows: SparseRows,
  wanted: number,
  seed: number,
  { signal, onProgress }: SparseOptions = {},
): Promise<Components> {
  const { size, starts } = rows;
  const most = Math.min(size, starts.length - 1);
  const count = Math.min(most, wanted + moreDirections);
  let done = 0;
  const times = async (directions: Float64Array): Promise<Float32Array> => {
    onProgress?.(done++, iterations);
    await letOthersRun(signal, "measuring");
    return timesSquare(rows, transpose(directions, count, size), count);
  };
  const { variances, directions } = await componentsOfProduct(times, size, count, seed);
  return { variances: variances.slice(0, wanted), directions: directions.slice(0, wanted) };
}

/** Aᵀ A X of the matrix A of rows and of X, [size, count]. */
function timesSquare({ size, starts, places, values }: SparseRows, x: Float64Array, count: number): Float32Array {
  const product = new Float32Array(size * count);
  const image = new Float64Array(count);
  for (let row = 0; row + 1 < starts.length; row++) {
    image.fill(0);
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      const value = values[at];
      const first = places[at] * count;
      for (let column = 0; column < count; column++) image[column] += value * x[first + column];
    }
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      const value = values[at];
      const first = places[at] * count;
      for (let column = 0; column < count; column++) product[first + column] += value * image[column];
    }
  }
  return product;
}
