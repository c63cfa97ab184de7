/**
 * The singular values of weights and features: measured, and flattened.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import type { WeightLayout } from "../graph/weight-layout.js";
import { RandomStream } from "../random/stream.js";
import { gram, multiply, orthonormalizeRows, transpose } from "./dense.js";
import { fromUnitMatrices, toUnitMatrices, unitMatrix } from "./unit-matrices.js";

/**
 * Flattens the singular values of a matrix: W = U S Vᵀ becomes U (S / max S)^α Vᵀ. α = 1 only divides by the largest
 * singular value, α = 0 makes the matrix (semi-)orthogonal.
 *
 * A matrix that lacks rank has singular values of zero (in float32's precision), which (S / max S)^α leaves at zero
 * for α > 0. For α = 0 they become 1 like all others, as 0^0 does, along directions that W does not name: these are
 * completed with fixed random ones, so that the result is orthogonal always. A matrix of zeros has no direction at
 * all and is returned as it is.
 *
 * Computed from the eigenvectors of the smaller of W Wᵀ and Wᵀ W, in double precision. Singular values that float32's
 * rounding alone could have made, below 2⁻²³ (√rows + √cols) of the largest, count as zero.
 *
 * @param weight row-major, rows × cols
 * @param alpha from 0 to 1
 */
export function flattenSpectrum(weight: Float32Array, rows: number, cols: number, alpha: number): Float32Array {
  return Float32Array.from(flatten(Float64Array.from(weight), rows, cols, alpha));
}

/** {@link flattenSpectrum} of a layer's weight: output units × fan-in, each group of a convolution by itself. */
export function flattenSpectrumOf(
  weight: Float32Array,
  shape: readonly number[],
  layout: WeightLayout,
  alpha: number,
): Float32Array {
  const matrices = toUnitMatrices(weight, shape, layout);
  for (let group = 0; group < matrices.groups; group++) {
    const matrix = unitMatrix(matrices, group);
    matrix.set(flatten(matrix, matrices.rows, matrices.cols, alpha));
  }
  return fromUnitMatrices(matrices, shape, layout);
}

function flatten(matrix: Float64Array, rows: number, cols: number, alpha: number): Float64Array {
  if (!(alpha >= 0 && alpha <= 1)) throw new Error(`the spectrum's exponent goes from 0 to 1, it is ${alpha}`);
  if (rows > cols) return transpose(flatten(transpose(matrix, rows, cols), cols, rows, alpha), cols, rows);
  const { values, vectors } = leftSingular(matrix, rows, cols);
  const largest = values[0] ?? 0;
  if (largest === 0) return matrix;
  const rank = numericalRank(values, rows, cols);
  // Row i of Uᵀ W is s_i v_iᵀ: give each the length that it shall have, then turn back with U.
  const directions = multiply(transpose(vectors, rows, rows), matrix, rows, rows, cols);
  for (let row = 0; row < rows; row++) {
    const direction = directions.subarray(row * cols, (row + 1) * cols);
    // The length is measured again: for small singular values the eigenvalue's root is less exact.
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    const factor = row < rank ? (values[row] / largest) ** alpha / length : 0;
    for (let column = 0; column < cols; column++) direction[column] *= factor;
  }
  if (alpha === 0) {
    // Directions of small singular values come out of the products less exactly orthogonal, those of none not at all.
    const exact = values.findIndex((value) => value < 1e-4 * largest);
    const stream = new RandomStream(0, "spectrum/completion");
    if (exact >= 0) orthonormalizeRows(directions, rows, cols, () => stream.normal(), exact);
  }
  return multiply(vectors, directions, rows, rows, cols);
}

/** What a weight's singular values say about it, see {@link spectrumSummary}. */
export interface SpectrumSummary {
  max: number;
  median: number;
  /** From 0 (all weights zero) to `fullRank`; a mean over groups. */
  effectiveRank: number;
  /** The most that `effectiveRank` can be: the lesser of a group's units and fan-in. */
  fullRank: number;
}

/** Summarises the singular values of a layer's weight, over all groups of a convolution. */
export function spectrumSummary(weight: Float32Array, shape: readonly number[], layout: WeightLayout): SpectrumSummary {
  const matrices = toUnitMatrices(weight, shape, layout);
  const { groups, rows, cols } = matrices;
  const all: number[] = [];
  let ranks = 0;
  for (let group = 0; group < groups; group++) {
    const values = singularValues(unitMatrix(matrices, group), rows, cols);
    ranks += entropyRank(values);
    all.push(...values);
  }
  all.sort((first, second) => first - second);
  const middle = all.length / 2;
  return {
    max: all.at(-1) ?? 0,
    median: all.length === 0 ? 0 : (all[Math.ceil(middle) - 1] + all[Math.floor(middle)]) / 2,
    effectiveRank: ranks / groups,
    fullRank: Math.min(rows, cols),
  };
}

/**
 * The effective rank of features: exp of the entropy of their singular values, normalised to sum 1 (Roy and Vetterli
 * 2007). 1 where all samples share one direction, `dims` where all directions are used alike; 0 for features of zero.
 * As in the publication the mean is not taken out.
 *
 * @param features row-major, samples × dims
 */
export function effectiveRank(features: Float32Array, samples: number, dims: number): number {
  return entropyRank(singularValues(Float64Array.from(features), samples, dims));
}

/** The singular values, largest first. */
export function singularValues(matrix: Float64Array, rows: number, cols: number): number[] {
  if (rows > cols) return singularValues(transpose(matrix, rows, cols), cols, rows);
  // ml-matrix's SingularValueDecomposition never ends on some matrices that lack rank, such as features that are all alike.
  return leftSingular(matrix, rows, cols).values;
}

/** The largest magnitude. Not-a-number must not reach an iteration that ends when numbers have become small. */
function scaleOf(matrix: Float64Array): number {
  const scale = matrix.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  if (!Number.isFinite(scale)) throw new Error("a matrix with values that are not finite has no singular values");
  return scale;
}

function entropyRank(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0);
  if (sum === 0) return 0;
  const entropy = values.reduce(
    (total, value) => (value > 0 ? total - (value / sum) * Math.log(value / sum) : total),
    0,
  );
  return Math.exp(entropy);
}

/** Singular values, largest first, and left singular vectors, as the columns of rows × rows, where rows ≤ cols. */
function leftSingular(matrix: Float64Array, rows: number, cols: number): { values: number[]; vectors: Float64Array } {
  // Scaled, so that no square runs out of double precision's range.
  const scale = scaleOf(matrix);
  if (rows === 0 || scale === 0) return { values: new Array(rows).fill(0), vectors: identity(rows) };
  const scaled = matrix.map((value) => value / scale);
  const eigen = new EigenvalueDecomposition(Matrix.from1DArray(rows, rows, gram(scaled, rows, cols)), {
    assumeSymmetric: true,
  });
  const order = [...eigen.realEigenvalues.keys()].sort(
    (first, second) => eigen.realEigenvalues[second] - eigen.realEigenvalues[first],
  );
  const vectors = new Float64Array(rows * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < rows; column++) {
      vectors[row * rows + column] = eigen.eigenvectorMatrix.get(row, order[column]);
    }
  }
  // Rounding can leave an eigenvalue of zero slightly negative.
  return { values: order.map((place) => scale * Math.sqrt(Math.max(0, eigen.realEigenvalues[place]))), vectors };
}

function identity(size: number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let index = 0; index < size; index++) matrix[index * size + index] = 1;
  return matrix;
}

/** How many singular values are more than the rounding of weights to float32 leaves of none. */
function numericalRank(values: readonly number[], rows: number, cols: number): number {
  const tolerance = values[0] * 2 ** -23 * (Math.sqrt(rows) + Math.sqrt(cols));
  return values.filter((value) => value > tolerance).length;
}
