/** A Keras model's config and weights as one graph. */
import { userError } from "../errors.js";
import type { Graph } from "../graph/graph.js";
import { intTensor, sizeOf, type Tensor } from "../graph/tensor.js";
import { attentionConverters } from "./keras-attention.js";
import { isObject, type LayerCall, type TensorReference, tensorsOf } from "./keras-calls.js";
import { isModel, type LayerConfig, type ModelConfig, readModelConfig } from "./keras-config.js";
import { lookUpError, requireOnlyEmbeddings } from "./keras-embedding.js";
import { KerasGraph, type KerasValue, LayerContext } from "./keras-graph.js";
import { type InputOptions, modelInput } from "./keras-inputs.js";
import { alongLastAxis, layerConverters, randomInTraining } from "./keras-layers.js";
import { maskBehind, withoutMasks } from "./keras-masks.js";
import { operationConverters, withConstant } from "./keras-operations.js";
import { wrappedLayer } from "./keras-recurrent.js";
import { type LayerPlace, toStored, type VariableStore } from "./keras-variables.js";

/** Operator set of the graphs that Keras models are read into. */
export const kerasOpset = 20;

export interface KerasModelOptions extends InputOptions {
  readonly where: string;
  readonly store: VariableStore;
  /** Keras' version as the file says it, such as 3.15.1. */
  readonly kerasVersion: string;
  /** What to do with a model that is not read, as a sentence. */
  readonly alternative: string;
  /** Whether layers do what TensorFlow.js does where that differs from Keras. Default: no. */
  readonly isTensorflowJs?: boolean;
}

/** The graph, and the way of its weights back into the file's layout. */
export interface KerasGraphModel {
  readonly graph: Graph;
  /** Names of the weights that Keras does not train. */
  readonly constants: ReadonlySet<string>;
  /** What of the model is read otherwise than it says, a sentence each. */
  readonly notes: readonly string[];
  readonly asStored: (name: string, tensor: Tensor) => Tensor;
  /** Elements in the file's layout, by the store's keys. @throws Error for a name that is no weight */
  readonly stored: (replacements: ReadonlyMap<string, Tensor>) => Map<string, Float32Array>;
}

/** @throws UserError that names the layer where the model has something that headstart does not read */
export function kerasGraph(config: ModelConfig, options: KerasModelOptions): KerasGraphModel {
  const { where, store } = options;
  const version = options.kerasVersion.startsWith("3") ? 3 : 2;
  const knowsTokens = options.input === undefined || config.inputs.some(({ layer }) => layer === options.input);
  const graph = new KerasGraph(
    where,
    store,
    version,
    options.alternative,
    options.isTensorflowJs ?? false,
    knowsTokens,
  );
  const inputs = config.inputs.map(({ layer }) => modelInput(graph, config, layer, options));
  const results = convertModel(graph, config, inputs, [], "");
  const outputs = results.map((value, index) => {
    const context = new LayerContext(graph, layerOf(config, config.outputs[index].layer), {
      names: [config.outputs[index].layer],
      group: "",
    });
    const name = context.last(value);
    // Outputs that are an input, or the same tensor twice, need names of their own.
    const taken =
      inputs.some((input) => input.last === name) || results.slice(0, index).some((other) => other.last === name);
    return { name: taken ? context.node("Identity", [name]) : name, shape: ["batch", ...value.shape] };
  });
  requireOnlyEmbeddings(graph);
  const { conversions } = graph;
  const asStored = (name: string, tensor: Tensor): Tensor => {
    const conversion = conversions.get(name);
    return conversion ? toStored(tensor.data as Float32Array, conversion) : tensor;
  };
  return {
    graph: graph.build(config.name, outputs),
    constants: graph.constants,
    notes: [...trainingNotes(graph), ...maskNotes(graph)],
    asStored,
    stored(replacements) {
      const elements = new Map<string, Float32Array>();
      for (const [name, tensor] of replacements) {
        const conversion = conversions.get(name);
        if (!conversion || sizeOf(conversion.shape) !== sizeOf(tensor.shape) || tensor.type !== "float32")
          throw new Error(`${name} is no weight of this shape`);
        elements.set(conversion.key, asStored(name, tensor).data as Float32Array);
      }
      return elements;
    },
  };
}

function trainingNotes({ inTraining }: KerasGraph): string[] {
  if (inTraining.size === 0) return [];
  return [
    `The model calls ${[...inTraining].join(", ")} with training=True. headstart reads that as without: nothing is dropped or changed at random, and normalisations have the batch's statistics while F is trained, and their running ones otherwise.`,
  ];
}

function maskNotes({ masking, unmasked }: KerasGraph): string[] {
  const notes: string[] = [];
  if (masking.size > 0)
    notes.push(
      `${[...masking].join(", ")} (Masking) leaves out positions that have its mask_value alone where they reach it. Normalised samples have other numbers: with --normalise none they keep theirs.`,
    );
  if (unmasked.size > 0)
    notes.push(
      `${[...unmasked].join(", ")} (Embedding) leaves out positions of the integer 0 (mask_zero), which samples of vectors do not tell: headstart reads it as leaving none out.`,
    );
  return notes;
}

/** Whether a layer computes something else in training than in inference. */
function differsInTraining({ className, settings }: LayerConfig): boolean {
  const inner = isObject(settings.layer) && isObject(settings.layer.config) ? settings.layer.config : {};
  const drops = [settings, inner].some((each) =>
    ["dropout", "recurrent_dropout"].some((key) => typeof each[key] === "number" && each[key] > 0),
  );
  return drops || className === "BatchNormalization" || randomInTraining.has(className);
}

function layerOf(model: ModelConfig, name: string): LayerConfig {
  const layer = model.layers.find((candidate) => candidate.name === name);
  if (!layer) throw new Error(`no layer ${name}`);
  return layer;
}

const keyOf = ({ layer, call, output }: TensorReference): string => JSON.stringify([layer, call, output]);

/**
 * Writes a model's calls in an order in which each has its inputs.
 *
 * @param inputs values for the model's inputs
 * @param names of the models around, without the outermost, and of this one unless it is that
 * @param group in which Keras 3 stores the model
 * @param training what calls of layers get that do not say whether they are of training
 */
function convertModel(
  graph: KerasGraph,
  config: ModelConfig,
  inputs: readonly KerasValue[],
  names: readonly string[],
  group: string,
  training?: boolean,
): KerasValue[] {
  const where = names.length === 0 ? graph.where : `${graph.where}: layer ${names.join("/")}`;
  const groups = storedGroups(config.layers, group);
  const layers = withoutMasks(config.layers);
  const values = new Map<string, KerasValue>();
  config.inputs.forEach((reference, index) => {
    values.set(keyOf(reference), inputs[index]);
  });
  interface Pending {
    readonly layer: LayerConfig;
    readonly index: number;
    missing: number;
  }
  const waiting = new Map<string, Pending[]>();
  const ready: Pending[] = [];
  for (const layer of layers)
    layer.calls.forEach((call, index) => {
      if (values.has(keyOf({ layer: layer.name, call: index, output: 0 }))) return;
      const open = new Set(
        tensorsOf(call)
          .map(keyOf)
          .filter((key) => !values.has(key)),
      );
      const pending = { layer, index, missing: open.size };
      for (const key of open) waiting.set(key, [...(waiting.get(key) ?? []), pending]);
      if (open.size === 0) ready.push(pending);
    });
  for (let next = 0; next < ready.length; next++) {
    const { layer, index } = ready[next];
    const place = { names: [...names, layer.name], group: groups.get(layer.name) ?? "" };
    const results = convertCall(graph, layer, index, place, values, training);
    results.forEach((value, output) => {
      const key = keyOf({ layer: layer.name, call: index, output });
      values.set(key, value);
      for (const pending of waiting.get(key) ?? []) if (--pending.missing === 0) ready.push(pending);
    });
  }
  return config.outputs.map((reference) => {
    const value = values.get(keyOf(reference));
    if (!value)
      throw userError({
        where,
        required: "outputs that follow from the inputs",
        got: `${reference.layer}, which does not`,
        advice: "Save the model again.",
      });
    return value;
  });
}

function convertCall(
  graph: KerasGraph,
  layer: LayerConfig,
  index: number,
  place: LayerPlace,
  values: ReadonlyMap<string, KerasValue>,
  inherited: boolean | undefined,
): KerasValue[] {
  const call = layer.calls[index];
  const training = call.training ?? inherited;
  const settings = { ...layer.settings, ...call.settings, training };
  const context = new LayerContext(graph, { ...layer, settings }, place);
  if (training && differsInTraining(layer)) graph.inTraining.add(context.scope);
  const inputOf = (reference: TensorReference): KerasValue => values.get(keyOf(reference)) as KerasValue;
  const inputs = call.inputs.map(inputOf);
  if (layer.model) {
    const { model } = layer;
    if (inputs.length !== model.inputs.length)
      throw context.refuse(`${model.inputs.length} inputs`, String(inputs.length));
    return convertModel(graph, model, inOrder(context, model, call, inputs), place.names, place.group, training);
  }
  if (call.isMasked && inputs[0]?.mask === undefined && graph.unmasked.size === 0)
    throw context.refuse("a mask that Masking or mask_zero in front of it makes", "another one");
  const result = convertLayer(context, layer, call, inputs, inputOf);
  const mask = maskBehind(context, call.operands ? [...inputs, { shape: [] }] : inputs, result);
  if (mask === result.mask) return [result];
  const { mask: _, ...unmasked } = result;
  return [mask === undefined ? unmasked : { ...result, mask }];
}

/** One call of a layer that is no model. */
function convertLayer(
  context: LayerContext,
  layer: LayerConfig,
  call: LayerCall,
  inputs: readonly KerasValue[],
  inputOf: (reference: TensorReference) => KerasValue,
): KerasValue {
  if (call.keys) throw context.refuse("calls with tensors only", `a dictionary of ${call.keys.join(", ")}`);
  if (call.constants !== undefined) throw context.refuse("calls with tensors only", call.constants);
  const named = new Map(Object.entries(call.named ?? {}).map(([key, reference]) => [key, inputOf(reference)]));
  if (layer.className === "TimeDistributed") return timeDistributed(context, inputs);
  const attention = converterOf(attentionConverters, layer);
  if (attention) return attention(context, { inputs, named, flags: new Set(call.flags) });
  const converter = converterOf(layerConverters, layer) ?? converterOf(operationConverters, layer);
  if (!converter && lookups.has(layer.className)) throw lookUpError(context.where, layer.className);
  if (!converter) throw context.refuse("a layer that headstart knows", layer.className);
  if (named.size > 0) throw context.refuse("calls without tensors by name", [...named.keys()].join(", "));
  return call.operands ? withConstant(context, inputs, call.operands) : converter(context, inputs);
}

/** Layers for what is no measurement: tokens, categories, words. */
const lookups = new Set([
  "StringLookup",
  "IntegerLookup",
  "TextVectorization",
  "Hashing",
  "HashedCrossing",
  "CategoryEncoding",
  "Discretization",
]);

/** What a model is called with, in the order of its inputs: dictionaries go by their keys, or by the inputs' names. */
function inOrder(
  context: LayerContext,
  { inputs, inputKeys }: ModelConfig,
  { keys }: LayerCall,
  values: readonly KerasValue[],
): readonly KerasValue[] {
  if (!keys || inputKeys?.join() === keys.join()) return values;
  const wanted = inputs.map(({ layer }) => layer);
  if (inputKeys || !wanted.every((key) => keys.includes(key)) || keys.length !== values.length)
    throw context.refuse(`a dictionary of ${(inputKeys ?? wanted).join(", ")}`, keys.join(", "));
  return wanted.map((key) => values[keys.indexOf(key)]);
}

/** A layer, or a whole model, at each position by itself: all positions of all samples are samples to it. */
function timeDistributed(context: LayerContext, inputs: readonly KerasValue[]): KerasValue {
  const { graph, place } = context;
  if (inputs.length !== 1) throw context.refuse("one input", String(inputs.length));
  const wrapped = wrappedLayer(context, "layer");
  const plain = converterOf(alongLastAxis, wrapped);
  // An activation that is a layer may have weights for the shape of one position.
  if (plain && !isObject(wrapped.settings.activation)) return plain(context.inside(wrapped, "layer"), inputs);
  const [positions, ...sample] = inputs[0].shape;
  if (sample.length === 0) throw context.refuse("an input of two axes and more beside the batch", "one");
  const reshaped = (name: string, shape: readonly number[], stem: string): string =>
    context.node("Reshape", [name, context.constant(intTensor([-1, ...shape]), stem)]);
  const one = { shape: sample, last: reshaped(context.last(inputs[0]), sample, "apart") };
  const result = (() => {
    if (isModel(wrapped)) {
      const config = { class_name: wrapped.className, config: wrapped.settings };
      const model = readModelConfig(config, context.where, graph.alternative);
      const { training } = context.layer.settings;
      const mode = typeof training === "boolean" ? training : undefined;
      return convertModel(graph, model, [one], [...place.names, wrapped.name], `${place.group}/layer`, mode)[0];
    }
    const converter = converterOf(layerConverters, wrapped);
    if (!converter) throw context.refuse("a layer that headstart knows, of one input", wrapped.className);
    return converter(context.inside(wrapped, "layer"), [one]);
  })();
  const shape = [positions, ...result.shape];
  return { shape, last: reshaped(context.last(result), shape, "together") };
}

function converterOf<T>(converters: Readonly<Record<string, T>>, { className }: LayerConfig): T | undefined {
  return Object.hasOwn(converters, className) ? converters[className] : undefined;
}

/** Groups of Keras 3's weights file: class names in snake case, numbered by class. */
function storedGroups(layers: readonly LayerConfig[], group: string): Map<string, string> {
  const counts = new Map<string, number>();
  const groups = new Map<string, string>();
  for (const { className, name } of layers) {
    const stem = snakeCase(className);
    const count = counts.get(stem) ?? 0;
    counts.set(stem, count + 1);
    groups.set(name, `${group === "" ? "" : `${group}/`}layers/${stem}${count === 0 ? "" : `_${count}`}`);
  }
  return groups;
}

/** As Keras does it: DepthwiseConv2D is depthwise_conv2d, PReLU is p_re_lu. */
export function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}
