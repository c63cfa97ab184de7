/** Reads a model file of any known format. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileError, userError } from "../errors.js";
import { externalDataReader } from "../formats/external-data.js";
import { isJaxExporter, jaxModel } from "../formats/jax-export.js";
import { isZip, readKeras, readKerasHdf5 } from "../formats/keras.js";
import { isHdf5 } from "../formats/keras-hdf5.js";
import type { ModelFile } from "../formats/model-file.js";
import { type OnnxModel, readOnnx } from "../formats/onnx-read.js";
import { writeOnnx } from "../formats/onnx-write.js";
import {
  isFoldedTable,
  isPytorchConstant,
  type PytorchOrigin,
  pytorchOrigin,
  pytorchSignature,
} from "../formats/pytorch-origin.js";
import { readTfjs } from "../formats/tfjs.js";
import { foreignFile } from "./foreign-file.js";

/** A model file and the hash of what it was read from. */
export interface ReadModelFile {
  readonly model: ModelFile;
  /** SHA-256 of the file in hexadecimal; with TensorFlow.js of model.json and then its files of weights, in order. */
  readonly hash: string;
  /** What PyTorch's exporter has computed beforehand: tensors of the file, and the names of what each was computed from. */
  readonly foldedFrom?: ReadonlyMap<string, readonly string[]>;
}

export interface ReadModelFileOptions {
  /** Name of the tensor that samples come as, which tells what the shape is of. */
  readonly input?: string;
  /** Shape of one sample, where a Keras model leaves dimensions open. */
  readonly sampleShape?: readonly number[];
}

/** @throws UserError where the file is missing, broken, or of no known format */
export async function readModelFile(path: string, options: ReadModelFileOptions = {}): Promise<ReadModelFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, path, "a model file");
  }
  const foreign = foreignFile(bytes, path);
  if (foreign) throw foreign;
  const hash = createHash("sha256").update(bytes);
  const external = externalDataReader(path, {
    what: "weight file",
    advice: "Put it beside model.json, as TensorFlow.js saved or downloaded the two, or save the model again.",
  });
  const read = async (): Promise<Omit<ReadModelFile, "hash">> => {
    const settings = { where: path, ...options };
    if (isZip(bytes)) return { model: await readKeras(bytes, settings) };
    if (isHdf5(bytes)) return { model: await readKerasHdf5(bytes, settings) };
    if (isJson(bytes))
      return {
        model: await readTfjs(bytes, {
          ...settings,
          external(location, offset, length) {
            const part = external(location, offset, length);
            hash.update(part);
            return part;
          },
        }),
      };
    if (/\.(keras|h5|hdf5|json)$/i.test(path))
      throw userError({
        where: path,
        required: "a Keras or TensorFlow.js model",
        got: "a file of another kind",
        advice: "Check the path; save the model again.",
      });
    return readOnnxFile(bytes, path);
  };
  const found = await read();
  return { ...found, hash: hash.digest("hex") };
}

/** Begins with a brace; no ONNX model does, whose first field is a number. */
function isJson(bytes: Uint8Array): boolean {
  const start = bytes.findIndex((byte) => byte > 0x20);
  return bytes[start] === 0x7b;
}

function readOnnxFile(bytes: Uint8Array, path: string): Omit<ReadModelFile, "hash"> {
  const file = readOnnx(bytes, { where: path, external: externalDataReader(path) });
  const model = modelOf(file);
  return { model: isJaxExporter(model.producer) ? jaxModel(model) : model, foldedFrom: foldedFromOf(file) };
}

function modelOf(model: OnnxModel): ModelFile {
  const signature = pytorchSignature(propertiesOf(model.message.graph?.metadataProps ?? []));
  return {
    format: "onnx",
    graph: model.graph,
    opset: model.opset,
    producer: model.producer,
    origins: originsOf(model),
    constants: constantsOf(model, signature?.trained),
    ...(signature ? { signature } : {}),
    asStored: (_, tensor) => tensor,
    write: async (replacements) => new Map([["model.onnx", writeOnnx(model, replacements)]]),
    writeEdited: async (replacements, edits) => new Map([["model.onnx", writeOnnx(model, replacements, edits)]]),
  };
}

function originsOf({ message }: OnnxModel): Map<string, PytorchOrigin> {
  const origins = new Map<string, PytorchOrigin>();
  for (const { output, metadataProps } of message.graph?.node ?? []) {
    const origin = pytorchOrigin(propertiesOf(metadataProps));
    if (origin) origins.set(output[0], origin);
  }
  return origins;
}

function foldedFromOf({ message }: OnnxModel): Map<string, readonly string[]> {
  const folded = new Map<string, readonly string[]>();
  for (const { name, metadataProps } of message.graph?.valueInfo ?? []) {
    const text = propertiesOf(metadataProps).get("pkg.onnxscript.optimizer.folded_from");
    const sources = [...(text ?? "").matchAll(/'([^']*)'|"([^"]*)"/g)].map(([, single, double]) => single ?? double);
    if (sources.length > 0) folded.set(name, sources);
  }
  return folded;
}

function constantsOf({ message }: OnnxModel, parameters: ReadonlySet<string> | undefined): Set<string> {
  const constants = new Set(
    (message.graph?.valueInfo ?? [])
      .filter(({ metadataProps }) => {
        const metadata = propertiesOf(metadataProps);
        return isPytorchConstant(metadata) || (parameters !== undefined && isFoldedTable(metadata, parameters));
      })
      .map(({ name }) => name),
  );
  // Running statistics are buffers too, and follow the data.
  for (const { opType, input } of message.graph?.node ?? [])
    if (opType === "BatchNormalization") for (const name of input.slice(3, 5)) constants.delete(name);
  return constants;
}

function propertiesOf(entries: readonly { readonly key: string; readonly value: string }[]): Map<string, string> {
  return new Map(entries.map(({ key, value }) => [key, value]));
}
