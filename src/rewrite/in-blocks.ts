/** Finds, or computes, the blocks of values that are there in blocks already. */
import type { Value } from "../graph/builder.js";
import type { Attributes } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { type Emitter, sameShape } from "../ops/emitter.js";

/** The domain of the layout's operators. */
export const blockedDomain = "com.microsoft.nchwc";

/** Operators that make masks: their results meet another value, which may not be in blocks, and wait for it. */
const waiting = new Set(["Clip", "HardSigmoid"]);

/** Blocks hold so many times the channels at most: with half of a block empty, plain values are quicker. */
const mostFilledUp = 1.5;

/** Operators that may give no finite number for one: not for the zeros, or what has become of them, that fill a block. */
const unbounded = new Set(["Div", "Sqrt"]);

/** Two axes of positions. */
function twoPositions(positions: readonly number[]): readonly number[] {
  return positions.length === 1 ? [1, ...positions] : positions;
}

/**
 * A value's blocks, [N, C, H, W] with C filled up to whole blocks, where they are there or can be computed from such that
 * are; else undefined. What fills the last block is finite and means nothing.
 */
export function inBlocks(emit: Emitter, value: Value, block: number): Value | undefined {
  const { shape } = value;
  const filled = block * Math.ceil(shape[1] / block);
  if (shape.length < 3 || shape.length > 4 || filled > mostFilledUp * shape[1]) return undefined;
  const producer = emit.producerOf(value);
  if (!producer) return undefined;
  const [x] = producer.inputs;
  if (producer.domain === blockedDomain)
    return producer.op === "ReorderOutput" && x?.shape[1] === filled ? x : undefined;
  if (producer.op === "Reshape" && x) {
    const source = beforeReshapes(emit, x);
    // However samples and channels are counted, they lie in the same order, as do the positions.
    const isWhole = source.shape[1] % block === 0 && filled === shape[1];
    const isSame = source.shape[0] === shape[0] && source.shape[1] === shape[1];
    const blocked =
      isSame || (isWhole && source.shape[0] * source.shape[1] === shape[0] * shape[1])
        ? inBlocks(emit, source, block)
        : undefined;
    return blocked ? emit.reshape(blocked, [shape[0], filled, ...twoPositions(shape.slice(2))]) : undefined;
  }
  const isScaled = producer.op === "Mul" && producer.inputs.some((input) => input && sizeOf(input.shape) === 1);
  return waiting.has(producer.op) || isScaled
    ? onBlocks(emit, producer.op, producer.inputs, producer.attributes, shape, block)
    : undefined;
}

/** What a value was before its last changes of shape. */
export function beforeReshapes(emit: Emitter, value: Value): Value {
  const producer = emit.producerOf(value);
  const [x] = producer?.op === "Reshape" ? producer.inputs : [];
  return x ? beforeReshapes(emit, x) : value;
}

/** An elementwise operator on the blocks of its operands, where all have some. */
export function onBlocks(
  emit: Emitter,
  op: string,
  inputs: readonly (Value | undefined)[],
  attributes: Attributes,
  shape: readonly number[],
  block: number,
): Value | undefined {
  if (unbounded.has(op) && shape[1] % block !== 0) return undefined;
  const operands: (Value | undefined)[] = [];
  for (const input of inputs) {
    if (!input || sizeOf(input.shape) === 1) {
      operands.push(input && input.shape.length > 1 ? emit.reshape(input, []) : input);
      continue;
    }
    const blocked = sameShape(input.shape, shape) ? inBlocks(emit, input, block) : undefined;
    if (!blocked) return undefined;
    operands.push(blocked);
  }
  return operands.some((operand) => operand && sizeOf(operand.shape) > 1)
    ? emit.one(op, operands, attributes)
    : undefined;
}
