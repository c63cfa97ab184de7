/** Shapes of other inputs that are the sample's too, such as the batch's size where two pictures are compared. */
import { attribute, type Dimension, type Graph, type Node, type ValueInfo } from "../graph/graph.js";

/** From which axis on a Shape gives the sizes of a value of this rank, and the axis behind its last. */
export function axesOfShape({ attributes }: Node, rank: number): { readonly start: number; readonly end: number } {
  const place = (name: string, missing: number): number => {
    const given = attributes[name];
    const at = given?.kind === "int" ? given.value : missing;
    return Math.min(Math.max(at < 0 ? at + rank : at, 0), rank);
  };
  return { start: place("start", 0), end: place("end", rank) };
}

/**
 * The graph with each Shape of another input read from the sample input, where both declare what it gives alike: axes of the
 * same names and sizes. PyTorch's exporters ask any of the inputs for the size of the batch, so that what is computed from
 * the samples alone would seem to need another input.
 */
export function withSharedShapes(graph: Graph, sample: ValueInfo): Graph {
  const declared = new Map(graph.inputs.map(({ name, shape }) => [name, shape]));
  const nodes = graph.nodes.map((node) => {
    const other = node.op === "Shape" && node.inputs[0] !== sample.name ? declared.get(node.inputs[0]) : undefined;
    if (!other || !sample.shape) return node;
    const { start, end } = axesOfShape(node, other.length);
    if (end > sample.shape.length || !areAlike(other.slice(start, end), sample.shape.slice(start, end))) return node;
    return {
      ...node,
      inputs: [sample.name],
      attributes: { start: attribute.int(start), end: attribute.int(end) },
    };
  });
  return { ...graph, nodes };
}

/** Does every axis have the same name or size? */
function areAlike(some: readonly Dimension[], others: readonly Dimension[]): boolean {
  return some.every((size, axis) => size !== null && size !== "" && size === others[axis]);
}
