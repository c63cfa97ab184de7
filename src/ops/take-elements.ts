/** Moves the elements of constants about, whatever their type: what the folds of the movement operators are made of. */
import { sizeOf, type Tensor, type TensorData } from "../graph/tensor.js";
import { RuleError } from "./operator.js";

/**
 * A tensor of this shape whose element number i is the source's element number `from(i)`, or `otherwise` (zero by
 * default) where that is −1.
 */
export function takeElements(
  source: Tensor,
  shape: readonly number[],
  from: (index: number) => number,
  otherwise?: number | bigint | string,
): Tensor {
  const data = emptyData(source, sizeOf(shape)) as { length: number; [index: number]: unknown };
  const elements = source.data as ArrayLike<unknown>;
  for (let index = 0; index < data.length; index++) {
    const position = from(index);
    if (position >= 0) data[index] = elements[position];
    else if (otherwise !== undefined) data[index] = otherwise;
  }
  return { type: source.type, shape, data: data as TensorData };
}

/**
 * Reads a tensor at one list of positions an axis: result[i, j, ...] = source[lists[0][i], lists[1][j], ...]. Where a
 * list has −1, the result has `otherwise` (zero by default).
 */
export function takeAlongAxes(
  source: Tensor,
  lists: readonly (readonly number[])[],
  otherwise?: number | bigint | string,
): Tensor {
  const steps = stridesOf(source.shape);
  return takeElements(
    source,
    lists.map((list) => list.length),
    (index) => {
      let rest = index;
      let position = 0;
      for (let axis = lists.length - 1; axis >= 0; axis--) {
        const list = lists[axis];
        const at = list[rest % list.length];
        if (at < 0) return -1;
        position += at * steps[axis];
        rest = Math.floor(rest / list.length);
      }
      return position;
    },
    otherwise,
  );
}

/** The tensor with its axes in another order: axis k of the result is axis permutation[k] of the source. */
export function transposeElements(source: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => source.shape[axis]);
  const steps = stridesOf(source.shape);
  return takeElements(source, shape, (index) => {
    let rest = index;
    let position = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position += (rest % shape[axis]) * steps[permutation[axis]];
      rest = Math.floor(rest / shape[axis]);
    }
    return position;
  });
}

/** Tensors of one type, one after the other along an axis. */
export function concatenateElements(parts: readonly Tensor[], axis: number, shape: readonly number[]): Tensor {
  const data = emptyData(parts[0], sizeOf(shape)) as { [index: number]: unknown };
  const inner = sizeOf(shape.slice(axis + 1));
  const rows = sizeOf(shape.slice(0, axis));
  const rowLength = inner * shape[axis];
  let offset = 0;
  for (const part of parts) {
    const length = part.shape[axis] * inner;
    const elements = part.data as ArrayLike<unknown>;
    for (let row = 0; row < rows; row++)
      for (let index = 0; index < length; index++)
        data[row * rowLength + offset + index] = elements[row * length + index];
    offset += length;
  }
  return { type: parts[0].type, shape, data: data as unknown as TensorData };
}

/** The whole numbers from start on, by step. */
export function progression(count: number, start = 0, step = 1): number[] {
  return Array.from({ length: count }, (_, index) => start + index * step);
}

function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

function emptyData(like: Tensor, size: number): TensorData {
  if (like.type === "uint4" || like.type === "int4" || like.type === "float4e2m1" || like.type.startsWith("complex"))
    throw new RuleError(`constants of type ${like.type} are not supported here`);
  if (Array.isArray(like.data)) return new Array<string>(size).fill("");
  return new (like.data.constructor as new (size: number) => Exclude<TensorData, string[]>)(size);
}
