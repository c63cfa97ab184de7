/** The principal components of most variance of many vectors. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { multiply, orthonormalizeRows, transpose } from "../initializers/dense.js";
import type { PrincipalComponents } from "../initializers/principal-components.js";
import { RandomStream } from "../random/stream.js";
import type { SessionOptions } from "../runtime/session.js";
import { readAtOnce } from "./labelled-features.js";
import { MatrixProducts } from "./matrix-products.js";

/** Up to this size all components are computed at once, in well under a second. */
const wholeSize = 256;
/** Beyond it the leading ones, by block power iteration with some directions more (Halko et al., 2011, section 4.5). */
const moreDirections = 16;
export const iterations = 12;

/**
 * The mean of vectors and their principal components, those of most variance first: as many as asked for, or all.
 *
 * @param vectors one after another, [vectors, size]; their mean is taken off them in place
 */
export async function leadingComponents(
  vectors: Float32Array,
  size: number,
  wanted: number,
  seed: number,
  options: SessionOptions = {},
): Promise<PrincipalComponents> {
  const count = vectors.length / size;
  const means = takeMean(vectors, size);
  const directions = size <= wholeSize ? size : Math.min(size, wanted + moreDirections);
  const products = await MatrixProducts.open(size, directions, options);
  try {
    for (let first = 0; first < count; first += readAtOnce)
      await products.add(vectors.subarray(first * size, Math.min(count, first + readAtOnce) * size));
    const covariance = products.sum().map((sum) => sum / count);
    const times = (rows: Float64Array) => products.times(covariance, transpose(rows, directions, size));
    const found =
      directions === size
        ? sorted(Matrix.from1DArray(size, size, covariance))
        : await componentsOfProduct(times, size, directions, seed);
    return { means, ...found };
  } finally {
    await products.release();
  }
}

/**
 * The mean of each part of vectors, and all principal components of what the vectors have there: without ONNX Runtime, whose
 * start takes longer than parts of a few numbers.
 *
 * @param vectors one after another, [vectors, parts * size]; not changed
 * @param size of a part
 */
export function componentsOfParts(vectors: Float32Array, parts: number, size: number): PrincipalComponents[] {
  const count = vectors.length / (parts * size);
  const means = meanOf(vectors, parts * size);
  const sums = new Float64Array(parts * size * size);
  const centred = new Float64Array(size);
  for (let at = 0; at < vectors.length; )
    for (let part = 0; part < parts; part++, at += size) {
      for (let place = 0; place < size; place++) centred[place] = vectors[at + place] - means[part * size + place];
      const first = part * size * size;
      for (let row = 0; row < size; row++)
        for (let column = 0; column <= row; column++)
          sums[first + row * size + column] += centred[row] * centred[column];
    }
  return Array.from({ length: parts }, (_, part) => {
    const half = Matrix.from1DArray(size, size, sums.subarray(part * size * size, (part + 1) * size * size));
    // Summed were the diagonal and what is below it.
    const sum = Matrix.add(half, half.transpose()).sub(Matrix.diag(half.diagonal()));
    return { means: means.slice(part * size, (part + 1) * size), ...sorted(sum.div(count)) };
  });
}

function takeMean(vectors: Float32Array, size: number): Float64Array {
  const means = meanOf(vectors, size);
  for (let at = 0; at < vectors.length; ) for (let place = 0; place < size; place++, at++) vectors[at] -= means[place];
  return means;
}

function meanOf(vectors: Float32Array, size: number): Float64Array {
  const sums = new Float64Array(size);
  for (let at = 0; at < vectors.length; ) for (let place = 0; place < size; place++, at++) sums[place] += vectors[at];
  return sums.map((sum) => (sum * size) / vectors.length);
}

/** Eigenvectors and eigenvalues. */
export type Components = Omit<PrincipalComponents, "means">;

/** The eigenvectors of a symmetric matrix as rows, with their eigenvalues, the largest first. */
function sorted(matrix: Matrix): Components {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const order = [...realEigenvalues.keys()].sort((a, b) => realEigenvalues[b] - realEigenvalues[a]);
  return {
    variances: order.map((component) => realEigenvalues[component]),
    directions: order.map((component) => Float64Array.from(eigenvectorMatrix.getColumn(component))),
  };
}

/**
 * The leading eigenvectors of a symmetric matrix that is known by its products alone, with their eigenvalues, the largest
 * first: by block power iteration (Halko et al., 2011, section 4.5), so that the last ones are rough.
 *
 * @param times the matrix, [size, size], times directions: [size, count] of rows [count, size]
 */
export async function componentsOfProduct(
  times: (rows: Float64Array) => Promise<Float32Array>,
  size: number,
  count: number,
  seed: number,
): Promise<Components> {
  const stream = new RandomStream(seed, "principal-components/directions");
  const fresh = () => stream.normal();
  const orthonormal = (rows: Float64Array): Float64Array => {
    orthonormalizeRows(rows, count, size, fresh);
    return rows;
  };
  const imagesOf = async (rows: Float64Array) => transpose(Float64Array.from(await times(rows)), size, count);
  let basis = orthonormal(Float64Array.from({ length: count * size }, fresh));
  for (let iteration = 1; iteration < iterations; iteration++) basis = orthonormal(await imagesOf(basis));
  // Within what the rows span, the components are those of a small matrix.
  const images = transpose(await imagesOf(basis), count, size);
  const within = Matrix.from1DArray(count, count, multiply(basis, images, count, size, count));
  const { variances, directions } = sorted(within.add(within.transpose()).mul(0.5));
  return { variances, directions: directions.map((weights) => multiply(weights, basis, 1, count, size)) };
}
