/** Start values of parameters: drawn afresh, or as the model's file has them. */

import { userError } from "../errors.js";
import type { Node } from "../graph/graph.js";
import { stackedGates } from "../graph/recurrent-node.js";
import { sizeOf } from "../graph/tensor.js";
import { drawEmbedding } from "../initializers/embeddings.js";
import {
  drawLayer,
  type Initializer,
  type InitializerContext,
  parseInitializer,
  type RecurrentContext,
} from "../initializers/initializers.js";
import { singlePrecision } from "../ops/instantiate.js";
import type { Layer, Network } from "../ops/network.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { RandomStream } from "../random/stream.js";

/** float32 elements by parameter name. */
export type Weights = Map<string, Float32Array>;

/**
 * Start values for all parameters of a network.
 *
 * Weights and biases of layers, and embeddings, are drawn; scales and shifts of normalisations become 1 and 0. What has no rule for
 * drawing (learned positions, factors, slopes, running statistics) stays as the file has it, as does everything where
 * `start` is "file".
 *
 * @param start "file" or an initializer's name
 * @param seed streams are addressed by the tensors' names, so every tensor's draw is independent of the others
 * @throws UserError where the file's values are to be taken and are not finite
 */
export function initialWeights(network: Network, start: string, seed: number): Weights {
  const weights: Weights = new Map();
  for (const spec of network.parameters.values()) weights.set(spec.name, fileValue(network, spec.name));
  if (start === "file") {
    for (const [name, elements] of weights) requireFinite(network, name, elements);
    return weights;
  }
  const initializer = parseInitializer(start);
  const drawn = new Set<string>();
  for (const layer of network.layers) {
    if (drawn.has(layer.weight.name)) continue;
    drawn.add(layer.weight.name);
    const recurrent = recurrentContext(network, layer);
    const context = { ...activationAfter(network, layer), ...(recurrent ? { recurrent } : {}) };
    drawInto(weights, initializer, layer.weight, layer.bias, seed, context);
    if (layer.bias) drawn.add(layer.bias.name);
  }
  // Recurrent layers have second biases, and biases that lie together in one tensor.
  for (const { name, role, shape } of network.parameters.values()) {
    const recurrent = role === "bias" && !drawn.has(name) ? contextOf(recurrentReader(network, name), true) : undefined;
    if (!recurrent) continue;
    const stream = new RandomStream(seed, `weights/${name}`);
    const count = sizeOf(shape);
    const matrix = [count, recurrent.hidden];
    weights.set(name, initializer.bias(count, matrix, { kind: "matrix", inputAxis: 1 }, stream, { recurrent }));
  }
  for (const spec of network.parameters.values()) {
    if (spec.role === "embedding")
      weights.set(spec.name, drawEmbedding(initializer, spec.shape, new RandomStream(seed, `weights/${spec.name}`)));
    if (spec.role === "scale") weights.set(spec.name, new Float32Array(sizeOf(spec.shape)).fill(1));
    if (spec.role === "shift") weights.set(spec.name, new Float32Array(sizeOf(spec.shape)));
  }
  return weights;
}

/** Start values for parts that headstart builds itself (mirror, discriminator, task head): He, biases 0, scales 1. */
export function drawParameters(specs: readonly ParameterSpec[], initializerName: string, seed: number): Weights {
  const initializer = parseInitializer(initializerName);
  const weights: Weights = new Map();
  for (const spec of specs) {
    if (spec.role === "weight" && spec.layout) drawInto(weights, initializer, spec, undefined, seed, {});
    else weights.set(spec.name, new Float32Array(sizeOf(spec.shape)).fill(spec.role === "scale" ? 1 : 0));
  }
  return weights;
}

function requireFinite({ where }: Network, name: string, elements: Float32Array): void {
  const bad = elements.findIndex((element) => !Number.isFinite(element));
  if (bad < 0) return;
  throw userError({
    where: `${where}: tensor ${name}`,
    required: "finite numbers to start from",
    got: `${elements[bad]} at place ${bad}`,
    advice: "Export the model before its training failed, or choose another start.",
  });
}

function fileValue(network: Network, name: string): Float32Array {
  const tensor = network.tensors.get(name);
  if (!tensor) throw new Error(`the network has no tensor ${name}`);
  return (singlePrecision(tensor).data as Float32Array).slice();
}

function drawInto(
  weights: Weights,
  initializer: Initializer,
  weight: ParameterSpec,
  bias: ParameterSpec | undefined,
  seed: number,
  context: InitializerContext,
): void {
  if (!weight.layout) return;
  const drawn = drawLayer(
    initializer,
    {
      weight: weight.name,
      shape: weight.shape,
      layout: weight.layout,
      ...(bias ? { bias: { name: bias.name, count: sizeOf(bias.shape) } } : {}),
    },
    seed,
    context,
  );
  weights.set(weight.name, drawn.weight);
  if (bias && drawn.bias) weights.set(bias.name, drawn.bias);
}

/** What initializers look at, where a layer is a part of a recurrent one. */
export function recurrentContext(network: Network, { node, isRecurrent }: Layer): RecurrentContext | undefined {
  return contextOf(network.unrolled.get(node.outputs[0]), isRecurrent);
}

/** The same of a recurrent layer as the model has it. */
function contextOf(layer: Node | undefined, isState: boolean): RecurrentContext | undefined {
  const { hidden_size: size, gates } = layer?.attributes ?? {};
  if (!layer || size?.kind !== "int") return undefined;
  const order: readonly string[] = gates?.kind === "strings" ? gates.value : stackedGates[layer.op];
  const forget = order.indexOf("forget");
  return { hidden: size.value, isState, ...(isState || forget < 0 ? {} : { forget: forget * size.value }) };
}

/** The recurrent layer that reads a tensor, as it is or a part of it. */
function recurrentReader(network: Network, name: string): Node | undefined {
  const views = new Set(["Identity", "Cast", "Reshape", "Gather"]);
  for (const { op, outputs } of network.consumers.get(name) ?? []) {
    const layer =
      network.unrolled.get(outputs[0]) ?? (views.has(op) ? recurrentReader(network, outputs[0]) : undefined);
    if (layer) return layer;
  }
  return undefined;
}

/** The first activation behind a layer, looking through normalisations, their factors, pools and changes of shape. */
export function activationAfter(network: Network, layer: Layer): InitializerContext {
  const passed = new Set([
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "MaxPool",
    "AveragePool",
    "Identity",
    "Dropout",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Add",
  ]);
  let name = layer.preActivation;
  for (let steps = 0; steps < 8; steps++) {
    const next = network.consumers.get(name)?.[0];
    if (!next) return {};
    // What a normalisation is scaled by, where exporters write that out.
    const isScaled = next.op === "Mul" && next.inputs.some((input) => network.parameters.has(input));
    if (!passed.has(next.op) && !isScaled) {
      const slope = next.op === "LeakyRelu" ? next.attributes.alpha : undefined;
      return { activation: next.op, ...(slope?.kind === "float" ? { slope: slope.value } : {}) };
    }
    name = next.outputs[0];
  }
  return {};
}
