/** Operators that read or write at positions that an input names: Gather and its kin. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import type { MovementName } from "./names.js";
import {
  type GradientContext,
  type GradientRule,
  intAttribute,
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
  wholeNumbersOf,
} from "./operator.js";
import { scatter, scatterAlong } from "./scatter-along.js";
import { progression, takeAlongAxes } from "./take-elements.js";

function axisOf(node: NodeContext): number {
  return normalizedAxis(intAttribute(node, "axis", 0), requiredInput(node, 0).shape.length, node.op);
}

/** Constant indices from 0 on; throws where one points outside. */
function positionsOf(node: NodeContext, length: number): number[] | undefined {
  const indices = requiredInput(node, 1);
  if (!indices.constant) return undefined;
  return Array.from(indices.constant.data as ArrayLike<number | bigint>, (index) => {
    const position = Number(index) < 0 ? Number(index) + length : Number(index);
    if (!(Number.isInteger(position) && position >= 0 && position < length))
      throw new RuleError(`${node.op}: index ${index} does not exist in a dimension of ${length}`);
    return position;
  });
}

const Gather: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const axis = axisOf(node);
    positionsOf(node, shape[axis]);
    return [{ type, shape: [...shape.slice(0, axis), ...requiredInput(node, 1).shape, ...shape.slice(axis + 1)] }];
  },
  gradient: [
    (context) => {
      const { emit, gradient, inputs } = context;
      const { shape } = inputs[0]!;
      const axis = axisOf(context);
      const indices = inputs[1]!;
      const count = sizeOf(indices.shape);
      const aligned = emit.reshape(gradient, [...shape.slice(0, axis), count, ...shape.slice(axis + 1)]);
      const positions = positionsOf(context, shape[axis]);
      if (positions) return scatterAlong(emit, aligned, axis, positions, shape[axis]);
      const column = emit.reshape(indices, [count, ...shape.slice(axis + 1).map(() => 1)]);
      return scatter(emit, aligned, emit.expand(column, aligned.shape), axis, shape);
    },
    "none",
  ],
  fold: (node, [data], [{ shape }]) => {
    const axis = axisOf(node);
    const positions = positionsOf(node, data.shape[axis])!;
    const taken = takeAlongAxes(
      data,
      data.shape.map((dimension, other) => (other === axis ? positions : progression(dimension))),
    );
    return [{ ...taken, shape }];
  },
};

function sameRank(node: NodeContext): void {
  const [data, indices] = [requiredInput(node, 0), requiredInput(node, 1)];
  if (data.shape.length !== indices.shape.length)
    throw new RuleError(
      `${node.op}: indices of rank ${indices.shape.length} do not fit data of rank ${data.shape.length}`,
    );
}

const GatherElements: Operator = {
  shape: (node) => {
    sameRank(node);
    return [{ type: requiredInput(node, 0).type, shape: requiredInput(node, 1).shape }];
  },
  gradient: [
    (context) => {
      const { emit, gradient, inputs } = context;
      return scatter(emit, gradient, inputs[1]!, axisOf(context), inputs[0]!.shape);
    },
    "none",
  ],
};

/** @throws RuleError for a reduction without gradient rule */
function reductionOf(node: NodeContext): "none" | "add" {
  const reduction = stringAttribute(node, "reduction", "none");
  if (reduction === "none" || reduction === "add") return reduction;
  throw new RuleError(`${node.op} with reduction ${reduction} has no gradient rule`);
}

/** The gradients of ScatterElements and ScatterND, by what reads back what they write. */
export function gradientOfScatter(readBack: (context: GradientContext) => Value): GradientRule {
  return [
    // Added to: everything stays. Written over: nothing of what was there before.
    (context) => {
      const { emit, op, gradient, inputs, attributes } = context;
      if (reductionOf(context) === "add") return gradient;
      return emit.one(op, [gradient, inputs[1], emit.filled(0, inputs[2]!.shape)], attributes);
    },
    "none",
    // Without a reduction ONNX forbids that an index occurs twice, so that every update is read back where it went.
    (context) => {
      reductionOf(context);
      return readBack(context);
    },
  ];
}

const ScatterElements: Operator = {
  shape: (node) => {
    sameRank(node);
    const [data, indices, updates] = [0, 1, 2].map((index) => requiredInput(node, index));
    axisOf(node);
    if (updates.shape.join() !== indices.shape.join() || updates.type !== data.type)
      throw new RuleError(
        `ScatterElements: updates ${updates.type} [${updates.shape.join(", ")}] do not fit indices [${indices.shape.join(", ")}]`,
      );
    return [{ type: data.type, shape: data.shape }];
  },
  gradient: gradientOfScatter((context) => {
    const axis = attribute.int(axisOf(context));
    return context.emit.one("GatherElements", [context.gradient, context.inputs[1]], { axis });
  }),
};

function topKOf(node: NodeContext): { axis: number; count: number } {
  const { shape } = requiredInput(node, 0);
  const axis = normalizedAxis(intAttribute(node, "axis", -1), shape.length, node.op);
  const [count, ...others] = wholeNumbersOf(node, 1) ?? [];
  if (!(count >= 0 && count <= shape[axis]) || others.length > 0)
    throw new RuleError(`TopK needs one number from 0 to ${shape[axis]}, the length of its axis, got ${count}`);
  return { axis, count };
}

const TopK: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const { axis, count } = topKOf(node);
    const taken = shape.map((length, other) => (other === axis ? count : length));
    return [
      { type, shape: taken },
      { type: "int64", shape: taken },
    ];
  },
  gradient: [
    // Each value goes back to where its index says that it was.
    (context) => {
      const { emit, gradient, inputs, outputs } = context;
      return scatter(emit, gradient, outputs[1], topKOf(context).axis, inputs[0]!.shape);
    },
    "none",
  ],
};

/** The entries of this file in the table of movement operators. */
export const indexing = { Gather, GatherElements, ScatterElements, TopK } satisfies Partial<
  Record<MovementName, Operator>
>;
