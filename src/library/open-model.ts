/** Reads a model file and finds its network. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileError } from "../errors.js";
import { externalDataReader } from "../formats/external-data.js";
import { type OnnxModel, readOnnx } from "../formats/onnx-read.js";
import { analyzeNetwork, type Network } from "../ops/network.js";
import { upgradeGraph } from "../ops/upgrade.js";

/** A model file, its message and what headstart sees in it. */
export interface OpenedModel {
  readonly path: string;
  readonly model: OnnxModel;
  readonly network: Network;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
}

export interface OpenModelOptions {
  readonly input?: string;
  readonly inputShape?: readonly number[];
}

/** Opens an ONNX file. @throws UserError where it is missing, broken, or no network that headstart can take */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw fileError(error, path, "an ONNX model file");
  }
  const model = readOnnx(bytes, { where: path, external: externalDataReader(path) });
  const network = analyzeNetwork(upgradeGraph(model.graph, model.opset), {
    where: path,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputShape === undefined ? {} : { sampleShape: options.inputShape }),
  });
  return { path, model, network, hash: createHash("sha256").update(bytes).digest("hex") };
}
