/**
 * Sums with work for all of a GPU. ONNX Runtime's WebGPU kernels give one number of the result to one thread, or to one
 * group of threads, and thousands wait where few numbers are asked for (docs/log.md has the times).
 *
 * - ReduceSum and ReduceMean of many elements to few: in two stages, first over the last axes, which lie side by side
 * - Gemm with one column: products, then their sum over rows
 */
import type { Value } from "../graph/builder.js";
import { numbersOf, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import { floatAttribute, intAttribute } from "../ops/operator.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Elements a sum from which a second stage is worth its start. */
const leastSummed = 2048;
/** What each of two stages must sum to have been worth it. */
const leastAtOnce = 16;
/** Rows of a product with one column from which it is worth two operators. */
const leastRows = 256;

/** The pass: large sums in two stages, and products with one column as sums; of float32 only. */
export function deviceSums(): NodeRule {
  return (emit, node, [x, y, z]) => {
    if (x?.type !== "float32") return undefined;
    if (node.op === "Gemm" && y) return productWithColumn(emit, node, x, y, z);
    if (node.op !== "ReduceSum" && node.op !== "ReduceMean") return undefined;
    if ((y && !y.constant) || intAttribute(node, "noop_with_empty_axes", 0) === 1) return undefined;
    const rank = x.shape.length;
    const given = y?.constant ? numbersOf(y.constant) : [];
    const axes = (given.length > 0 ? given : x.shape.map((_, axis) => axis)).map((axis) =>
      axis < 0 ? axis + rank : axis,
    );
    const kept = new Set(x.shape.map((_, axis) => axis));
    for (const axis of axes) kept.delete(axis);
    const result = x.shape.flatMap((size, axis) =>
      kept.has(axis) ? [size] : intAttribute(node, "keepdims", 1) === 1 ? [1] : [],
    );
    const reduce = (value: Value, over: readonly number[]): Value =>
      node.op === "ReduceSum" ? emit.reduceSum(value, over) : emit.reduceMean(value, over);
    const summed = sizeOf(axes.map((axis) => x.shape[axis]));
    if (summed < leastSummed) return undefined;
    if (sizeOf(result) === 1) {
      const columns = middleDivisor(summed);
      if (columns < leastAtOnce) return undefined;
      const rows = reduce(emit.reshape(x, [summed / columns, columns]), [1]);
      return [emit.reshape(reduce(rows, [0]), result)];
    }
    // The last axes as far as they are summed, and all others that are.
    let first = rank;
    while (first > 0 && !kept.has(first - 1)) first--;
    const last = axes.filter((axis) => axis >= first);
    const others = axes.filter((axis) => axis < first);
    const sizes = [last, others].map((some) => sizeOf(some.map((axis) => x.shape[axis])));
    if (Math.min(...sizes) < leastAtOnce) return undefined;
    return [emit.reshape(reduce(reduce(x, last), others), result)];
  };
}

/** A · b + c, where b has one column. */
function productWithColumn(
  emit: Emitter,
  node: Parameters<NodeRule>[1],
  a: Value,
  b: Value,
  c: Value | undefined,
): readonly Value[] | undefined {
  const rows = a.shape[1];
  const isPlain =
    intAttribute(node, "transA", 0) === 0 &&
    floatAttribute(node, "alpha", 1) === 1 &&
    floatAttribute(node, "beta", 1) === 1;
  if (!isPlain || sizeOf(b.shape) !== rows || rows < leastRows) return undefined;
  const product = emit.reduceSum(emit.multiply(a, emit.reshape(b, [1, rows])), [1], true);
  return [c ? emit.add(product, c) : product];
}

/** The largest divisor of a number that is not above its square root. */
function middleDivisor(number: number): number {
  for (let divisor = Math.floor(Math.sqrt(number)); divisor > 1; divisor--) if (number % divisor === 0) return divisor;
  return 1;
}
