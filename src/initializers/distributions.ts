/**
 * Weights drawn from a distribution of a given scale.
 */

import type { WeightLayout } from "../graph/weight-layout.js";
import type { RandomStream } from "../random/stream.js";
import { orthonormalizeRows, transpose } from "./dense.js";
import { weightAxes } from "./fans.js";
import { emptyUnitMatrices, fromUnitMatrices, unitMatrix } from "./unit-matrices.js";

/** The standard deviation of the standard normal distribution cut at ±2: √(1 − 4 φ(2) / (2 Φ(2) − 1)). */
export const TRUNCATED_DEVIATION = 0.8796256610342398;

/** Independent draws from N(0, deviation). */
export function drawNormal(shape: readonly number[], deviation: number, stream: RandomStream): Float32Array {
  return draw(shape, () => deviation * stream.normal());
}

/** Independent draws from U(−bound, bound). */
export function drawUniform(shape: readonly number[], bound: number, stream: RandomStream): Float32Array {
  return draw(shape, () => bound * (2 * stream.uniform() - 1));
}

/** Independent draws from N(0, scale), drawn again where they fall outside ±2 scale; see {@link TRUNCATED_DEVIATION}. */
export function drawTruncatedNormal(shape: readonly number[], scale: number, stream: RandomStream): Float32Array {
  return draw(shape, () => {
    for (;;) {
      const value = stream.normal();
      if (Math.abs(value) <= 2) return scale * value;
    }
  });
}

/**
 * `gain` times a matrix (one a group) of output units × fan-in, evenly drawn from those with orthonormal rows, or
 * orthonormal columns where there are more units than inputs.
 */
export function drawOrthogonal(
  shape: readonly number[],
  layout: WeightLayout,
  gain: number,
  stream: RandomStream,
): Float32Array {
  const matrices = emptyUnitMatrices(shape, layout);
  for (let group = 0; group < matrices.groups; group++) {
    const drawn = orthogonalMatrix(matrices.rows, matrices.cols, stream);
    const target = unitMatrix(matrices, group);
    for (let index = 0; index < drawn.length; index++) target[index] = gain * drawn[index];
  }
  return fromUnitMatrices(matrices, shape, layout);
}

/**
 * A convolution that applies `gain` times an orthogonal matrix (one a group) of outputs × inputs at each position: the
 * kernel is zero but at its centre. With at least as many outputs as inputs, gain 1 and stride 1 it keeps lengths. An
 * even kernel's centre is its upper left middle, which is where SAME padding aligns it.
 */
export function drawDeltaOrthogonal(
  shape: readonly number[],
  layout: WeightLayout,
  gain: number,
  stream: RandomStream,
): Float32Array {
  const { inputs, kernel } = weightAxes(shape, layout);
  const centre = shape.slice(2).reduce((offset, size) => offset * size + Math.floor((size - 1) / 2), 0);
  const matrices = emptyUnitMatrices(shape, layout);
  for (let group = 0; group < matrices.groups; group++) {
    const drawn = orthogonalMatrix(matrices.rows, inputs, stream);
    const target = unitMatrix(matrices, group);
    for (let index = 0; index < drawn.length; index++) target[index * kernel + centre] = gain * drawn[index];
  }
  return fromUnitMatrices(matrices, shape, layout);
}

/** A matrix with orthonormal rows, or columns if there are fewer of them (Mezzadri 2007). */
function orthogonalMatrix(rows: number, cols: number, stream: RandomStream): Float64Array {
  const few = Math.min(rows, cols);
  const many = Math.max(rows, cols);
  const normal = () => stream.normal();
  const matrix = Float64Array.from({ length: few * many }, normal);
  orthonormalizeRows(matrix, few, many, normal);
  return rows <= cols ? matrix : transpose(matrix, few, many);
}

function draw(shape: readonly number[], next: () => number): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  for (let index = 0; index < values.length; index++) values[index] = next();
  return values;
}
