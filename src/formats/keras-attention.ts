/** Keras' layers of attention, which take several tensors, some of them by name. */
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import { describe } from "./keras-calls.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

/** The arguments of a call. */
export interface AttentionCall {
  readonly inputs: readonly KerasValue[];
  readonly named: ReadonlyMap<string, KerasValue>;
  /** Names of arguments that are true. */
  readonly flags: ReadonlySet<string>;
}

type AttentionConverter = (context: LayerContext, call: AttentionCall) => KerasValue;

/** Scores of positions that may not be looked at, as Keras has them: nothing is left of them behind a softmax. */
const hidden = -1e9;

/** Attention over positions of any number of axes, all of which count as one. */
const multiHeadAttention: AttentionConverter = (context, call) => {
  const positions = named(call, ["query"])[0]?.shape.slice(0, -1) ?? [];
  const { attention_axes: axes } = context.layer.settings;
  const every = positions.map((_, axis) => axis + 1);
  if ((axes ?? null) !== null && describe(axes) !== describe(every))
    throw context.refuse(`attention_axes of ${describe(every)}`, describe(axes));
  if (positions.length < 2) return attention(context, call);
  if (call.flags.has("use_causal_mask"))
    throw context.refuse("one axis of positions for use_causal_mask", describe(positions));
  const reshaped = (name: string, shape: readonly number[]): string =>
    context.node("Reshape", [name, context.constant(intTensor([-1, ...shape]), "positions")]);
  const flat = (value: KerasValue): KerasValue => {
    context.requireRank(value, positions.length + 1);
    const shape = [sizeOf(value.shape.slice(0, -1)), value.shape[positions.length]];
    return { shape, last: reshaped(context.last(value), shape) };
  };
  const result = attention(context, {
    inputs: call.inputs.map(flat),
    named: new Map([...call.named].map(([name, value]) => [name, flat(value)])),
    flags: call.flags,
  });
  const shape = [...positions, result.shape[1]];
  return { shape, last: reshaped(context.last(result), shape) };
};

/** Vaswani et al. (2017): several attentions side by side, on parts of their own of what query, key and value become. */
const attention: AttentionConverter = (context, call) => {
  const { query, value, key } = sequencesOf(context, call, named(call, ["query", "value", "key"]));
  for (const setting of ["use_gate", "sliding_window"])
    if (context.layer.settings[setting])
      throw context.refuse(`no ${setting}`, describe(context.layer.settings[setting]));
  const { output_shape: outputShape } = context.layer.settings;
  const [heads, keySize] = [context.count("num_heads"), context.count("key_dim")];
  const valueSize = (context.layer.settings.value_dim ?? null) === null ? keySize : context.count("value_dim");
  const sizes = Array.isArray(outputShape) ? outputShape : [outputShape ?? query.shape[1]];
  const [width] = sizes;
  if (sizes.length !== 1 || !Number.isSafeInteger(width) || width < 1)
    throw context.refuse("an output_shape of one size", describe(outputShape));

  const hasBias = context.flag("use_bias", true);
  /** What one of the layer's four parts makes of a sequence: [batch, positions, outputs]. */
  const dense = (name: string, index: number, input: string, ends: [number[], number[]]): string => {
    const part = { className: "EinsumDense", name, settings: {}, calls: [] };
    // Keras 3 leaves the underscore of the attribute's name out, Keras 2 did not.
    const underscore = context.graph.version === 2 ? "_" : "";
    const group = `${underscore}${name === "attention_output" ? "output" : name}_dense`;
    const inner = context.inside(part, group, index * (hasBias ? 2 : 1));
    const flat = ends.map((end) => end.reduce((product, size) => product * size, 1));
    const kernel = inner.variable("kernel", 0, ends.flat(), undefined, flat);
    const product = inner.node("MatMul", [input, kernel]);
    if (!hasBias) return product;
    return inner.node("Add", [product, inner.variable("bias", 1, ends[1], undefined, [flat[1]])]);
  };
  /** [batch, positions, heads · size] as [batch, heads, positions, size], or with the last two exchanged. */
  const split = (projected: string, size: number, order: readonly number[]): string => {
    const shape = context.constant(intTensor([0, 0, heads, size]), "heads");
    return context.node("Transpose", [context.node("Reshape", [projected, shape])], { perm: attribute.ints(order) });
  };
  const project = (name: string, index: number, { shape, last = "" }: KerasValue, size: number): string =>
    dense(name, index, last, [[shape[1]], [heads, size]]);
  const queries = split(project("query", 0, query, keySize), keySize, [0, 2, 1, 3]);
  const keys = split(project("key", 1, key, keySize), keySize, [0, 2, 3, 1]);
  const values = split(project("value", 2, value, valueSize), valueSize, [0, 2, 1, 3]);
  const share = context.constant(floatTensor([1 / Math.sqrt(keySize)], []), "share");
  const scores = context.node("MatMul", [context.node("Mul", [queries, share]), keys]);
  const looked = context.node("MatMul", [softmax(context, call, scores, query, value), values]);
  const together = context.node("Reshape", [
    context.node("Transpose", [looked], { perm: attribute.ints([0, 2, 1, 3]) }),
    context.constant(intTensor([0, 0, heads * valueSize]), "together"),
  ]);
  const last = dense("attention_output", 3, together, [[heads, valueSize], [width]]);
  return { shape: [query.shape[0], width], last };
};

/** Attention without matrices of its own: by products of query and key (Luong et al., 2015). */
const dotAttention: AttentionConverter = (context, call) => {
  const { query, value, key } = sequencesOf(context, call, listed(call));
  if (context.text("score_mode", "dot") !== "dot")
    throw context.refuse("score_mode dot", context.text("score_mode", "dot"));
  requireSize(context, key, query.shape[1]);
  const turned = context.node("Transpose", [key.last], { perm: attribute.ints([0, 2, 1]) });
  const product = context.node("MatMul", [query.last, turned]);
  const scores = context.flag("use_scale", false)
    ? context.node("Mul", [product, context.variable("scale", 0, [])])
    : product;
  const last = context.node("MatMul", [softmax(context, call, scores, query, value), value.last]);
  return { shape: [query.shape[0], value.shape[1]], last };
};

/** By a sum over tanh(query + key), each number of which may have a weight (Bahdanau et al., 2015). */
const additiveAttention: AttentionConverter = (context, call) => {
  const { query, value, key } = sequencesOf(context, call, listed(call));
  const size = query.shape[1];
  requireSize(context, key, size);
  const apart = ([one, other]: readonly KerasValue[]): string =>
    context.node(
      "Add",
      [one, other].map(({ last = "" }, index) =>
        context.node("Unsqueeze", [last, context.constant(intTensor([2 - index]), "apart")]),
      ),
    );
  const summed = context.node("Tanh", [apart([query, key])]);
  const weighted = context.flag("use_scale", true)
    ? context.node("Mul", [summed, context.variable("scale", 0, [size])])
    : summed;
  const scores = context.node("ReduceSum", [weighted, context.constant(intTensor([-1]), "last")], {
    keepdims: attribute.int(0),
  });
  const last = context.node("MatMul", [softmax(context, call, scores, query, value), value.last]);
  return { shape: [query.shape[0], value.shape[1]], last };
};

/** Layers of attention by Keras' class names: each writes one call, of sequences [positions, size]. */
export const attentionConverters: Readonly<Record<string, AttentionConverter>> = {
  MultiHeadAttention: multiHeadAttention,
  Attention: dotAttention,
  AdditiveAttention: additiveAttention,
};

/** A sequence [positions, size] with its name. */
type Sequence = KerasValue & { readonly last: string };

/** Arguments in this order, the later ones by name. */
function named({ inputs, named }: AttentionCall, order: readonly string[]): (KerasValue | undefined)[] {
  return order.map((name, index) => inputs[index] ?? named.get(name));
}

/** Query, value and key of a list, which is the only argument that has tensors. */
function listed({ inputs, named }: AttentionCall): (KerasValue | undefined)[] {
  return named.size > 0 ? [] : [...inputs];
}

function sequencesOf(
  context: LayerContext,
  { inputs, named, flags }: AttentionCall,
  [query, value, key = value]: readonly (KerasValue | undefined)[],
): { query: Sequence; value: Sequence; key: Sequence } {
  const known = new Set(["query", "value", "key"]);
  const others = [...named.keys()].filter((name) => !known.has(name));
  if (flags.has("return_attention_scores")) others.push("return_attention_scores");
  if (others.length > 0 || !query || !value || !key || inputs.length > 3)
    throw context.refuse(
      "a query, a value and perhaps a key, and no mask but use_causal_mask",
      others.length > 0 ? others.join(", ") : `${inputs.length + named.size} tensors`,
    );
  const [queries, values, keys] = [query, value, key].map((given) => {
    context.requireRank(given, 2);
    return { ...given, last: context.last(given) };
  });
  if (keys.shape[0] !== values.shape[0])
    throw context.refuse("a key and a value of as many positions", `${keys.shape[0]} and ${values.shape[0]}`);
  return { query: queries, value: values, key: keys };
}

function requireSize(context: LayerContext, key: KerasValue, size: number): void {
  if (key.shape[1] !== size) throw context.refuse(`keys of ${size} numbers, as the queries`, String(key.shape[1]));
}

/** Scores as shares of all positions, or, with a causal mask, of those up to the query's own. */
function softmax(
  context: LayerContext,
  { flags }: AttentionCall,
  scores: string,
  query: KerasValue,
  value: KerasValue,
): string {
  const axis = attribute.int(-1);
  if (!flags.has("use_causal_mask")) return context.node("Softmax", [scores], { axis });
  const [rows, columns] = [query.shape[0], value.shape[0]];
  const mask = Array.from({ length: rows * columns }, (_, index) =>
    index % columns > Math.floor(index / columns) ? hidden : 0,
  );
  const masked = context.node("Add", [scores, context.constant(floatTensor(mask, [rows, columns]), "causal")]);
  return context.node("Softmax", [masked], { axis });
}
