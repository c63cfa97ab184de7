/** Keras' description of a model (its `config`), read into layers and the calls that connect them. */
import { type UserError, userError } from "../errors.js";

/** One tensor: an output of a call of a layer. */
export interface TensorReference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/** A use of a layer. A layer that is used twice has two calls and one set of weights. */
export interface LayerCall {
  readonly inputs: readonly TensorReference[];
  /** Set where a model is called with a dictionary: the inputs' keys, in their order. */
  readonly keys?: readonly string[] | undefined;
  /** Tensors that are given by the argument's name, such as an attention's value. */
  readonly named?: Readonly<Record<string, TensorReference>>;
  /** Names of arguments that are true, such as use_causal_mask. */
  readonly flags?: readonly string[];
  /** Whether it is written as Keras 3 does. */
  readonly isNew?: boolean;
  /** Set where numbers are among the arguments, as in x * 2: all arguments in order, undefined for the inputs. */
  readonly numbers?: readonly (number | undefined)[];
  /** Set where the call has other constant arguments, which headstart does not read. */
  readonly constants?: string;
}

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

type Json = Readonly<Record<string, unknown>>;

/** Nested models deeper than this are no real ones. */
const deepest = 16;

const modelClasses = new Set(["Sequential", "Functional", "Model"]);

/** @throws UserError where it is no description of a Sequential or Functional model */
export function readModelConfig(config: unknown, where: string, depth = 0): ModelConfig {
  const fail = (required: string, got: string): UserError =>
    userError({ where, required, got, advice: "Save a Sequential or Functional model, without custom layers." });
  if (!isObject(config)) throw fail("a model's config", describe(config));
  const className = String(config.class_name);
  if (!modelClasses.has(className)) throw fail("a Sequential or Functional model", `a model of class ${className}`);
  if (depth > deepest) throw fail(`models nested at most ${deepest} deep`, "more");
  // The first versions of Keras gave a Sequential model's layers alone.
  const settings = Array.isArray(config.config) ? { layers: config.config } : config.config;
  if (!isObject(settings) || !Array.isArray(settings.layers)) throw fail("a config with layers", describe(settings));
  const sequential = className === "Sequential";
  const layers = settings.layers.map((layer) => readLayer(layer, where, depth, fail));
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
  const calls = nodes.map((node) => readCall(node, fail));
  return {
    className,
    name,
    settings,
    calls: className === "InputLayer" && calls.length === 0 ? [{ inputs: [] }] : calls,
    ...(modelClasses.has(className) ? { model: readModelConfig(layer, `${where}: layer ${name}`, depth + 1) } : {}),
  };
}

/** All tensors that a call takes. */
export function tensorsOf({ inputs, named = {} }: LayerCall): TensorReference[] {
  return [...inputs, ...Object.values(named)];
}

/** Keras 3 has {args, kwargs}; Keras 2 and TensorFlow.js have lists of [layer, call, output, keyword arguments]. */
function readCall(node: unknown, fail: (required: string, got: string) => UserError): LayerCall {
  if (isObject(node) && !Array.isArray(node.args)) return { inputs: references(node, fail), keys: keysOf(node) };
  if (Array.isArray(node)) {
    const keywords = node.map((entry) => (Array.isArray(entry) && isObject(entry[3]) ? entry[3] : {}));
    return { inputs: references(node, fail), ...readKeywords(Object.assign({}, ...keywords), fail) };
  }
  if (!isObject(node) || !Array.isArray(node.args)) throw fail("inbound_nodes with args", describe(node));
  const inputs: TensorReference[] = [];
  const constants: string[] = [];
  const numbers: (number | undefined)[] = [];
  const collect = (argument: unknown): void => {
    if (Array.isArray(argument)) for (const part of argument) collect(part);
    else if (isObject(argument) && argument.class_name === "__keras_tensor__" && isObject(argument.config)) {
      inputs.push(...references([argument.config.keras_history], fail));
      numbers.push(undefined);
    } else if (isObject(argument) && argument.class_name === undefined) {
      for (const [, part] of sortedEntries(argument)) collect(part);
    } else if (typeof argument === "number") numbers.push(argument);
    else if (argument !== null) constants.push(JSON.stringify(argument) ?? "");
  };
  collect(node.args);
  const keywords = readKeywords(isObject(node.kwargs) ? node.kwargs : {}, fail);
  if (keywords.constants !== undefined) constants.push(keywords.constants);
  const mixed = numbers.some((number) => number !== undefined);
  const [only] = node.args;
  return {
    inputs,
    isNew: true,
    keys: node.args.length === 1 && isObject(only) && only.class_name === undefined ? keysOf(only) : undefined,
    ...keywords,
    ...(mixed ? { numbers } : {}),
    ...(constants.length > 0 ? { constants: constants.join(", ").slice(0, 80) } : {}),
  };
}

/** Layers of attention and recurrent ones take tensors by name; masks and modes are mostly null or false in saved models. */
function readKeywords(
  keywords: Json,
  fail: (required: string, got: string) => UserError,
): Omit<LayerCall, "inputs" | "numbers"> {
  const named: Record<string, TensorReference> = {};
  const flags: string[] = [];
  const constants: string[] = [];
  for (const [key, value] of Object.entries(keywords)) {
    const isTensor = isObject(value) && value.class_name === "__keras_tensor__" && isObject(value.config);
    const history = isTensor ? (value.config as Json).keras_history : value;
    if (Array.isArray(history) && history.length === 3 && typeof history[0] === "string")
      [named[key]] = references([history], fail);
    else if (value === true) flags.push(key);
    else if (!isEmpty(value) && typeof value === "object") constants.push(`${key}=${JSON.stringify(value)}`);
  }
  return {
    ...(Object.keys(named).length > 0 ? { named } : {}),
    ...(flags.length > 0 ? { flags } : {}),
    ...(constants.length > 0 ? { constants: constants.join(", ").slice(0, 80) } : {}),
  };
}

/**
 * [layer, call, output], or a structure of such triples: a list, or a dictionary, in Python's order of keys whatever that of
 * the file, as Keras flattens it.
 */
function references(value: unknown, fail: (required: string, got: string) => UserError): TensorReference[] {
  const required = "tensors as [layer, call, output]";
  if (isObject(value)) return sortedEntries(value).flatMap(([, part]) => references(part, fail));
  if (!Array.isArray(value)) throw fail(required, describe(value));
  const [layer, call, output] = value;
  if (typeof layer !== "string") return value.flatMap((entry) => references(entry, fail));
  if (!Number.isSafeInteger(call) || !Number.isSafeInteger(output)) throw fail(required, describe(value));
  return [{ layer, call, output }];
}

function keysOf(value: unknown): readonly string[] | undefined {
  return isObject(value) ? sortedEntries(value).map(([key]) => key) : undefined;
}

function sortedEntries(value: Json): [string, unknown][] {
  return Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** Whether nothing but null is in a value, as in masks that are not there. */
function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === "object" && Object.values(value).every(isEmpty));
}

/** Whether a value of JSON is an object: no list, and not null. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in a message. */
export function describe(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
