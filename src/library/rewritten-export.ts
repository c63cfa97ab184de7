/** Signs that another program than PyTorch has changed the tensors of an export since, and dropped the exporter's notes. */
import type { ModelFile } from "../formats/model-file.js";
import type { Node } from "../graph/graph.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";

/**
 * F's tensors of one export of PyTorch that onnxslim, onnxsim, ONNX Runtime's optimiser or the like have put in the place of
 * others: equal vectors merged, and normalisations folded into layers. None where the exporter's own notes tell what became
 * of them.
 */
export function rewrittenTensors({ graph, origins }: ModelFile, features: FeatureExtractor): string[] {
  const hasNotes = origins !== undefined && origins.size > 0;
  const folded = features.layers.flatMap(({ node: { outputs }, weight, bias }) => {
    const isNamedSo = (name: string): boolean =>
      /^(ConvBn|ConvMul|ConvAdd|MatMulBn)Fusion_/.test(name) ||
      name === `${outputs[0]}_weight` ||
      name === `${outputs[0]}_bias` ||
      // The dynamo exporter's own, of which its notes tell.
      (!hasNotes && name === `${weight.name}_bias`);
    return [weight.name, ...(bias ? [bias.name] : [])].filter(isNamedSo);
  });
  return [...new Set([...folded, ...(hasNotes ? [] : mergedVectors(graph.nodes, features))])];
}

/**
 * Vectors of F that several modules read. A module that is called again reads its own again, by nodes of one name and a
 * number.
 *
 * @param nodes the file's own, in which a recurrent layer is one
 */
function mergedVectors(nodes: readonly Node[], { parameters }: FeatureExtractor): string[] {
  const vectors = new Set(
    parameters.filter(({ shape, role }) => shape.length === 1 && role !== "slope").map(({ name }) => name),
  );
  const modules = new Map<string, Set<string>>();
  for (const node of nodes)
    for (const input of node.inputs)
      if (vectors.has(input)) modules.set(input, (modules.get(input) ?? new Set()).add(moduleOf(node)));
  return [...modules].flatMap(([name, readers]) => (readers.size > 1 ? [name] : []));
}

/**
 * What stands for the module that a node is of: its scope in a name of the TorchScript exporter, such as /layer1/norm of
 * /layer1/norm_1/LayerNormalization; and a normalisation's running statistics, which no two share.
 */
function moduleOf({ op, name, inputs }: Node): string {
  if (op === "BatchNormalization") return inputs.slice(3, 5).join(" ");
  const scope = name.startsWith("/") ? name.slice(0, name.lastIndexOf("/")) : undefined;
  if (scope !== undefined) return scope.replaceAll(/_\d+(?=\/|$)/g, "");
  // The dynamo exporter's names, such as node_layer_norm_1, are of operations: each may be another module.
  return name.startsWith("node_") ? name : "";
}
