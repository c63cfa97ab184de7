/** Signs that an export has changed the network: what its framework would miss, or not recognise, in written weights. */
import { userError } from "../errors.js";
import type { ModelFile } from "../formats/model-file.js";
import { ancestors } from "../ops/network.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { OpenedModel } from "./open-model.js";
import { isFromPytorch, listed } from "./restore-model.js";
import { isOwnName } from "./restore-pytorch.js";

/** Exports that keep every tensor as it is. */
const pytorchRemedy =
  "In PyTorch, export with torch.onnx.export(..., dynamo=True, optimize=False), or with dynamo=False, training=torch.onnx.TrainingMode.TRAINING, do_constant_folding=False; after torch.nn.utils.parametrize.remove_parametrizations, where a layer has weight_norm or spectral_norm.";

const layers = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);
/** Operators behind which a stored weight is itself. */
const keeping = new Set(["Constant", "Identity", "Cast", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Expand"]);

/** One line for each kind of change; none where the weights fit the framework's own names. */
export function exportWarnings({ model, restoration, state }: OpenedModel, features: FeatureExtractor): string[] {
  const warnings: string[] = [];
  const names = features.parameters.map(({ name }) => name);
  const renamed = state
    ? names.filter((name) => !state.tensors.has(name))
    : names.filter((name) => !isOwnName(name, model));
  if (renamed.length > 0)
    warnings.push(
      `The export has renamed ${renamed.length} of F's weights (${listed(renamed)}), so they do not fit the framework's own names.`,
    );
  const folded = foldedNormalisations(model, features);
  if (folded.length > 0)
    warnings.push(
      `The export has folded batch normalisation into ${folded.length} of F's layers (${listed(folded)}): training misses it, and the weights do not fit a network that has it.`,
    );
  const merged =
    restoration && isFromPytorch(model)
      ? restoration.merged.filter((name) => names.includes(name))
      : mergedTensors(features);
  if (merged.length > 0)
    warnings.push(
      `The export has merged tensors that were equal (${listed(merged)} ${merged.length === 1 ? "stands" : "each stand"} for several): they are trained as one, and written under one name.`,
    );
  return warnings.map((warning) => `${warning} ${remedyFor(model)}`);
}

/** Says where a layer's weight is computed from other tensors, which leaves the layer as it is; else undefined. */
export function computedWeightsWarning({ network, feature }: FeatureExtractor): string | undefined {
  const fromSample = new Set([network.input.name]);
  const computed: string[] = [];
  for (const { op, inputs, outputs } of ancestors(network, [feature])) {
    if (inputs.some((name) => fromSample.has(name))) for (const output of outputs) fromSample.add(output);
    const weight = inputs[1];
    const maker = network.producers.get(weight ?? "");
    if (!layers.has(op) || !maker || fromSample.has(weight) || keeping.has(maker.op)) continue;
    computed.push(outputs[0]);
  }
  return computed.length === 0
    ? undefined
    : `The weights of ${computed.length} of F's layers (${listed(computed)}) are computed from other tensors and stay as they are. In PyTorch, call torch.nn.utils.parametrize.remove_parametrizations before the export.`;
}

/** Names the tensors of F that stay as they are because the framework does not train them; undefined where none does. */
export function keptTensorsNote({ model }: OpenedModel, { network, feature }: FeatureExtractor): string | undefined {
  const read = new Set(ancestors(network, [feature]).flatMap(({ inputs }) => inputs));
  const kept = [...(model.constants ?? [])].filter((name) => read.has(name));
  const why =
    model.format === "onnx" ? "buffers, plain tensors or computed ones in PyTorch" : "of layers that are not trainable";
  return kept.length === 0
    ? undefined
    : `${kept.length} of F's tensors ${kept.length === 1 ? "stays" : "stay"} as in the file, being ${why} (${listed(kept)}).`;
}

/**
 * Refuses weights that would not go back into PyTorch, where nobody has said that the model's own names will do.
 *
 * @param warnings what {@link exportWarnings} says
 * @throws UserError with what helps
 */
export function requireOwnNames(opened: OpenedModel, warnings: readonly string[]): void {
  const [warning] = warnings;
  if (!isFromPytorch(opened.model) && !opened.state) return;
  if (warning === undefined) return;
  throw userError({
    where: opened.path,
    required: "weights under the names that PyTorch has for them",
    got: `others, which load_state_dict would not take. ${warning.replace(/\.$/, "")}`,
    advice:
      "Or give the network's own tensors with --state-dict, saved by safetensors.torch.save_model(model, FILE); or pass --keep-names where the written model.onnx is all you need.",
  });
}

/** What undoes it: exporters have options, other programs do not. */
function remedyFor(model: ModelFile): string {
  return isFromPytorch(model)
    ? pytorchRemedy
    : "Weights under these names fit this ONNX file, not the framework that it came from.";
}

/** Weights that hold a batch normalisation. */
function foldedNormalisations({ origins }: ModelFile, { layers }: FeatureExtractor): string[] {
  return layers
    .filter(
      ({ node, weight, bias }) =>
        origins?.get(node.outputs[0])?.isFolded ||
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
