import type { MovementName } from "./names.js";
import {
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
  wholeNumbersOf,
} from "./operator.js";
import { type Range, scatterAlong, spread } from "./scatter-along.js";
import { progression, takeAlongAxes } from "./take-elements.js";

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

/** Their entries in the table. */
export const slicing = { Slice, Pad } satisfies Partial<Record<MovementName, Operator>>;
