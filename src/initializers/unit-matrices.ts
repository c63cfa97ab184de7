/**
 * A weight as matrices, one a group: a row an output unit, a column a weight that the unit reads. Initialisation and
 * conditioning are stated for such matrices; this is the one place that knows where their elements lie.
 */
import type { WeightLayout } from "../graph/weight-layout.js";
import { weightAxes } from "./fans.js";

/** The matrices of a weight, all of the same shape, one after another in `values`, row by row. */
export interface UnitMatrices {
  groups: number;
  /** Output units of one group. */
  rows: number;
  /** Fan-in. The columns of a convolution are ordered by input channel, then by kernel position. */
  cols: number;
  values: Float64Array;
}

/** Copies a weight into its matrices. */
export function toUnitMatrices(weight: Float32Array, shape: readonly number[], layout: WeightLayout): UnitMatrices {
  const matrices = emptyUnitMatrices(shape, layout);
  if (weight.length !== matrices.values.length) {
    throw new Error(`a weight of shape [${shape.join(", ")}] cannot have ${weight.length} elements`);
  }
  forEachElement(shape, layout, (element, place) => {
    matrices.values[place] = weight[element];
  });
  return matrices;
}

/** Writes matrices back as a weight: the inverse of {@link toUnitMatrices}. */
export function fromUnitMatrices(matrices: UnitMatrices, shape: readonly number[], layout: WeightLayout): Float32Array {
  const weight = new Float32Array(matrices.values.length);
  forEachElement(shape, layout, (element, place) => {
    weight[element] = matrices.values[place];
  });
  return weight;
}

/** The matrices of a weight of this shape, all zero. */
export function emptyUnitMatrices(shape: readonly number[], layout: WeightLayout): UnitMatrices {
  const { groups, inputs, outputs, kernel } = weightAxes(shape, layout);
  const cols = inputs * kernel;
  return { groups, rows: outputs, cols, values: new Float64Array(groups * outputs * cols) };
}

/** One group's matrix, sharing memory with the whole. */
export function unitMatrix(matrices: UnitMatrices, group: number): Float64Array {
  const size = matrices.rows * matrices.cols;
  return matrices.values.subarray(group * size, (group + 1) * size);
}

/** The index of the output unit (channel) over all groups that each element of the weight belongs to. */
export function forEachUnit(
  shape: readonly number[],
  layout: WeightLayout,
  visit: (element: number, unit: number) => void,
): void {
  const { inputs, kernel } = weightAxes(shape, layout);
  const cols = inputs * kernel;
  forEachElement(shape, layout, (element, place) => visit(element, Math.floor(place / cols)));
}

/** Pairs every element of the weight, by its offset, with its place in the matrices. */
function forEachElement(
  shape: readonly number[],
  layout: WeightLayout,
  visit: (element: number, place: number) => void,
): void {
  const { groups, inputs, outputs, kernel } = weightAxes(shape, layout);
  const cols = inputs * kernel;
  // Output units come first, as in the matrices, unless the weight is [in, out] or transposed.
  const inputsFirst =
    layout.kind === "matrix" ? layout.inputAxis === 0 : layout.kind === "convolution" && layout.transposed;
  for (let group = 0; group < groups; group++) {
    for (let output = 0; output < outputs; output++) {
      for (let input = 0; input < inputs; input++) {
        const start = inputsFirst
          ? ((group * inputs + input) * outputs + output) * kernel
          : ((group * outputs + output) * inputs + input) * kernel;
        const place = (group * outputs + output) * cols + input * kernel;
        for (let position = 0; position < kernel; position++) visit(start + position, place + position);
      }
    }
  }
}
