/** Signs that an export has changed the network: what its framework would miss, or not recognise, in written weights. */
import type { ModelFile } from "../formats/model-file.js";
import { ancestors } from "../ops/network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";

/** Exports that keep every tensor as it is. */
const remedy =
  "In PyTorch, export with torch.onnx.export(..., dynamo=True, optimize=False), or with dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False.";

/** One line for each kind of change; none where the weights fit the framework's own names. */
export function exportWarnings(model: ModelFile, features: FeatureExtractor): string[] {
  const warnings: string[] = [];
  const renamed = features.parameters.filter(({ name }) => /^(onnx::|val_|_v_|\d+$)/.test(name));
  if (renamed.length > 0)
    warnings.push(
      `The export has renamed ${renamed.length} of F's weights (${listed(renamed.map(({ name }) => name))}), so they do not fit the framework's own names. ${remedy}`,
    );
  const folded = foldedNormalisations(model, features);
  if (folded.length > 0)
    warnings.push(
      `The export has folded batch normalisation into ${folded.length} of F's layers (${listed(folded)}): training misses it, and the weights do not fit a network that has it. ${remedy}`,
    );
  const merged = mergedTensors(features);
  if (merged.length > 0)
    warnings.push(
      `The export has merged tensors that were equal (${listed(merged)} ${merged.length === 1 ? "stands" : "each stand"} for several): they are trained as one, and written under one name. ${remedy}`,
    );
  return warnings;
}

/** Weights that hold a batch normalisation. */
function foldedNormalisations(model: ModelFile, { layers }: FeatureExtractor): string[] {
  const fused = new Set(model.folded);
  return layers
    .filter(
      ({ node, weight, bias }) =>
        fused.has(node.outputs[0]) ||
        // The TorchScript exporter gives both a number. Biases of other layers keep their names.
        (node.op === "Conv" && bias && /^onnx::/.test(weight.name) && /^onnx::/.test(bias.name)),
    )
    .map(({ weight }) => weight.name);
}

/** Parameters of layers and normalisations that several nodes read. Matrices may be shared on purpose. */
function mergedTensors({ network, feature, parameters }: FeatureExtractor): string[] {
  const nodes = ancestors(network, [feature]);
  const vectors = new Set(
    parameters.filter(({ shape, role }) => shape.length === 1 && role !== "slope").map(({ name }) => name),
  );
  const origins = new Map([...vectors].map((name) => [name, name]));
  const readers = new Map<string, number>();
  for (const { op, inputs, outputs } of nodes) {
    for (const input of inputs) {
      const origin = origins.get(input);
      if (origin === undefined) continue;
      if (op === "Identity") origins.set(outputs[0], origin);
      else readers.set(origin, (readers.get(origin) ?? 0) + 1);
    }
  }
  return [...readers].filter(([, count]) => count > 1).map(([name]) => name);
}

function listed(names: readonly string[]): string {
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", ..." : ""}`;
}
