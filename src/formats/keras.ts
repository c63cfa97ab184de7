/** Keras' own files: .keras archives (Keras 3) and whole models in one HDF5 file. */
import { crc32 } from "node:zlib";
import { inflateSync, strFromU8, zipSync } from "fflate";
import { type UserError, userError } from "../errors.js";
import { requireChecksum, type ZipEntry, zipDirectory } from "../zip-directory.js";
import { isObject } from "./keras-calls.js";
import { readModelConfig } from "./keras-config.js";
import { type Hdf5Weights, readHdf5, rewriteHdf5 } from "./keras-hdf5.js";
import { loadingLimits } from "./keras-loading.js";
import { kerasGraph, kerasOpset } from "./keras-model.js";
import type { ModelFile } from "./model-file.js";

export interface ReadKerasOptions {
  /** The file, for messages. */
  readonly where: string;
  /** Name of the tensor that samples come as, where it is not the model's only input. */
  readonly input?: string;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly sampleShape?: readonly number[];
}

/** Keras does not compress; an entry that grows by more than this is a bomb. */
const mostExpansion = 200;

const [configName, metadataName, weightsName] = ["config.json", "metadata.json", "model.weights.h5"];

/** What to do where Keras' own file cannot be read. */
const alternative =
  'An export to ONNX (in Keras 3, model.export("model.onnx", format="onnx")) can be used instead; its weights then come back in model.onnx only, not under Keras\' names.';

/** Whether bytes begin as a zip archive does, which a .keras file is. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}

/**
 * Reads a .keras archive. What headstart does not look into stays in it.
 *
 * @throws UserError where it is broken, or has a layer that headstart does not read
 */
export async function readKeras(bytes: Uint8Array, options: ReadKerasOptions): Promise<ModelFile> {
  const { where } = options;
  const entries = await unzip(bytes, where);
  const config = parseJson(strFromU8(requireEntry(entries, configName, where)), `${where}: ${configName}`);
  const metadata = entries[metadataName]
    ? parseJson(strFromU8(entries[metadataName]), `${where}: ${metadataName}`)
    : {};
  const kerasVersion = isObject(metadata) ? String(metadata.keras_version ?? "") : "";
  const weights = requireEntry(entries, weightsName, where);
  const { store } = await readHdf5(weights, "groups", `${where}: ${weightsName}`);
  const model = kerasGraph(readModelConfig(config, where, alternative), {
    ...options,
    store,
    kerasVersion,
    alternative,
  });
  return {
    format: "keras",
    graph: model.graph,
    opset: kerasOpset,
    constants: model.constants,
    notes: model.notes,
    producer: `Keras ${kerasVersion}`.trim(),
    loadingLimits: loadingLimits(config, false),
    asStored: model.asStored,
    async write(replacements) {
      const rewritten = await rewriteHdf5(weights, model.stored(replacements), where);
      // The earliest moment that the format has, so that equal content gives equal bytes.
      const archive = zipSync({ ...entries, [weightsName]: rewritten }, { level: 0, mtime: new Date(1980, 0, 1) });
      return new Map([["model.keras", archive]]);
    },
  };
}

/** Reads a whole model in one HDF5 file, as Keras 2 and 3 save it. @throws UserError */
export async function readKerasHdf5(bytes: Uint8Array, options: ReadKerasOptions): Promise<ModelFile> {
  const { where } = options;
  const { store, attributes }: Hdf5Weights = await readHdf5(bytes, "names", where);
  const { model_config: text, keras_version: kerasVersion = "" } = attributes;
  if (text === undefined)
    throw userError({
      where,
      required: "an HDF5 file of a whole Keras model",
      got: "one without model_config (weights alone?)",
      advice: "Save the model with model.save, not save_weights.",
    });
  const config = parseJson(text, where);
  const model = kerasGraph(readModelConfig(config, where, alternative), {
    ...options,
    store,
    kerasVersion,
    alternative,
  });
  return {
    format: "keras-hdf5",
    graph: model.graph,
    opset: kerasOpset,
    constants: model.constants,
    notes: model.notes,
    producer: `Keras ${kerasVersion}`.trim(),
    // Keras 2 loads what it has saved.
    ...(kerasVersion.startsWith("3") ? { loadingLimits: loadingLimits(config, true) } : {}),
    asStored: model.asStored,
    write: async (replacements) => new Map([["model.h5", await rewriteHdf5(bytes, model.stored(replacements), where)]]),
  };
}

/** What the files in an archive hold, by name. */
type Entries = Readonly<Record<string, Uint8Array>>;

/** @throws UserError where the archive is damaged, or unpacks to far more than Keras packs */
async function unzip(bytes: Uint8Array, where: string): Promise<Entries> {
  const { length } = bytes;
  const inMemory = async (start: number, count: number): Promise<Uint8Array> => bytes.subarray(start, start + count);
  const entries = await zipDirectory({ path: where, length, bytes: inMemory });
  let total = 0;
  for (const { name, packed, length: unpacked } of entries) {
    total += unpacked;
    if (unpacked > packed * mostExpansion || total > length * mostExpansion)
      throw userError({
        where: `${where}: ${name}`,
        required: `entries that unpack to at most ${mostExpansion} times their size`,
        got: `${unpacked} bytes from ${packed}`,
        advice: "Save the model again with Keras.",
      });
  }
  return Object.fromEntries(entries.map((entry) => [entry.name, unpackEntry(bytes, entry, `${where}: ${entry.name}`)]));
}

function unpackEntry(bytes: Uint8Array, entry: ZipEntry, where: string): Uint8Array {
  const packed = bytes.subarray(entry.start, entry.start + entry.packed);
  let content = packed;
  try {
    if (entry.deflated) content = inflateSync(packed, { out: new Uint8Array(entry.length) });
  } catch {
    throw userError({
      where,
      required: "a whole .keras archive",
      got: "an entry that cannot be unpacked",
      advice: "Save the model again.",
    });
  }
  requireChecksum(entry, crc32(content), where);
  return content;
}

function requireEntry(entries: Entries, name: string, where: string): Uint8Array {
  const entry = Object.hasOwn(entries, name) ? entries[name] : undefined;
  if (entry) return entry;
  throw userError({
    where,
    required: `a .keras archive with ${name}`,
    got: "a zip file without it",
    advice: "Save the model again with Keras 3.",
  });
}

/** Deeper than any model's description; what walks through one calls itself at each level. */
const deepestJson = 500;

/** @throws UserError where a text is no JSON, or nested too deeply to be a model's */
export function parseJson(text: string, where: string): unknown {
  const fail = (required: string, got: string): UserError =>
    userError({ where, required, got, advice: "Save the model again." });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("JSON", "something else");
  }
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > deepestJson) throw fail(`JSON of at most ${deepestJson} levels`, "more");
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
  return value;
}
