/** Keras' layers that bring values to a scale: by the batch, by themselves, or by fixed numbers. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import { describe } from "./keras-calls.js";
import { channelsFirst, channelsLast } from "./keras-channels-first.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

type Normalization = (context: LayerContext, value: KerasValue) => KerasValue;

/** What normalises along the last axis, for channels that are the first one too. */
const alongChannels =
  (body: Normalization): Normalization =>
  (context, value) => {
    const [axis, ...others] = axesOf(context, value);
    if (others.length === 0 && axis === value.shape.length) return body(context, value);
    if (others.length === 0 && axis === 1) return channelsFirst(context, body(context, channelsLast(context, value)));
    throw context.refuse(
      "the first or the last axis beside the batch",
      `axis ${describe(context.layer.settings.axis)}`,
    );
  };

/** The setting `axis`, one or several; the last one where there is none. */
function axesOf(context: LayerContext, value: KerasValue): number[] {
  const { axis = -1 } = context.layer.settings;
  const list: unknown[] = Array.isArray(axis) ? axis : [axis];
  if (list.length === 0 || !list.every((one) => typeof one === "number"))
    throw context.refuse("axes beside the batch", `axis ${describe(axis)}`);
  return (list as number[]).map((one) => context.axis(one, value, "last"));
}

function batchNormalization(context: LayerContext, value: KerasValue): KerasValue {
  if (context.flag("renorm", false)) throw context.refuse("plain batch normalisation", "renorm");
  const channels = value.shape[value.shape.length - 1];
  let index = 0;
  const gamma = context.flag("scale", true)
    ? context.variable("gamma", index++, [channels])
    : context.filled(1, [channels], "scale");
  const beta = context.flag("center", true)
    ? context.variable("beta", index++, [channels])
    : context.filled(0, [channels], "shift");
  const mean = context.variable("moving_mean", index++, [channels]);
  const variance = context.variable("moving_variance", index++, [channels]);
  // Called as in inference, it keeps its statistics while the model is trained.
  if (context.layer.settings.training === false) for (const name of [mean, variance]) context.graph.constants.add(name);
  const output = context.node("BatchNormalization", [context.first(value), gamma, beta, mean, variance], {
    epsilon: attribute.float(context.number("epsilon", 1e-3)),
    momentum: attribute.float(context.number("momentum", 0.99)),
  });
  return value.shape.length > 1 ? { shape: value.shape, first: output } : { shape: value.shape, last: output };
}

/** ConvNeXt's factor for each channel. */
function layerScale(context: LayerContext, value: KerasValue): KerasValue {
  const gamma = context.variable("gamma", 0, [value.shape[value.shape.length - 1]]);
  return { shape: value.shape, last: context.node("Mul", [context.last(value), gamma]) };
}

function layerNormalization(context: LayerContext, value: KerasValue): KerasValue {
  if (context.flag("rms_scaling", false)) throw context.refuse("plain layer normalisation", "rms_scaling");
  const rank = value.shape.length;
  const axes = axesOf(context, value);
  if (axes.some((axis, index) => index > 0 && axis <= axes[index - 1]))
    throw context.refuse("axes in their order", `axis ${describe(context.layer.settings.axis)}`);
  const sizes = axes.map((axis) => value.shape[axis - 1]);
  let index = 0;
  const gamma = context.flag("scale", true)
    ? context.variable("gamma", index++, sizes)
    : context.filled(1, sizes, "scale");
  const beta = context.flag("center", true) ? [context.variable("beta", index, sizes)] : [];
  // ONNX's axes are the last ones.
  const others = Array.from({ length: rank + 1 }, (_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...others, ...axes];
  const isLast = order.every((axis, place) => axis === place);
  const input = context.last(value);
  const turned = isLast ? input : context.node("Transpose", [input], { perm: attribute.ints(order) });
  const output = context.node("LayerNormalization", [turned, gamma, ...beta], {
    axis: attribute.int(-axes.length),
    epsilon: attribute.float(context.number("epsilon", 1e-3)),
  });
  if (isLast) return { shape: value.shape, last: output };
  const back = order.map((_, axis) => order.indexOf(axis));
  return { shape: value.shape, last: context.node("Transpose", [output], { perm: attribute.ints(back) }) };
}

/** Normalised in groups of channels as instances are, then scaled and shifted channel by channel. */
function groupNormalization(context: LayerContext, value: KerasValue): KerasValue {
  const channels = value.shape[value.shape.length - 1];
  const given = context.number("groups", 32);
  const groups = given === -1 ? channels : given;
  if (!(groups >= 1) || channels % groups !== 0 || value.shape.length < 2)
    throw context.refuse(`groups that ${channels} channels of a picture or series divide into`, describe(given));
  const size = sizeOf(value.shape) / groups;
  const [ones, zeros] = [context.filled(1, [groups], "ones"), context.filled(0, [groups], "zeros")];
  const grouped = context.node("Reshape", [
    context.first(value),
    context.constant(intTensor([0, groups, size]), "grouped"),
  ]);
  const normalised = context.node("InstanceNormalization", [grouped, ones, zeros], {
    epsilon: attribute.float(context.number("epsilon", 1e-3)),
  });
  const spatial = value.shape.slice(0, -1);
  let output = context.node("Reshape", [
    normalised,
    context.constant(intTensor([0, channels, ...spatial]), "ungrouped"),
  ]);
  const perChannel = context.constant(intTensor([channels, ...spatial.map(() => 1)]), "per-channel");
  const apply = (op: "Mul" | "Add", name: string, index: number): void => {
    const weight = context.node("Reshape", [context.variable(name, index, [channels]), perChannel]);
    output = context.node(op, [output, weight]);
  };
  const hasScale = context.flag("scale", true);
  if (hasScale) apply("Mul", "gamma", 0);
  if (context.flag("center", true)) apply("Add", "beta", hasScale ? 1 : 0);
  return { shape: value.shape, first: output };
}

/** x / √(mean(x²) + ε), times a factor for each channel. */
function rootMeanSquareNormalization(context: LayerContext, value: KerasValue): KerasValue {
  if (axesOf(context, value).join() !== String(value.shape.length))
    throw context.refuse("the last axis", `axis ${describe(context.layer.settings.axis)}`);
  const channels = value.shape[value.shape.length - 1];
  const gamma = context.variable("scale", 0, [channels]);
  const input = context.last(value);
  const mean = context.node("ReduceMean", [context.node("Mul", [input, input]), lastAxis(context)]);
  const epsilon = context.constant(floatTensor([context.number("epsilon", 1e-6)], []), "epsilon");
  const size = context.node("Sqrt", [context.node("Add", [mean, epsilon])]);
  return { shape: value.shape, last: context.node("Mul", [context.node("Div", [input, size]), gamma]) };
}

/** x / |x| along one or several axes; |x|² is at least 1e-12. */
function unitNormalization(context: LayerContext, value: KerasValue): KerasValue {
  const axes = context.constant(intTensor(axesOf(context, value)), "axes");
  return { shape: value.shape, last: normalised(context, context.last(value), axes) };
}

/** Divided by the Euclidean norm along an axis, which a constant names. */
export function normalised(context: LayerContext, input: string, axis: string): string {
  const square = context.node("ReduceSum", [context.node("Mul", [input, input]), axis]);
  const least = context.constant(floatTensor([1e-12], []), "least");
  return context.node("Div", [input, context.node("Sqrt", [context.node("Max", [square, least])])]);
}

function lastAxis(context: LayerContext): string {
  return context.constant(intTensor([-1]), "last");
}

/** A number, or one for each channel. */
function scaling(context: LayerContext, key: string, initial: number, value: KerasValue): readonly number[] {
  const given = context.layer.settings[key] ?? initial;
  const list: unknown[] = Array.isArray(given) ? given.flat(8) : [given];
  const channels = value.shape[value.shape.length - 1];
  if (!list.every((entry) => typeof entry === "number") || (list.length !== 1 && list.length !== channels))
    throw context.refuse(`a number, or ${channels}, for ${key}`, describe(given));
  return list as number[];
}

/** A constant for an elementwise operation with a value that has its channels last. */
function factor(
  context: LayerContext,
  numbers: readonly number[],
  stem: string,
  shape: readonly number[] = [numbers.length],
): string {
  return context.constant(floatTensor(numbers, numbers.length === 1 ? [] : shape), stem);
}

function rescaling(context: LayerContext, value: KerasValue): KerasValue {
  const scale = scaling(context, "scale", 1, value);
  const offset = scaling(context, "offset", 0, value);
  const scaled = context.node("Mul", [context.last(value), factor(context, scale, "scale")]);
  if (offset.every((number) => number === 0)) return { shape: value.shape, last: scaled };
  return { shape: value.shape, last: context.node("Add", [scaled, factor(context, offset, "offset")]) };
}

/**
 * (x − mean) / max(√variance, 1e-7), with the data's statistics in the config or stored beside the weights: one for each
 * place along the axes that are kept, or for all there is.
 */
function normalization(context: LayerContext, value: KerasValue): KerasValue {
  if (context.flag("invert", false)) throw context.refuse("normalisation", "its inverse");
  const { axis } = context.layer.settings;
  const isWhole = axis === null || (Array.isArray(axis) && axis.length === 0);
  const kept = isWhole ? [] : axesOf(context, value).sort((one, other) => one - other);
  const shape = kept.map((one) => value.shape[one - 1]);
  const isGiven = (context.layer.settings.mean ?? null) !== null;
  const numbers = (name: string, index: number): readonly number[] =>
    isGiven
      ? statistics(context, name, sizeOf(shape))
      : Array.from(context.graph.store.read(context.place, { name, index, shape }).data);
  const deviation = numbers("variance", 1).map((number) => Math.max(Math.sqrt(number), 1e-7));
  // From the first axis that is kept on.
  const around = value.shape.map((size, place) => (kept.includes(place + 1) ? size : 1)).slice((kept[0] ?? 1) - 1);
  const centred = context.node("Sub", [context.last(value), factor(context, numbers("mean", 0), "mean", around)]);
  return { shape: value.shape, last: context.node("Div", [centred, factor(context, deviation, "deviation", around)]) };
}

/** A number, or as many as there are, of the config. */
function statistics(context: LayerContext, key: string, count: number): readonly number[] {
  const given = context.layer.settings[key];
  const list: unknown[] = Array.isArray(given) ? given.flat(8) : [given];
  if (!list.every((entry) => typeof entry === "number") || (list.length !== 1 && list.length !== count))
    throw context.refuse(`a number, or ${count}, for ${key}`, describe(given));
  return list as number[];
}

/** Each takes one tensor. */
export const normalizationLayers: Readonly<Record<string, Normalization>> = {
  BatchNormalization: alongChannels(batchNormalization),
  LayerNormalization: layerNormalization,
  GroupNormalization: alongChannels(groupNormalization),
  RMSNormalization: rootMeanSquareNormalization,
  UnitNormalization: unitNormalization,
  LayerScale: layerScale,
  Rescaling: rescaling,
  Normalization: normalization,
};
