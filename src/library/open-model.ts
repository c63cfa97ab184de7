/** Reads a model file and finds its network. */
import { userError } from "../errors.js";
import type { ModelFile } from "../formats/model-file.js";
import type { PytorchSignature } from "../formats/pytorch-origin.js";
import type { Node } from "../graph/graph.js";
import { isFloating } from "../graph/tensor.js";
import { checkAttributes } from "../ops/check-attributes.js";
import { analyzeNetwork, type Network, type NetworkOptions } from "../ops/network.js";
import { takeBranches } from "../ops/take-branches.js";
import { unrollLoops } from "../ops/unroll-loops.js";
import { unrollRecurrences } from "../ops/unroll-recurrences.js";
import { upgradeGraph } from "../ops/upgrade.js";
import { GraphRestorer, type Restoration } from "./graph-restorer.js";
import { type ReadModelFile, type ReadModelFileOptions, readModelFile } from "./read-model-file.js";
import { readStateDict } from "./read-state-dict.js";
import type { StateDict } from "./restore-by-values.js";
import { restoreModel } from "./restore-model.js";
import { readComputedMatrices } from "./restore-recurrent.js";

/** A model file and what headstart sees in it. */
export interface OpenedModel {
  readonly path: string;
  readonly model: ModelFile;
  readonly network: Network;
  /** What of an export's changes was undone; missing where the tensors are taken as the file has them. */
  readonly restoration?: Restoration;
  /** What the export has computed beforehand: see {@link ReadModelFile}. */
  readonly foldedFrom?: ReadModelFile["foldedFrom"];
  /** The framework's own tensors, where the user gave them. */
  readonly state?: StateDict;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
}

export interface OpenModelOptions {
  readonly input?: string;
  readonly inputShape?: readonly number[];
  /** Tensor up to which the network is frozen. */
  readonly freeze?: string;
  /** Path of the framework's own tensors, by which more of what an export has changed is restored: see readStateDict. */
  readonly stateDict?: string;
  /** Take the tensors as the file has them. */
  readonly keepNames?: boolean;
}

/** Opens a model file. @throws UserError where it is missing, broken, or no network that headstart can take */
export async function openModel(path: string, options: OpenModelOptions = {}): Promise<OpenedModel> {
  if (options.keepNames && options.stateDict !== undefined)
    throw userError({
      where: options.stateDict,
      required: "no state dict beside --keep-names, which leaves the model's names as they are",
      got: "both",
      advice: "Leave one of them out.",
    });
  const read = await readModelFile(path, readingOptions(options));
  checkAttributes(read.model.graph, path);
  const state = options.stateDict === undefined ? undefined : await readStateDict(options.stateDict);
  const { hash, foldedFrom } = read;
  const { model, restoration, constants } = options.keepNames
    ? asItIs(read.model)
    : restoreModel(read.model, state, foldedFrom);
  const settings: NetworkOptions = {
    where: path,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.inputShape === undefined ? {} : { sampleShape: options.inputShape }),
  };
  const { graph, ...known } = plainGraph(model, settings);
  const network = analyzeNetwork(upgradeGraph(graph, model.opset), {
    ...settings,
    ...known,
    ...(options.freeze === undefined ? {} : { frozen: options.freeze }),
    constants: new Set([...(constants ?? []), ...known.constants]),
    ...(model.signature ? { trained: trainedTensors(model, model.signature, foldedFrom) } : {}),
  });
  return {
    path,
    model,
    network,
    hash,
    ...(restoration ? { restoration } : {}),
    ...(foldedFrom ? { foldedFrom } : {}),
    ...(state ? { state } : {}),
  };
}

/**
 * What PyTorch trains, but for what the file holds other numbers of, too, that the exporter has computed: these would stay when
 * it changes. Weights of layers are found without.
 */
function trainedTensors(
  { graph }: ModelFile,
  { trained }: PytorchSignature,
  foldedFrom: OpenedModel["foldedFrom"] = new Map(),
): ReadonlySet<string> {
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const copied = new Set(
    [...foldedFrom].flatMap(([name, sources]) => {
      const tensor = read.has(name) ? graph.initializers.get(name) : undefined;
      return tensor && isFloating(tensor.type) ? sources : [];
    }),
  );
  return new Set([...trained].filter((name) => !copied.has(name)));
}

/** What of the options a model file is read with. */
export function readingOptions({ input, inputShape }: OpenModelOptions): ReadModelFileOptions {
  return {
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { sampleShape: inputShape }),
  };
}

function asItIs(model: ModelFile): { model: ModelFile; restoration?: undefined; constants?: ReadonlySet<string> } {
  const restorer = new GraphRestorer(model);
  if (model.writeEdited) readComputedMatrices(restorer);
  return {
    model: restorer.nodes === model.graph.nodes ? model : restorer.finish(),
    ...(model.constants ? { constants: model.constants } : {}),
  };
}

/** The graph without branches, loops and recurrent layers, as far as the sample's shape decides them. */
function plainGraph(model: ModelFile, settings: NetworkOptions) {
  let { graph } = model;
  const constants = new Set<string>();
  const unrolled = new Map<string, Node>();
  // What one of them gives may decide about another.
  for (;;) {
    const taken = takeBranches(graph, model.opset, settings);
    const loops = unrollLoops(taken.graph, model.opset, settings);
    for (const name of [...taken.constants, ...loops.constants]) constants.add(name);
    const { layers, obstacles, ...rest } = unrollRecurrences(loops.graph, model.opset, settings);
    for (const [name, layer] of layers) unrolled.set(name, layer);
    const isDone = layers.size === 0 && loops.graph === taken.graph;
    graph = rest.graph;
    if (isDone) return { graph, constants, unrolled, obstacles: new Map([...loops.obstacles, ...obstacles]) };
  }
}
