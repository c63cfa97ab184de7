/** Emits a graph anew, node by node, with a pass's rule in the way. */
import type { Value } from "../graph/builder.js";
import type { Graph, Node } from "../graph/graph.js";
import { Emitter } from "../ops/emitter.js";

/**
 * What a pass makes of a node: values that stand for its outputs, or undefined where the node stays as it is. It must
 * compute the same numbers, up to rounding.
 */
export type NodeRule = (
  emit: Emitter,
  node: Node,
  inputs: readonly (Value | undefined)[],
) => readonly Value[] | undefined;

/**
 * A graph that computes the same outputs from the same inputs, under the same names. Nodes are of ONNX's own domain and
 * the pinned opset, and all shapes are numbers, as in every training graph.
 */
export function rewriteGraph(graph: Graph, rule: NodeRule): Graph {
  const emit = new Emitter();
  const values = new Map<string, Value>();
  for (const { name, type, shape } of graph.inputs) values.set(name, emit.input(name, type, (shape ?? []).map(Number)));
  for (const [name, tensor] of graph.initializers) if (!values.has(name)) values.set(name, emit.constant(tensor));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name));
    const outputs =
      rule(emit, node, inputs) ?? emit.node(node.op, inputs, node.attributes, Math.max(1, node.outputs.length));
    node.outputs.forEach((name, index) => {
      if (name !== "") values.set(name, outputs[index]);
    });
  }
  for (const { name } of graph.outputs) {
    const value = values.get(name);
    if (!value) throw new Error(`rewrite: nothing gives the output ${name}`);
    emit.output(name, value);
  }
  return emit.build(graph.name);
}
