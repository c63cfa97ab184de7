/** Emits a graph anew, node by node, with a pass's rule in the way; in one piece, or cut into parts. */
import type { Value, ValueType } from "../graph/builder.js";
import type { Graph, Node, ValueInfo } from "../graph/graph.js";
import { Emitter } from "../ops/emitter.js";
import { type Cut, cutGraph, type GraphPart } from "./cut-graph.js";

/**
 * What a pass makes of a node: values that stand for its outputs, or undefined where the node stays as it is. It must
 * compute the same numbers, up to rounding.
 */
export type NodeRule = (
  emit: Emitter,
  node: Node,
  inputs: readonly (Value | undefined)[],
  /** How many nodes and outputs read a value of the graph, by name. */
  uses: (name: string) => number,
) => readonly Value[] | undefined;

/** The pass that does to each node what the first of these passes does that does anything. */
export function firstOf(passes: readonly NodeRule[]): NodeRule {
  return (...node) => {
    for (const pass of passes) {
      const outputs = pass(...node);
      if (outputs) return outputs;
    }
    return undefined;
  };
}

/**
 * A graph that computes the same outputs from the same inputs, under the same names. Nodes are of ONNX's own domain and
 * the pinned opset, and all shapes are numbers, as in every training graph.
 */
export function rewriteGraph(graph: Graph, rule: NodeRule): Graph {
  const outputs = new Map(graph.outputs.map(({ name }) => [name, name]));
  return emitPart(graph, { nodes: graph.nodes, outputs }, new Map(graph.inputs.map(inputOf)), rule).graph;
}

/**
 * The same in parts, see {@link cutGraph}: each is fed what it needs of the graph's inputs, of the outputs of the parts
 * before, and of what was made outside, under their names.
 */
export function rewriteParts(graph: Graph, cuts: readonly Cut[], rule: NodeRule): Graph[] {
  const inputs = new Map([...graph.outputs, ...graph.inputs].map(inputOf));
  return cutGraph(graph, cuts).map((part) => {
    const made = new Set(part.nodes.flatMap((node) => node.outputs));
    const needed = [...part.nodes.flatMap((node) => node.inputs), ...part.outputs.values()];
    const fed = needed.flatMap((name): [string, PartInput][] => {
      const input = inputs.get(name);
      return input && !made.has(name) ? [[name, input]] : [];
    });
    const emitted = emitPart(graph, part, new Map(fed), rule);
    for (const [name, source] of part.outputs) inputs.set(source, { ...emitted.types.get(name)!, as: name });
    const used = new Set(emitted.graph.nodes.flatMap((node) => node.inputs));
    return { ...emitted.graph, inputs: emitted.graph.inputs.filter(({ name }) => used.has(name)) };
  });
}

/** What a part is fed for a value of the whole graph. */
interface PartInput extends ValueType {
  readonly as: string;
}

function inputOf({ name, type, shape }: ValueInfo): [string, PartInput] {
  return [name, { type, shape: (shape ?? []).map(Number), as: name }];
}

function emitPart(
  graph: Graph,
  { nodes, outputs }: GraphPart,
  inputs: ReadonlyMap<string, PartInput>,
  rule: NodeRule,
): { graph: Graph; types: ReadonlyMap<string, ValueType> } {
  const emit = new Emitter();
  const values = new Map<string, Value>();
  for (const [name, { type, shape, as }] of inputs) values.set(name, emit.input(as, type, shape));
  for (const [name, tensor] of graph.initializers) if (!values.has(name)) values.set(name, emit.constant(tensor));
  const counts = new Map<string, number>();
  for (const name of [...nodes.flatMap((node) => node.inputs), ...outputs.values()])
    counts.set(name, (counts.get(name) ?? 0) + 1);
  const uses = (name: string): number => counts.get(name) ?? 0;
  for (const node of nodes) {
    const operands = node.inputs.map((name) => values.get(name));
    const results =
      rule(emit, node, operands, uses) ??
      emit.node(node.op, operands, node.attributes, Math.max(1, node.outputs.length));
    node.outputs.forEach((name, index) => {
      if (name !== "") values.set(name, results[index]);
    });
  }
  const types = new Map<string, ValueType>();
  for (const [name, source] of outputs) {
    const value = values.get(source);
    if (!value) throw new Error(`rewrite: nothing gives the output ${name}`);
    emit.output(name, value);
    types.set(name, value);
  }
  return { graph: emit.build(graph.name), types };
}
