/** Reads a model file and finds its network. */
import type { ModelFile } from "../formats/model-file.js";
import { analyzeNetwork, type Network } from "../ops/network.js";
import { upgradeGraph } from "../ops/upgrade.js";
import { readModelFile } from "./read-model-file.js";

/** A model file and what headstart sees in it. */
export interface OpenedModel {
  readonly path: string;
  readonly model: ModelFile;
  readonly network: Network;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
}

export interface OpenModelOptions {
  readonly input?: string;
  readonly inputShape?: readonly number[];
  /** Tensor up to which the network is frozen. */
  readonly freeze?: string;
}

/** Opens a model file. @throws UserError where it is missing, broken, or no network that headstart can take */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  const { model, hash } = await readModelFile(path, options.inputShape ? { sampleShape: options.inputShape } : {});
  const network = analyzeNetwork(upgradeGraph(model.graph, model.opset), {
    where: path,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputShape === undefined ? {} : { sampleShape: options.inputShape }),
    ...(options.freeze === undefined ? {} : { frozen: options.freeze }),
  });
  return { path, model, network, hash };
}
