/** The adjoints of reading at positions along axes: what was read goes back to where it came from, and adds up there. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";

/** Positions first, first + step, ... along an axis. */
export interface Range {
  readonly axis: number;
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** Up to this length of an axis a scatter along it is a matrix product with a table of zeros and ones. */
const longestTable = 256;

/**
 * The adjoint of reading ranges: the gradient's elements at the positions from which they were read, zeros elsewhere.
 * A step of s is undone by s − 1 zeros after each element; then the whole is padded, or cropped, to the shape.
 */
export function spread(emit: Emitter, gradient: Value, ranges: readonly Range[], shape: readonly number[]): Value {
  if (ranges.some(({ count }) => count === 0)) return emit.filled(0, shape);
  const rank = shape.length;
  const backwards = ranges.filter(({ step, count }) => step < 0 && count > 1);
  const forward = emit.slice(
    gradient,
    backwards.map(({ axis, count }) => ({ axis, start: count - 1, end: -count - 1, step: -1 })),
  );
  const dimensions = gradient.shape.slice();
  const pads = new Array<number>(rank * 2).fill(0);
  const apart: number[] = [];
  const apartPads: number[] = [];
  const steps = new Map(ranges.map(({ axis, step, count }) => [axis, count > 1 ? Math.abs(step) : 1]));
  for (let axis = 0; axis < rank; axis++) {
    const step = steps.get(axis) ?? 1;
    apart.push(dimensions[axis]);
    apartPads.push(0);
    if (step > 1) {
      apart.push(1);
      apartPads.push(step - 1);
      dimensions[axis] *= step;
    }
  }
  for (const { axis, first, step, count } of ranges) {
    pads[axis] = step < 0 ? first + step * (count - 1) : first;
    pads[rank + axis] = shape[axis] - pads[axis] - dimensions[axis];
  }
  const padded = emit.pad(emit.reshape(forward, apart), [...apart.map(() => 0), ...apartPads]);
  return emit.pad(emit.reshape(padded, dimensions), pads);
}

/**
 * The adjoint of reading known positions along an axis: the gradient summed up by position. The gradient has
 * positions.length in the place of that axis.
 */
export function scatterAlong(
  emit: Emitter,
  gradient: Value,
  axis: number,
  positions: readonly number[],
  length: number,
): Value {
  const shape = gradient.shape.map((dimension, other) => (other === axis ? length : dimension));
  if (positions.length === 0) return emit.filled(0, shape);
  const step = positions.length > 1 ? positions[1] - positions[0] : 1;
  if (step !== 0 && positions.every((position, index) => position === positions[0] + index * step))
    return spread(emit, gradient, [{ axis, first: positions[0], step, count: positions.length }], shape);
  if (length > longestTable) {
    const indices = { type: "int64", shape: [positions.length], data: BigInt64Array.from(positions, BigInt) } as const;
    const column = [positions.length, ...gradient.shape.slice(axis + 1).map(() => 1)];
    return scatter(
      emit,
      gradient,
      emit.expand(emit.reshape(emit.constant(indices), column), gradient.shape),
      axis,
      shape,
    );
  }
  const before = sizeOf(shape.slice(0, axis));
  const after = sizeOf(shape.slice(axis + 1));
  const table = new Float32Array(length * positions.length);
  if (after === 1) {
    for (const [index, position] of positions.entries()) table[index * length + position] = 1;
    const rows = emit.reshape(gradient, [before, positions.length]);
    return emit.reshape(emit.matmul(rows, emit.constant(floatTensor(table, [positions.length, length]))), shape);
  }
  for (const [index, position] of positions.entries()) table[position * positions.length + index] = 1;
  const matrices = emit.reshape(gradient, [before, positions.length, after]);
  return emit.reshape(emit.matmul(emit.constant(floatTensor(table, [length, positions.length])), matrices), shape);
}

/** Zeros of a shape to which updates are added at indices along an axis. */
export function scatter(emit: Emitter, updates: Value, indices: Value, axis: number, shape: readonly number[]): Value {
  const attributes = { axis: attribute.int(axis), reduction: attribute.string("add") };
  return emit.one("ScatterElements", [emit.filled(0, shape), indices, updates], attributes);
}
