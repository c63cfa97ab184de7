/** Models that were exported for batches of one size, on batches of another. */
import type { Value } from "../graph/builder.js";
import type { Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";

type Inputs = readonly (Value | undefined)[];

/** A node of the model whose inputs have the actual batch. */
interface Use {
  readonly emit: Emitter;
  readonly node: Node;
  readonly inputs: Inputs;
  /** By input position: does it depend on the sample? */
  readonly fromSample: readonly boolean[];
}

/** Operators of two operands, which a batch of one size and copies for another do not fit. */
const broadcasting: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div"]);

/**
 * The inputs of a node of a model that has the size of its batch written into it: shapes that begin with the declared size
 * get the actual one, and what each sample of the batch is given a copy of is repeated.
 *
 * @param declared the size of a batch in the model
 * @param actual the size of the batch that arrives
 */
export function fitBatch(use: Use, declared: number, actual: number): Inputs {
  if (declared === actual) return use.inputs;
  const { op } = use.node;
  if (op === "Reshape") return fitReshape(use, declared, actual);
  if (op === "Expand") return fitExpand(use, declared, actual);
  if (op === "Concat") return fitConcat(use, declared, actual);
  return broadcasting.has(op) ? fitOperands(use, declared, actual) : use.inputs;
}

function sizesOf(shape: Value | undefined): number[] {
  return shape?.constant ? Array.from(shape.constant.data as BigInt64Array, Number) : [];
}

function fitReshape({ emit, inputs, fromSample }: Use, declared: number, actual: number): Inputs {
  const [data, shape] = inputs;
  if (!data || !fromSample[0]) return inputs;
  const sizes = sizesOf(shape);
  if (data.shape[0] === actual && sizes[0] === declared) return [data, emit.ints(sizes.with(0, actual))];
  const inside = batchWithin(data.shape, sizes, declared, actual);
  return inside > 0 ? [data, emit.ints(sizes.with(inside, actual))] : inputs;
}

/**
 * Where a target shape has the old batch size behind as many elements as its data has in front of the new one, as in the
 * states of recurrent layers, whose first axis counts positions; -1 where the shape fits as it is, or that is nowhere.
 */
function batchWithin(from: readonly number[], sizes: readonly number[], declared: number, actual: number): number {
  if (sizes.some((size) => size < 1) || sizeOf(from) * declared !== sizeOf(sizes) * actual) return -1;
  const before = from.flatMap((size, axis) => (size === actual ? [sizeOf(from.slice(0, axis))] : []));
  return sizes.findIndex((size, axis) => size === declared && before.includes(sizeOf(sizes.slice(0, axis))));
}

/** Gates and norms are expanded to what they are to multiply or divide. */
function fitExpand({ emit, inputs, fromSample }: Use, declared: number, actual: number): Inputs {
  const [data, shape] = inputs;
  if (!data || !fromSample[0]) return inputs;
  const sizes = sizesOf(shape);
  const axis = sizes.length - data.shape.length;
  return data.shape[0] === actual && sizes[axis] === declared ? [data, emit.ints(sizes.with(axis, actual))] : inputs;
}

/** A token is joined to each sample. */
function fitConcat({ emit, node, inputs, fromSample }: Use, declared: number, actual: number): Inputs {
  const { axis } = node.attributes;
  const sampled = inputs.find((value, index) => value && fromSample[index]);
  if (axis?.kind !== "int" || axis.value === 0 || sampled?.shape[0] !== actual) return inputs;
  return inputs.map((value, index) => {
    const one = value && !fromSample[index] ? oneOfBatch(emit, value, declared) : undefined;
    return one ? emit.expand(one, [actual, ...one.shape.slice(1)]) : value;
  });
}

/** Something is added to each sample, as the identity to what PointNet turns points by. */
function fitOperands({ emit, inputs, fromSample }: Use, declared: number, actual: number): Inputs {
  const sampled = inputs.find((value, index) => value && fromSample[index]);
  // Beside an axis of one, copies are what they seem.
  if (actual === 1 || sampled?.shape[0] !== actual) return inputs;
  return inputs.map((value, index) =>
    value && !fromSample[index] && value.shape.length === sampled.shape.length
      ? (oneOfBatch(emit, value, declared) ?? value)
      : value,
  );
}

/** One of the copies that a batch of the declared size has, a batch of one; undefined where they may differ. */
function oneOfBatch(emit: Emitter, value: Value, declared: number): Value | undefined {
  const { constant, shape } = value;
  if (shape[0] !== declared) return undefined;
  if (declared === 1) return value;
  if (constant) {
    const { data } = constant;
    const size = sizeOf(shape.slice(1));
    const isRepeated = data.every((element, index) => Object.is(element, data[index % size]));
    return isRepeated ? emit.slice(value, [{ axis: 0, start: 0, end: 1 }]) : undefined;
  }
  const producer = emit.producerOf(value);
  const [copied] = producer?.op === "Expand" ? producer.inputs : [];
  const isCopy = copied && (copied.shape.length < shape.length || copied.shape[0] === 1);
  return isCopy ? emit.expand(copied, [1, ...shape.slice(1)]) : undefined;
}
