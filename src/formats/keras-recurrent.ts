/** Keras' recurrent layers, as recurrent nodes with their gates in Keras' order. */
import { type Attributes, attribute } from "../graph/graph.js";
import { type DirectionTensors, type Gate, type RecurrentNode, recurrentNode } from "../graph/recurrent-node.js";
import { floatTensor, intTensor } from "../graph/tensor.js";
import { describe, isObject } from "./keras-calls.js";
import type { LayerConfig } from "./keras-config.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

interface Kind {
  readonly op: RecurrentNode["op"];
  /** Keras' name of the layer's cell, which has the weights. */
  readonly cell: string;
  /** In the order of the kernels' columns. */
  readonly gates: readonly Gate[];
  /** The settings that hold the activations, in the order of ONNX's operator. */
  readonly activations: readonly string[];
}

const kinds: Readonly<Record<string, Kind>> = {
  LSTM: {
    op: "LSTM",
    cell: "lstm_cell",
    gates: ["input", "forget", "cell", "output"],
    activations: ["recurrent_activation", "activation", "activation"],
  },
  GRU: {
    op: "GRU",
    cell: "gru_cell",
    gates: ["update", "reset", "hidden"],
    activations: ["recurrent_activation", "activation"],
  },
  SimpleRNN: { op: "RNN", cell: "simple_rnn_cell", gates: ["hidden"], activations: ["activation"] },
};

/** Activations in Keras' words and in those of ONNX's recurrent operators. */
const activations: Readonly<Record<string, string>> = {
  tanh: "Tanh",
  sigmoid: "Sigmoid",
  relu: "Relu",
  softsign: "Softsign",
  softplus: "Softplus",
};

/** What a layer does in one direction. */
interface Direction {
  readonly kind: Kind;
  /** Size of the state. */
  readonly units: number;
  /** As ONNX's operator has them. */
  readonly activations: readonly string[];
  /** GRU: the reset gate acts on what the state's matrix has made. */
  readonly resetsAfterProduct: boolean;
  /** It gives the states at all positions. */
  readonly givesSequence: boolean;
  readonly readsBackwards: boolean;
  /** At positions that are masked it gives zeros, not the state before them. */
  readonly hidesMasked: boolean;
}

/** LSTM, GRU and SimpleRNN. */
export function recurrent(context: LayerContext, value: KerasValue): KerasValue {
  context.requireRank(value, 2);
  const direction = directionOf(context);
  const { units, givesSequence, readsBackwards } = direction;
  if (value.mask !== undefined && givesSequence && readsBackwards)
    throw context.refuse("no go_backwards with return_sequences behind a mask", "both");
  const states = statesOf(context, value, direction, [tensorsOf(context, value, direction)]);
  const shape = givesSequence ? [value.shape[0], units] : [units];
  const output = inShape(context, states, shape);
  if (!givesSequence || !readsBackwards) return { shape, last: output };
  // Keras gives the states in the order in which it computes them.
  const [starts, ends, axes, steps] = [-1, -1 - value.shape[0], 1, -1].map((number) =>
    context.constant(intTensor([number]), "backwards"),
  );
  return { shape, last: context.node("Slice", [output, starts, ends, axes, steps]) };
}

/** Two layers of one kind, the second of which reads the sequence from its end. */
export function bidirectional(context: LayerContext, value: KerasValue): KerasValue {
  context.requireRank(value, 2);
  const forward = context.inside(forwardLayer(context), "forward_layer");
  const weightCount = forward.flag("use_bias", true) ? 3 : 2;
  const backward = context.inside(backwardLayer(context), "backward_layer", weightCount);
  const [direction, other] = [directionOf(forward), directionOf(backward)];
  if (direction.readsBackwards || !other.readsBackwards)
    throw context.refuse("go_backwards in the backward layer alone", "another order");
  if (JSON.stringify({ ...other, readsBackwards: false }) !== JSON.stringify(direction))
    throw context.refuse("a backward layer with the forward layer's settings", "one with others");
  const mode = context.layer.settings.merge_mode === null ? "null" : context.text("merge_mode", "concat");
  if (!["concat", "sum", "mul", "ave"].includes(mode))
    throw context.refuse("a merge_mode of concat, sum, mul, ave", mode);
  const { units, givesSequence } = direction;
  // Keras sets this in both directions, whatever they say.
  const hidesMasked = givesSequence && !context.graph.isTensorflowJs;
  const states = statesOf(context, value, { ...direction, hidesMasked }, [
    tensorsOf(forward, value, direction),
    tensorsOf(backward, value, direction),
  ]);
  const around = givesSequence ? [value.shape[0]] : [];
  if (mode === "concat") {
    const shape = [...around, 2 * units];
    return { shape, last: inShape(context, states, shape) };
  }
  const both = [0, 1].map((index) => rowOf(context, states, index, givesSequence ? 2 : 1));
  const merged = context.node(mode === "mul" ? "Mul" : "Add", both);
  const output =
    mode === "ave" ? context.node("Mul", [merged, context.constant(floatTensor([0.5], []), "half")]) : merged;
  return { shape: [...around, units], last: output };
}

/** The layer that a wrapper has among its settings. */
export function wrappedLayer(context: LayerContext, key: string): LayerConfig {
  const layer = context.layer.settings[key];
  if (!isObject(layer) || typeof layer.class_name !== "string" || !isObject(layer.config))
    throw context.refuse(`a layer with class_name and config for ${key}`, describe(layer));
  const { class_name: className, config: settings, registered_name: registered } = layer;
  if (typeof settings.name !== "string") throw context.refuse(`a name for ${key}`, describe(settings.name));
  return {
    // A custom class may have the name of one of Keras' own.
    className: typeof registered === "string" && registered.includes(">") ? registered : className,
    name: settings.name,
    settings,
    calls: [],
  };
}

/** Bidirectional's layer as Keras names the copy that reads forwards. Keras 3 saves that name, Keras 2 the one before. */
function forwardLayer(context: LayerContext): LayerConfig {
  const layer = wrappedLayer(context, "layer");
  return { ...layer, name: prefixed(context, "forward_", layer.name) };
}

/** Bidirectional's second layer: one of its own, which Keras 2 renames, or a copy of the first. */
function backwardLayer(context: LayerContext): LayerConfig {
  if ((context.layer.settings.backward_layer ?? null) !== null) {
    const layer = wrappedLayer(context, "backward_layer");
    return context.graph.version === 3 ? layer : { ...layer, name: prefixed(context, "backward_", layer.name) };
  }
  const layer = wrappedLayer(context, "layer");
  return {
    ...layer,
    name: prefixed(context, "backward_", layer.name),
    settings: { ...layer.settings, go_backwards: true },
  };
}

function prefixed(context: LayerContext, prefix: string, name: string): string {
  return context.graph.version === 3 && name.startsWith(prefix) ? name : `${prefix}${name}`;
}

function directionOf(context: LayerContext): Direction {
  const { className } = context.layer;
  if (!Object.hasOwn(kinds, className)) throw context.refuse(`a layer of ${Object.keys(kinds).join(", ")}`, className);
  for (const [key, required] of [
    ["stateful", "a state that starts at zero"],
    ["return_state", "the layer's output alone"],
    ["time_major", "sequences with the batch first"],
  ])
    if (context.flag(key, false)) throw context.refuse(required, key);
  const kind = kinds[className];
  return {
    kind,
    units: context.count("units"),
    activations: kind.activations.map((key) => activationOf(context, key)),
    // Before the setting there was only the other order.
    resetsAfterProduct: kind.op === "GRU" && context.flag("reset_after", context.graph.version === 3),
    givesSequence: context.flag("return_sequences", false),
    readsBackwards: context.flag("go_backwards", false),
    hidesMasked: context.flag("zero_output_for_mask", false),
  };
}

function activationOf(context: LayerContext, key: string): string {
  const given = context.layer.settings[key];
  // Serialized functions: {class_name: "function", config: "relu"}.
  const name = isObject(given) ? given.config : given;
  if (typeof name === "string" && Object.hasOwn(activations, name)) return activations[name];
  // The operator's default is max(0, min(1, 0.2 x + 0.5)), as that of Keras 2; Keras 3 has relu6(x + 3) / 6.
  if (name === "hard_sigmoid" && context.graph.version === 2) return "HardSigmoid";
  throw context.refuse(`${key} of ${Object.keys(activations).join(", ")}`, describe(given ?? "linear"));
}

/** The weights of one direction, which its cell has. */
function tensorsOf(context: LayerContext, value: KerasValue, direction: Direction): DirectionTensors {
  const { kind, units, resetsAfterProduct } = direction;
  const cell = context.inside({ ...context.layer, name: kind.cell }, "cell");
  const rows = kind.gates.length * units;
  const inputWeight = cell.variable("kernel", 0, [value.shape[1], rows], [1, 0]);
  const stateWeight = cell.variable("recurrent_kernel", 1, [units, rows], [1, 0]);
  if (!context.flag("use_bias", true)) return { inputWeight, stateWeight, inputBias: "", stateBias: "" };
  if (!resetsAfterProduct)
    return { inputWeight, stateWeight, inputBias: cell.variable("bias", 2, [rows]), stateBias: "" };
  const biases = cell.variable("bias", 2, [2, rows]);
  const [inputBias, stateBias] = [0, 1].map((index) => rowOf(cell, biases, index, 0));
  return { inputWeight, stateWeight, inputBias, stateBias };
}

/** Adds the node. @returns its states, [batch, length, directions, units], or the last ones, [batch, directions, units] */
function statesOf(
  context: LayerContext,
  value: KerasValue,
  direction: Direction,
  directions: readonly DirectionTensors[],
): string {
  const { kind, units, givesSequence, readsBackwards, resetsAfterProduct, hidesMasked } = direction;
  const { mask } = value;
  const { isTensorflowJs, masking, tokenMasks } = context.graph;
  // TensorFlow.js goes on with the last mask that it has seen, also behind layers that drop it.
  if (isTensorflowJs && mask === undefined && masking.size + tokenMasks.size > 0)
    throw context.refuse("the mask of Masking or mask_zero where a model has one", "none");
  const both = directions.length > 1;
  const attributes: Attributes = {
    hidden_size: attribute.int(units),
    direction: attribute.string(both ? "bidirectional" : readsBackwards ? "reverse" : "forward"),
    activations: attribute.strings(directions.flatMap(() => direction.activations)),
    layout: attribute.int(1),
    ...(mask === undefined ? {} : { zero_output_for_mask: attribute.int(hidesMasked ? 1 : 0) }),
    ...(kind.op === "GRU" ? { linear_before_reset: attribute.int(resetsAfterProduct ? 1 : 0) } : {}),
  };
  const sequence = context.last(value);
  const name = context.graph.fresh(`${context.scope}/${kind.op}`);
  const { op, gates } = kind;
  const outputs = givesSequence ? [name] : ["", name];
  context.graph.nodes.push(
    recurrentNode({
      op,
      name,
      sequence,
      state: "",
      cell: "",
      ...(mask === undefined ? {} : { mask }),
      directions,
      gates,
      attributes,
      outputs,
    }),
  );
  return name;
}

function inShape(context: LayerContext, name: string, shape: readonly number[]): string {
  return context.node("Reshape", [name, context.constant(intTensor([0, ...shape]), "shape")]);
}

/** The value at one place of an axis, without that axis. */
function rowOf(context: LayerContext, name: string, index: number, axis: number): string {
  return context.node("Gather", [name, context.constant(intTensor([index], []), "index")], {
    axis: attribute.int(axis),
  });
}
