/**
 * ONNX Runtime's own blocked layout of channels (NCHWc) on a CPU, and its convolution in that layout, which computes
 * directly on vectors of channels: [N, C/b, H, W, b], b channels side by side.
 *
 * ONNX Runtime uses it by itself only where a convolution's weight is a constant, which in training none is. Its
 * operators may stand in a graph all the same; weights are then brought into their layout at every step, which costs
 * little beside the convolution.
 */
import type { Value } from "../graph/builder.js";
import { type Attributes, attribute } from "../graph/graph.js";
import { numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import { type Emitter, sameShape } from "../ops/emitter.js";

/** The domain of the layout's operators. */
export const blockedDomain = "com.microsoft.nchwc";
/** Reordering takes channels by fours. */
const reorderedTogether = 4;

/** A convolution of two spatial axes. Pads: all begins, then all ends. */
export interface BlockedConvolution {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: readonly number[];
  readonly outputs: readonly [number, number];
}

/** Emits the blocked layout's operators for one block size. */
export class BlockedLayout {
  readonly #emit: Emitter;
  readonly block: number;

  constructor(emit: Emitter, block: number) {
    this.#emit = emit;
    this.block = block;
  }

  /** The next multiple of the block. */
  padded(channels: number): number {
    return Math.ceil(channels / this.block) * this.block;
  }

  /** [N, C, H, W] into blocks; the last block is filled up with zeros. */
  fromPlain(x: Value): Value {
    const [batch, channels, ...sizes] = x.shape;
    const blocked = inBlocks(this.#emit, x, this.block);
    if (blocked) return this.#emit.reshape(blocked, x.shape);
    const missing = channels % reorderedTogether === 0 ? 0 : this.padded(channels) - channels;
    const filled = this.#emit.pad(x, [0, 0, 0, 0, 0, missing, 0, 0]);
    return this.#append("ReorderInput", [filled], {}, [batch, this.padded(channels), ...sizes]);
  }

  /** Zeros around values in blocks. Pads: all begins, then all ends. */
  pad(x: Value, pads: readonly number[]): Value {
    const [batch, channels, ...sizes] = x.shape;
    const blocks = this.#emit.reshape(x, [batch, channels / this.block, ...sizes, this.block]);
    const padded = this.#emit.pad(blocks, [0, 0, pads[0], pads[1], 0, 0, 0, pads[2], pads[3], 0]);
    return this.#emit.reshape(padded, [batch, channels, padded.shape[2], padded.shape[3]]);
  }

  /** Back to [N, channels, H, W]. */
  toPlain(x: Value, channels: number): Value {
    const [batch, , ...sizes] = x.shape;
    return this.#append("ReorderOutput", [x], { channels: attribute.int(channels) }, [batch, channels, ...sizes]);
  }

  /**
   * A convolution. Fewer input channels than a block are read from the plain layout.
   *
   * @param x in blocks, or plain with less than a block of channels
   * @param weight what {@link weight} or {@link depthwiseWeight} gave
   * @param bias [output channels], or of as many as there are
   * @param group 1, or the padded number of channels for a depthwise convolution
   * @returns in blocks
   */
  convolution(x: Value, weight: Value, bias: Value | undefined, settings: BlockedConvolution, group = 1): Value {
    const channels = weight.shape[0];
    const attributes: Attributes = {
      kernel_shape: attribute.ints(settings.kernel),
      strides: attribute.ints(settings.strides),
      dilations: attribute.ints(settings.dilations),
      pads: attribute.ints(settings.pads),
      group: attribute.int(group),
    };
    const filled = bias && this.#emit.pad(bias, [0, channels - bias.shape[0]]);
    return this.#append("Conv", filled ? [x, weight, filled] : [x, weight], attributes, [
      x.shape[0],
      channels,
      ...settings.outputs,
    ]);
  }

  /**
   * A weight in blocks of output channels, and of input channels where there is at least one block of those.
   *
   * @param taps [inputs, outputs, taps], input channels first
   * @param kernel the sizes whose product the taps are
   */
  weight(taps: Value, kernel: readonly [number, number]): Value {
    return this.kernelOf(this.taps(taps), kernel);
  }

  /** The same, before its taps become a kernel: they are axis 2, so that some may be chosen. */
  taps(taps: Value): Value {
    const emit = this.#emit;
    const { block } = this;
    const [inputs, outputs, count] = taps.shape;
    const isPlain = inputs < block;
    const rows = isPlain ? inputs : this.padded(inputs);
    const columns = this.padded(outputs);
    const filled = emit.pad(taps, [0, 0, 0, rows - inputs, 0, 0]);
    const blocked = this.fromPlain(emit.reshape(filled, [...filled.shape, 1]));
    return isPlain
      ? emit.transpose(emit.reshape(blocked, [rows, columns / block, count, block]), [1, 0, 2, 3])
      : this.#moved(emit.reshape(blocked, [rows / block, block, columns / block, count, block]), [2, 0, 3, 1, 4]);
  }

  /** Those of a depthwise convolution's weight, [channels, 1, kernel...]. */
  depthwiseTaps(weight: Value): Value {
    const channels = weight.shape[0];
    const count = sizeOf(weight.shape.slice(2));
    const blocked = this.fromPlain(this.#emit.reshape(weight, [1, channels, count, 1]));
    return this.#emit.reshape(blocked, [this.padded(channels) / this.block, 1, count, this.block]);
  }

  /** What {@link taps} or {@link depthwiseTaps} gave, as a convolution takes it. */
  kernelOf(taps: Value, kernel: readonly [number, number]): Value {
    const [columns, rows, , ...blocks] = taps.shape;
    const inputs = rows * (blocks.length > 1 ? this.block : 1);
    return this.#emit.reshape(taps, [columns * this.block, inputs, ...kernel]);
  }

  /** The weight of a depthwise convolution, from [channels, 1, kernel...]. */
  depthwiseWeight(weight: Value, kernel: readonly [number, number]): Value {
    return this.kernelOf(this.depthwiseTaps(weight), kernel);
  }

  /** The convolution that gave x with a Relu behind it, which costs it nothing; undefined where it was none. */
  rectified(x: Value): Value | undefined {
    const producer = this.#emit.producerOf(x);
    if (producer?.domain !== blockedDomain || producer.op !== "Conv" || producer.attributes.activation)
      return undefined;
    const inputs = producer.inputs.filter((input) => input !== undefined);
    return this.#append("Conv", inputs, { ...producer.attributes, activation: attribute.string("Relu") }, x.shape);
  }

  /** x times a number a channel, plus another: a depthwise convolution of one element. One of them may be missing. */
  scaleChannels(x: Value, factor: Value | undefined, summand?: Value): Value {
    const channels = x.shape[1];
    const producer = this.#emit.producerOf(x);
    const one = { kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] } as const;
    const ones = this.#emit.filled(1, [channels, 1, 1, 1]);
    // (x + v) · w is one pass too.
    const [inner, weight, added] = producer?.inputs ?? [];
    const follows =
      factor &&
      !summand &&
      producer?.op === "Conv" &&
      sameShape(weight?.shape ?? [], ones.shape) &&
      weight?.constant !== undefined &&
      numbersOf(weight.constant).every((number) => number === 1);
    const bias = follows && added ? this.#emit.multiply(added, factor) : summand;
    return this.convolution(
      follows && inner ? inner : x,
      factor ? this.#emit.reshape(factor, [channels, 1, 1, 1]) : ones,
      bias,
      { ...one, outputs: [x.shape[2], x.shape[3]] },
      channels,
    );
  }

  /**
   * A transpose that keeps the last axis, of one block: as a Gather of rows, since Transpose runs on one thread here.
   * The places of very many blocks would be a large constant.
   */
  #moved(value: Value, permutation: readonly number[]): Value {
    const emit = this.#emit;
    const { shape } = value;
    const count = sizeOf(shape) / this.block;
    if (count < 2 ** 10 || count > 2 ** 18) return emit.transpose(value, permutation);
    let places = [0];
    for (const axis of permutation.slice(0, -1)) {
      const step = sizeOf(shape.slice(axis + 1)) / this.block;
      places = places.flatMap((place) => Array.from({ length: shape[axis] }, (_, index) => place + index * step));
    }
    const indices: Tensor = { type: "int32", shape: [count], data: Int32Array.from(places) };
    const rows = emit.reshape(value, [count, this.block]);
    return emit.reshape(
      emit.one("Gather", [rows, emit.constant(indices)], { axis: attribute.int(0) }),
      permutation.map((axis) => shape[axis]),
    );
  }

  #append(op: string, inputs: readonly Value[], attributes: Attributes, shape: readonly number[]): Value {
    return this.#emit.append(op, inputs, attributes, [{ type: "float32", shape }], blockedDomain)[0];
  }
}

/** Operators that make masks: their results meet another value, which may not be in blocks, and wait for it. */
const waiting = new Set(["Clip", "HardSigmoid"]);

/** [N, C, positions...] with two axes of positions. */
function fourAxes([batch, channels, ...positions]: readonly number[]): number[] {
  return positions.length === 1 ? [batch, channels, 1, positions[0]] : [batch, channels, ...positions];
}

/**
 * A value's blocks, [N, C, H, W] of whole blocks of channels, where they are there or can be computed from such that
 * are; else undefined.
 */
export function inBlocks(emit: Emitter, value: Value, block: number): Value | undefined {
  const { shape } = value;
  if (shape.length < 3 || shape.length > 4 || shape[1] % block !== 0) return undefined;
  const producer = emit.producerOf(value);
  if (!producer) return undefined;
  const [x] = producer.inputs;
  if (producer.domain === blockedDomain) return producer.op === "ReorderOutput" ? x : undefined;
  if (producer.op === "Reshape" && x) {
    const source = beforeReshapes(emit, x);
    // However samples and channels are counted, they lie in the same order, as do the positions.
    const blocked = source.shape[0] * source.shape[1] === shape[0] * shape[1] && inBlocks(emit, source, block);
    return blocked ? emit.reshape(blocked, fourAxes(shape)) : undefined;
  }
  const isScaled = producer.op === "Mul" && producer.inputs.some((input) => input && sizeOf(input.shape) === 1);
  return waiting.has(producer.op) || isScaled
    ? onBlocks(emit, producer.op, producer.inputs, producer.attributes, shape, block)
    : undefined;
}

/** What a value was before its last change of shape. */
function beforeReshapes(emit: Emitter, value: Value): Value {
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
