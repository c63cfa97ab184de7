/** What a graph tells of its values before its shapes are computed: element types and numbers of axes. */
import type { Graph, Node } from "../graph/graph.js";
import { type DataType, dataTypes, type Tensor } from "../graph/tensor.js";

/** What is known of a graph. */
export interface GraphFacts {
  readonly graph: Graph;
  /** By the name of an output; grows while the graph is read. */
  readonly producers: ReadonlyMap<string, Node>;
  /** Initializers and Constants. */
  readonly tensor: (name: string) => Tensor | undefined;
}

/** Gives the element type of a value: that of what it is computed from, unless an operator says otherwise. */
export function elementTypeOf({ graph, producers, tensor }: GraphFacts): (name: string) => DataType {
  const declared = new Map([...graph.outputs, ...graph.inputs].map(({ name, type }) => [name, type]));
  const known = new Map<string, DataType>();
  return (name) => {
    // A loop, not a recursion: chains of nodes may be longer than the stack is deep.
    const visited: string[] = [];
    let current = name;
    let type: DataType | undefined;
    while (type === undefined) {
      visited.push(current);
      const producer = producers.get(current);
      const to = producer?.op === "Cast" ? producer.attributes.to : undefined;
      type = known.get(current) ?? declared.get(current) ?? tensor(current)?.type;
      if (type === undefined && to?.kind === "int") type = dataTypes[to.value - 1];
      if (type !== undefined) break;
      const next = producer?.inputs[producer.op === "Where" ? 1 : 0];
      if (next === undefined) type = "float32";
      else current = next;
    }
    for (const value of visited) known.set(value, type);
    return type;
  };
}

/** Operators whose output has as many axes as their first input. */
const sameRank = new Set(
  (
    "Relu LeakyRelu PRelu Elu Selu Celu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign Gelu Mish ThresholdedRelu Clip Softmax " +
    "LogSoftmax Identity Dropout Cast Neg Abs Sqrt Reciprocal Exp Log Erf Sign Conv ConvTranspose MaxPool AveragePool " +
    "GlobalAveragePool GlobalMaxPool BatchNormalization InstanceNormalization LayerNormalization GroupNormalization LRN Transpose " +
    "Concat Split Slice Pad Resize Upsample"
  ).split(" "),
);
/** Operators that broadcast their inputs. */
const broadcasting = new Set("Add Sub Mul Div Pow Max Min Sum Mean Where".split(" "));

/** Gives the number of axes of a value; undefined where only computing its shape would tell. */
export function rankOf({ graph, producers, tensor }: GraphFacts): (name: string) => number | undefined {
  const declared = new Map([...graph.outputs, ...graph.inputs].map(({ name, shape }) => [name, shape?.length]));
  const known = new Map<string, number | undefined>();
  const find = (name: string, depth: number): number | undefined => {
    const given = tensor(name)?.shape.length ?? declared.get(name);
    if (given !== undefined || known.has(name)) return given ?? known.get(name);
    const producer = producers.get(name);
    // Deeper than that the general form of a rule serves as well.
    if (!producer || depth > 1000) return undefined;
    const rank = rankMadeBy(producer, (input) => find(input, depth + 1), tensor);
    known.set(name, rank);
    return rank;
  };
  return (name) => find(name, 0);
}

function rankMadeBy(
  node: Node,
  rank: (name: string) => number | undefined,
  tensor: GraphFacts["tensor"],
): number | undefined {
  if (sameRank.has(node.op)) return rank(node.inputs[0]);
  if (node.op === "Gemm" || node.op === "Flatten") return 2;
  if (node.op === "Reshape") return tensor(node.inputs[1])?.shape[0];
  if (broadcasting.has(node.op) || node.op === "MatMul") {
    const ranks = node.inputs.map(rank);
    const known = ranks.filter((size) => size !== undefined);
    return known.length < ranks.length || (node.op === "MatMul" && known.some((size) => size < 2))
      ? undefined
      : Math.max(...known);
  }
  return undefined;
}
