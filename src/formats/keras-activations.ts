/** Keras' activations, as names in a layer's config and as layers of their own. */
import { attribute } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import { describe, isObject } from "./keras-calls.js";
import { type KerasValue, LayerContext } from "./keras-graph.js";
import { wrappedLayer } from "./keras-recurrent.js";

type Activation = (context: LayerContext, value: KerasValue) => KerasValue;

const single =
  (op: string, attributes: Parameters<LayerContext["node"]>[2] = {}): Activation =>
  (context, value) =>
    context.map(value, (name) => context.node(op, [name], attributes));

const timesGate =
  (gate: Activation): Activation =>
  (context, value) => {
    const order = context.orderOf(value);
    const gated = gate(context, { shape: value.shape, [order]: context.in(value, order) });
    return { shape: value.shape, [order]: context.node("Mul", [context.in(value, order), context.in(gated, order)]) };
  };

/** Keras 2 had max(0, min(1, 0.2 x + 0.5)), Keras 3 has relu6(x + 3) / 6. */
const hardSigmoid: Activation = (context, value) =>
  single("HardSigmoid", {
    alpha: attribute.float(context.graph.version === 2 ? 0.2 : 1 / 6),
    beta: attribute.float(0.5),
  })(context, value);

const silu = timesGate(single("Sigmoid"));

/** x − tanh(x), and other differences of two values. */
const difference =
  (one: Activation, other: Activation): Activation =>
  (context, value) => {
    const order = context.orderOf(value);
    const plain = { shape: value.shape, [order]: context.in(value, order) };
    const [left, right] = [one, other].map((body) => context.in(body(context, { ...plain }), order));
    return { shape: value.shape, [order]: context.node("Sub", [left, right]) };
  };

const linear: Activation = (_, value) => value;

const negated: Activation = single("Neg");

/** a · x + b */
function scaled(context: LayerContext, value: KerasValue, factor: number, shift = 0): KerasValue {
  const constant = (number: number): string => context.constant(floatTensor([number], []), "number");
  return context.map(value, (name) => {
    const product = factor === 1 ? name : context.node("Mul", [name, constant(factor)]);
    return shift === 0 ? product : context.node("Add", [product, constant(shift)]);
  });
}

/** Where |x| > t: x itself (hard) or its distance from ±t (soft); 0 elsewhere. */
const shrink =
  (above: (context: LayerContext, value: KerasValue, threshold: number) => KerasValue): Activation =>
  (context, value) => {
    const threshold = context.number("threshold", 0.5);
    if (threshold < 0) throw context.refuse("a threshold of 0 or more", String(threshold));
    const body: Activation = (inner, one) => above(inner, one, threshold);
    return difference(body, (inner, one) => body(inner, negated(inner, one)))(context, value);
  };

/** 0 below −1, (x + 1)² / 4 up to 1, x above it. */
const sparsePlus: Activation = (context, value) => {
  const order = context.orderOf(value);
  const raised = scaled(context, clip(context, value, -1, 1), 1, 1);
  const squared = context.map(raised, (name) => context.node("Mul", [name, name]));
  const parts = [scaled(context, squared, 0.25), single("Relu")(context, scaled(context, value, 1, -1))];
  return {
    shape: value.shape,
    [order]: context.node(
      "Add",
      parts.map((part) => context.in(part, order)),
    ),
  };
};

/** (x + √(x² + b)) / 2 */
const squareplus: Activation = (context, value) => {
  const order = context.orderOf(value);
  const square = context.map(value, (name) => context.node("Mul", [name, name]));
  const root = single("Sqrt")(context, scaled(context, square, 1, context.number("b", 4)));
  const sum = context.node("Add", [context.in(value, order), context.in(root, order)]);
  return scaled(context, { shape: value.shape, [order]: sum }, 0.5);
};

const elu: Activation = (context, value) =>
  single("Elu", { alpha: attribute.float(context.number("alpha", 1)) })(context, value);

const celu: Activation = (context, value) =>
  single("Celu", { alpha: attribute.float(context.number("alpha", 1)) })(context, value);

export function leakyRelu(context: LayerContext, value: KerasValue, slope: number): KerasValue {
  return single("LeakyRelu", { alpha: attribute.float(slope) })(context, value);
}

export function gelu(context: LayerContext, value: KerasValue, approximate: boolean): KerasValue {
  return single("Gelu", approximate ? { approximate: attribute.string("tanh") } : {})(context, value);
}

/** Along an axis of Keras' shape with the batch. */
const alongAxis =
  (op: string): Activation =>
  (context, value) => {
    const order = context.orderOf(value);
    const axis = attribute.int(context.axis(context.number("axis", -1), value, order));
    return { shape: value.shape, [order]: context.node(op, [context.in(value, order)], { axis }) };
  };

/** By Keras' names. Numbers that a function has besides its input are settings; by name alone it has their defaults. */
export const activations: Readonly<Record<string, Activation>> = {
  linear,
  relu: single("Relu"),
  relu6: (context, value) => clip(context, value, 0, 6),
  leaky_relu: (context, value) => leakyRelu(context, value, context.number("negative_slope", 0.2)),
  sigmoid: single("Sigmoid"),
  hard_sigmoid: hardSigmoid,
  sparse_sigmoid: single("HardSigmoid", { alpha: attribute.float(0.5), beta: attribute.float(0.5) }),
  log_sigmoid: (context, value) => negated(context, single("Softplus")(context, negated(context, value))),
  silu,
  swish: silu,
  hard_silu: single("HardSwish"),
  hard_swish: single("HardSwish"),
  gelu: (context, value) => gelu(context, value, context.flag("approximate", false)),
  mish: single("Mish"),
  tanh: single("Tanh"),
  hard_tanh: (context, value) => clip(context, value, -1, 1),
  tanh_shrink: difference(linear, single("Tanh")),
  hard_shrink: shrink((context, value, threshold) =>
    single("ThresholdedRelu", { alpha: attribute.float(threshold) })(context, value),
  ),
  soft_shrink: shrink((context, value, threshold) => single("Relu")(context, scaled(context, value, 1, -threshold))),
  softplus: single("Softplus"),
  sparse_plus: sparsePlus,
  squareplus,
  softsign: single("Softsign"),
  exponential: single("Exp"),
  elu,
  selu: single("Selu"),
  celu,
  softmax: alongAxis("Softmax"),
  log_softmax: alongAxis("LogSoftmax"),
};

function clip(context: LayerContext, value: KerasValue, low: number, high: number): KerasValue {
  const bounds = [
    context.constant(floatTensor([low], []), "minimum"),
    context.constant(floatTensor([high], []), "maximum"),
  ];
  return context.map(value, (name) => context.node("Clip", [name, ...bounds]));
}

/** What the `activation` of a layer does; none is linear. */
export function activate(context: LayerContext, value: KerasValue, key = "activation"): KerasValue {
  const given = context.layer.settings[key];
  if (given === undefined || given === null) return value;
  const layer = isObject(given) && isObject(given.config) ? wrappedLayer(context, key) : undefined;
  if (layer && Object.hasOwn(activationLayers, layer.className))
    return activationLayers[layer.className](context.inside(layer, key, context.weights), value);
  // Serialized functions: {class_name: "function", config: "relu"}.
  const name = isObject(given) ? given.config : given;
  if (typeof name !== "string" || !Object.hasOwn(activations, name))
    throw context.refuse(
      `an activation of ${Object.keys(activations).join(", ")}, or a layer that is one`,
      layer?.className ?? describe(given),
    );
  return activations[name](new LayerContext(context.graph, { ...context.layer, settings: {} }, context.place), value);
}

/**
 * max_value at most, x above the threshold, and below it the slope times x − threshold; a number is 0 or absent where it
 * has no part in that.
 */
function rectified(context: LayerContext, value: KerasValue): KerasValue {
  const slope = context.number("negative_slope", 0);
  const threshold = context.number("threshold", 0);
  const limit = (context.layer.settings.max_value ?? null) === null ? undefined : context.number("max_value");
  if (slope !== 0 && threshold === 0 && limit === undefined) return leakyRelu(context, value, slope);
  const passed = (inner: LayerContext, one: KerasValue): KerasValue => {
    if (threshold === 0) return limit === undefined ? activations.relu(inner, one) : clip(inner, one, 0, limit);
    const above = single("ThresholdedRelu", { alpha: attribute.float(threshold) })(inner, one);
    return limit === undefined ? above : clip(inner, above, 0, limit);
  };
  if (slope === 0) return passed(context, value);
  const below: Activation = (inner, one) =>
    scaled(inner, activations.relu(inner, scaled(inner, one, -1, threshold)), slope);
  return difference(passed, below)(context, value);
}

/** Activations that are layers. */
export const activationLayers: Readonly<Record<string, Activation>> = {
  Activation: (context, value) => activate(context, value),
  ReLU: rectified,
  // Keras 2 called the slope alpha.
  LeakyReLU: (context, value) =>
    leakyRelu(context, value, context.number("negative_slope", context.number("alpha", 0.3))),
  ELU: elu,
  PReLU(context, value) {
    const shared = context.layer.settings.shared_axes;
    const axes = Array.isArray(shared) ? shared.map((axis) => context.axis(Number(axis), value, "last")) : [];
    const shape = value.shape.map((size, axis) => (axes.includes(axis + 1) ? 1 : size));
    const rank = shape.length;
    const order = context.orderOf(value);
    const permutation =
      order === "first" && rank > 1 ? [rank - 1, ...Array.from({ length: rank - 1 }, (_, axis) => axis)] : undefined;
    const slope = context.variable("alpha", 0, shape, permutation);
    return { shape: value.shape, [order]: context.node("PRelu", [context.in(value, order), slope]) };
  },
  Softmax: activations.softmax,
};

/** Functions of keras.activations and keras.ops, as Keras 3 names their calls: no layers, but they stand among them. */
export const activationOperations: Readonly<Record<string, Activation>> = {
  Relu: activations.relu,
  Relu6: activations.relu6,
  LeakyRelu: activations.leaky_relu,
  Sigmoid: activations.sigmoid,
  HardSigmoid: activations.hard_sigmoid,
  SparseSigmoid: activations.sparse_sigmoid,
  LogSigmoid: activations.log_sigmoid,
  Silu: activations.silu,
  HardSilu: activations.hard_silu,
  Gelu: (context, value) => gelu(context, value, context.flag("approximate", true)),
  Mish: activations.mish,
  Tanh: activations.tanh,
  HardTanh: activations.hard_tanh,
  TanhShrink: activations.tanh_shrink,
  HardShrink: activations.hard_shrink,
  SoftShrink: activations.soft_shrink,
  Softplus: activations.softplus,
  SparsePlus: activations.sparse_plus,
  Squareplus: activations.squareplus,
  Softsign: activations.softsign,
  Exp: activations.exponential,
  Elu: elu,
  Selu: activations.selu,
  Celu: celu,
  LogSoftmax: activations.log_softmax,
};
