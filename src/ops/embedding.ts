/** Embeddings: tables of vectors from which a network picks by integers, such as the tokens of a text. */
import { attribute, type Dimension, type Graph, type Node, type ValueInfo } from "../graph/graph.js";
import { isFloating, type Tensor } from "../graph/tensor.js";
import { axesOfShape } from "./shared-shapes.js";

/** A Gather of whole rows of a stored matrix: its output has the shape of the integers, and the rows' width behind it. */
export interface Embedding {
  readonly node: Node;
  /** The vectors. */
  readonly output: string;
  /** The integers, before any Cast. */
  readonly integers: string;
  /** How many vectors there are to pick from. */
  readonly count: number;
  readonly width: number;
}

/** Nodes that keep the shape of integers. */
const sameShape = new Set(["Cast", "Identity"]);

/** The embeddings of an upgraded graph. @param tensors those that it stores */
export function embeddingsOf({ nodes }: Graph, tensors: ReadonlyMap<string, Tensor>): Embedding[] {
  const sources = new Map<string, string>();
  const found: Embedding[] = [];
  for (const node of nodes) {
    const [first = "", second = ""] = node.inputs;
    const [output] = node.outputs;
    if (sameShape.has(node.op)) sources.set(output, sources.get(first) ?? first);
    const { axis } = node.attributes;
    const table = node.op === "Gather" && (axis?.kind !== "int" || axis.value === 0) ? tensors.get(first) : undefined;
    if (table?.shape.length === 2 && isFloating(table.type) && !tensors.has(second))
      found.push({
        node,
        output,
        integers: sources.get(second) ?? second,
        count: table.shape[0],
        width: table.shape[1],
      });
  }
  return found;
}

/**
 * How many integers, from 0 on, the embeddings know that read a graph's input; undefined where none reads it.
 *
 * @param tensors those that the graph stores
 */
export function vocabularyOf(graph: Graph, tensors: ReadonlyMap<string, Tensor>, input: string): number | undefined {
  const counts = embeddingsOf(graph, tensors).flatMap(({ integers, count }) => (integers === input ? [count] : []));
  return counts.length === 0 ? undefined : Math.min(...counts);
}

/** The shape of an embedding's output, with the batch, where it reads an input of known rank. */
export function shapeOfEmbedding(
  { integers, width }: Embedding,
  inputs: readonly ValueInfo[],
): readonly Dimension[] | undefined {
  const shape = inputs.find(({ name }) => name === integers)?.shape;
  return shape ? [...shape, width] : undefined;
}

/**
 * The nodes with each Shape of the integers read from the vectors, which have the same axes and one more: so that who
 * begins with the vectors needs no integers, as where PyTorch's exporters ask the model's own input for the batch.
 *
 * @param rank the integers' number of axes, with the batch
 */
export function withShapesOf({ integers, output }: Embedding, rank: number, nodes: readonly Node[]): readonly Node[] {
  const alike = new Set([integers]);
  return nodes.map((node) => {
    const [read = ""] = node.inputs;
    if (!alike.has(read)) return node;
    if (sameShape.has(node.op)) alike.add(node.outputs[0]);
    if (node.op !== "Shape") return node;
    const { start, end } = axesOfShape(node, rank);
    return { ...node, inputs: [output], attributes: { start: attribute.int(start), end: attribute.int(end) } };
  });
}
