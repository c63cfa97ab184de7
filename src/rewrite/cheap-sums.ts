/**
 * Sums that ONNX Runtime makes quicker by another operator.
 *
 * - Σ of a matrix's rows, a bias's gradient: a row of ones times the matrix, since ReduceSum goes through columns
 * - Σ x² over everything, a gradient's norm: ReduceSumSquare, which needs no pass for the squares
 */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { numbersOf, sizeOf } from "../graph/tensor.js";
import { intAttribute } from "../ops/operator.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Columns up to which the product is the quicker one. */
const mostColumns = 512;

/** The pass, for sums of at least so many elements. */
export function cheapSums(leastElements = 4096): NodeRule {
  return (emit, { op, attributes }, [x, given]) => {
    if (op !== "ReduceSum" || !x || !given?.constant || x.type !== "float32" || sizeOf(x.shape) < leastElements)
      return undefined;
    const rank = x.shape.length;
    const axes = new Set(numbersOf(given.constant).map((axis) => (axis < 0 ? axis + rank : axis)));
    const keeps = intAttribute({ attributes }, "keepdims", 1) !== 0;
    if (axes.size === rank) {
      const producer = emit.producerOf(x);
      const [a, b] = producer?.op === "Mul" && producer.domain === "" ? producer.inputs : [];
      if (!a || a !== b) return undefined;
      const all = emit.ints(a.shape.map((_, axis) => axis));
      return [emit.one("ReduceSumSquare", [a, all], { keepdims: attribute.int(keeps ? 1 : 0) })];
    }
    if (rank !== 2 || !axes.has(0) || axes.size !== 1 || x.shape[1] > mostColumns) return undefined;
    const sums: Value = emit.matmul(emit.filled(1, [1, x.shape[0]]), x);
    return [keeps ? sums : emit.reshape(sums, [x.shape[1]])];
  };
}
