/** Signs that an export has changed the network: what its framework would miss, or not recognise, in written weights. */
import { userError } from "../errors.js";
import type { ModelFile } from "../formats/model-file.js";
import type { Node } from "../graph/graph.js";
import { isFloating, sizeOf } from "../graph/tensor.js";
import { ancestors, type Network, views } from "../ops/network.js";
import { plainExport, plainTorchScriptExport } from "../ops/plain-export.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { removeParametrizations } from "../recipe/remove-parametrizations.js";
import type { OpenedModel } from "./open-model.js";
import { isFromPytorch, listed } from "./restore-model.js";
import { isOwnName } from "./restore-pytorch.js";
import { rewrittenTensors } from "./rewritten-export.js";

/** Exports that keep every tensor as it is. */
const pytorchRemedy = `In PyTorch, export with ${plainExport}, or with ${plainTorchScriptExport}; where a layer has weight_norm, spectral_norm or pruning, after ${removeParametrizations}.`;

/** The names stay where the weights are inputs of the function that is exported. */
const jaxRemedy =
  'In JAX, export a function of the sample and of every weight, with input_names, and give the file the weights as initializers: docs/python.md, "JAX", has the lines.';

const layers = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** One line for each kind of change; none where the weights fit the framework's own names. */
export function exportWarnings(opened: OpenedModel, features: FeatureExtractor): string[] {
  const { model, restoration, state } = opened;
  const warnings: string[] = [];
  const names = features.parameters.map(({ name }) => name);
  const renamed = state
    ? names.filter((name) => !state.tensors.has(name) && !state.aliases.has(name))
    : names.filter((name) => !isOwnName(name, model));
  if (renamed.length > 0)
    warnings.push(
      `The export has renamed ${renamed.length} of F's weights (${listed(renamed)}), so they do not fit the framework's own names.${batchNote(opened, features, renamed)}`,
    );
  const folded = foldedNormalisations(model, features);
  if (folded.length > 0)
    warnings.push(
      `The export has folded batch normalisation into ${folded.length} of F's layers (${listed(folded)}): training misses it, and the weights do not fit a network that has it.`,
    );
  const merged =
    restoration && isFromPytorch(model)
      ? restoration.merged.filter((name) => names.includes(name))
      : model.format === "onnx" && !model.jaxWeights
        ? mergedTensors(features)
        : // Layers of Keras that are called again; inputs of a function of JAX.
          [];
  if (merged.length > 0)
    warnings.push(
      `The export has merged tensors that were equal (${listed(merged)} ${merged.length === 1 ? "stands" : "each stand"} for several): they are trained as one, and written under one name.`,
    );
  const rewritten = isFromPytorch(model) ? rewrittenTensors(model, features) : [];
  if (rewritten.length > 0)
    warnings.push(
      `Another program than PyTorch, such as onnxslim, onnxsim or ONNX Runtime, has merged or folded tensors of this export (${listed(rewritten)}), and nothing tells which. Give headstart the file as torch.onnx.export has written it.`,
    );
  const stale = staleCopies(opened, features);
  if (stale.length > 0)
    warnings.push(
      `The export has computed ${listed(stale)} from weights of F, and ${stale.length === 1 ? "it stays as it is" : "they stay as they are"} when those change: model.onnx would compute something else than PyTorch does with the same weights.`,
    );
  return [
    ...kerasExport(model),
    ...(model.notes ?? []),
    // The same for all of them, and long: said once.
    ...warnings.map((warning, place) => (place === 0 ? `${warning} ${remedyFor(model)}` : warning)),
  ];
}

/** Tensors outside of what is trained that the export has computed from F's weights. */
function staleCopies({ model, foldedFrom }: OpenedModel, { network, parameters }: FeatureExtractor): string[] {
  const trained = new Set(parameters.map(({ name }) => name));
  const read = new Set(network.graph.nodes.flatMap(({ inputs }) => inputs));
  return [...(foldedFrom ?? [])].flatMap(([name, sources]) => {
    const tensor = read.has(name) && !trained.has(name) ? model.graph.initializers.get(name) : undefined;
    const isNumbers = tensor !== undefined && isFloating(tensor.type) && sizeOf(tensor.shape) > 1;
    return isNumbers && sources.some((source) => trained.has(source)) ? [name] : [];
  });
}

/** What is lost in every export of Keras to ONNX. */
function kerasExport({ format, producer }: ModelFile): readonly string[] {
  if (format !== "onnx" || !/^(tf2onnx|keras)/i.test(producer)) return [];
  return [
    "This is an export of Keras or TensorFlow to ONNX, which renames weights, folds batch normalisations and biases into others, and writes some where they are not trained: give headstart the model's own .keras or .h5 file instead, which it reads and writes back.",
  ];
}

/**
 * Says which weights of F stay as they are although no framework was found to want that; undefined where none does.
 *
 * @param frozen the tensor whose weights were asked to stay
 */
export function computedWeightsWarning(features: FeatureExtractor, frozen?: string): string | undefined {
  const { network, feature } = features;
  const nodes = ancestors(network, [feature]);
  const fromSample = dependingOn(network.input.name, nodes);
  const asked = new Set(frozen === undefined ? [] : ancestors(network, [frozen]).flatMap(({ inputs }) => inputs));
  const untrained = new Set([...untrainedTensors(features)].filter((name) => !asked.has(name)));
  const computed = nodes.filter(({ op, inputs: [, weight = ""] }) => {
    const isWeight = layers.has(op) && !fromSample.has(weight);
    const maker = isWeight ? makerBehindViews(network, weight) : undefined;
    return maker && ancestors(network, maker.outputs).some(({ inputs }) => inputs.some((name) => untrained.has(name)));
  });
  if (computed.length > 0)
    return `The weights of ${computed.length} of F's layers (${listed(computed.map(({ outputs }) => outputs[0]))}) are computed from other tensors and stay as they are. In PyTorch, call ${removeParametrizations} before the export; in other frameworks, export the layers without what computes them.`;
  if (untrained.size === 0) return undefined;
  return `${untrained.size} of F's tensors ${untrained.size === 1 ? "stays" : "stay"} as in the file, being used in no way that headstart knows for weights (${listed([...untrained])}).`;
}

/** Floating-point tensors that F reads, and that are neither parameters nor known to be constants. */
export function untrainedTensors({ network, feature }: FeatureExtractor): ReadonlySet<string> {
  const { graph, parameters, constants } = network;
  // The scales of a Resize are settings, and so are the ones and zeros of a normalisation without scale and shift of its own,
  // such as that within a group normalisation: others are parameters.
  const readsOne = (op: string): boolean => op === "Resize" || op === "InstanceNormalization";
  const read = new Set(
    ancestors(network, [feature]).flatMap(({ op, inputs }) => (readsOne(op) ? inputs.slice(0, 1) : inputs)),
  );
  const names = [...graph.initializers].flatMap(([name, { type, shape }]) =>
    read.has(name) && isFloating(type) && sizeOf(shape) > 1 && !parameters.has(name) && !constants.has(name)
      ? [name]
      : [],
  );
  return new Set(names);
}

/** Everything that is computed from a value by these nodes, itself included. */
function dependingOn(name: string, nodes: readonly Node[]): ReadonlySet<string> {
  const found = new Set([name]);
  for (const { inputs, outputs } of nodes)
    if (inputs.some((input) => found.has(input))) for (const output of outputs) found.add(output);
  return found;
}

/** The node that computes a weight; undefined where it is stored, in this or another form. */
function makerBehindViews({ producers }: Network, weight: string): Node | undefined {
  let maker = producers.get(weight);
  while (maker && views.has(maker.op)) maker = producers.get(maker.inputs[0]);
  return maker?.op === "Constant" ? undefined : maker;
}

/**
 * Tensors of F that stay as they are because the framework does not train them. What the exporter has made itself of shapes,
 * axes and single numbers is no tensor of the framework.
 */
export function keptTensors({ model }: OpenedModel, { network, feature }: FeatureExtractor): readonly string[] {
  const read = new Set(ancestors(network, [feature]).flatMap(({ inputs }) => inputs));
  const isStored = (name: string): boolean => {
    const tensor = model.graph.initializers.get(name);
    return model.format === "onnx" || (tensor !== undefined && model.asStored(name, tensor) !== tensor);
  };
  const isSetting = (name: string): boolean => {
    const tensor = model.graph.initializers.get(name);
    const isNumbers = tensor !== undefined && isFloating(tensor.type) && sizeOf(tensor.shape) > 1;
    return model.format === "onnx" && !isNumbers && !isOwnName(name, model);
  };
  return [...(model.constants ?? [])].filter((name) => read.has(name) && isStored(name) && !isSetting(name));
}

/** Names the tensors of {@link keptTensors}; undefined where there are none. */
export function keptTensorsNote(opened: OpenedModel, features: FeatureExtractor): string | undefined {
  const { model } = opened;
  const kept = keptTensors(opened, features);
  const why = model.jaxWeights
    ? "no weights of the tree that was exported"
    : model.format === "onnx"
      ? "buffers, plain tensors or computed ones in PyTorch"
      : "of layers that are not trainable, or called with training=False";
  return kept.length === 0
    ? undefined
    : `${kept.length} of F's tensors ${kept.length === 1 ? "stays" : "stay"} as in the file, being ${why} (${listed(kept)}).`;
}

/**
 * Refuses weights that would not go back into PyTorch or JAX, where nobody has said that the model's own names will do.
 *
 * @param warnings what {@link exportWarnings} says
 * @throws UserError with what helps
 */
export function requireOwnNames(opened: OpenedModel, warnings: readonly string[]): void {
  const [warning] = warnings;
  if (warning === undefined) return;
  if (opened.model.jaxWeights)
    throw userError({
      where: opened.path,
      required: "weights under the names that they have in JAX",
      got: `others, which would fit no tree. ${warning.replace(/\.$/, "")}`,
      advice: "Or pass --keep-names where the written model.onnx is all you need.",
    });
  const { state } = opened;
  if (!isFromPytorch(opened.model) && !state) return;
  const helps = state
    ? `Or give the state dict of the very model that was exported, if ${state.where} is another's`
    : "Or give the network's own tensors with --state-dict, saved by safetensors.torch.save_model(model, FILE)";
  throw userError({
    where: opened.path,
    required: "weights under the names that PyTorch has for them",
    got: `others, which load_state_dict would not take, or take for another network. ${warning.replace(/\.$/, "")}`,
    advice: `${helps}; or pass --keep-names where the written model.onnx is all you need.`,
  });
}

/** What undoes it: exporters have options, other programs do not. */
function remedyFor(model: ModelFile): string {
  if (model.jaxWeights) return jaxRemedy;
  return isFromPytorch(model)
    ? pytorchRemedy
    : "Weights under these names fit this ONNX file, not the framework that it came from.";
}

/** Says where the exporter seems to have computed a tensor for the batch that it was given, as a class token for each sample. */
function batchNote(
  { model: { origins } }: OpenedModel,
  { network: { fixedBatch, parameters } }: FeatureExtractor,
  renamed: readonly string[],
): string {
  const repeated = renamed.filter((name) => {
    const { shape = [], role } = parameters.get(name) ?? {};
    // The dynamo exporter calls what it has computed by the operation.
    if (origins && origins.size > 0 && !/^(expand|repeat|tile)/.test(name)) return false;
    return role !== "weight" && shape.length > 2 && shape.slice(0, 2).some((size) => size === fixedBatch);
  });
  if (repeated.length === 0) return "";
  return ` ${listed(repeated)} ${repeated.length === 1 ? "seems" : "seem"} to have been computed for the fixed batch of ${fixedBatch}: with dynamic_shapes the batch stays open, and the weight itself.`;
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
