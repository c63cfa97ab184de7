/** Reads a model file of any known format. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileError } from "../errors.js";
import { externalDataReader } from "../formats/external-data.js";
import type { ModelFile } from "../formats/model-file.js";
import { readOnnx } from "../formats/onnx-read.js";
import { writeOnnx } from "../formats/onnx-write.js";

/** A model file and the hash of what it was read from. */
export interface ReadModelFile {
  readonly model: ModelFile;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
}

/** @throws UserError where the file is missing, broken, or of no known format */
export async function readModelFile(path: string): Promise<ReadModelFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, path, "a model file");
  }
  return { model: readOnnxFile(bytes, path), hash: createHash("sha256").update(bytes).digest("hex") };
}

function readOnnxFile(bytes: Uint8Array, path: string): ModelFile {
  const model = readOnnx(bytes, { where: path, external: externalDataReader(path) });
  return {
    format: "onnx",
    graph: model.graph,
    opset: model.opset,
    producer: model.producer,
    asStored: (_, tensor) => tensor,
    write: (replacements) => new Map([["model.onnx", writeOnnx(model, replacements)]]),
  };
}
