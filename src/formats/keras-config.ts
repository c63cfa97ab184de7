/** Keras' description of a model (its `config`), read into layers and the calls that connect them. */
import { type UserError, userError } from "../errors.js";
import {
  describe,
  isObject,
  keysOf,
  type LayerCall,
  readCall,
  references,
  type TensorReference,
  tensorsOf,
} from "./keras-calls.js";
import { lambdaCall, lambdaOperation } from "./keras-lambdas.js";

/** A layer as its model declares it. */
export interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly calls: readonly LayerCall[];
  /** There where the layer is itself a model. */
  readonly model?: ModelConfig;
}

/** A Sequential or Functional model; the former as a chain of calls. */
export interface ModelConfig {
  readonly className: string;
  readonly name: string;
  readonly layers: readonly LayerConfig[];
  readonly inputs: readonly TensorReference[];
  /** Set where the model takes a dictionary: the inputs' keys, in their order. */
  readonly inputKeys?: readonly string[] | undefined;
  readonly outputs: readonly TensorReference[];
  /** Declared shape of a Sequential model that has no InputLayer, with the batch. */
  readonly inputShape?: unknown;
}

/** Whether a layer is itself a model. */
export function isModel({ className }: LayerConfig): boolean {
  return modelClasses.has(className);
}

/** Nested models deeper than this are no real ones. */
const deepest = 16;

const modelClasses = new Set(["Sequential", "Functional", "Model"]);

/**
 * @param alternative what to do with a model that is not read, as a sentence
 * @throws UserError where it is no description of a Sequential or Functional model
 */
export function readModelConfig(config: unknown, where: string, alternative: string, depth = 0): ModelConfig {
  const fail = (required: string, got: string): UserError =>
    userError({ where, required, got, advice: "Save a Sequential or Functional model, without custom layers." });
  if (!isObject(config)) throw fail("a model's config", describe(config));
  const className = String(config.class_name);
  if (!modelClasses.has(className))
    throw userError({
      where,
      required: "a Sequential or Functional model",
      got: `a model of class ${className}`,
      advice: `The file of a class of its own does not say what the model computes. ${alternative}`,
    });
  if (depth > deepest) throw fail(`models nested at most ${deepest} deep`, "more");
  // The first versions of Keras gave a Sequential model's layers alone.
  const settings = Array.isArray(config.config) ? { layers: config.config } : config.config;
  if (!isObject(settings) || !Array.isArray(settings.layers)) throw fail("a config with layers", describe(settings));
  const sequential = className === "Sequential";
  const layers = settings.layers.map((layer) => readLayer(layer, where, alternative, depth, fail));
  const names = new Set(layers.map(({ name }) => name));
  if (names.size !== layers.length) throw fail("layers each with a name of its own", "two of one name");
  const name = typeof settings.name === "string" ? settings.name : className.toLowerCase();
  if (!sequential) {
    const inputs = references(settings.input_layers, fail);
    const outputs = references(settings.output_layers, fail);
    if (inputs.length === 0 || outputs.length === 0) throw fail("input_layers and output_layers", "none");
    return renumbered({ className, name, layers, inputs, inputKeys: keysOf(settings.input_layers), outputs });
  }
  const first = layers[0];
  if (!first) throw fail("a Sequential model with layers", "none");
  const chain: LayerConfig[] = layers.map((layer, index) => ({
    ...layer,
    calls: [{ inputs: index === 0 ? [] : [{ layer: layers[index - 1].name, call: 0, output: 0 }] }],
  }));
  const output = { layer: layers[layers.length - 1].name, call: 0, output: 0 };
  if (first.className === "InputLayer")
    return { className, name, layers: chain, inputs: [{ layer: first.name, call: 0, output: 0 }], outputs: [output] };
  const inputShape =
    settings.build_input_shape ??
    first.settings.batch_input_shape ??
    first.settings.batch_shape ??
    first.model?.inputShape ??
    first.model?.layers.find(({ className: kind }) => kind === "InputLayer")?.settings.batch_shape;
  let inputName = "input";
  while (names.has(inputName)) inputName += "_";
  const input = { layer: inputName, call: 0, output: 0 };
  chain[0] = { ...chain[0], calls: [{ inputs: [input] }] };
  const inputLayer = {
    className: "InputLayer",
    name: inputName,
    settings: { batch_shape: inputShape },
    calls: [{ inputs: [] }],
  };
  return { className, name, layers: [inputLayer, ...chain], inputs: [input], outputs: [output], inputShape };
}

/**
 * The building of a model inside the model is counted as its first call, which the list of calls leaves out, so that
 * references begin at 1: in Keras 2 and TensorFlow.js all of them, in Keras 3 the model's outputs alone, and not for
 * Sequential models.
 */
function renumbered(model: ModelConfig): ModelConfig {
  const inner = model.layers.filter((layer) => layer.model);
  const calls = model.layers.flatMap((layer) => layer.calls);
  const every = [...model.outputs, ...calls.flatMap(tensorsOf)];
  const isNew = calls.some(({ isNew }) => isNew);
  const surplus = new Map<string, number>();
  for (const { name, calls, className } of inner) {
    const last = every.reduce((most, { layer, call }) => (layer === name ? Math.max(most, call) : most), 0);
    surplus.set(name, isNew ? Number(className !== "Sequential") : Math.max(0, last - calls.length + 1));
  }
  const shift = (reference: TensorReference): TensorReference => ({
    ...reference,
    call: Math.max(0, reference.call - (surplus.get(reference.layer) ?? 0)),
  });
  const outputs = model.outputs.map(shift);
  if (isNew) return { ...model, outputs };
  const layers = model.layers.map((layer) => ({
    ...layer,
    calls: layer.calls.map(({ named, ...call }) => ({
      ...call,
      inputs: call.inputs.map(shift),
      ...(named ? { named: Object.fromEntries(Object.entries(named).map(([key, one]) => [key, shift(one)])) } : {}),
    })),
  }));
  return { ...model, layers, outputs };
}

function readLayer(
  layer: unknown,
  where: string,
  alternative: string,
  depth: number,
  fail: (required: string, got: string) => UserError,
): LayerConfig {
  if (!isObject(layer) || typeof layer.class_name !== "string" || !isObject(layer.config))
    throw fail("layers with class_name and config", describe(layer));
  const { config: settings, registered_name: registered } = layer;
  // A custom class may have the name of one of Keras' own.
  const className = typeof registered === "string" && registered.includes(">") ? registered : layer.class_name;
  const name = layer.name ?? settings.name;
  if (typeof name !== "string" || name === "") throw fail(`a name for each layer`, `${className} without one`);
  const nodes = Array.isArray(layer.inbound_nodes) ? layer.inbound_nodes : [];
  const operation = lambdaOperation(className, settings);
  const calls = nodes.map((node) =>
    operation ? lambdaCall(operation, node, fail) : readCall(node, fail, className === "GetItem"),
  );
  return {
    className: operation?.className ?? className,
    name,
    settings,
    calls: className === "InputLayer" && calls.length === 0 ? [{ inputs: [] }] : calls,
    ...(modelClasses.has(className)
      ? { model: readModelConfig(layer, `${where}: layer ${name}`, alternative, depth + 1) }
      : {}),
  };
}
