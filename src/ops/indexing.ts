/** Operators that read or write at positions along axes: Slice, Pad, Gather and their kin. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
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
import { progression, takeAlongAxes } from "./take-elements.js";

/** Positions first, first + step, ... along an axis. */
interface Range {
  readonly axis: number;
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

/** Up to this length of an axis a scatter along it is a matrix product with a table of zeros and ones. */
const longestTable = 256;

/**
 * The adjoint of reading ranges: the gradient's elements at the positions from which they were read, zeros elsewhere.
 * A step of s is undone by s − 1 zeros after each element; then the whole is padded, or cropped, to the shape.
 */
function spread(emit: Emitter, gradient: Value, ranges: readonly Range[], shape: readonly number[]): Value {
  if (ranges.some(({ count }) => count === 0)) return emit.filled(0, shape);
  const rank = shape.length;
  const backwards = ranges.filter(({ step, count }) => step < 0 && count > 1);
  const forward = emit.slice(
    gradient,
    backwards.map(({ axis, count }) => ({ axis, start: count - 1, end: -count - 1, step: -1 })),
  );
  const dimensions = gradient.shape.slice();
  const pads = new Array<number>(rank * 2).fill(0);
  const apart: number[] = [];
  const apartPads: number[] = [];
  const steps = new Map(ranges.map(({ axis, step, count }) => [axis, count > 1 ? Math.abs(step) : 1]));
  for (let axis = 0; axis < rank; axis++) {
    const step = steps.get(axis) ?? 1;
    apart.push(dimensions[axis]);
    apartPads.push(0);
    if (step > 1) {
      apart.push(1);
      apartPads.push(step - 1);
      dimensions[axis] *= step;
    }
  }
  for (const { axis, first, step, count } of ranges) {
    pads[axis] = step < 0 ? first + step * (count - 1) : first;
    pads[rank + axis] = shape[axis] - pads[axis] - dimensions[axis];
  }
  const padded = emit.pad(emit.reshape(forward, apart), [...apart.map(() => 0), ...apartPads]);
  return emit.pad(emit.reshape(padded, dimensions), pads);
}

/**
 * The adjoint of reading known positions along an axis: the gradient summed up by position. The gradient has
 * positions.length in the place of that axis.
 */
function scatterAlong(
  emit: Emitter,
  gradient: Value,
  axis: number,
  positions: readonly number[],
  length: number,
): Value {
  const shape = gradient.shape.map((dimension, other) => (other === axis ? length : dimension));
  if (positions.length === 0) return emit.filled(0, shape);
  const step = positions.length > 1 ? positions[1] - positions[0] : 1;
  if (step !== 0 && positions.every((position, index) => position === positions[0] + index * step))
    return spread(emit, gradient, [{ axis, first: positions[0], step, count: positions.length }], shape);
  if (length > longestTable) {
    const indices = { type: "int64", shape: [positions.length], data: BigInt64Array.from(positions, BigInt) } as const;
    const column = [positions.length, ...gradient.shape.slice(axis + 1).map(() => 1)];
    return scatter(
      emit,
      gradient,
      emit.expand(emit.reshape(emit.constant(indices), column), gradient.shape),
      axis,
      shape,
    );
  }
  const before = sizeOf(shape.slice(0, axis));
  const after = sizeOf(shape.slice(axis + 1));
  const table = new Float32Array(length * positions.length);
  if (after === 1) {
    for (const [index, position] of positions.entries()) table[index * length + position] = 1;
    const rows = emit.reshape(gradient, [before, positions.length]);
    return emit.reshape(emit.matmul(rows, emit.constant(floatTensor(table, [positions.length, length]))), shape);
  }
  for (const [index, position] of positions.entries()) table[position * positions.length + index] = 1;
  const matrices = emit.reshape(gradient, [before, positions.length, after]);
  return emit.reshape(emit.matmul(emit.constant(floatTensor(table, [length, positions.length])), matrices), shape);
}

/** Zeros of a shape to which updates are added at indices along an axis. */
function scatter(emit: Emitter, updates: Value, indices: Value, axis: number, shape: readonly number[]): Value {
  const attributes = { axis: attribute.int(axis), reduction: attribute.string("add") };
  return emit.one("ScatterElements", [emit.filled(0, shape), indices, updates], attributes);
}

function axesOf(node: NodeContext, index: number, count: number): number[] {
  const rank = requiredInput(node, 0).shape.length;
  const axes = (wholeNumbersOf(node, index) ?? progression(count)).map((axis) => normalizedAxis(axis, rank, node.op));
  if (axes.length !== count || new Set(axes).size !== count)
    throw new RuleError(`${node.op}: axes [${axes.join(", ")}] do not fit its other inputs`);
  return axes;
}

function rangesOf(node: NodeContext): Range[] {
  const { shape } = requiredInput(node, 0);
  const starts = wholeNumbersOf(node, 1);
  const ends = wholeNumbersOf(node, 2);
  if (!starts || starts.length !== ends?.length) throw new RuleError("Slice needs as many starts as ends");
  const axes = axesOf(node, 3, starts.length);
  const steps = wholeNumbersOf(node, 4) ?? starts.map(() => 1);
  if (steps.length !== starts.length || steps.includes(0))
    throw new RuleError("Slice needs a step other than 0 an axis");
  return axes.map((axis, index) => {
    const length = shape[axis];
    const step = steps[index];
    // Going backwards, the first position is at most the last element, and the end may be "before the first one".
    const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1];
    const clamp = (position: number): number =>
      Math.min(Math.max(position < 0 ? position + length : position, lowest), highest);
    const first = Math.max(clamp(starts[index]), 0);
    return { axis, first, step, count: Math.max(0, Math.ceil((clamp(ends[index]) - first) / step)) };
  });
}

const Slice: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const result = shape.slice();
    for (const { axis, count } of rangesOf(node)) result[axis] = count;
    return [{ type, shape: result }];
  },
  gradient: [
    (context) => spread(context.emit, context.gradient, rangesOf(context), context.inputs[0]!.shape),
    "none",
    "none",
    "none",
    "none",
  ],
  fold: (node, [input]) => {
    const lists = input.shape.map((dimension) => progression(dimension));
    for (const { axis, first, step, count } of rangesOf(node)) lists[axis] = progression(count, first, step);
    return [takeAlongAxes(input, lists)];
  },
};

/** Amounts before and after every axis. */
function padsOf(node: NodeContext): { before: number[]; after: number[] } {
  const { shape } = requiredInput(node, 0);
  const pads = wholeNumbersOf(node, 1);
  if (!pads || pads.length % 2 !== 0) throw new RuleError("Pad needs two numbers an axis");
  const count = pads.length / 2;
  const before = shape.map(() => 0);
  const after = shape.map(() => 0);
  if (!node.inputs[3] && count !== shape.length) throw new RuleError("Pad needs two numbers an axis");
  axesOf(node, 3, count).forEach((axis, index) => {
    before[axis] = pads[index];
    after[axis] = pads[count + index];
  });
  return { before, after };
}

/**
 * The input's positions that a padded axis shows; −1 where it shows the constant. Negative amounts crop before anything is
 * repeated.
 */
function paddedPositions(mode: string, length: number, before: number, after: number): number[] {
  const first = Math.max(0, -before);
  const left = length - first - Math.max(0, -after);
  return progression(Math.max(0, length + before + after), -Math.max(0, before)).map((place) => {
    if (mode === "edge") return first + Math.min(Math.max(place, 0), left - 1);
    if (mode === "wrap") return first + (((place % left) + left) % left);
    if (mode === "reflect") {
      const period = Math.max(2 * (left - 1), 1);
      const within = ((place % period) + period) % period;
      return first + (within < left ? within : period - within);
    }
    const position = first + place;
    return place >= 0 && position < length ? position : -1;
  });
}

/** Whether what negative amounts leave of an axis is enough to be repeated by the others. */
function repeatsOnce(mode: string, length: number, before: number, after: number): boolean {
  const left = length + Math.min(before, 0) + Math.min(after, 0);
  const most = Math.max(before, after, 0);
  if (mode === "constant" || (left === length && most === 0)) return true;
  // ONNX Runtime 1.30 reads beyond the input where it would wrap more than once.
  const room = mode === "wrap" ? left : mode === "reflect" ? left - 1 : Number.POSITIVE_INFINITY;
  return left >= 1 && most <= room;
}

const Pad: Operator = {
  shape: (node) => {
    const { type, shape } = requiredInput(node, 0);
    const mode = stringAttribute(node, "mode", "constant");
    if (!["constant", "edge", "reflect", "wrap"].includes(mode)) throw new RuleError(`Pad: unknown mode ${mode}`);
    const { before, after } = padsOf(node);
    return [
      {
        type,
        shape: shape.map((length, axis) => {
          const padded = length + before[axis] + after[axis];
          if (padded < 0 || !repeatsOnce(mode, length, before[axis], after[axis]))
            throw new RuleError(
              `Pad: ${before[axis]} and ${after[axis]} do not fit a dimension of ${length} (${mode})`,
            );
          return padded;
        }),
      },
    ];
  },
  gradient: [
    (context) => {
      const { emit, gradient, inputs } = context;
      const { before, after } = padsOf(context);
      const mode = stringAttribute(context, "mode", "constant");
      if (mode === "constant")
        return emit.pad(
          gradient,
          [...before, ...after].map((amount) => -amount),
        );
      // Axis by axis: an element's gradient is the sum over all places that show it.
      return inputs[0]!.shape.reduce(
        (sum, length, axis) =>
          scatterAlong(emit, sum, axis, paddedPositions(mode, length, before[axis], after[axis]), length),
        gradient,
      );
    },
    "none",
    (context) => {
      // The constant shows wherever the input does not.
      const { emit, gradient, inputs } = context;
      const { before, after } = padsOf(context);
      const shown = emit.pad(
        gradient,
        [...before, ...after].map((amount) => -Math.max(amount, 0)),
      );
      return emit.reshape(emit.subtract(emit.reduceSum(gradient), emit.reduceSum(shown)), inputs[2]!.shape);
    },
    "none",
  ],
  fold: (node, inputs) => {
    const { before, after } = padsOf(node);
    const mode = stringAttribute(node, "mode", "constant");
    const [input] = inputs;
    const constant = node.inputs[2]?.constant;
    return [
      takeAlongAxes(
        input,
        input.shape.map((length, axis) => paddedPositions(mode, length, before[axis], after[axis])),
        (constant?.data as ArrayLike<number | bigint> | undefined)?.[0],
      ),
    ];
  },
};

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
export const indexing = { Slice, Pad, Gather, GatherElements, ScatterElements, TopK } satisfies Partial<
  Record<MovementName, Operator>
>;
