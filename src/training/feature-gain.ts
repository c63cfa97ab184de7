/** Makes F's features larger by its first layer, so that supervised training changes that layer less in proportion. */
import { dependents, firstOutput, isOfShapes, type Node } from "../graph/graph.js";
import { ancestors } from "../ops/network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";

/** Operators that give k · f(x) for k · x, k > 0, where their biases are multiplied too; by ONNX name. */
const homogeneous: ReadonlySet<string> = new Set([
  "Gemm",
  "MatMul",
  "Conv",
  "Add",
  "Relu",
  "LeakyRelu",
  "MaxPool",
  "AveragePool",
  "GlobalMaxPool",
  "GlobalAveragePool",
  "Flatten",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
  "Transpose",
  "Identity",
  "Dropout",
  "ReduceMean",
  "ReduceSum",
  "ReduceMax",
]);

/**
 * Multiplies F's first weights, or its embedding, and all its biases by a gain, so that every value behind the first layer, the features
 * included, is multiplied by it and nothing else changes about what F computes.
 *
 * @param weights F's parameters, and others, which stay; not changed
 * @returns the new parameters; undefined where F is more than a chain of layers with ReLU-like activations, so that this
 *   would change what it computes
 */
export function multiplyFeatures(features: FeatureExtractor, weights: Weights, gain: number): Weights | undefined {
  if (!isHomogeneousChain(features)) return undefined;
  const first = embeddingNames(features).size > 0 ? 0 : 1;
  const later = new Set(features.layers.slice(first).map(({ weight }) => weight.name));
  const multiplied = new Set(features.parameters.map(({ name }) => name).filter((name) => !later.has(name)));
  return new Map(
    [...weights].map(([name, values]) =>
      multiplied.has(name) ? [name, values.map((value) => value * gain)] : [name, values],
    ),
  );
}

/**
 * One operator after another, each of them homogeneous, and no biases before the first layer, nor others than F's parameters.
 * What computes with the samples' shape alone, such as the size of the batch for a Reshape, is no part of the chain.
 */
export function isHomogeneousChain(features: FeatureExtractor): boolean {
  const { network, feature, layers, parameters } = features;
  const embeddings = embeddingNames(features);
  const weightNames = new Set([...layers.map(({ weight }) => weight.name), ...embeddings]);
  if (weightNames.size < layers.length + embeddings.size) return false;
  const own = new Set(parameters.map(({ name }) => name));
  let reached = network.input.name;
  let layerSeen = false;
  const sampled = dependents(network.graph, new Set([reached]), (node) => !isOfShapes(node));
  for (const node of ancestors(network, [feature]).filter((each) => sampled.has(firstOutput(each)))) {
    const others = node.inputs.filter((name) => name !== reached && own.has(name));
    const layered = others.some((name) => weightNames.has(name));
    if (!node.inputs.includes(reached)) return false;
    // Tokens are integers until the embedding has looked them up.
    const isLookedUp = node.op === "Gather" && !layerSeen && others.some((name) => embeddings.has(name));
    const isOfTokens = node.op === "Cast" && !layerSeen && embeddings.size > 0;
    if (!homogeneous.has(node.op) && !isLookedUp && !isOfTokens) return false;
    if (others.length > 0 && !layered && !layerSeen) return false;
    if (node.op === "Add" && others.length !== 1) return false;
    if (!readsOnce(node, reached) || needsWeight(node) !== layered) return false;
    if (layered && others.length < node.inputs.filter((name) => name !== "").length - 1) return false;
    layerSeen ||= layered;
    reached = node.outputs[0];
  }
  return reached === feature;
}

function embeddingNames({ parameters }: FeatureExtractor): ReadonlySet<string> {
  return new Set(parameters.filter(({ role }) => role === "embedding").map(({ name }) => name));
}

function readsOnce(node: Node, name: string): boolean {
  return node.inputs.filter((input) => input === name).length === 1;
}

function needsWeight({ op }: Node): boolean {
  return op === "Gemm" || op === "MatMul" || op === "Conv" || op === "Gather";
}
