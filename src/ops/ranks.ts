/** Number of axes of values, as far as it follows from operators and declarations alone. */
import type { Graph, Node } from "../graph/graph.js";
import type { Tensor } from "../graph/tensor.js";

/** Operators whose first output has as many axes as their first input. */
const sameAsFirst = new Set(
  (
    "Abs Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization Cast Ceil Celu Clip Conv ConvTranspose Cosh CumSum DepthToSpace Dropout Elu Erf Exp " +
    "Floor Gelu GlobalAveragePool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization " +
    "LRN LayerNormalization LeakyRelu Log LogSoftmax MaxPool Mish Neg PRelu Pad Reciprocal Relu Resize Round Selu Sigmoid " +
    "Sign Sinh Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Upsample"
  ).split(" "),
);
/** Operators that broadcast their inputs. */
const broadcasting = new Set("Add Div Max Mean Min Mul Pow Sub Sum Where".split(" "));

/** Ranks by name, learnt node by node in the graph's order. undefined where a rank is not known. */
export class Ranks {
  readonly #known = new Map<string, number>();
  /** Lengths of vectors that a graph computes, such as the shapes that a Reshape makes. */
  readonly #lengths = new Map<string, number>();
  readonly #tensorOf: (name: string) => Tensor | undefined;

  /** @param tensorOf gives the constant of a name, or undefined */
  constructor(graph: Graph, tensorOf: (name: string) => Tensor | undefined) {
    this.#tensorOf = tensorOf;
    for (const { name, shape } of [...graph.outputs, ...graph.inputs]) if (shape) this.#known.set(name, shape.length);
    for (const [name, { shape }] of graph.initializers) this.#known.set(name, shape.length);
  }

  of(name: string): number | undefined {
    return this.#known.get(name);
  }

  /** Takes note of a tensor that was added to the graph. */
  learnTensor(name: string, { shape }: Tensor): void {
    this.#known.set(name, shape.length);
  }

  /** Takes note of a node of the pinned opset. */
  learn(node: Node): void {
    if (node.domain !== "") return;
    const length = this.#lengthAfter(node);
    if (length !== undefined) this.#lengths.set(node.outputs[0], length);
    const rank = this.#rankAfter(node);
    if (rank === undefined) return;
    // A declaration of an output is trusted less than what its node computes.
    for (const name of node.op === "Split" ? node.outputs : node.outputs.slice(0, 1)) this.#known.set(name, rank);
  }

  #lengthOf(name: string): number | undefined {
    return this.#tensorOf(name)?.data.length ?? this.#lengths.get(name);
  }

  /** Number of a vector's elements. */
  #lengthAfter({ op, inputs, attributes }: Node): number | undefined {
    if (op === "Shape") return attributes.start || attributes.end ? undefined : this.#known.get(inputs[0]);
    if (op === "Cast" || op === "Identity") return this.#lengths.get(inputs[0]);
    if (op === "Unsqueeze") return this.#known.get(inputs[0]) === 0 ? 1 : undefined;
    if (op === "Gather") return this.#known.get(inputs[1]) === 1 ? this.#lengthOf(inputs[1]) : undefined;
    if (op === "Slice") return this.#lengthOfPart(inputs);
    if (op !== "Concat") return undefined;
    const lengths = inputs.map((name) => this.#lengthOf(name));
    return lengths.some((length) => length === undefined)
      ? undefined
      : (lengths as number[]).reduce((a, b) => a + b, 0);
  }

  /** Of a Slice of a vector, position by position. */
  #lengthOfPart([vector, ...settings]: readonly string[]): number | undefined {
    const length = this.#lengthOf(vector);
    const [start, end, , step] = settings.map((name) => this.#tensorOf(name));
    if (length === undefined || !start || !end || (settings[3] && !step)) return undefined;
    if (step && Number(step.data[0]) !== 1) return undefined;
    const [from, to] = [start, end].map(({ data: [place] }) => {
      const at = Number(place);
      return Math.min(Math.max(at < 0 ? at + length : at, 0), length);
    });
    return Math.max(to - from, 0);
  }

  #rankAfter({ op, inputs, attributes }: Node): number | undefined {
    const ranks = inputs.map((name) => this.#known.get(name));
    const [first] = ranks;
    if (op === "Gemm" || op === "Flatten") return 2;
    if (sameAsFirst.has(op)) return first;
    if (op === "Constant") return attributes.value?.kind === "tensor" ? attributes.value.value.shape.length : undefined;
    if (op === "Reshape") return this.#lengthOf(inputs[1]);
    if (op === "Shape") return 1;
    if (op === "Concat") return ranks.find((rank) => rank !== undefined);
    if (broadcasting.has(op))
      return ranks.some((rank) => rank === undefined) ? undefined : Math.max(...(ranks as number[]));
    if (first === undefined) return undefined;
    if (op === "MatMul") {
      const second = ranks[1];
      return second === undefined || Math.min(first, second) < 2 ? undefined : Math.max(first, second);
    }
    if (op === "Gather") return ranks[1] === undefined ? undefined : first + ranks[1] - 1;
    const axes = inputs[1] ? this.#tensorOf(inputs[1])?.data.length : undefined;
    if (op === "Unsqueeze") return axes === undefined ? undefined : first + axes;
    if (op === "Squeeze") return axes === undefined ? undefined : first - axes;
    if (!op.startsWith("Reduce")) return undefined;
    const keepsAxes = attributes.keepdims?.kind !== "int" || attributes.keepdims.value !== 0;
    return keepsAxes ? first : axes === undefined ? undefined : first - axes;
  }
}
