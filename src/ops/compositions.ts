/**
 * Operators that upgradeGraph writes in terms of others, since the pinned operator set has none such: some are newer, for
 * the others a few common operators say the same and bring their gradients and mirrors along.
 *
 * Source: ONNX's definitions of these operators.
 */
import { type Attributes, attribute, type Node } from "../graph/graph.js";
import { dataTypes, floatTensor, intTensor, isFloating, type Tensor } from "../graph/tensor.js";
import { floatAttribute, intAttribute } from "./operator.js";
import type { Rewrite, Upgrade } from "./upgrade.js";

const boolType = dataTypes.indexOf("bool") + 1;
const floatType = dataTypes.indexOf("float32") + 1;
/** Stands for −∞ before a softmax, without making numbers that are none of 0 · ∞. */
const outOfReach = -1e30;

/** Writes the nodes that stand for a node. */
class Composition {
  readonly nodes: Node[] = [];
  readonly #node: Node;
  readonly #upgrade: Upgrade;

  constructor(node: Node, upgrade: Upgrade) {
    this.#node = node;
    this.#upgrade = upgrade;
  }

  /** Adds a node and gives the name of what it makes, which says what part of the whole that is. */
  add(part: string, op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = this.#upgrade.fresh(this.#node, part);
    this.nodes.push({ op, domain: "", name: output, inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds the node that makes the output, and gives all of them. */
  finish(op: string, inputs: readonly string[], attributes: Attributes = {}): readonly Node[] {
    const { name, outputs } = this.#node;
    this.nodes.push({ op, domain: "", name, inputs, outputs: outputs.slice(0, 1), attributes });
    return this.nodes;
  }

  constant(part: string, tensor: Tensor): string {
    return this.#upgrade.constant(this.#node, part, tensor);
  }

  number(part: string, value: number): string {
    return this.constant(part, floatTensor([value], []));
  }
}

/** New in 24: y = x σ(αx). */
const Swish: Rewrite = (node, upgrade) => {
  const [x] = node.inputs;
  const parts = new Composition(node, upgrade);
  const alpha = floatAttribute(node, "alpha", 1);
  const scaled = alpha === 1 ? x : parts.add("scaled", "Mul", [x, parts.number("alpha", alpha)]);
  return parts.finish("Mul", [x, parts.add("gate", "Sigmoid", [scaled])]);
};

/** From 28 on Mod of floating values need not be C's fmod: a − ⌊a/b⌋ b has the sign of b. */
const Mod: Rewrite = (node, upgrade) => {
  const [a, b] = node.inputs;
  if (intAttribute(node, "fmod", 0) === 1 || !isFloating(upgrade.typeOf(a))) return [node];
  const parts = new Composition(node, upgrade);
  const whole = parts.add("whole", "Floor", [parts.add("quotient", "Div", [a, b])]);
  return parts.finish("Sub", [a, parts.add("multiple", "Mul", [whole, b])]);
};

/** y = x ± bias beyond ±λ, else 0. */
const Shrink: Rewrite = (node, upgrade) => {
  const [x] = node.inputs;
  const parts = new Composition(node, upgrade);
  const [threshold, bias] = [floatAttribute(node, "lambd", 0.5), floatAttribute(node, "bias", 0)];
  const shifted = (part: string, by: number): string =>
    by === 0 ? x : parts.add(part, "Add", [x, parts.number("bias", by)]);
  const above = parts.add("above", "Greater", [x, parts.number("threshold", threshold)]);
  const below = parts.add("below", "Less", [x, parts.number("threshold", -threshold)]);
  const zero = parts.number("zero", 0);
  const lower = parts.add("lower", "Where", [below, shifted("raised", bias), zero]);
  return parts.finish("Where", [above, shifted("lowered", -bias), lower]);
};

/**
 * Krizhevsky et al., 2012, section 3.3: y = x / (bias + α · mean of x² over neighbouring channels)^β. Channels count as
 * one more spatial axis, so that the mean is a pool; ONNX divides by the window's size at the borders, too.
 */
const LRN: Rewrite = (node, upgrade) => {
  const [x] = node.inputs;
  const rank = upgrade.ranks.of(x);
  const size = intAttribute(node, "size", 0);
  if (rank === undefined || rank < 2 || size < 1) return [node];
  const parts = new Composition(node, upgrade);
  const further = new Array<number>(rank - 2).fill(0);
  const axes = parts.constant("axes", intTensor([1]));
  const channels = parts.add("channels", "Unsqueeze", [parts.add("squares", "Mul", [x, x]), axes]);
  const means = parts.add("means", "AveragePool", [channels], {
    kernel_shape: attribute.ints([size, ...further.map(() => 1)]),
    pads: attribute.ints([Math.floor((size - 1) / 2), ...further, Math.ceil((size - 1) / 2), ...further]),
    count_include_pad: attribute.int(1),
  });
  const neighbours = parts.add("neighbours", "Squeeze", [means, axes]);
  const scaled = parts.add("scaled", "Mul", [neighbours, parts.number("alpha", floatAttribute(node, "alpha", 1e-4))]);
  const base = parts.add("base", "Add", [scaled, parts.number("bias", floatAttribute(node, "bias", 1))]);
  return parts.finish("Div", [
    x,
    parts.add("divisor", "Pow", [base, parts.number("beta", floatAttribute(node, "beta", 0.75))]),
  ]);
};

/** New in 23 (Zhang and Sennrich, 2019): y = scale · x / √(mean x² + ε), the mean over the axes from `axis` on. */
const RMSNormalization: Rewrite = (node, upgrade) => {
  const [x, scale] = node.inputs;
  const axis = intAttribute(node, "axis", -1);
  const rank = upgrade.ranks.of(x);
  if (axis >= 0 && rank === undefined) return [node];
  const count = axis < 0 ? -axis : (rank ?? 0) - axis;
  const parts = new Composition(node, upgrade);
  const axes = intTensor(Array.from({ length: count }, (_, index) => index - count));
  const squares = parts.add("squares", "Mul", [x, x]);
  const mean = parts.add("mean", "ReduceMean", [squares, parts.constant("axes", axes)], { keepdims: attribute.int(1) });
  const epsilon = parts.number("epsilon", floatAttribute(node, "epsilon", 1e-5));
  const root = parts.add("root", "Sqrt", [parts.add("shifted", "Add", [mean, epsilon])]);
  return parts.finish("Mul", [parts.add("normalized", "Div", [x, root]), scale]);
};

/**
 * New in 23 (Vaswani et al., 2017): softmax(scale · Q Kᵀ + mask) V, as frameworks export it from networks that they
 * train: as many heads of keys as of queries, without a cache of earlier tokens.
 */
const Attention: Rewrite = (node, upgrade) => {
  const { attributes } = node;
  const [q, k, v, mask = "", ...cache] = node.inputs;
  const heads = intAttribute(node, "q_num_heads", 0);
  // A rank that does not follow from the graph, as behind a Reshape by the batch's size, does from the number of heads.
  const rank = upgrade.ranks.of(q) ?? (heads > 0 ? 3 : 4);
  const isFlat = rank === 3;
  const isPlain =
    cache.every((name) => name === "") &&
    node.outputs.slice(1).every((name) => name === "") &&
    floatAttribute(node, "softcap", 0) === 0 &&
    intAttribute(node, "left_window_size", -1) < 0 &&
    intAttribute(node, "right_window_size", -1) < 0 &&
    (isFlat ? heads > 0 && intAttribute(node, "kv_num_heads", 0) === heads : rank === 4);
  if (!isPlain) return [node];
  const parts = new Composition(node, upgrade);
  const exchanged = { perm: attribute.ints([0, 2, 1, 3]) };
  // [batch, length, heads · size] as [batch, heads, length, size]
  const perHead = (part: string, flat: string): string => {
    if (!isFlat) return flat;
    const shape = parts.constant("shape", intTensor([0, 0, heads, -1]));
    return parts.add(part, "Transpose", [parts.add(`${part}_apart`, "Reshape", [flat, shape])], exchanged);
  };
  const [queries, keys, values] = [perHead("queries", q), perHead("keys", k), perHead("values", v)];
  const lengthOf = (part: string, of: string, axis: number): string =>
    parts.add(part, "Shape", [of], {
      start: attribute.int(axis),
      ...(axis === -1 ? {} : { end: attribute.int(axis + 1) }),
    });
  const size = (): string =>
    parts.add("size", "Cast", [lengthOf("sizes", queries, -1)], { to: attribute.int(floatType) });
  const scale =
    attributes.scale?.kind === "float"
      ? parts.number("scale", attributes.scale.value)
      : parts.add("scale", "Reciprocal", [parts.add("root", "Sqrt", [size()])]);
  const transposed = parts.add("transposed", "Transpose", [keys], { perm: attribute.ints([0, 1, 3, 2]) });
  let scores = parts.add("scores", "Mul", [parts.add("products", "MatMul", [queries, transposed]), scale]);
  const allowed: string[] = [];
  if (mask !== "" && upgrade.typeOf(mask) === "bool") allowed.push(mask);
  else if (mask !== "") scores = parts.add("biased", "Add", [scores, mask]);
  if (intAttribute(node, "is_causal", 0) !== 0) {
    const lengths = [lengthOf("query_length", queries, -2), lengthOf("key_length", keys, -2)];
    const square = parts.add(
      "ones",
      "ConstantOfShape",
      [parts.add("lengths", "Concat", lengths, { axis: attribute.int(0) })],
      {
        value: attribute.tensor(floatTensor([1])),
      },
    );
    const triangle = parts.add("triangle", "Trilu", [square], { upper: attribute.int(0) });
    allowed.push(parts.add("causal", "Cast", [triangle], { to: attribute.int(boolType) }));
  }
  const within = allowed.length > 1 ? parts.add("allowed", "And", allowed) : allowed[0];
  if (within !== undefined)
    scores = parts.add("masked", "Where", [within, scores, parts.number("out_of_reach", outOfReach)]);
  let weights = parts.add("weights", "Softmax", [scores], { axis: attribute.int(-1) });
  // A query that may look nowhere gives zeros.
  if (within !== undefined) weights = parts.add("kept", "Where", [within, weights, parts.number("zero", 0)]);
  if (!isFlat) return parts.finish("MatMul", [weights, values]);
  const mixed = parts.add("mixed", "Transpose", [parts.add("mixed_apart", "MatMul", [weights, values])], exchanged);
  return parts.finish("Reshape", [mixed, parts.constant("flat_shape", intTensor([0, 0, -1]))]);
};

/** The larger of x and nothing but zero, as jax.numpy.maximum(x, 0) is exported: the activation that it is. */
const Max: Rewrite = (node, upgrade) => {
  const [a, b] = node.inputs;
  const isZero = (name: string): boolean => {
    const tensor = upgrade.tensorOf(name);
    return tensor !== undefined && tensor.shape.length === 0 && isFloating(tensor.type) && Number(tensor.data[0]) === 0;
  };
  if (node.inputs.length !== 2 || isZero(a) === isZero(b)) return [node];
  return [{ ...node, op: "Relu", inputs: [isZero(a) ? b : a] }];
};

/** By operator. A rewrite gives the node itself where it does not know how. */
export const compositions: Readonly<Record<string, Rewrite>> = {
  Swish,
  Mod,
  Shrink,
  LRN,
  RMSNormalization,
  Attention,
  Max,
};
