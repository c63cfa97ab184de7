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
import { type Attributes, attribute } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import type { Emitter } from "../ops/emitter.js";
import type { NodeRule } from "./rewrite-graph.js";

export function onDeviceOnly(): NodeRule {
  return (emit, { op, attributes }, inputs) => {
    const [x, y] = inputs;
    if (op === "LogSoftmax" && x) return [logSoftmax(emit, x, axisOf(attributes.axis, -1, x.shape.length))];
    if (op === "BatchNormalization") return batchNormalization(emit, attributes, inputs);
    if (op !== "Equal" || !x || !y) return undefined;
    const [first, second] = [firstLargest(emit, x), firstLargest(emit, y)];
    return first && second ? [emit.equal(first, second)] : undefined;
  };
}

function axisOf(given: Attributes[string] | undefined, otherwise: number, rank: number): number {
  const axis = given?.kind === "int" ? given.value : otherwise;
  return axis < 0 ? axis + rank : axis;
}

function reduced(emit: Emitter, op: string, x: Value, axis: number, keepdims = 1): Value {
  return emit.one(op, [x, emit.ints([axis])], { keepdims: attribute.int(keepdims) });
}

function logSoftmax(emit: Emitter, x: Value, axis: number): Value {
  const shifted = emit.subtract(x, reduced(emit, "ReduceMax", x, axis));
  const sum = reduced(emit, "ReduceSum", emit.exponential(shifted), axis);
  return emit.subtract(shifted, emit.logarithm(sum));
}

/** With given statistics. */
function batchNormalization(
  emit: Emitter,
  { epsilon, training_mode: training }: Attributes,
  [x, scale, shift, mean, variance]: readonly (Value | undefined)[],
): readonly Value[] | undefined {
  if (!x || !scale || !shift || !mean || !variance || (training?.kind === "int" && training.value !== 0))
    return undefined;
  const given = epsilon?.kind === "float" ? epsilon.value : 1e-5;
  const factor = emit.divide(scale, emit.squareRoot(emit.shift(variance, given)));
  const channels = (value: Value): Value => emit.reshape(value, [x.shape[1], ...x.shape.slice(2).map(() => 1)]);
  const offset = emit.subtract(shift, emit.multiply(mean, factor));
  return [emit.add(emit.multiply(x, channels(factor)), channels(offset))];
}

/** What an ArgMax that takes the first of equals gives, as float32; undefined for any other value. */
function firstLargest(emit: Emitter, value: Value): Value | undefined {
  const producer = emit.producerOf(value);
  const x = producer?.inputs[0];
  if (producer?.op !== "ArgMax" || !x || x.type !== "float32") return undefined;
  const { axis: given, keepdims, select_last_index: last } = producer.attributes;
  if (last?.kind === "int" && last.value === 1) return undefined;
  const axis = axisOf(given, 0, x.shape.length);
  const size = x.shape[axis];
  const shape = x.shape.map((_, index) => (index === axis ? size : 1));
  const places = emit.constant(
    floatTensor(
      Float32Array.from({ length: size }, (_, place) => place),
      shape,
    ),
  );
  const isLargest = emit.one("GreaterOrEqual", [x, reduced(emit, "ReduceMax", x, axis)]);
  const found = emit.one("Where", [isLargest, places, emit.scalar(size)]);
  return reduced(emit, "ReduceMin", found, axis, keepdims?.kind === "int" ? keepdims.value : 1);
}
