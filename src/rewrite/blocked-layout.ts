/**
 * ONNX Runtime's own blocked layout of channels (NCHWc) on a CPU, and its convolution in that layout, which computes
 * directly on vectors of channels: [N, C/b, H, W, b], b channels side by side.
 *
 * ONNX Runtime uses it by itself only where a convolution's weight is a constant, which in training none is. Its
 * operators may stand in a graph all the same; weights are then brought into their layout at every step, which costs
 * little beside the convolution.
 */
import type { BuiltNode, Value } from "../graph/builder.js";
import { type Attributes, attribute } from "../graph/graph.js";
import { numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import { type Emitter, sameShape } from "../ops/emitter.js";
import { blockedDomain, inBlocks } from "./in-blocks.js";

/** Reordering takes channels by fours. */
const reorderedTogether = 4;

/** Elements of an axis: the first, and so many in all at a distance. */
export interface Taken {
  readonly count: number;
  readonly step: number;
}

/** So many blocks are moved by their places at most: 4 bytes each in the model. */
export const mostMovedBlocks = 2 ** 20;

/** So many numbers are moved by a Gather at least. */
const leastMoved = 2 ** 14;

const mostSummands = 4096;

/** Operators that can be a part of a convolution. */
const activations = ["LeakyRelu", "Relu", "Sigmoid", "Tanh"] as const;
type Activation = (typeof activations)[number];

/** ONNX's own for LeakyRelu. */
const usualSlope = 0.01;

/** Whether {@link BlockedLayout.activated} takes an operator. */
export function isActivation(op: string): op is Activation {
  return (activations as readonly string[]).includes(op);
}

/** A convolution of two spatial axes. Pads: all begins, then all ends. */
export interface BlockedConvolution {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: readonly number[];
  readonly outputs: readonly [number, number];
}

const knownPlaces = new WeakMap<Emitter, Map<string, Value>>();

/**
 * Rows of a value by their places, as a Gather, which has threads.
 *
 * @param rows [..., rows, numbers]
 * @param key what the places follow from: equal ones are one constant
 * @returns [..., places, numbers]
 */
export function rowsAt(emit: Emitter, rows: Value, key: string, places: () => readonly number[]): Value {
  const known = knownPlaces.get(emit) ?? new Map<string, Value>();
  knownPlaces.set(emit, known);
  let indices = known.get(key);
  if (!indices) {
    const data = Int32Array.from(places());
    const tensor: Tensor = { type: "int32", shape: [data.length], data };
    indices = emit.constant(tensor);
    known.set(key, indices);
  }
  return emit.one("Gather", [rows, indices], { axis: attribute.int(rows.shape.length - 2) });
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
    if (blocked) return this.#emit.reshape(blocked, [batch, blocked.shape[1], ...sizes]);
    const missing = channels % reorderedTogether === 0 ? 0 : this.padded(channels) - channels;
    const filled = this.#emit.pad(x, [0, 0, 0, 0, 0, missing, 0, 0]);
    return this.#append("ReorderInput", [filled], {}, [batch, this.padded(channels), ...sizes]);
  }

  /**
   * Values of whole blocks of samples, [N, C, H, W], in blocks of those: [N/b, C, H, W, b]. To reordering, a sample is a
   * channel, and its channels are more positions; in whatever order they lie, they stay in it.
   */
  samplesInBlocks(x: Value): Value {
    const [samples, ...sizes] = x.shape;
    const shape = [samples / this.block, this.block, sizeOf(sizes), 1];
    const reordered = this.#append("ReorderInput", [this.#emit.reshape(x, shape)], {}, shape);
    return this.#emit.reshape(reordered, [samples / this.block, ...sizes, this.block]);
  }

  /** Zeros around values in blocks, by a convolution of one element, which has threads. Pads: all begins, then all ends. */
  pad(x: Value, pads: readonly number[]): Value {
    if (pads.every((amount) => amount === 0)) return x;
    const [, channels, height, width] = x.shape;
    const one = { kernel: [1, 1], strides: [1, 1], dilations: [1, 1] } as const;
    const outputs = [height + pads[0] + pads[2], width + pads[1] + pads[3]] as const;
    const ones = this.#emit.filled(1, [channels, 1, 1, 1]);
    return this.convolution(x, ones, undefined, { ...one, pads, outputs }, channels);
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
   * @param group 1, groups of whole blocks, or the padded number of channels for a depthwise convolution
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
   * @param groups parts of the input channels, each with all output channels as a group of its own
   */
  weight(taps: Value, kernel: readonly [number, number], groups = 1): Value {
    return this.kernelOf(this.taps(taps, groups), kernel);
  }

  /** The same, before its taps become a kernel: they are axis 2, so that some may be chosen. */
  taps(taps: Value, groups = 1): Value {
    const emit = this.#emit;
    const { block } = this;
    const [inputs, outputs, count] = taps.shape;
    const isPlain = inputs < block;
    const rows = isPlain ? inputs : this.padded(inputs);
    const columns = this.padded(outputs);
    const filled = emit.pad(taps, [0, 0, 0, rows - inputs, 0, 0]);
    const blocked = this.fromPlain(emit.reshape(filled, [...filled.shape, 1]));
    if (isPlain) return emit.transpose(emit.reshape(blocked, [rows, columns / block, count, block]), [1, 0, 2, 3]);
    const parts = rows / block / groups;
    const split = emit.reshape(blocked, [groups, parts, block, columns / block, count, block]);
    const moved = this.moved(split, [0, 3, 1, 4, 2, 5]);
    return emit.reshape(moved, [(groups * columns) / block, parts, count, block, block]);
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

  /** The convolution that gave x with an activation behind it, which costs it nothing; undefined where it was none. */
  activated(x: Value, op: Activation, attributes: Attributes = {}): Value | undefined {
    const producer = this.#convolutionOf(x);
    if (!producer) return undefined;
    const slope = attributes.alpha?.kind === "float" ? attributes.alpha.value : usualSlope;
    const activation: Attributes = {
      activation: attribute.string(op),
      ...(op === "LeakyRelu" ? { activation_params: attribute.floats([slope]) } : {}),
    };
    return this.#append("Conv", producer.inputs, { ...producer.attributes, ...activation }, x.shape);
  }

  /**
   * The convolution that gave x with another value added to what it computes; undefined where it was none. The result
   * takes the place of the summand, which must have no other readers: else ONNX Runtime copies it first, on one thread.
   */
  plus(x: Value, summand: Value): Value | undefined {
    const producer = this.#convolutionOf(x);
    if (!producer || producer.inputs.length > 3) return undefined;
    const [read, weight, bias] = producer.inputs;
    return this.#append("Conv", [read, weight, bias, summand], producer.attributes, x.shape);
  }

  /** x as a convolution of one element that changes nothing, to be activated or added to. */
  unchanged(x: Value): Value {
    return this.#scaled(x, undefined, undefined);
  }

  /** The convolution in blocks that gave a value, where it has no activation yet. */
  #convolutionOf(x: Value): BuiltNode | undefined {
    const producer = this.#emit.producerOf(x);
    const isPlain = producer?.domain === blockedDomain && producer.op === "Conv" && !producer.attributes.activation;
    return isPlain ? producer : undefined;
  }

  /**
   * x times a number a channel, plus another: a depthwise convolution of one element. One of them may be missing.
   *
   * @param isReadOnce whether nobody else reads x. Where x is another value plus a number a channel and is there for
   *   others anyway, it is read rather than that value, which can go then.
   */
  scaleChannels(x: Value, factor: Value | undefined, summand?: Value, isReadOnce = true): Value {
    const emit = this.#emit;
    const producer = this.#convolutionOf(x);
    const [inner, weight, added] = producer?.inputs ?? [];
    // (x · w + v) · factor + summand is one pass too.
    const follows =
      producer?.inputs.length !== 4 && inner && weight?.shape[1] === 1 && sameShape(weight.shape.slice(1), [1, 1, 1]);
    if (!follows || !sameShape(inner.shape, x.shape)) return this.#scaled(x, factor, summand);
    const ones = weight.constant !== undefined && numbersOf(weight.constant).every((number) => number === 1);
    if (ones && !isReadOnce) return this.#scaled(x, factor, summand);
    const numbers = ones ? undefined : emit.reshape(weight, [weight.shape[0]]);
    const shifted = added && factor ? emit.multiply(added, factor) : added;
    return this.#scaled(
      inner,
      numbers && factor ? emit.multiply(numbers, factor) : (numbers ?? factor),
      shifted && summand ? emit.add(shifted, summand) : (shifted ?? summand),
    );
  }

  #scaled(x: Value, factor: Value | undefined, summand: Value | undefined): Value {
    const channels = x.shape[1];
    const one = { kernel: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] } as const;
    return this.convolution(
      x,
      factor ? this.#emit.reshape(factor, [channels, 1, 1, 1]) : this.#emit.filled(1, [channels, 1, 1, 1]),
      summand,
      { ...one, outputs: [x.shape[2], x.shape[3]] },
      channels,
    );
  }

  /** Σ over positions of x · y, [N, C]: each channel of each sample convolved with its own y, in one pass. */
  products(x: Value, y: Value): Value {
    const emit = this.#emit;
    const [batch, channels, height, width] = x.shape;
    // One sum has so many summands at most: in float32 they would lose digits.
    const rows = height * width <= mostSummands ? height : 1;
    const count = (batch * channels * height) / rows;
    const found = this.convolution(
      emit.reshape(x, [1, count, rows, width]),
      emit.reshape(y, [count, 1, rows, width]),
      undefined,
      { kernel: [rows, width], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], outputs: [1, 1] },
      count,
    );
    if (rows === height) return emit.reshape(found, [batch, channels]);
    const sums = emit.reduceSum(emit.reshape(found, [(batch * channels) / this.block, height, this.block]), [1]);
    return emit.reshape(sums, [batch, channels]);
  }

  /**
   * A transpose that keeps the last axis, of one block or several: as a Gather of rows, since Transpose runs on one
   * thread here. The places of very many rows would be a large constant.
   *
   * @param taken the elements of an axis that are wanted, by axis; of the others all are
   */
  moved(value: Value, permutation: readonly number[], taken: Readonly<Record<number, Taken>> = {}): Value {
    const emit = this.#emit;
    const { shape } = value;
    const row = shape[shape.length - 1];
    const rows = sizeOf(shape) / row;
    const takes = shape.map((size, axis) => taken[axis] ?? { count: size, step: 1 });
    const isWhole = takes.every(({ count }, axis) => count === shape[axis]);
    const moving = permutation.filter((axis) => shape[axis] > 1);
    if (isWhole && moving.every((axis, index) => index === 0 || axis > moving[index - 1]))
      return emit.reshape(
        value,
        permutation.map((axis) => shape[axis]),
      );
    if (isWhole && (sizeOf(shape) < leastMoved || rows > mostMovedBlocks)) return emit.transpose(value, permutation);
    const key = `moved ${shape}/${permutation}/${JSON.stringify(taken)}`;
    const moved = rowsAt(emit, emit.reshape(value, [rows, row]), key, () => {
      let places = [0];
      for (const axis of permutation.slice(0, -1)) {
        const step = takes[axis].step * sizeOf(shape.slice(axis + 1, -1));
        const { count } = takes[axis];
        places = places.flatMap((place) => Array.from({ length: count }, (_, index) => place + index * step));
      }
      return places;
    });
    return emit.reshape(
      moved,
      permutation.map((axis) => takes[axis].count),
    );
  }

  #append(op: string, inputs: readonly (Value | undefined)[], attributes: Attributes, shape: readonly number[]): Value {
    return this.#emit.append(op, inputs, attributes, [{ type: "float32", shape }], blockedDomain)[0];
  }
}

/** What a value was whose samples and channels have changed places since; undefined where they have not. */
export function exchangedAxes(emit: Emitter, value: Value): Value | undefined {
  const producer = emit.producerOf(value);
  const perm = producer?.op === "Transpose" ? producer.attributes.perm : undefined;
  const exchange = value.shape.map((_, axis) => (axis < 2 ? 1 - axis : axis));
  return perm?.kind === "ints" && sameShape(perm.value, exchange) ? producer?.inputs[0] : undefined;
}
