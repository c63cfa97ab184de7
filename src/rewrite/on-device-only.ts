/**
 * Operators that ONNX Runtime's WebGPU provider (1.30) leaves to the CPU, by others that it has kernels for. One of them
 * in the middle of a step costs two transfers, for each of which the device is waited for.
 *
 * - LogSoftmax: x − max x − log Σ exp(x − max x)
 * - Equal of two ArgMax, which are whole numbers of 64 bits: the first position of the largest element, in float32
 * - BatchNormalization, which is wrong there for [samples, an even number of features] (runtime/webgpu-exceptions.ts):
 *   x · a + (shift − mean · a), with a = scale / √(variance + ε)
 */
import type { Value } from "../graph/builder.js";
import { attribute, type Node } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import { batchFactor, perChannel } from "../ops/normalizations.js";
import { intAttribute, normalizedAxis } from "../ops/operator.js";
import type { NodeRule } from "./rewrite-graph.js";

/** The pass: each operator above by what is computed on the device; others stay as they are. */
export function onDeviceOnly(): NodeRule {
  return (emit, node, inputs) => {
    const [x, y] = inputs;
    if (node.op === "LogSoftmax" && x) return [logSoftmax(emit, x, axisOf(node, x, -1))];
    if (node.op === "BatchNormalization") return batchNormalization(emit, node, inputs);
    if (node.op !== "Equal" || !x || !y) return undefined;
    const [first, second] = [firstLargest(emit, x), firstLargest(emit, y)];
    return first && second ? [emit.equal(first, second)] : undefined;
  };
}

function axisOf(node: Pick<Node, "op" | "attributes">, x: Value, otherwise: number): number {
  return normalizedAxis(intAttribute(node, "axis", otherwise), x.shape.length, node.op);
}

function logSoftmax(emit: Emitter, x: Value, axis: number): Value {
  const shifted = emit.subtract(x, emit.reduceMax(x, [axis], true));
  const sum = emit.reduceSum(emit.exponential(shifted), [axis], true);
  return emit.subtract(shifted, emit.logarithm(sum));
}

/** With given statistics, as in every training graph. */
function batchNormalization(
  emit: Emitter,
  node: Node,
  [x, scale, shift, mean, variance]: readonly (Value | undefined)[],
): readonly Value[] | undefined {
  if (!x || !scale || !shift || !mean || !variance) return undefined;
  const factor = batchFactor(emit, node, scale, variance);
  const offset = emit.subtract(shift, emit.multiply(mean, factor));
  return [emit.add(emit.multiply(x, perChannel(emit, factor, x)), perChannel(emit, offset, x))];
}

/** What an ArgMax that takes the first of equals gives, as float32; undefined for any other value. */
function firstLargest(emit: Emitter, value: Value): Value | undefined {
  const producer = emit.producerOf(value);
  const x = producer?.inputs[0];
  if (producer?.op !== "ArgMax" || !x || x.type !== "float32") return undefined;
  if (intAttribute(producer, "select_last_index", 0) === 1) return undefined;
  const axis = axisOf(producer, x, 0);
  const size = x.shape[axis];
  const shape = x.shape.map((_, index) => (index === axis ? size : 1));
  const places = emit.constant(
    floatTensor(
      Float32Array.from({ length: size }, (_, place) => place),
      shape,
    ),
  );
  const isLargest = emit.one("GreaterOrEqual", [x, emit.reduceMax(x, [axis], true)]);
  const found = emit.one("Where", [isLargest, places, emit.scalar(size)]);
  const keepdims = attribute.int(intAttribute(producer, "keepdims", 1));
  return emit.one("ReduceMin", [found, emit.ints([axis])], { keepdims });
}
