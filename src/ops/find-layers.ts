/** A network's layers with weights: their biases, what follows them, and which of them are applied again. */
import { dependents, type Graph, isOfShapes, type Node } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";
import { views } from "./find-parameters.js";
import { normalizationNames } from "./names.js";
import type { Layer } from "./network.js";
import type { ParameterSpec } from "./parameter.js";
import { allRows, isBiasOf, someRows, takeRows } from "./weight-rows.js";

const normalizations: ReadonlySet<string> = new Set(normalizationNames);

/** Finds the layers that have a weight among the parameters, input first. */
export function findLayers(
  graph: Graph,
  parameters: ReadonlyMap<string, ParameterSpec>,
  tensors: ReadonlyMap<string, Tensor>,
  consumers: ReadonlyMap<string, readonly Node[]>,
): Layer[] {
  const aliases = new Map<string, string>([...parameters.keys()].map((name) => [name, name]));
  const parts = new Map([...parameters.values()].map((spec) => [spec.name, allRows(spec)]));
  const layers: Layer[] = [];
  const repeated = new RepeatedUses();
  /** What varies with the sample or by training: what a layer makes of zeros alone, as a first state, is no activation. */
  const sources = graph.inputs.map(({ name }) => name).filter((name) => !tensors.has(name));
  // How many samples there are says nothing of them.
  const varying = dependents(graph, new Set([...sources, ...parameters.keys()]), (node) => !isOfShapes(node));
  for (const node of graph.nodes) {
    const first = aliases.get(node.inputs[0]);
    if (first !== undefined && views.has(node.op)) {
      for (const output of node.outputs) aliases.set(output, first);
      takeRows(node, parts, tensors);
    }
    repeated.pass(node);
    if (node.op !== "Conv" && node.op !== "ConvTranspose" && node.op !== "Gemm" && node.op !== "MatMul") continue;
    const operand = node.inputs
      .slice(0, 2)
      .findIndex((name) => parameters.get(aliases.get(name) ?? "")?.role === "weight");
    const matrix = node.inputs[operand];
    const weight = parameters.get(aliases.get(matrix) ?? "");
    if (!weight) continue;
    const rows = someRows(weight, parts.get(matrix));
    repeated.use(node, weight.name, directionOf(node, operand, parts.get(matrix)?.isTurned ?? false));
    if (!varying.has(node.inputs[1 - operand])) continue;
    let bias = node.inputs[2] ? parameters.get(aliases.get(node.inputs[2]) ?? "") : undefined;
    let preActivation = node.outputs[0];
    const followers = consumers.get(preActivation) ?? [];
    if (!bias && followers.length === 1 && followers[0].op === "Add") {
      const added = followers[0].inputs
        .filter((name) => name !== preActivation)
        .find((name) => parameters.get(aliases.get(name) ?? "")?.role === "bias");
      const spec = parameters.get(aliases.get(added ?? "") ?? "");
      if (added !== undefined && spec && isBiasOf(rows, unitsOf(weight), spec, parts.get(added))) {
        bias = spec;
        preActivation = followers[0].outputs[0];
      }
    }
    const readers = consumers.get(preActivation) ?? [];
    layers.push({
      weight,
      ...(bias ? { bias } : {}),
      ...(rows ? { rows } : {}),
      preActivation,
      node,
      followedByNormalization: readers.some((reader) => normalizations.has(reader.op)),
      isRecurrent: false,
    });
  }
  const seen = new Set<string>();
  return layers.flatMap((layer) => {
    const { name } = layer.weight;
    if (!repeated.weights.has(name)) return [layer];
    if (seen.has(name)) return [];
    seen.add(name);
    return [{ ...layer, isRecurrent: true }];
  });
}

/** Which way round a layer applies its weight: a decoder that is tied to its encoder applies the encoder's turned. */
function directionOf({ op, attributes }: Node, operand: number, isTurned: boolean): string {
  if (op === "Conv" || op === "ConvTranspose") return op;
  const flag = attributes[operand === 0 ? "transA" : "transB"];
  const isTransposed = op === "Gemm" && flag?.kind === "int" && flag.value !== 0;
  return (operand === 0) === (isTransposed === isTurned) ? "inputs on axis 1" : "inputs on axis 0";
}

/** Finds the weights that are applied, the same way round, to what has come of them, walking a graph in its order. */
class RepeatedUses {
  readonly weights = new Set<string>();
  /** The weights on which a value depends, each with a direction. */
  readonly #behind = new Map<string, ReadonlySet<string>>();

  /** Takes note of what a node's outputs depend on. */
  pass({ inputs, outputs }: Node): void {
    let all: ReadonlySet<string> | undefined;
    for (const name of inputs) {
      const some = this.#behind.get(name);
      if (!some || some === all) continue;
      all = all && [...some].some((each) => !all?.has(each)) ? new Set([...all, ...some]) : (all ?? some);
    }
    if (all) for (const name of outputs) this.#behind.set(name, all);
  }

  /** Takes note of a layer, after its node. */
  use({ outputs }: Node, weight: string, direction: string): void {
    const before = this.#behind.get(outputs[0]);
    const use = JSON.stringify([weight, direction]);
    if (before?.has(use)) this.weights.add(weight);
    else for (const name of outputs) this.#behind.set(name, new Set([...(before ?? []), use]));
  }
}

/** Number of a weight's outputs; undefined where its layout is not known. */
export function unitsOf(weight: ParameterSpec): number | undefined {
  const { layout, shape } = weight;
  if (!layout) return undefined;
  if (layout.kind === "matrix") return shape[1 - layout.inputAxis];
  if (layout.kind === "matrices") return shape[0] * shape[1];
  return layout.transposed ? shape[1] * layout.groups : shape[0];
}
