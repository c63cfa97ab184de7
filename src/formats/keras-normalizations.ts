/** Keras' layers that bring values to a scale: by the batch, by themselves, or by fixed numbers. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import { describe } from "./keras-calls.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

/** Refuses axes other than the last. */
function requireLastAxis(context: LayerContext, value: KerasValue): void {
  const { axis } = context.layer.settings;
  const given = Array.isArray(axis) && axis.length === 1 ? axis[0] : (axis ?? -1);
  if (given !== -1 && given !== value.shape.length) throw context.refuse("the last axis", `axis ${describe(axis)}`);
}

function batchNormalization(context: LayerContext, value: KerasValue): KerasValue {
  requireLastAxis(context, value);
  if (context.flag("renorm", false)) throw context.refuse("plain batch normalisation", "renorm");
  const channels = value.shape[value.shape.length - 1];
  let index = 0;
  const gamma = context.flag("scale", true)
    ? context.variable("gamma", index++, [channels])
    : context.filled(1, channels, "scale");
  const beta = context.flag("center", true)
    ? context.variable("beta", index++, [channels])
    : context.filled(0, channels, "shift");
  const mean = context.variable("moving_mean", index++, [channels]);
  const variance = context.variable("moving_variance", index++, [channels]);
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
  requireLastAxis(context, value);
  if (context.flag("rms_scaling", false)) throw context.refuse("plain layer normalisation", "rms_scaling");
  const channels = value.shape[value.shape.length - 1];
  let index = 0;
  const gamma = context.flag("scale", true)
    ? context.variable("gamma", index++, [channels])
    : context.filled(1, channels, "scale");
  const beta = context.flag("center", true) ? [context.variable("beta", index, [channels])] : [];
  const output = context.node("LayerNormalization", [context.last(value), gamma, ...beta], {
    axis: attribute.int(-1),
    epsilon: attribute.float(context.number("epsilon", 1e-3)),
  });
  return { shape: value.shape, last: output };
}

/** Normalised in groups of channels as instances are, then scaled and shifted channel by channel. */
function groupNormalization(context: LayerContext, value: KerasValue): KerasValue {
  requireLastAxis(context, value);
  context.requireChannelsLast();
  const channels = value.shape[value.shape.length - 1];
  const given = context.number("groups", 32);
  const groups = given === -1 ? channels : given;
  if (!(groups >= 1) || channels % groups !== 0 || value.shape.length < 2)
    throw context.refuse(`groups that ${channels} channels of a picture or series divide into`, describe(given));
  const size = sizeOf(value.shape) / groups;
  const [ones, zeros] = [context.filled(1, groups, "ones"), context.filled(0, groups, "zeros")];
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
  requireLastAxis(context, value);
  const channels = value.shape[value.shape.length - 1];
  const gamma = context.variable("scale", 0, [channels]);
  const input = context.last(value);
  const mean = context.node("ReduceMean", [context.node("Mul", [input, input]), lastAxis(context)]);
  const epsilon = context.constant(floatTensor([context.number("epsilon", 1e-6)], []), "epsilon");
  const size = context.node("Sqrt", [context.node("Add", [mean, epsilon])]);
  return { shape: value.shape, last: context.node("Mul", [context.node("Div", [input, size]), gamma]) };
}

/** x / |x| along the last axis; |x|² is at least 1e-12. */
function unitNormalization(context: LayerContext, value: KerasValue): KerasValue {
  requireLastAxis(context, value);
  return { shape: value.shape, last: normalised(context, context.last(value), lastAxis(context)) };
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
function factor(context: LayerContext, numbers: readonly number[], stem: string): string {
  return context.constant(floatTensor(numbers, numbers.length === 1 ? [] : [numbers.length]), stem);
}

function rescaling(context: LayerContext, value: KerasValue): KerasValue {
  const scale = scaling(context, "scale", 1, value);
  const offset = scaling(context, "offset", 0, value);
  const scaled = context.node("Mul", [context.last(value), factor(context, scale, "scale")]);
  if (offset.every((number) => number === 0)) return { shape: value.shape, last: scaled };
  return { shape: value.shape, last: context.node("Add", [scaled, factor(context, offset, "offset")]) };
}

/** (x − mean) / max(√variance, 1e-7), with the data's statistics in the config or stored beside the weights. */
function normalization(context: LayerContext, value: KerasValue): KerasValue {
  requireLastAxis(context, value);
  if (context.flag("invert", false)) throw context.refuse("normalisation", "its inverse");
  const channels = value.shape[value.shape.length - 1];
  const given = context.layer.settings.mean ?? null;
  const stored = (name: string, index: number): readonly number[] =>
    Array.from(context.graph.store.read(context.place, { name, index, shape: [channels] }).data);
  const mean = given === null ? stored("mean", 0) : scaling(context, "mean", 0, value);
  const variance = given === null ? stored("variance", 1) : scaling(context, "variance", 1, value);
  const deviation = variance.map((number) => Math.max(Math.sqrt(number), 1e-7));
  const centred = context.node("Sub", [context.last(value), factor(context, mean, "mean")]);
  return { shape: value.shape, last: context.node("Div", [centred, factor(context, deviation, "deviation")]) };
}

/** Each takes one tensor. */
export const normalizationLayers: Readonly<Record<string, (context: LayerContext, value: KerasValue) => KerasValue>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  GroupNormalization: groupNormalization,
  RMSNormalization: rootMeanSquareNormalization,
  UnitNormalization: unitNormalization,
  LayerScale: layerScale,
  Rescaling: rescaling,
  Normalization: normalization,
};
