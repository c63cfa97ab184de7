/** Where a supervised network's feature extractor F ends and its head begins. */
import { userError } from "../errors.js";
import { dependents, firstOutput, isOfShapes, type Node } from "../graph/graph.js";
import { isFloating, sizeOf } from "../graph/tensor.js";
import { nearest } from "../nearest.js";
import { ancestors, type Layer, type Network, views } from "../ops/network.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { operatorOf } from "../ops/table.js";
import { encoderEnd } from "./encoder-end.js";
import { removeParametrizations } from "./remove-parametrizations.js";

/** F: the part of a network from its sample input to the feature tensor. */
export interface FeatureExtractor {
  readonly network: Network;
  /** Name of the feature tensor. */
  readonly feature: string;
  /** F's parameters, input first. */
  readonly parameters: readonly ParameterSpec[];
  /** F's layers with weights, input first. */
  readonly layers: readonly Layer[];
  /** Where the head begins: the operator and name of the first node after the feature tensor. */
  readonly head: readonly string[];
  /** Set where F ends by default with the network's encoder: the decoder's first node. */
  readonly enlargement?: Node;
}

/** Whether F's weights are matrices alone: dense layers, recurrent ones, attention; no convolutions. */
export function isDense({ layers }: Pick<FeatureExtractor, "layers">): boolean {
  return layers.every(({ weight }) => weight.layout?.kind === "matrix");
}

/** Whether a convolution reads each of its channels by itself. */
export function isDepthwise({ weight: { layout, shape } }: Layer): boolean {
  return layout?.kind === "convolution" && layout.groups > 1 && shape[1] === 1;
}

/** Whether a convolution over two axes does so. */
export function isDepthwisePicture(layer: Layer): boolean {
  return isDepthwise(layer) && layer.weight.shape.length === 4;
}

/**
 * Splits a network into F and head.
 *
 * @param feature name of the feature tensor; default: what the last layer in front of the network's first output reads (of
 *   several that no other comes behind, the last Gemm or MatMul with a weight, stored or computed, or, without one, the last
 *   convolution); where that needs other inputs too, the last tensor behind a layer that does not; where the last layer is a
 *   convolution that reads what the network has enlarged, the end of its encoder
 * @throws UserError where the tensor does not exist, does not depend on the input, or leaves F without weights
 */
export function featureExtractor(network: Network, feature?: string): FeatureExtractor {
  const last = feature === undefined ? lastLayer(network) : undefined;
  const whole = feature ?? withoutOtherInputs(network, last?.reads ?? "");
  const encoder = last && /^Conv/.test(last.node.op) ? encoderEnd(network, whole) : undefined;
  const name = encoder?.feature ?? whole;
  const nodes = ancestors(network, [name]);
  if (feature !== undefined && (nodes.length === 0 || !dependsOnInput(network, name))) {
    const outputs = network.graph.nodes.flatMap((node) => node.outputs.filter(Boolean));
    const known = outputs.includes(name);
    const close = nearest(name, outputs);
    throw userError({
      where: `${network.where}: feature tensor`,
      required: "the name of a tensor that is computed from the sample input",
      got: known ? `"${name}", which does not depend on ${network.input.name}` : `"${name}"`,
      advice:
        close && !known
          ? `Did you mean "${close}"? "headstart inspect" lists them.`
          : `"headstart inspect" lists them.`,
    });
  }
  const used = new Set(nodes.flatMap((node) => [...node.inputs, ...node.outputs]));
  const layers = network.layers.filter((layer) => used.has(layer.node.outputs[0]));
  const parameters = [...network.parameters.values()].filter((parameter) => used.has(parameter.name));
  const unknown = unknownOperator(nodes);
  const isEmpty = layers.length === 0 && !parameters.some(({ role }) => role === "embedding");
  if (isEmpty && unknown)
    throw userError({
      where: `${network.where}: feature tensor "${name}"`,
      required: "a feature extractor of operators that headstart can train",
      got: `${described(network, unknown)}, and no Gemm, MatMul or Conv before it`,
      advice: "Choose another tensor with --features, or a network without this operator.",
    });
  const stored = `Weights that are computed from other tensors (weight_norm, spectral_norm, pruning) must be stored: in PyTorch, call ${removeParametrizations} before the export. Layers that compute theirs in other ways, as by weight standardisation, are trained beside layers that store them.`;
  if (isEmpty && last) {
    const others = nodes.some(({ op }) => /^(Gemm|MatMul|Conv|ConvTranspose)$/.test(op));
    throw userError({
      where: network.where,
      required: "a network with a Gemm, MatMul or Conv before its last layer whose weight is stored in the model",
      got: `none before the last layer, ${labelOf(last.node)}`,
      advice: others
        ? stored
        : "The last layer is the head, which is trained with labels: a network of one layer has no features to learn without them.",
    });
  }
  if (isEmpty)
    throw userError({
      where: `${network.where}: feature tensor "${name}"`,
      required: "a feature extractor with at least one Gemm, MatMul or Conv whose weight is stored in the model",
      got: "none before it",
      advice: `Choose a later tensor with --features; a network of one layer has no features to learn. ${stored}`,
    });
  const head = network.graph.nodes
    .filter((node) => node.inputs.includes(name))
    .map((node) => `${node.op} ${node.name || node.outputs[0]}`);
  return { network, feature: name, parameters, layers, head, ...(encoder && { enlargement: encoder.enlargement }) };
}

/** Operator and name of a node, and why it cannot be taken, where that is known. */
function described({ obstacles }: Network, node: Node): string {
  const reason = obstacles.get(firstOutput(node));
  return `${labelOf(node)}${reason === undefined ? "" : ` (${reason})`}`;
}

/** The first node of an operator that headstart does not know. */
function unknownOperator(nodes: readonly Node[]): Node | undefined {
  return nodes.find(({ op, domain }) => domain !== "" || operatorOf(op) === undefined);
}

/**
 * The dense layers and convolutions in front of the network's first output, input first: others belong to heads beside it,
 * such as an auxiliary classifier that reads earlier features. Where there are none, those in front of any output. The
 * products inside of a recurrent layer are none of them.
 */
export function mainLayers(network: Network): readonly Layer[] {
  const outputs = network.graph.outputs.map(({ name }) => name);
  const reaching = (names: readonly string[]): readonly Layer[] => {
    const nodes = new Set(ancestors(network, names));
    return network.layers.filter(({ node }) => nodes.has(node) && !network.unrolled.has(node.outputs[0]));
  };
  const main = reaching(outputs.slice(0, 1));
  return main.length > 0 ? main : reaching(outputs);
}

/** Operator and name of a node. */
function labelOf(node: Node): string {
  return `${node.op} at ${node.name || node.outputs[0]}`;
}

/** The last layer in front of the first output, and what of the samples it reads. */
function lastLayer(network: Network): { readonly node: Node; readonly reads: string } {
  const layers = finalLayers(network, mainLayers(network));
  const dense = layers.filter(({ node }) => node.op === "Gemm" || node.op === "MatMul");
  const last = (dense.length > 0 ? dense : layers).at(-1);
  // An embedding may be a network's only layer.
  const before = last?.node.outputs ?? (network.vocabulary === undefined ? [] : [network.input.name]);
  const other = layerOfOtherWeight(network, before);
  if (other) return { node: other, reads: other.inputs[0] };
  if (!last) {
    const outputs = network.graph.outputs.map(({ name }) => name);
    const unknown = unknownOperator(ancestors(network, outputs));
    throw userError({
      where: network.where,
      required: "a network with a Gemm, MatMul or Conv layer whose weight is stored in the model",
      got: unknown ? `none, and ${described(network, unknown)}` : "none",
      advice:
        "Export the model with its weights (export_params=True in PyTorch), or name the tensor that F ends at with --features.",
    });
  }
  const reads = last.node.inputs.slice(0, 2).find((name) => dependsOnInput(network, name));
  if (reads === undefined) throw new Error(`${last.node.op} reads nothing that depends on the sample`);
  return { node: last.node, reads };
}

/**
 * Those of a network's layers behind which no other comes: a dense layer that gates a convolution is none of them. Of a network
 * with several inputs, such as that of two towers, those that the samples reach, where they reach any.
 */
function finalLayers({ graph, input }: Network, layers: readonly Layer[]): readonly Layer[] {
  // How many samples there are, which one tower may ask of the other's input, says nothing of them.
  const sampled = dependents(graph, new Set([input.name]), (node) => !isOfShapes(node));
  const reached = layers.filter(({ node }) => node.inputs.some((name) => sampled.has(name)));
  const candidates = new Set((reached.length > 0 ? reached : layers).map(({ node }) => node));
  /** What a candidate is computed from. */
  const read = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    const isRead = node.outputs.some((name) => read.has(name));
    if (isRead || candidates.has(node)) for (const name of node.inputs) read.add(name);
    if (isRead) candidates.delete(node);
  }
  return layers.filter(({ node }) => candidates.has(node));
}

/**
 * The last dense layer behind these values with a weight that the graph computes from stored tensors, as that of a cosine
 * classifier is, `F.linear(F.normalize(x), F.normalize(self.weight))`, or that is an embedding's table, as that of a language
 * model whose output is tied to its input; undefined where there is none.
 */
function layerOfOtherWeight(network: Network, values: readonly string[]): Node | undefined {
  const { graph, constants, parameters, unrolled } = network;
  const sampled = new Set([network.input.name, ...otherInputs(network)]);
  const behind = new Set(values);
  const learned = new Set<string>();
  for (const [name, { type, shape }] of graph.initializers)
    if (isFloating(type) && sizeOf(shape) > 1 && !constants.has(name)) learned.add(name);
  const computed = new Set<string>();
  /** Tables of embeddings, and views of them. */
  const tables = new Set([...parameters.values()].flatMap(({ name, role }) => (role === "embedding" ? [name] : [])));
  let last: Node | undefined;
  const [output] = graph.outputs;
  for (const other of ancestors(network, [output.name])) {
    const { op, inputs, outputs } = other;
    const isDense = (op === "Gemm" || op === "MatMul") && !unrolled.has(outputs[0]);
    if (isDense && behind.has(inputs[0]) && (computed.has(inputs[1]) || tables.has(inputs[1]))) last = other;
    const isBehind = inputs.some((name) => behind.has(name));
    const isSampled = inputs.some((name) => sampled.has(name));
    // A view of a stored weight is one still.
    const isComputed = inputs.some((name) => computed.has(name) || (learned.has(name) && !views.has(op)));
    const isTable = views.has(op) && !isSampled && tables.has(inputs[0]);
    for (const name of outputs) {
      if (isBehind) behind.add(name);
      if (isTable) tables.add(name);
      if (isSampled) sampled.add(name);
      else if (isComputed) computed.add(name);
      else if (inputs.some((input) => learned.has(input))) learned.add(name);
    }
  }
  return last;
}

/** Inputs that a network has beside that of the samples. */
export function otherInputs({ graph, input, tensors }: Network): string[] {
  return graph.inputs.map(({ name }) => name).filter((name) => name !== input.name && !tensors.has(name));
}

function isEmbedding({ parameters }: Network, { op, inputs }: Node): boolean {
  return op === "Gather" && parameters.get(inputs[0])?.role === "embedding";
}

/** The tensor itself, or, where it needs other inputs of the network, the last one before it that the samples suffice for. */
function withoutOtherInputs(network: Network, name: string): string {
  const mixed = new Set(otherInputs(network));
  if (mixed.size === 0) return name;
  const sampled = new Set([network.input.name]);
  const behindLayer = new Set<string>();
  const layers = new Set(network.layers.map(({ node }) => node));
  const isLayer = (node: Node): boolean => layers.has(node) || isEmbedding(network, node);
  let last: string | undefined;
  for (const node of ancestors(network, [name])) {
    const isMixed = node.inputs.some((input) => mixed.has(input));
    const isSampled = node.inputs.some((input) => sampled.has(input));
    const isBehind = isSampled && (isLayer(node) || node.inputs.some((input) => behindLayer.has(input)));
    for (const output of node.outputs) {
      if (isMixed) mixed.add(output);
      else if (isSampled) sampled.add(output);
      if (isBehind && !isMixed) behindLayer.add(output);
    }
    // What is joined with other inputs is complete; what comes earlier is on the way to it.
    if (isMixed) last = node.inputs.findLast((input) => behindLayer.has(input)) ?? last;
  }
  return mixed.has(name) ? (last ?? name) : name;
}

function dependsOnInput(network: Network, name: string): boolean {
  return (
    name === network.input.name || ancestors(network, [name]).some((node) => node.inputs.includes(network.input.name))
  );
}
