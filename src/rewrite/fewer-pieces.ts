/**
 * Split into many pieces as Splits of few. A shader of WebGPU binds eight buffers at least, and sixteen on many GPUs
 * (maxStorageBuffersPerShaderStage); ONNX Runtime's Split binds one for each piece and fails beyond them, while its
 * Concat goes on in a second pass.
 */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { splitParts } from "../ops/movement.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Beside the input. */
const mostPieces = 7;

/** The pass: a Split into more than seven pieces as a tree of Splits into seven or fewer, along the same axis. */
export function fewerPieces(): NodeRule {
  return (emit, { op, attributes, outputs }, inputs) => {
    const [x, sizes] = inputs;
    if (op !== "Split" || outputs.length <= mostPieces || !x || (sizes && !sizes.constant)) return undefined;
    const { axis, lengths } = splitParts({ op, inputs, attributes, outputCount: outputs.length });
    const along = { axis: attribute.int(axis) };
    const split = (value: Value, parts: readonly number[]): readonly Value[] => {
      if (parts.length === 1) return [value];
      if (parts.length <= mostPieces) return emit.node("Split", [value, emit.ints(parts)], along, parts.length);
      // As many pieces as may be, of about as many parts each.
      const each = Math.ceil(parts.length / mostPieces);
      const groups = Array.from({ length: Math.ceil(parts.length / each) }, (_, index) =>
        parts.slice(index * each, (index + 1) * each),
      );
      const sums = groups.map((group) => group.reduce((sum, part) => sum + part, 0));
      return split(value, sums).flatMap((piece, index) => split(piece, groups[index]));
    };
    return split(x, lengths);
  };
}
