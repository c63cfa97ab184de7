/** Keras' activations, as names in a layer's config and as layers of their own. */
import { attribute } from "../graph/graph.js";
import { floatTensor } from "../graph/tensor.js";
import { describe, isObject } from "./keras-config.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

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

const alongLast =
  (op: string): Activation =>
  (context, value) => {
    const order = context.orderOf(value);
    const axis = attribute.int(context.axis(-1, value, order));
    return { shape: value.shape, [order]: context.node(op, [context.in(value, order)], { axis }) };
  };

/** Keras 2 had max(0, min(1, 0.2 x + 0.5)), Keras 3 has relu6(x + 3) / 6. */
const hardSigmoid: Activation = (context, value) =>
  single("HardSigmoid", {
    alpha: attribute.float(context.graph.version === 2 ? 0.2 : 1 / 6),
    beta: attribute.float(0.5),
  })(context, value);

const silu = timesGate(single("Sigmoid"));

const activations: Readonly<Record<string, Activation>> = {
  linear: (_, value) => value,
  relu: single("Relu"),
  relu6: (context, value) => clip(context, value, 0, 6),
  sigmoid: single("Sigmoid"),
  hard_sigmoid: hardSigmoid,
  hard_silu: single("HardSwish"),
  hard_swish: single("HardSwish"),
  tanh: single("Tanh"),
  softmax: alongLast("Softmax"),
  log_softmax: alongLast("LogSoftmax"),
  softplus: single("Softplus"),
  softsign: single("Softsign"),
  exponential: single("Exp"),
  elu: single("Elu", { alpha: attribute.float(1) }),
  selu: single("Selu"),
  celu: single("Celu", { alpha: attribute.float(1) }),
  gelu: single("Gelu"),
  silu,
  swish: silu,
  mish: single("Mish"),
  leaky_relu: single("LeakyRelu", { alpha: attribute.float(0.2) }),
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
  let name: unknown = given;
  // Serialized functions: {class_name: "function", config: "relu"}, or a layer's name with its config.
  if (isObject(given)) name = typeof given.config === "string" ? given.config : undefined;
  if (typeof name !== "string" || !Object.hasOwn(activations, name))
    throw context.refuse(`an activation of ${Object.keys(activations).join(", ")}`, describe(given));
  return activations[name](context, value);
}

/** Activations that are layers. */
export const activationLayers: Readonly<Record<string, Activation>> = {
  Activation: (context, value) => activate(context, value),
  ReLU(context, value) {
    const limit = context.layer.settings.max_value ?? null;
    const slope = context.number("negative_slope", 0);
    if (context.number("threshold", 0) !== 0)
      throw context.refuse("a threshold of 0", describe(context.number("threshold")));
    if (limit === null)
      return slope === 0
        ? activations.relu(context, value)
        : single("LeakyRelu", { alpha: attribute.float(slope) })(context, value);
    if (slope !== 0) throw context.refuse("max_value or negative_slope", "both");
    return clip(context, value, 0, context.number("max_value"));
  },
  // Keras 2 called the slope alpha.
  LeakyReLU: (context, value) =>
    single("LeakyRelu", {
      alpha: attribute.float(context.number("negative_slope", context.number("alpha", 0.3))),
    })(context, value),
  ELU: (context, value) => single("Elu", { alpha: attribute.float(context.number("alpha", 1)) })(context, value),
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
  Softmax(context, value) {
    const order = context.orderOf(value);
    const axis = attribute.int(context.axis(context.number("axis", -1), value, order));
    return { shape: value.shape, [order]: context.node("Softmax", [context.in(value, order)], { axis }) };
  },
};
