/** A supervised network as headstart sees it: its sample input, and which of its tensors are parameters. */
import { userError } from "../errors.js";
import { type Dimension, firstOutput, type Graph, isOfShapes, type Node, type ValueInfo } from "../graph/graph.js";
import { isFloating, type Tensor } from "../graph/tensor.js";
import { embeddingsOf, shapeOfEmbedding, vocabularyOf, withShapesOf } from "./embedding.js";
import { findLayers } from "./find-layers.js";
import { findParameters } from "./find-parameters.js";
import type { ParameterSpec } from "./parameter.js";
import { fixedSampleShape, sampleInput } from "./sample-input.js";
import { withSharedShapes } from "./shared-shapes.js";
import type { Rows } from "./weight-rows.js";

export { views } from "./find-parameters.js";

/** A layer with a weight, as conditioning and reports walk them: input first. */
export interface Layer {
  readonly weight: ParameterSpec;
  readonly bias?: ParameterSpec;
  /**
   * Set where it has some of the weight's outputs only, as where attention keeps the matrices of query, key and value in
   * one tensor: these rows of the weight, and of the bias where that is as long.
   */
  readonly rows?: Rows;
  /** The value that the activation receives, bias included. */
  readonly preActivation: string;
  readonly node: Node;
  /** A normalisation reads the pre-activation directly. */
  readonly followedByNormalization: boolean;
  /** It is applied again to what came of it, as the matrix of a recurrent layer's state is; this is its first use. */
  readonly isRecurrent: boolean;
}

/** A graph of the pinned opset with what is known of its parts. */
export interface Network {
  /** The model file, for messages. */
  readonly where: string;
  readonly graph: Graph;
  /** The one input that takes samples; its first axis is the batch. */
  readonly input: ValueInfo;
  /** Declared batch size where it is fixed, else undefined. */
  readonly fixedBatch: number | undefined;
  /** Shape of one sample. */
  readonly sampleShape: readonly number[];
  /**
   * Set where samples are tokens, integers by which embeddings look vectors up: how many of them there are, from 0 on.
   */
  readonly vocabulary: number | undefined;
  /** Samples come as a tensor that the model computes. */
  readonly beginsInside: boolean;
  /** By name, in the order in which the computation meets them. */
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  /** Initializers and the values of Constant nodes. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Names of tensors that are known to be no parameters. */
  readonly constants: ReadonlySet<string>;
  readonly layers: readonly Layer[];
  readonly producers: ReadonlyMap<string, Node>;
  /** The nodes that compute with a value; what reads its shape alone, as exporters do for the size of the batch, is none. */
  readonly consumers: ReadonlyMap<string, readonly Node[]>;
  /** The recurrent layer of the model that a node is a part of, by the node's first output. */
  readonly unrolled: ReadonlyMap<string, Node>;
  /** Why headstart cannot take a node that it knows, by its first output. */
  readonly obstacles: ReadonlyMap<string, string>;
}

export interface NetworkOptions {
  readonly where: string;
  /**
   * Name of the sample input, where a model has several inputs; or of a tensor inside the model, where samples come as
   * that tensor and what computes it is left out.
   */
  readonly input?: string;
  /** Name of a tensor up to which the network is frozen: what it depends on are constants, not parameters. */
  readonly frozen?: string;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly sampleShape?: readonly number[];
  /** Names of tensors that are known to be no parameters. */
  readonly constants?: ReadonlySet<string>;
  /**
   * Names of tensors that the framework is known to train, in whatever way the network uses them; missing where the file
   * does not say.
   */
  readonly trained?: ReadonlySet<string>;
  /** See {@link Network}; none by default. */
  readonly unrolled?: ReadonlyMap<string, Node>;
  readonly obstacles?: ReadonlyMap<string, string>;
}

/** Reasons by operators, those of other domains with their domain in front. */
const obstacles: readonly (readonly [RegExp, string])[] = [
  [
    /^(Random(Uniform|Normal)(Like)?|Bernoulli)$/,
    "it draws random numbers, as dropout and its like do in training mode; export the network in evaluation mode, in PyTorch model.eval()",
  ],
  [
    /^(Dynamic)?QuantizeLinear$|^DequantizeLinear$|^QLinear|^(Conv|MatMul)Integer$/,
    "the model is quantised; give the one in floating point that it was made of",
  ],
  [/^com\.microsoft\b/, "ONNX Runtime has optimised or quantised the model; give the one that it was made of"],
  [
    /^(If|Loop|Scan)$/,
    "what it computes depends on the samples' values, or is repeated; give a network without such control flow",
  ],
  [/^Einsum$/, "its equation is not that of one product of matrices; write it with matmul and permute"],
  [
    /^(STFT|DFT|MelWeightMatrix|(Hann|Hamming|Blackman)Window)$/,
    "it makes spectra of signals; begin behind them with --input and --input-shape, and give spectra as samples",
  ],
];

/**
 * Finds input and parameters of an upgraded graph.
 *
 * @throws UserError where there is no sample input, or several to choose from, or where a dimension is left open
 */
export function analyzeNetwork(whole: Graph, options: NetworkOptions): Network {
  const begun = beginAt(whole, options);
  const tensors = storedTensors(begun);
  const input = sampleInput(begun, tensors, options);
  const graph = withSharedShapes(begun, input);
  const shape = input.shape ?? options.sampleShape?.map((size): Dimension => size) ?? [];
  const declared = input.shape ? shape.slice(1) : shape;
  const sampleShape = fixedSampleShape(declared, input, options);
  const batch = input.shape?.[0];
  const producers = new Map<string, Node>();
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) producers.set(output, node);
    if (isOfShapes(node)) continue;
    for (const name of new Set(node.inputs)) {
      const known = consumers.get(name);
      if (known) known.push(node);
      else if (name) consumers.set(name, [node]);
    }
  }
  const parameters = findParameters(graph, input.name, tensors, options);
  if (options.frozen !== undefined)
    for (const name of frozenNames(graph, options.frozen, options.where)) parameters.delete(name);
  return {
    where: options.where,
    graph,
    input,
    fixedBatch: typeof batch === "number" && batch > 0 ? batch : undefined,
    sampleShape,
    vocabulary: isFloating(input.type) ? undefined : vocabularyOf(graph, tensors, input.name),
    beginsInside: begun !== whole,
    parameters,
    tensors,
    constants: options.constants ?? new Set(),
    layers: findLayers(graph, parameters, tensors, consumers),
    producers,
    consumers,
    unrolled: options.unrolled ?? new Map(),
    obstacles: new Map([...knownObstacles(graph), ...(options.obstacles ?? [])]),
  };
}

/** What headstart has no operator for, for reasons that can be told, by first output. */
function knownObstacles({ nodes }: Graph): readonly (readonly [string, string])[] {
  return nodes.flatMap((node) => {
    const operator = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
    const [, why] = obstacles.find(([operators]) => operators.test(operator)) ?? [];
    return why === undefined ? [] : [[firstOutput(node), why] as const];
  });
}

/** An upgraded graph's initializers and the values of its Constant nodes. */
export function storedTensors(graph: Graph): Map<string, Tensor> {
  const tensors = new Map(graph.initializers);
  for (const node of graph.nodes) {
    const value = node.op === "Constant" ? node.attributes.value : undefined;
    if (value?.kind === "tensor") tensors.set(node.outputs[0], value.value);
  }
  return tensors;
}

/** A graph whose sample input is a tensor that the model computes: without the node that computes it. */
function beginAt(graph: Graph, { input, sampleShape, where }: NetworkOptions): Graph {
  const producer = graph.nodes.find(({ outputs }) => input !== undefined && input !== "" && outputs.includes(input));
  if (input === undefined || !producer) return graph;
  const embedding = embeddingsOf(graph, storedTensors(graph)).find(({ node }) => node === producer);
  const shape =
    (embedding && shapeOfEmbedding(embedding, graph.inputs)) ??
    (sampleShape && ([nameOfBatch(graph, input, where), ...sampleShape] as const));
  if (!shape)
    throw userError({
      where: `${where}: tensor ${input}`,
      required: "the shape of one sample, where samples come as a tensor inside the model",
      got: "none",
      advice: "Give it with --input-shape, such as 3x32x32.",
    });
  const begun = { name: input, type: "float32", shape } as const;
  const nodes = graph.nodes.map((node) =>
    node === producer ? { ...node, outputs: node.outputs.map((name) => (name === input ? "" : name)) } : node,
  );
  const kept = nodes.filter(({ outputs }) => outputs.some((name) => name !== ""));
  return {
    ...graph,
    inputs: [...graph.inputs, begun],
    nodes: embedding ? withShapesOf(embedding, shape.length - 1, kept) : kept,
  };
}

/** What the inputs that a tensor is computed from call their first axis where it is open, so that its own is known for the same. */
function nameOfBatch(graph: Graph, tensor: string, where: string): string {
  const sources = frozenNames(graph, tensor, where);
  const names = graph.inputs.filter(({ name }) => sources.has(name)).map(({ shape }) => shape?.[0]);
  return names.find((name) => typeof name === "string" && name !== "")?.toString() ?? "batch";
}

/** Everything that a tensor is computed from. */
function frozenNames(graph: Graph, tensor: string, where: string): Set<string> {
  const names = new Set([tensor]);
  if (!graph.nodes.some(({ outputs }) => outputs.includes(tensor)))
    throw userError({
      where,
      required: "the name of a tensor that the network computes, up to which it is frozen",
      got: `"${tensor}"`,
      advice: '"headstart inspect" lists them.',
    });
  for (let index = graph.nodes.length - 1; index >= 0; index--) {
    const { inputs, outputs } = graph.nodes[index];
    if (outputs.some((name) => names.has(name))) for (const name of inputs) names.add(name);
  }
  return names;
}

/** The nodes on which a value depends, in the graph's order. */
export function ancestors(network: Network, targets: readonly string[]): Node[] {
  const needed = new Set(targets);
  const nodes: Node[] = [];
  for (let index = network.graph.nodes.length - 1; index >= 0; index--) {
    const node = network.graph.nodes[index];
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const name of node.inputs) needed.add(name);
  }
  return nodes.reverse();
}
