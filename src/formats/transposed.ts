/** Elements with their axes in another order. */
import { sizeOf, type TensorData } from "../graph/tensor.js";

/** As ONNX's Transpose: axis i of the result is axis permutation[i] of the data. Not for types of less than a byte. */
export function transposed<Data extends TensorData>(
  data: Data,
  shape: readonly number[],
  permutation: readonly number[],
): Data {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const sizes = permutation.map((axis) => shape[axis]);
  const steps = permutation.map((axis) => strides[axis]);
  const result = data.slice() as Data;
  const place = sizes.map(() => 0);
  let from = 0;
  for (let to = 0; to < result.length; to++) {
    result[to] = data[from];
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++place[axis] < sizes[axis]) break;
      from -= steps[axis] * sizes[axis];
      place[axis] = 0;
    }
  }
  return result;
}

/** The permutation that undoes this one. */
export function inverseOf(permutation: readonly number[]): readonly number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}
