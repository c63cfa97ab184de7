/** LayersModels of TensorFlow.js: model.json, and files of weights beside it. */
import { type UserError, userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import { bytesOf, elementsFromBytes } from "./element-types.js";
import { parseJson, type ReadKerasOptions } from "./keras.js";
import { describe, isObject, type Json } from "./keras-calls.js";
import { readModelConfig } from "./keras-config.js";
import { kerasGraph, kerasOpset } from "./keras-model.js";
import { matchName, nameOf, type VariableStore } from "./keras-variables.js";
import type { ModelFile } from "./model-file.js";
import type { ExternalReader } from "./onnx-tensor.js";

export interface ReadTfjsOptions extends ReadKerasOptions {
  /** Reads a file beside model.json. */
  readonly external: ExternalReader;
}

/** What to do with a layer that is not read: TensorFlow.js has no exporter to other formats. */
const alternative =
  "The part of a model in front of what is not read can be given as a model of its own: tf.model({ inputs: model.inputs, outputs: TENSOR }), with TENSOR the output of a layer there. A model that was converted from Keras can be given as what Keras exports to ONNX.";

type Fail = (required: string, got: string, advice?: string) => UserError;

/** A tensor's place in the elements of its group. */
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly group: number;
  readonly begin: number;
  readonly length: number;
  readonly type: string;
}

/** Files of weights that follow one another. */
interface Group {
  readonly files: readonly { readonly name: string; readonly length: number }[];
  readonly bytes: Uint8Array;
}

/** All weights of a model, and where each lies. */
interface Weights {
  readonly groups: readonly Group[];
  readonly entries: readonly Entry[];
}

/**
 * Names of weight files: a browser's download has the model's name in them, and old converters wrote no .bin. They are
 * written back under the same name, in a folder with other files.
 */
const weightFile = /^(?:[^./\\:\p{Cc}][^/\\:\p{Cc}]*\.bin|group\d+-shard\d+of\d+)$/u;

/** Bytes of an element by type name. Strings have a length of their own and do not occur in LayersModels. */
const elementSizes: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  float16: 2,
  uint16: 2,
};

/**
 * Reads a LayersModel.
 *
 * @throws UserError where a file is broken or missing, or the model has a layer that headstart does not read
 */
export function readTfjs(bytes: Uint8Array, options: ReadTfjsOptions): ModelFile {
  const { where } = options;
  const fail: Fail = (required, got, advice = "Save the model again with TensorFlow.js: model.save.") =>
    userError({ where, required, got, advice });
  const content = parseJson(new TextDecoder().decode(bytes), where);
  if (!isObject(content)) throw fail(...noModel);
  const topology = topologyOf(content, fail);
  const weights = readManifest(content.weightsManifest, options.external, fail);
  const store = storeOf(weights, fail);
  const producer = [content.generatedBy, content.convertedBy].filter((name) => typeof name === "string").join(", ");
  const kerasVersion = String(topology.keras_version ?? "").replace(/^tfjs.*/, "2");
  const config = readModelConfig(topology.model_config ?? topology, where, alternative);
  const model = kerasGraph(config, { ...options, store, kerasVersion, alternative, isTensorflowJs: true });
  return {
    format: "tensorflow.js",
    graph: model.graph,
    opset: kerasOpset,
    constants: model.constants,
    notes: model.notes,
    producer,
    asStored: model.asStored,
    write: async (replacements) =>
      new Map([["model.json", bytes], ...writtenFiles(weights, model.stored(replacements))]),
  };
}

const noModel = ["a TensorFlow.js model", "other JSON"] as const;

/** A model's description. @throws UserError where the file is no LayersModel, or has no weights */
function topologyOf(content: Json, fail: Fail): Json {
  if (typeof content.class_name === "string" && isObject(content.config))
    throw fail(
      "a model with its weights",
      "the architecture of a Keras model alone, as model.to_json gives it",
      "Save the whole model with model.save.",
    );
  if (!isObject(content.modelTopology)) throw fail(...noModel);
  if (content.format === "graph-model")
    throw fail(
      "a LayersModel",
      "a GraphModel, whose layers are gone",
      "Give the model that it was converted from: headstart reads Keras' own files, and ONNX. A LayersModel of a Keras file is made by tensorflowjs_converter with --output_format=tfjs_layers_model.",
    );
  return content.modelTopology;
}

/** The weights by the layers that have them. */
function storeOf({ groups, entries }: Weights, fail: Fail): VariableStore {
  const names = entries.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw fail("weights each with a name of its own", "two of one name");
  return {
    read(place, variable) {
      const index = matchName(names, place, variable.name);
      const name = `${nameOf(place)}/${variable.name}`;
      if (index === undefined) throw fail(`weights for ${name}`, "none, or several of that name");
      const { shape, type, group, begin, length } = entries[index];
      if (shape.join() !== variable.shape.join())
        throw fail(`the shape [${variable.shape.join(", ")}] for ${name}`, `[${shape.join(", ")}]`);
      if (type !== "float32")
        throw fail(
          `float32 elements for ${name}`,
          `${type} (a quantised model?)`,
          "Convert the model again without the converter's options to quantise.",
        );
      const data = elementsFromBytes("float32", groups[group].bytes.subarray(begin, begin + length));
      return { key: names[index], data: data as Float32Array };
    },
  };
}

/** The files of weights with new elements, by the weights' names in them. */
function writtenFiles(
  { groups, entries }: Weights,
  stored: Iterable<readonly [string, Float32Array]>,
): Map<string, Uint8Array> {
  const written = groups.map((group) => group.bytes.slice());
  const places = new Map(entries.map((entry) => [entry.name, entry]));
  for (const [key, data] of stored) {
    const { group, begin } = places.get(key)!;
    written[group].set(bytesOf({ type: "float32", shape: [data.length], data }), begin);
  }
  const files = new Map<string, Uint8Array>();
  groups.forEach((group, index) => {
    let place = 0;
    for (const { name, length } of group.files) {
      files.set(name, written[index].subarray(place, place + length));
      place += length;
    }
  });
  return files;
}

function readManifest(manifest: unknown, external: ExternalReader, fail: Fail): Weights {
  if (!Array.isArray(manifest)) throw fail("a weightsManifest", describe(manifest));
  const groups: Group[] = [];
  const entries: Entry[] = [];
  const seen = new Set<string>();
  manifest.forEach((group, index) => {
    if (!isObject(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights))
      throw fail("groups with paths and weights", describe(group));
    const parts = group.paths.map((path: unknown) => {
      // Models saved by a browser's download have "./weights.bin".
      const name = typeof path === "string" ? path.replace(/^\.\//, "") : path;
      if (typeof name !== "string" || !weightFile.test(name) || seen.has(name))
        throw fail(
          "weight files beside model.json with names such as weights.bin and group1-shard1of1, each once",
          describe(path),
        );
      seen.add(name);
      return { name, bytes: external(name, 0) };
    });
    const bytes = joined(parts.map((part) => part.bytes));
    let place = 0;
    for (const weight of group.weights) {
      if (!isObject(weight) || typeof weight.name !== "string" || typeof weight.dtype !== "string")
        throw fail("weights with name and dtype", describe(weight));
      const { name, shape } = weight;
      if (!Array.isArray(shape) || !shape.every((size) => Number.isSafeInteger(size) && size >= 0))
        throw fail(`a shape for ${name}`, describe(shape));
      const stored = isObject(weight.quantization) ? String(weight.quantization.dtype) : weight.dtype;
      const size = Object.hasOwn(elementSizes, stored) ? elementSizes[stored] : undefined;
      if (size === undefined) throw fail(`a known element type for ${name}`, stored);
      const length = sizeOf(shape) * size;
      if (!(place + length <= bytes.length))
        throw fail(`${place + length} bytes in ${group.paths.join(", ")}`, String(bytes.length));
      const type = isObject(weight.quantization) ? `${stored} for ${weight.dtype}` : weight.dtype;
      entries.push({ name, shape, group: index, begin: place, length, type });
      place += length;
    }
    if (place !== bytes.length) throw fail(`${place} bytes in ${group.paths.join(", ")}`, String(bytes.length));
    groups.push({ files: parts.map((part) => ({ name: part.name, length: part.bytes.length })), bytes });
  });
  return { groups, entries };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    bytes.set(part, place);
    place += part.length;
  }
  return bytes;
}
