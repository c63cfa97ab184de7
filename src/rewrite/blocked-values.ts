/**
 * Values that are in blocks stay there: operators between two convolutions that go element by element, or that scale
 * channels or sum over them, compute on the blocks. The plain value is made beside and dropped where nobody reads it.
 */
import type { Value } from "../graph/builder.js";
import { attribute, type Node } from "../graph/graph.js";
import { numbersOf, sizeOf } from "../graph/tensor.js";
import { type Emitter, sameShape } from "../ops/emitter.js";
import { batchFactor } from "../ops/normalizations.js";
import { intAttribute } from "../ops/operator.js";
import { BlockedLayout, isActivation } from "./blocked-layout.js";
import { beforeReshapes, inBlocks, onBlocks } from "./in-blocks.js";
import { interleavePhases, phasesOfBoth } from "./interleaved-phases.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Operators that treat every element by itself, all operands having one shape or one element. */
const elementwise = new Set("Abs Add Div Elu LeakyRelu Max Min Mul Neg Relu Sigmoid Softplus Sqrt Sub Tanh".split(" "));

/** What the pass has seen. */
interface Known {
  /** Blocks that only the operator reads which they were made for. */
  readonly readOnce: WeakSet<Value>;
  /** Blocks less a number a channel, which normalization takes from them too. */
  readonly differences: WeakMap<Value, { readonly numbers: Value; readonly difference: Value }>;
}

/**
 * The pass.
 *
 * @param block channels in a block on this machine
 */
export function blockedValues(block: number): NodeRule {
  const known: Known = { readOnce: new WeakSet(), differences: new WeakMap() };
  const { readOnce } = known;
  return (emit, node, inputs, uses) => {
    const layout = new BlockedLayout(emit, block);
    for (const [index, input] of inputs.entries()) {
      const blocked = input && uses(node.inputs[index]) === 1 ? inBlocks(emit, input, block) : undefined;
      if (blocked) readOnce.add(blocked);
    }
    const found =
      reduced(layout, emit, node, inputs, readOnce) ??
      (uses(node.inputs[0]) === 1 ? activated(layout, emit, node, inputs[0], readOnce) : undefined) ??
      (node.op === "Add" ? added(layout, emit, inputs, readOnce) : undefined) ??
      (node.op === "Expand" ? spread(layout, emit, inputs) : undefined) ??
      (node.op === "BatchNormalization"
        ? normalized(layout, emit, node, inputs, known)
        : elementwise.has(node.op)
          ? computed(layout, emit, node, inputs, known)
          : undefined);
    return found && [found];
  };
}

/** An elementwise operator, or one with a number a channel. */
function computed(
  layout: BlockedLayout,
  emit: Emitter,
  { op, attributes }: Node,
  inputs: readonly (Value | undefined)[],
  known: Known,
): Value | undefined {
  const [a, b] = inputs;
  if (!a) return undefined;
  // One operand has the result's shape.
  const { shape } = b && sizeOf(b.shape) > sizeOf(a.shape) ? b : a;
  const blocked =
    scaledChannels(layout, emit, op, a, b, shape, known) ?? onBlocks(emit, op, inputs, attributes, shape, layout.block);
  return blocked && emit.reshape(layout.toPlain(blocked, shape[1]), shape);
}

/** An activation of a convolution that nobody else reads is a part of it; and of a sum, where the sum can be one. */
function activated(
  layout: BlockedLayout,
  emit: Emitter,
  { op, attributes }: Node,
  x: Value | undefined,
  readOnce: WeakSet<Value>,
): Value | undefined {
  if (!isActivation(op) || !x) return undefined;
  const blocked = inBlocks(emit, x, layout.block);
  if (!blocked) return undefined;
  const producer = emit.producerOf(blocked);
  const [a, b] = producer?.op === "Add" ? producer.inputs : [];
  const [summand, other] = a && readOnce.has(a) ? [a, b] : [b, a];
  const sum =
    summand && other && readOnce.has(summand) && sameShape(summand.shape, other.shape)
      ? layout.plus(layout.unchanged(other), summand)
      : undefined;
  const found = layout.activated(sum ?? blocked, op, attributes);
  return found && emit.reshape(layout.toPlain(found, x.shape[1]), x.shape);
}

/** A sum of a convolution and another value, neither of which anybody else reads, is a part of the convolution. */
function added(
  layout: BlockedLayout,
  emit: Emitter,
  [a, b]: readonly (Value | undefined)[],
  readOnce: WeakSet<Value>,
): Value | undefined {
  if (!a || !b || !sameShape(a.shape, b.shape)) return undefined;
  const [first, second] = [a, b].map((value) => inBlocks(emit, value, layout.block));
  if (!first || !second || first === second || !readOnce.has(first) || !readOnce.has(second)) return undefined;
  const plus = (x: Value, y: Value): Value | undefined => layout.plus(x, y) ?? layout.plus(y, x);
  const phases = phasesOfBoth(first, second)?.map((row) =>
    row.map(([x, y]) => (x && y ? (plus(x, y) ?? emit.add(x, y)) : (x ?? y))),
  );
  const found = phases ? interleavePhases(emit, phases, layout.block) : plus(first, second);
  return found && emit.reshape(layout.toPlain(found, a.shape[1]), a.shape);
}

/** A number a channel of a sample at every position, which is how the gradient of a global average begins. */
function spread(layout: BlockedLayout, emit: Emitter, [x, size]: readonly (Value | undefined)[]): Value | undefined {
  if (!x || !size?.constant || x.type !== "float32") return undefined;
  const shape = numbersOf(size.constant);
  const [batch, channels, ...positions] = shape;
  const isNumber = sameShape(x.shape, [batch, channels, ...positions.map(() => 1)]);
  if (!isNumber || positions.length !== 2 || channels % layout.block !== 0) return undefined;
  const blocks = emit.reshape(x, [(batch * channels) / layout.block, 1, layout.block]);
  const places = emit.ints(new Array(sizeOf(positions)).fill(0));
  const found = emit.one("Gather", [blocks, places], { axis: attribute.int(1) });
  return layout.toPlain(emit.reshape(found, shape), channels);
}

/** x · v, x + v and x − v with a number v a channel, as a depthwise convolution of one element. */
function scaledChannels(
  layout: BlockedLayout,
  emit: Emitter,
  op: string,
  a: Value,
  b: Value | undefined,
  shape: readonly number[],
  { readOnce, differences }: Known,
): Value | undefined {
  if (!b || (op !== "Mul" && op !== "Add" && op !== "Sub")) return undefined;
  const [x, vector] = op !== "Sub" && sizeOf(b.shape) > sizeOf(a.shape) ? [b, a] : [a, b];
  const channels = shape[1];
  // [C, 1, ...] or [1, C, 1, ...]
  const isVector =
    sameShape(x.shape, shape) &&
    [shape.slice(1), shape].some(
      (full) =>
        full.length === vector.shape.length &&
        vector.shape.every((size, axis) => size === (axis === full.length - shape.length + 1 ? channels : 1)),
    );
  const blocked = isVector ? inBlocks(emit, x, layout.block) : undefined;
  if (!blocked) return undefined;
  const numbers = filledUp(emit, emit.reshape(vector, [channels]), blocked);
  const isReadOnce = readOnce.has(blocked);
  if (op === "Mul") return layout.scaleChannels(blocked, numbers, undefined, isReadOnce);
  if (op === "Add") return layout.scaleChannels(blocked, undefined, numbers, isReadOnce);
  const difference = layout.scaleChannels(blocked, undefined, emit.negate(numbers), isReadOnce);
  differences.set(blocked, { numbers: beforeReshapes(emit, vector), difference });
  return difference;
}

/** A number a channel, with zeros for what fills the last block. */
function filledUp(emit: Emitter, numbers: Value, { shape }: Value): Value {
  return emit.pad(numbers, [0, shape[1] - numbers.shape[0]]);
}

/** y = (x − mean) · scale / √(variance + ε) + bias */
function normalized(
  layout: BlockedLayout,
  emit: Emitter,
  node: Node,
  [x, scale, bias, mean, variance]: readonly (Value | undefined)[],
  { differences }: Known,
): Value | undefined {
  if (!x || !scale || !bias || !mean || !variance) return undefined;
  const blocked = inBlocks(emit, x, layout.block);
  if (!blocked) return undefined;
  const factor = batchFactor(emit, node, scale, variance);
  const scaled = (value: Value, summand: Value, isReadOnce?: boolean): Value => {
    const numbers = [factor, summand].map((each) => filledUp(emit, each, blocked));
    const found = layout.scaleChannels(value, numbers[0], numbers[1], isReadOnce);
    return emit.reshape(layout.toPlain(found, x.shape[1]), x.shape);
  };
  // The batch's own variance is that of a difference which is there: x itself is needed no longer then.
  const known = differences.get(blocked);
  if (known?.numbers === beforeReshapes(emit, mean)) return scaled(known.difference, bias, false);
  return scaled(blocked, emit.subtract(bias, emit.multiply(mean, factor)));
}

/** Sums and means over all but the channels: over positions first, then over samples. Products that nobody else reads are summed as they arise. */
function reduced(
  layout: BlockedLayout,
  emit: Emitter,
  { op, attributes }: Node,
  [x, axes]: readonly (Value | undefined)[],
  readOnce: WeakSet<Value>,
): Value | undefined {
  if ((op !== "ReduceSum" && op !== "ReduceMean") || !x || !axes?.constant) return undefined;
  const wanted = x.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  if (!sameShape(numbersOf(axes.constant), wanted)) return undefined;
  const blocked = inBlocks(emit, x, layout.block);
  if (!blocked) return undefined;
  const [batch, channels, ...positions] = x.shape;
  const keeps = intAttribute({ attributes }, "keepdims", 1) !== 0;
  const kept = (found: Value): Value => {
    const each = emit.slice(found, [{ axis: 0, start: 0, end: channels }]);
    return keeps ? emit.reshape(each, [1, channels, ...positions.map(() => 1)]) : each;
  };
  const producer = emit.producerOf(blocked);
  const [a, b] = producer?.op === "Mul" && readOnce.has(blocked) ? producer.inputs : [];
  if (a && b && sameShape(a.shape, b.shape)) {
    const sums = emit.one(op, [layout.products(a, b), emit.ints([0])], { keepdims: attribute.int(0) });
    return kept(op === "ReduceMean" ? emit.scale(sums, 1 / sizeOf(positions)) : sums);
  }
  const filled = blocked.shape[1];
  const rows = emit.reshape(blocked, [(batch * filled) / layout.block, sizeOf(positions), layout.block]);
  const reduce = (value: Value, axis: number): Value =>
    emit.one(op, [value, emit.ints([axis])], { keepdims: attribute.int(0) });
  return kept(reduce(emit.reshape(reduce(rows, 1), [batch, filled]), 0));
}
