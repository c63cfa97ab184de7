/**
 * Operators that change resolution. Averages are mirrored by copies, so that pooling what the mirror makes gives back
 * the value that it was made of; the adjoint of an average would also divide by the number of its elements, and a
 * mirror of several pools would fade out.
 */
import { attribute } from "../graph/graph.js";
import { intAttribute, intsAttribute, normalizedAxis } from "../ops/operator.js";
import { withoutIdleCeil } from "../ops/window.js";
import { adjoint } from "./adjoint.js";
import type { MirrorContext, MirrorRule } from "./mirror-rule.js";

const firstInput = ({ step }: MirrorContext): string => step.node.inputs[0];

function asNode({ step }: MirrorContext) {
  return { op: step.node.op, inputs: step.inputs, attributes: step.node.attributes, outputCount: 1 };
}

/**
 * AveragePool and MaxPool: every element is copied to its window (the nearest neighbours where windows lie side by
 * side), overlaps added. Each input element lies in about kernel / stride windows an axis, so the adjoint of the
 * average, times the stride, keeps the size of the numbers. MaxPool's own positions are F's knowledge, not the code's,
 * and are not used.
 */
export const mirroredPool: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const kernel = intsAttribute(asNode(context), "kernel_shape") ?? [];
  const strides = intsAttribute(asNode(context), "strides") ?? [];
  const factor = kernel.reduce((product, taps, axis) => product * Math.min(taps, strides[axis] ?? 1), 1);
  const { storage_order: _, ...attributes } = withoutIdleCeil(asNode(context));
  const pooled = { ...context, step: { ...step, node: { ...step.node, attributes } } };
  return [
    { to: firstInput(context), value: adjoint(pooled, 0, { op: "AveragePool", value: emit.scale(value, factor) }) },
  ];
};

/** GlobalAveragePool and GlobalMaxPool: a copy everywhere. */
export const mirroredGlobalPool: MirrorRule = (context) => [
  { to: firstInput(context), value: context.emit.expand(context.value, context.step.inputs[0]!.shape) },
];

/** ReduceMean, ReduceMax, ReduceMin, ReduceLogSumExp: a copy everywhere along the axes. ReduceSum too: its adjoint. */
export const mirroredReduction: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const { shape } = step.inputs[0]!;
  const node = asNode(context);
  const given = step.inputs[1]?.constant;
  const listed = given ? Array.from(given.data as BigInt64Array, Number) : [...(intsAttribute(node, "axes") ?? [])];
  if (listed.length === 0 && intAttribute(node, "noop_with_empty_axes", 0) !== 0)
    return [{ to: firstInput(context), value }];
  const axes = (listed.length > 0 ? listed : shape.map((_, axis) => axis)).map((axis) =>
    normalizedAxis(axis, shape.length, step.node.op),
  );
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return [{ to: firstInput(context), value: emit.expand(emit.reshape(value, kept), shape) }];
};

/** What says how Resize samples, beside where to. */
const sampling = [
  "mode",
  "coordinate_transformation_mode",
  "nearest_mode",
  "cubic_coeff_a",
  "exclude_outside",
  "antialias",
];

/** Resize back to the input's size, with the same sampling. */
export const mirroredResize: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const { shape } = step.inputs[0]!;
  const attributes = Object.fromEntries(
    Object.entries(step.node.attributes).filter(([name]) => sampling.includes(name)),
  );
  const resized = emit.one("Resize", [value, undefined, undefined, emit.ints(shape)], attributes);
  return [{ to: firstInput(context), value: resized }];
};

/** Expand and Tile: copies are averaged. The sweep averages what was broadcast; Tile's repeats are averaged here. */
export const mirroredTile: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const repeats = step.outputs[0].shape.reduce(
    (product, size, axis) => product * (size / step.inputs[0]!.shape[axis]),
    1,
  );
  return [{ to: firstInput(context), value: adjoint(context, 0, { value: emit.scale(value, 1 / repeats) }) }];
};

/** Concat: each part gets its share, by one Split. */
export const mirroredConcat: MirrorRule = (context) => {
  const { emit, step, value } = context;
  const axis = normalizedAxis(intAttribute(asNode(context), "axis", 0), value.shape.length, "Concat");
  const present = step.inputs.flatMap((input, index) => (input ? [{ input, index }] : []));
  // Concat of samples with something of the batch's own size, such as a repeated token: sizes come from the output.
  const lengths = present.map(({ input }) => input.shape[axis]);
  const parts =
    present.length === 1
      ? [value]
      : emit.node("Split", [value, emit.ints(lengths)], { axis: attribute.int(axis) }, present.length);
  return present.flatMap(({ input, index }, part) =>
    step.fromSample[index] && !input.constant ? [{ to: step.node.inputs[index], value: parts[part] }] : [],
  );
};
