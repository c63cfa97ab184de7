/** Which rows of a stored tensor a layer has: attention keeps the matrices of query, key and value in one. */

import type { Node } from "../graph/graph.js";
import { numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import type { ParameterSpec } from "./parameter.js";

/** Rows of a matrix, one after another. */
export interface Rows {
  readonly first: number;
  readonly count: number;
}

/** Some rows of a tensor, or all of them; turned, they are columns. */
export interface Part extends Rows {
  readonly isTurned: boolean;
}

/** A parameter as it is. */
export function allRows({ shape: [count = 0] }: ParameterSpec): Part {
  return { first: 0, count, isTurned: false };
}

/** The rows of a matrix that a part of it is; undefined where it is all of it, or none that is known. */
export function someRows({ layout, shape }: ParameterSpec, part: Part | undefined): Rows | undefined {
  const isSome = part !== undefined && layout?.kind === "matrix" && part.count < shape[0];
  return isSome ? { first: part.first, count: part.count } : undefined;
}

/** Takes note of the rows of a tensor that a view has of it; of what is no such view nothing is known. */
export function takeRows(node: Node, parts: Map<string, Part>, tensors: ReadonlyMap<string, Tensor>): void {
  const { op, inputs, outputs, attributes } = node;
  const whole = parts.get(inputs[0]);
  if (!whole) return;
  if (op === "Identity" || op === "Cast") parts.set(outputs[0], whole);
  if (op === "Transpose") parts.set(outputs[0], { ...whole, isTurned: !whole.isTurned });
  const numbers = (index: number): number[] | undefined => {
    const tensor = tensors.get(inputs[index] ?? "");
    return tensor && numbersOf(tensor);
  };
  const put = (output: string, start: number, end: number): void => {
    if (end > start && Number.isInteger(end))
      parts.set(output, { first: whole.first + start, count: end - start, isTurned: false });
  };
  if (whole.isTurned) return;
  if (op === "Split" && (attributes.axis?.kind !== "int" || attributes.axis.value === 0)) {
    const sizes = numbers(1) ?? outputs.map(() => whole.count / outputs.length);
    let start = 0;
    outputs.forEach((output, index) => {
      put(output, start, start + sizes[index]);
      start += sizes[index];
    });
  }
  if (op === "Slice") {
    const [starts = [], ends = [], axes = [0], steps = [1]] = [1, 2, 3, 4].map(numbers);
    const bound = (at: number): number => Math.min(Math.max(at < 0 ? at + whole.count : at, 0), whole.count);
    if (starts.length === 1 && ends.length === 1 && axes[0] === 0 && steps[0] === 1)
      put(outputs[0], bound(starts[0]), bound(ends[0]));
  }
}

/** Whether a bias, or what of it is added, has a number for each of a weight's units, or of these rows of it. */
export function isBiasOf(
  rows: Rows | undefined,
  units: number | undefined,
  bias: ParameterSpec,
  part: Part | undefined,
): boolean {
  const size = sizeOf(bias.shape);
  if (!rows) return size === units;
  const isAll = part?.count === bias.shape[0];
  return isAll ? size === rows.count : size === units && part?.first === rows.first && part.count === rows.count;
}
