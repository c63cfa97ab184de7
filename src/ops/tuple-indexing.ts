/** Operators that read or write whole slices at tuples of indices: GatherND and ScatterND. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { intTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import { gradientOfScatter } from "./indexing.js";
import type { MovementName } from "./names.js";
import { intAttribute, type NodeContext, type Operator, RuleError, requiredInput } from "./operator.js";
import { progression, takeElements } from "./take-elements.js";

/** How the last axis of the indices addresses data. */
interface Tuples {
  /** Leading axes of both that are gone through together. */
  readonly batch: readonly number[];
  /** The axes of data that a tuple addresses. */
  readonly addressed: readonly number[];
  /** What of data a tuple stands for. */
  readonly slice: readonly number[];
  /** How many tuples there are, by axis, the batch first. */
  readonly tuples: readonly number[];
}

function tuplesOf(node: NodeContext, batchAxes: number): Tuples {
  const [data, indices] = [requiredInput(node, 0).shape, requiredInput(node, 1).shape];
  const length = indices.at(-1) ?? 0;
  const batch = data.slice(0, batchAxes);
  const fits =
    batchAxes >= 0 &&
    batchAxes < Math.min(data.length, indices.length) &&
    batch.every((size, axis) => indices[axis] === size) &&
    length >= 1 &&
    batchAxes + length <= data.length;
  if (!fits)
    throw new RuleError(
      `${node.op}: indices [${indices.join(", ")}] do not fit data [${data.join(", ")}] with ${batchAxes} batch axes`,
    );
  return {
    batch,
    addressed: data.slice(batchAxes, batchAxes + length),
    slice: data.slice(batchAxes + length),
    tuples: indices.slice(0, -1),
  };
}

/** For each tuple of constant indices, which slice of data it stands for; undefined where they are not known. */
function slicesOf(node: NodeContext, { batch, addressed, tuples }: Tuples): number[] | undefined {
  const { constant } = requiredInput(node, 1);
  if (!constant) return undefined;
  const elements = constant.data as ArrayLike<number | bigint>;
  const perBatch = sizeOf(tuples.slice(batch.length));
  return progression(sizeOf(tuples)).map((tuple) =>
    addressed.reduce(
      (position, size, axis) => {
        const given = Number(elements[tuple * addressed.length + axis]);
        const index = given < 0 ? given + size : given;
        if (!(Number.isInteger(index) && index >= 0 && index < size))
          throw new RuleError(`${node.op}: index ${given} does not exist in a dimension of ${size}`);
        return position * size + index;
      },
      Math.floor(tuple / perBatch),
    ),
  );
}

/** Indices that have their place in the batch in front: the same tuples, without batch axes. */
function withBatch(emit: Emitter, indices: Value, { batch, tuples }: Tuples): Value {
  if (batch.length === 0) return indices;
  const rank = tuples.length + 1;
  const places = batch.map((size, axis) => {
    const alongAxis = new Array<number>(rank).fill(1);
    alongAxis[axis] = size;
    return emit.expand(emit.constant(intTensor(progression(size), alongAxis)), [...tuples, 1]);
  });
  return emit.concat([...places, indices], rank - 1);
}

const batchAxesOf = (node: NodeContext): number => intAttribute(node, "batch_dims", 0);

const GatherND: Operator = {
  shape: (node) => {
    const found = tuplesOf(node, batchAxesOf(node));
    slicesOf(node, found);
    return [{ type: requiredInput(node, 0).type, shape: [...found.tuples, ...found.slice] }];
  },
  gradient: [
    // Every slice is added where it was read.
    (context) => {
      const { emit, gradient, inputs } = context;
      const indices = withBatch(emit, inputs[1]!, tuplesOf(context, batchAxesOf(context)));
      const attributes = { reduction: attribute.string("add") };
      return emit.one("ScatterND", [emit.filled(0, inputs[0]!.shape), indices, gradient], attributes);
    },
    "none",
  ],
  fold: (node, [data], [{ shape }]) => {
    const found = tuplesOf(node, batchAxesOf(node));
    const slices = slicesOf(node, found)!;
    const size = sizeOf(found.slice);
    return [takeElements(data, shape, (index) => slices[Math.floor(index / size)] * size + (index % size))];
  },
};

const ScatterND: Operator = {
  shape: (node) => {
    const [data, , updates] = [0, 1, 2].map((index) => requiredInput(node, index));
    const found = tuplesOf(node, 0);
    slicesOf(node, found);
    const expected = [...found.tuples, ...found.slice];
    if (updates.shape.join() !== expected.join() || updates.type !== data.type)
      throw new RuleError(
        `ScatterND: updates ${updates.type} [${updates.shape.join(", ")}] are not ${data.type} [${expected.join(", ")}]`,
      );
    return [{ type: data.type, shape: data.shape }];
  },
  gradient: gradientOfScatter(({ emit, gradient, inputs }) => emit.one("GatherND", [gradient, inputs[1]])),
};

/** The entries of this file in the table of movement operators. */
export const tupleIndexing = { GatherND, ScatterND } satisfies Partial<Record<MovementName, Operator>>;
