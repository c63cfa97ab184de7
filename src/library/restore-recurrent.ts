/**
 * Finds PyTorch's own tensors of recurrent layers (torch.nn.LSTM, GRU, RNN), four for each layer and direction, of which
 * its exporters make ONNX's stacked ones.
 */
import type { ModelFile } from "../formats/model-file.js";
import type { PytorchOrigin } from "../formats/pytorch-origin.js";
import type { Node } from "../graph/graph.js";
import { type DirectionTensors, stackedGates } from "../graph/recurrent-node.js";
import { isFloating, numbersOf, type Tensor } from "../graph/tensor.js";
import type { GraphRestorer } from "./graph-restorer.js";
import type { StateDict } from "./restore-by-values.js";
import { placeholderNames } from "./restore-pytorch.js";
import { isStacked, pytorchGates, reorderGates, stackedParts } from "./stacked-matrices.js";

/**
 * Restores the layers whose tensors are certain: where the graph computes a stacked one from them, where the dynamo
 * exporter has noted them, or where the state has exactly these elements.
 */
export function restoreRecurrentLayers(
  restorer: GraphRestorer,
  { origins = new Map(), signature }: ModelFile,
  state: StateDict | undefined,
): void {
  const nameOf = placeholderNames(restorer, origins, signature);
  const layers = restorer.nodes.filter(isStacked);
  const sharing = new Map<string, { readonly directions: readonly DirectionTensors[]; readonly nodes: Node[] }>();
  for (const node of layers) {
    const directions =
      computedFrom(restorer, node) ??
      notedIn(node, layers, origins, nameOf) ??
      (state && equalIn(restorer, node, state));
    if (!directions) continue;
    const key = JSON.stringify([node.op, directions]);
    const known = sharing.get(key);
    if (known) known.nodes.push(node);
    else sharing.set(key, { directions, nodes: [node] });
  }
  for (const { directions, nodes } of sharing.values()) {
    const outputs = nodes.map((node) => node.outputs[0]);
    restorer.unstack(outputs, directions, pytorchGates[nodes[0].op]);
  }
}

/** Has layers read the tensors from which the graph computes all of their stacked ones: that changes no names. */
export function readComputedMatrices(restorer: GraphRestorer): void {
  for (const node of restorer.nodes.filter(isStacked)) {
    const isComputed = node.inputs.slice(1, 4).every((name) => !restorer.initializers.has(name));
    const directions = isComputed ? computedFrom(restorer, node) : undefined;
    if (directions) restorer.unstack([node.outputs[0]], directions, pytorchGates[node.op]);
  }
}

/** Names of a node's tensors as torch.nn.RNNBase has them, where it is this layer of the module. */
function pytorchNames({ inputs, attributes }: Node, module: string, layer: number): DirectionTensors[] {
  const { direction: directions } = attributes;
  const isBidirectional = directions?.kind === "string" && directions.value === "bidirectional";
  const hasBiases = Boolean(inputs[3]);
  return Array.from({ length: isBidirectional ? 2 : 1 }, (_, direction) => {
    const end = `l${layer}${direction === 1 ? "_reverse" : ""}`;
    return {
      inputWeight: `${module}weight_ih_${end}`,
      stateWeight: `${module}weight_hh_${end}`,
      inputBias: hasBiases ? `${module}bias_ih_${end}` : "",
      stateBias: hasBiases ? `${module}bias_hh_${end}` : "",
    };
  });
}

/**
 * The tensors from which the graph computes the stacked ones: all of them in an export without constant folding, else those
 * that are too large to fold.
 */
function computedFrom(restorer: GraphRestorer, node: Node): DirectionTensors[] | undefined {
  const producers = new Map(restorer.nodes.flatMap((each) => each.outputs.map((name) => [name, each] as const)));
  const slots = [1, 2, 3].filter((slot) => node.inputs[slot] && !restorer.initializers.has(node.inputs[slot]));
  const sources = slots.map((slot) => floatingSources(restorer, producers, node.inputs[slot]));
  const pattern = /^(.*)(?:weight|bias)_[ih]h_l(\d+)(?:_reverse)?$/;
  const [, module, layer] = pattern.exec([...(sources[0] ?? [])][0] ?? "") ?? [];
  if (module === undefined) return undefined;
  const names = pytorchNames(node, module, Number(layer));
  const parts = stackedParts(names);
  const areAll = slots.every((slot, index) => {
    const expected = parts.filter((part) => part.slot === slot);
    return expected.length === sources[index].size && expected.every(({ name }) => sources[index].has(name));
  });
  return areAll ? names : undefined;
}

/** The initializers of numbers, not of sizes and indices, from which a value is computed. */
function floatingSources(
  restorer: GraphRestorer,
  producers: ReadonlyMap<string, Node>,
  value: string,
): ReadonlySet<string> {
  const sources = new Set<string>();
  const seen = new Set([""]);
  const open = [value];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const tensor = restorer.initializers.get(name);
    if (tensor && isFloating(tensor.type)) sources.add(name);
    open.push(...(producers.get(name)?.inputs ?? []));
  }
  return sources;
}

/** The tensors that the dynamo exporter has noted at a node; those of all layers of a module stand at each of them. */
function notedIn(
  node: Node,
  nodes: readonly Node[],
  origins: ReadonlyMap<string, PytorchOrigin>,
  nameOf: ReturnType<typeof placeholderNames>,
): DirectionTensors[] | undefined {
  const call = (each: Node): string | undefined => {
    const origin = origins.get(each.outputs[0]);
    return origin && JSON.stringify([origin.modules, origin.operation, origin.arguments]);
  };
  const origin = origins.get(node.outputs[0]);
  const [, operation = ""] = origin?.operation.split(".") ?? [];
  const list = origin?.arguments.find((text) => text.startsWith("[%p_"));
  if (!origin || !list || !/^(lstm|gru|rnn_tanh|rnn_relu)$/.test(operation)) return undefined;
  const names = list
    .slice(1, -1)
    .split(",")
    .map((text) => nameOf(text.trim(), origin));
  const [, module] = /^(.*)weight_ih_l0$/.exec(names[0] ?? "") ?? [];
  if (module === undefined) return undefined;
  const same = nodes.filter((each) => each.op === node.op && call(each) === call(node));
  const layers = same.map((_, layer) => pytorchNames(node, module, layer));
  const expected = stackedParts(layers.flat()).map(({ name }) => name);
  // Two calls of one module would have one text, if they read the same values.
  if (names.length !== expected.length || expected.some((name, index) => name !== names[index])) return undefined;
  return layers[same.indexOf(node)];
}

/** The state's tensors that are a node's stacked ones, element by element. */
function equalIn(restorer: GraphRestorer, node: Node, { tensors }: StateDict): DirectionTensors[] | undefined {
  const stacked = node.inputs.slice(0, 4).map((name) => restorer.parameter(name));
  const candidates: DirectionTensors[][] = [];
  for (const key of tensors.keys()) {
    const [, module, layer] = /^(.*)weight_ih_l(\d+)$/.exec(key) ?? [];
    if (module === undefined) continue;
    const names = pytorchNames(node, module, Number(layer));
    const parts = stackedParts(names);
    const isEqual = [1, 2, 3].every((slot) => {
      const own = parts.filter((part) => part.slot === slot).map(({ name }) => tensors.get(name));
      return own.length === 0 ? !node.inputs[slot] : areStacked(node.op, own, stacked[slot]);
    });
    if (isEqual) candidates.push(names);
  }
  return candidates.length === 1 ? candidates[0] : undefined;
}

function areStacked(op: string, parts: readonly (Tensor | undefined)[], whole: Tensor | undefined): boolean {
  const elements = parts.flatMap((part) => (part ? numbersOf(part) : []));
  const wanted = whole ? numbersOf(whole) : [];
  if (elements.length !== wanted.length || elements.length === 0) return false;
  const ours = reorderGates(elements, pytorchGates[op], stackedGates[op], elements.length / parts.length);
  return ours.every((element, place) => element === wanted[place]);
}
