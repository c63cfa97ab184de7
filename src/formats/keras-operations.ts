/** Keras' operations on tensors that have no weights: arithmetic, shapes, parts of tensors, averages. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import { activationOperations } from "./keras-activations.js";
import { type Constant, describe, isObject } from "./keras-calls.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

/** Writes one call of a layer. */
export type LayerConverter = (context: LayerContext, inputs: readonly KerasValue[]) => KerasValue;

/** A layer of one input. */
export const unary =
  (body: (context: LayerContext, value: KerasValue) => KerasValue): LayerConverter =>
  (context, inputs) => {
    if (inputs.length !== 1) throw context.refuse("one input", String(inputs.length));
    return body(context, inputs[0]);
  };

/** A layer that gives back what it gets. */
export const passing = unary((_, value) => value);

/** An operation on elements of several tensors, an axis of size 1 of which fits any other. */
export const elementwise =
  (op: string): LayerConverter =>
  (context, inputs) => {
    if (inputs.length < 2) throw context.refuse("at least two inputs", String(inputs.length));
    if ((op === "Sub" || op === "Div") && inputs.length > 2) throw context.refuse("two inputs", String(inputs.length));
    const rank = inputs[0].shape.length;
    const shape = inputs[0].shape.map((_, axis) => Math.max(...inputs.map((value) => value.shape[axis] ?? 0)));
    const fits = inputs.every(
      (value) => value.shape.length === rank && value.shape.every((size, axis) => size === shape[axis] || size === 1),
    );
    if (!fits)
      throw context.refuse("inputs of matching shapes", inputs.map((value) => describe(value.shape)).join(", "));
    const order = inputs.some((value) => value.first !== undefined) ? "first" : "last";
    const names = inputs.map((value) => context.in(value, order));
    const output = names.slice(1).reduce((left, right) => context.node(op, [left, right]), names[0]);
    return { shape, [order]: output };
  };

/** Operations of two operands, either of which may be a constant. */
const arithmetic: Readonly<Record<string, string>> = {
  Add: "Add",
  Subtract: "Sub",
  Multiply: "Mul",
  Divide: "Div",
  TrueDivide: "Div",
  Maximum: "Max",
  Minimum: "Min",
  Power: "Pow",
};

/** Arithmetic of a tensor and a constant, as Python's operators between them give it: their last axes are the same. */
export function withConstant(
  context: LayerContext,
  [value]: readonly KerasValue[],
  operands: readonly (Constant | undefined)[],
): KerasValue {
  const op = Object.hasOwn(arithmetic, context.layer.className) ? arithmetic[context.layer.className] : undefined;
  const operand = operands.find((constant) => constant !== undefined);
  if (op === undefined || operand === undefined || operands.length !== 2 || !value)
    throw context.refuse(
      "a call with tensors only",
      `one with constants: ${operands.map((constant) => describe(constant?.data)).join(", ")}`,
    );
  const isFirst = operands[0] !== undefined;
  const apply = (name: string, constant: string): string =>
    context.node(op, isFirst ? [constant, name] : [name, constant]);
  if (operand.data.length === 1 && operand.shape.length <= value.shape.length + 1) {
    const number = context.constant(floatTensor(operand.data, []), "number");
    return context.map(value, (name) => apply(name, number));
  }
  const rank = value.shape.length;
  // An axis for the batch may only repeat.
  const sizes = operand.shape.length === rank + 1 && operand.shape[0] === 1 ? operand.shape.slice(1) : operand.shape;
  const aligned = [...new Array<number>(Math.max(0, rank - sizes.length)).fill(1), ...sizes];
  const fits = value.shape.every((size, axis) => size === aligned[axis] || size === 1 || aligned[axis] === 1);
  if (aligned.length !== rank || !fits)
    throw context.refuse(`constants that fit ${describe(value.shape)}`, `some of shape ${describe(operand.shape)}`);
  const constant = context.constant(floatTensor(operand.data, sizes), "numbers");
  const shape = value.shape.map((size, axis) => Math.max(size, aligned[axis]));
  return { shape, last: apply(context.last(value), constant) };
}

/** Tensors that follow one another along an axis. */
export const concatenate: LayerConverter = (context, inputs) => {
  if (inputs.length < 2) throw context.refuse("at least two inputs", String(inputs.length));
  const [head] = inputs;
  const along = context.axis(context.number("axis", -1), head, "last") - 1;
  const fits = inputs.every(
    ({ shape }) =>
      shape.length === head.shape.length && shape.every((size, axis) => axis === along || size === head.shape[axis]),
  );
  if (!fits)
    throw context.refuse(
      "inputs that differ along one axis only",
      inputs.map(({ shape }) => describe(shape)).join(", "),
    );
  const shape = head.shape.map((size, axis) =>
    axis === along ? inputs.reduce((sum, value) => sum + value.shape[axis], 0) : size,
  );
  const order = inputs.some((value) => value.first !== undefined) ? "first" : "last";
  const names = inputs.map((value) => context.in(value, order));
  return {
    shape,
    [order]: context.node("Concat", names, { axis: attribute.int(context.axis(along + 1, head, order)) }),
  };
};

/** Tensors of one shape, side by side along an axis of their own. */
const stack: LayerConverter = (context, inputs) => {
  const [head] = inputs;
  if (!head || inputs.some(({ shape }) => shape.join() !== head.shape.join()))
    throw context.refuse("inputs of one shape", inputs.map(({ shape }) => describe(shape)).join(", "));
  const axis = newAxis(context, head);
  const apart = inputs.map((value) =>
    context.node("Unsqueeze", [context.last(value), context.constant(intTensor([axis]), "axis")]),
  );
  const shape = head.shape.toSpliced(axis - 1, 0, inputs.length);
  return { shape, last: context.node("Concat", apart, { axis: attribute.int(axis) }) };
};

/** The setting `axis` as the place of an axis to be. */
function newAxis(context: LayerContext, value: KerasValue): number {
  const given = context.number("axis");
  const most = value.shape.length + 1;
  const axis = given < 0 ? given + most + 1 : given;
  if (!Number.isSafeInteger(given) || axis < 1 || axis > most)
    throw context.refuse(`an axis from 1 to ${most}`, String(given));
  return axis;
}

const expandDimensions = unary((context, value) => {
  const axis = newAxis(context, value);
  const output = context.node("Unsqueeze", [context.last(value), context.constant(intTensor([axis]), "axis")]);
  return { shape: value.shape.toSpliced(axis - 1, 0, 1), last: output };
});

/** The setting `axis`, one or several, as axes of the tensor with its batch. */
function axesOf(context: LayerContext, value: KerasValue): number[] {
  const given = context.layer.settings.axis;
  const list: unknown[] = Array.isArray(given) ? given : [given];
  if (list.length === 0 || !list.every((axis) => typeof axis === "number"))
    throw context.refuse("axes beside the batch", describe(given));
  return (list as number[]).map((axis) => context.axis(axis, value, "last"));
}

const squeeze = unary((context, value) => {
  const axes = axesOf(context, value);
  if (axes.some((axis) => value.shape[axis - 1] !== 1))
    throw context.refuse("axes of size 1", `axes ${axes.join(", ")} of ${describe(value.shape)}`);
  const output = context.node("Squeeze", [context.last(value), context.constant(intTensor(axes), "axes")]);
  return { shape: value.shape.filter((_, axis) => !axes.includes(axis + 1)), last: output };
});

/** Something like an average over axes other than the batch. */
const reduction = (op: string): LayerConverter =>
  unary((context, value) => {
    const axes = axesOf(context, value);
    if ((context.layer.settings.initial ?? null) !== null) throw context.refuse("no initial value", "one");
    const keep = context.flag("keepdims", false);
    const inputs = [context.last(value), context.constant(intTensor(axes), "axes")];
    const shape = keep
      ? value.shape.map((size, axis) => (axes.includes(axis + 1) ? 1 : size))
      : value.shape.filter((_, axis) => !axes.includes(axis + 1));
    return { shape, last: context.node(op, inputs, { keepdims: attribute.int(keep ? 1 : 0) }) };
  });

/** In another shape, where one size may be −1. */
export function reshaped(context: LayerContext, value: KerasValue, target: unknown, name: string): KerasValue {
  if (!Array.isArray(target) || !target.every((size) => Number.isSafeInteger(size) && (size > 0 || size === -1)))
    throw context.refuse(`a ${name} of sizes`, describe(target));
  const known = sizeOf(target.filter((size) => size !== -1));
  const total = sizeOf(value.shape);
  const shape = target.map((size: number) => (size === -1 ? total / known : size));
  if (target.filter((size) => size === -1).length > 1 || sizeOf(shape) !== total || !shape.every(Number.isSafeInteger))
    throw context.refuse(`a ${name} of ${total} elements`, describe(target));
  const constant = context.constant(intTensor([0, ...shape]), "shape");
  return { shape, last: context.node("Reshape", [context.last(value), constant]) };
}

/** Keras' layer, or the function, whose shape begins with the batch. */
export const reshape = unary((context, value) => {
  const { target_shape: target, newshape } = context.layer.settings;
  if (newshape === undefined) return reshaped(context, value, target, "target_shape");
  const [batch, ...sample] = Array.isArray(newshape) ? newshape : [];
  if (batch !== -1 && batch !== null) throw context.refuse("a shape that begins with -1", describe(newshape));
  return reshaped(context, value, sample, "shape of a sample");
});

const transpose = unary((context, value) => {
  const { axes } = context.layer.settings;
  const rank = value.shape.length + 1;
  const isOrder = Array.isArray(axes) && [...axes].sort((a, b) => a - b).join() === [...Array(rank).keys()].join();
  if (!isOrder || axes[0] !== 0) throw context.refuse(`the axes 0 to ${rank - 1}, 0 first`, describe(axes));
  const shape = axes.slice(1).map((axis: number) => value.shape[axis - 1]);
  return { shape, last: context.node("Transpose", [context.last(value)], { perm: attribute.ints(axes) }) };
});

const clip = unary((context, value) => {
  const bounds = ["x_min", "x_max"].map((key) => context.constant(floatTensor([context.number(key)], []), key));
  return context.map(value, (name) => context.node("Clip", [name, ...bounds]));
});

/** A part of a tensor, as Python's x[...] takes it: whole numbers, slices, an ellipsis, None for axes that are new. */
const getItem = unary((context, value) => {
  const { index } = context.layer.settings;
  const given: unknown[] = Array.isArray(index) ? index : [index];
  const isEllipsis = (item: unknown): boolean => isObject(item) && item.class_name === "__ellipsis__";
  const refuse = (got: unknown) => context.refuse("an index of numbers, slices, ... and None", describe(got));
  const place = given.findIndex(isEllipsis);
  const rank = value.shape.length + 1;
  const missing = rank - given.filter((item) => item !== null && !isEllipsis(item)).length;
  if (missing < 0) throw refuse(index);
  const rest = new Array<unknown>(missing).fill({});
  const items = place < 0 ? [...given, ...rest] : given.toSpliced(place, 1, ...rest);

  const [slices, dropped, added]: [{ axis: number; start: number; end: number; step: number }[], number[], number[]] = [
    [],
    [],
    [],
  ];
  const shape: number[] = [];
  let axis = 0;
  for (const item of items) {
    // Of the result, whose first axis is the batch.
    const next = shape.length + 1;
    if (item === null) {
      if (axis === 0) throw context.refuse("the batch as the first axis", describe(index));
      shape.push(1);
      added.push(next);
      continue;
    }
    const size = axis === 0 ? 0 : value.shape[axis - 1];
    const range = rangeOf(item, size);
    if (range === undefined || (axis === 0 && range !== "all")) throw refuse(axis === 0 ? index : item);
    if (range === "all") {
      if (axis > 0) shape.push(size);
    } else {
      slices.push({ axis, ...range });
      if (typeof item === "number") dropped.push(axis);
      else shape.push(range.count);
    }
    axis++;
  }
  context.requirePositive(shape);
  let output = context.last(value);
  const list = (numbers: readonly number[], stem: string): string => context.constant(intTensor(numbers), stem);
  if (slices.length > 0) {
    const starts = list(
      slices.map(({ start }) => start),
      "starts",
    );
    const ends = list(
      slices.map(({ end }) => end),
      "ends",
    );
    const axes = list(
      slices.map((slice) => slice.axis),
      "axes",
    );
    const steps = list(
      slices.map(({ step }) => step),
      "steps",
    );
    output = context.node("Slice", [output, starts, ends, axes, steps]);
  }
  if (dropped.length > 0) output = context.node("Squeeze", [output, list(dropped, "dropped")]);
  if (added.length > 0) output = context.node("Unsqueeze", [output, list(added, "added")]);
  return { shape, last: output };
});

/** What an item of an index takes of an axis, as ONNX's Slice has it; undefined where it is none that is known. */
function rangeOf(
  item: unknown,
  size: number,
): { start: number; end: number; step: number; count: number } | "all" | undefined {
  if (typeof item === "number") {
    const start = item < 0 ? item + size : item;
    return Number.isSafeInteger(item) && start >= 0 && start < size
      ? { start, end: start + 1, step: 1, count: 1 }
      : undefined;
  }
  if (!isObject(item)) return undefined;
  // Keras 3: {class_name: "__slice__", config: {start, stop, step}}; Keras 2: the config alone.
  const { start = null, stop = null, step: given = null } = isObject(item.config) ? item.config : item;
  const step = given ?? 1;
  if (![start, stop, step].every((bound) => bound === null || Number.isSafeInteger(bound)) || step === 0)
    return undefined;
  if ((start === null || start === 0) && stop === null && step === 1) return "all";
  const isBackwards = (step as number) < 0;
  const [least, most] = isBackwards ? [-1, size - 1] : [0, size];
  const bound = (place: unknown, initial: number): number => {
    if (place === null) return initial;
    const counted = (place as number) < 0 ? (place as number) + size : (place as number);
    return Math.min(Math.max(counted, least), most);
  };
  const begin = bound(start, isBackwards ? most : least);
  const end = bound(stop, isBackwards ? least : most);
  const count = Math.max(0, Math.ceil((end - begin) / (step as number)));
  // Before the first element: a number that stays negative when the size is added.
  return { start: begin, end: end < 0 ? -1 - size : end, step: step as number, count };
}

const single = (op: string): LayerConverter =>
  unary((context, value) => context.map(value, (name) => context.node(op, [name])));

/** What stands among Keras 3's layers without being one: calls of functions of keras.ops and keras.activations. */
export const operationConverters: Readonly<Record<string, LayerConverter>> = {
  ...Object.fromEntries(Object.entries(activationOperations).map(([name, body]) => [name, unary(body)])),
  Power: elementwise("Pow"),
  Negative: single("Neg"),
  Square: unary((context, value) => context.map(value, (name) => context.node("Mul", [name, name]))),
  Sqrt: single("Sqrt"),
  Abs: single("Abs"),
  Absolute: single("Abs"),
  Log: single("Log"),
  Clip: clip,
  Mean: reduction("ReduceMean"),
  Sum: reduction("ReduceSum"),
  Max: reduction("ReduceMax"),
  Min: reduction("ReduceMin"),
  ExpandDims: expandDimensions,
  Squeeze: squeeze,
  Transpose: transpose,
  Stack: stack,
  GetItem: getItem,
  Cast: unary((context, value) => {
    const type = context.text("dtype", "float32");
    if (!type.startsWith("float")) throw context.refuse("floating-point numbers", type);
    return value;
  }),
};
