/** Graphs of other operator sets in the forms of the pinned one. */
import { type Attribute, type Attributes, attribute, type Graph, type Node } from "../graph/graph.js";
import { type DataType, dataTypes, floatTensor, numbersOf, type Tensor } from "../graph/tensor.js";
import { compositions } from "./compositions.js";
import { einsumAsProduct } from "./einsum.js";
import { Ranks } from "./ranks.js";

/** What a rewrite sees besides its node. */
export interface Upgrade {
  /** The operator set that the graph was written for. */
  readonly opset: number;
  readonly ranks: Ranks;
  /** Element type by name; float32, in which headstart computes, where it does not follow from the graph. */
  readonly typeOf: (name: string) => DataType;
  /** The node that makes a value. */
  readonly producerOf: (name: string) => Node | undefined;
  /** The initializer or the Constant node's value of this name. */
  readonly tensorOf: (name: string) => Tensor | undefined;
  /** A name that no value has yet. */
  readonly fresh: (node: Node, part: string) => string;
  /** Adds an initializer and gives its name. */
  readonly constant: (node: Node, part: string, tensor: Tensor) => string;
}

/** The nodes that stand for a node; the last ones make its outputs, under their own names. */
export type Rewrite = (node: Node, upgrade: Upgrade) => readonly Node[];

const prefix = "upgrade/";

/**
 * Rewrites the nodes whose form or meaning differs between the graph's operator set and the pinned one. Values keep
 * their names; new ones are called `upgrade/...`. Nodes of other domains stay as they are, and so do nodes in which the
 * graph's own operator set would see a fault.
 *
 * New floating-point constants are float32, the type in which headstart computes.
 *
 * Source: the change log of ONNX's operators, versions 6 to 28.
 */
export function upgradeGraph(graph: Graph, opset: number): Graph {
  const initializers = new Map(graph.initializers);
  const names = new Set(initializers.keys());
  for (const { name } of graph.inputs) names.add(name);
  for (const { inputs, outputs } of graph.nodes) for (const name of [...inputs, ...outputs]) names.add(name);
  const constants = new Map<string, Tensor>();
  const tensorOf = (name: string): Tensor | undefined => initializers.get(name) ?? constants.get(name);
  const fresh = (node: Node, part: string): string => {
    const stem = `${prefix}${node.outputs[0]}/${part}`;
    let name = stem;
    for (let count = 2; names.has(name); count++) name = `${stem}_${count}`;
    names.add(name);
    return name;
  };
  const producers = new Map<string, Node>();
  const types = new Map<string, DataType>();
  for (const { name, type } of graph.inputs) types.set(name, type);
  for (const [name, { type }] of initializers) types.set(name, type);
  const typeOf = (name: string): DataType => types.get(name) ?? "float32";
  const upgrade: Upgrade = {
    opset,
    ranks: new Ranks(graph, tensorOf),
    typeOf,
    producerOf: (name) => producers.get(name),
    tensorOf,
    fresh,
    constant: (node, part, tensor) => {
      const name = fresh(node, part);
      initializers.set(name, tensor);
      types.set(name, tensor.type);
      upgrade.ranks.learnTensor(name, tensor);
      return name;
    },
  };
  const nodes = graph.nodes.flatMap((node) => {
    const rewrite = node.domain === "" && Object.hasOwn(rewrites, node.op) ? rewrites[node.op] : undefined;
    const upgraded = rewrite ? rewrite(node, upgrade) : [node];
    for (const each of upgraded) {
      upgrade.ranks.learn(each);
      const value = each.op === "Constant" ? each.attributes.value : undefined;
      if (value?.kind === "tensor") constants.set(each.outputs[0], value.value);
      types.set(each.outputs[0], typeAfter(each, typeOf));
      producers.set(each.outputs[0], each);
    }
    return upgraded;
  });
  return { ...graph, initializers, nodes };
}

/** Element type of a node's first output. */
function typeAfter({ op, inputs, attributes }: Node, typeOf: (name: string) => DataType): DataType {
  const { to, value } = attributes;
  if (op === "Cast" && to?.kind === "int") return dataTypes[to.value - 1] ?? "float32";
  if ((op === "Constant" || op === "ConstantOfShape") && value?.kind === "tensor") return value.value.type;
  if (op === "ConstantOfShape") return "float32";
  if (/^(Shape|Size|NonZero|ArgMax|ArgMin)$/.test(op)) return "int64";
  if (/^(Equal|Greater|GreaterOrEqual|Less|LessOrEqual|Not|And|Or|Xor|IsNaN|IsInf)$/.test(op)) return "bool";
  return typeOf(op === "Where" ? inputs[1] : (inputs[0] ?? ""));
}

/** Attributes without some of them. */
function without(attributes: Attributes, ...names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

/** Numbers as int64. The largest int64, which stands for "to the end", is no double: it was read as 2^63. */
function int64Tensor(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  const largest = 2n ** 63n - 1n;
  return {
    type: "int64",
    shape,
    data: BigInt64Array.from(values, (value) => (value >= 2 ** 63 ? largest : BigInt(value))),
  };
}

function tensorOfAttribute(found: Attribute | undefined): Tensor | undefined {
  switch (found?.kind) {
    case "float":
      return floatTensor([found.value], []);
    case "floats":
      return floatTensor(found.value);
    case "int":
      return int64Tensor([found.value], []);
    case "ints":
      return int64Tensor(found.value);
    case "string":
      return { type: "string", shape: [], data: [found.value] };
    case "strings":
      return { type: "string", shape: [found.value.length], data: [...found.value] };
    case "tensor":
      return found.value;
    default:
      return undefined;
  }
}

/** Up to an operator set, these attributes were what now are the inputs behind the first, in this order. */
function attributesToInputs(before: number, ...names: readonly string[]): Rewrite {
  return (node, upgrade) => {
    if (upgrade.opset >= before || node.inputs.length !== 1) return [node];
    const inputs = [node.inputs[0]];
    for (const name of names) {
      const tensor = tensorOfAttribute(node.attributes[name]);
      inputs.push(tensor ? upgrade.constant(node, name, tensor) : "");
    }
    while (inputs.at(-1) === "") inputs.pop();
    return [{ ...node, inputs, attributes: without(node.attributes, ...names) }];
  };
}

/** Drops attributes that later operator sets added and that change nothing in the types that headstart computes in. */
function withoutAttributes(...names: readonly string[]): Rewrite {
  return (node) => [{ ...node, attributes: without(node.attributes, ...names) }];
}

/** Sizes were an attribute until 13; from 18 on equal parts must say how many they are. */
const split: Rewrite = (node, upgrade) => {
  const [moved] = attributesToInputs(13, "split")(node, upgrade);
  if (upgrade.opset >= 18 || moved.inputs[1]) return [moved];
  return [{ ...moved, attributes: { ...moved.attributes, num_outputs: attribute.int(node.outputs.length) } }];
};

/**
 * Until 13 the axes from `axis` (1 if not given) on were one: softmax of the matrix that Flatten makes. Where that is
 * the last axis alone, it is today's operator.
 */
const softmaxOfMatrix: Rewrite = (node, upgrade) => {
  if (upgrade.opset >= 13) return [node];
  const given = node.attributes.axis;
  const axis = given?.kind === "int" ? given.value : 1;
  const rank = upgrade.ranks.of(node.inputs[0]) ?? upgrade.ranks.of(node.outputs[0]);
  const lastAxis = { ...node.attributes, axis: attribute.int(-1) };
  if (axis === -1 || axis + 1 === rank) return [{ ...node, attributes: lastAxis }];
  const [shape, matrix, result] = ["shape", "matrix", "result"].map((part) => upgrade.fresh(node, part));
  const helper = (op: string, inputs: string[], output: string, attributes: Attributes = {}): Node => {
    return { op, domain: "", name: output, inputs, outputs: [output], attributes };
  };
  return [
    helper("Shape", [node.inputs[0]], shape),
    helper("Flatten", [node.inputs[0]], matrix, { axis: attribute.int(axis) }),
    { ...node, inputs: [matrix], outputs: [result], attributes: lastAxis },
    { ...helper("Reshape", [result, shape], node.outputs[0]), name: upgrade.fresh(node, "reshape") },
  ];
};

/** Resize of version 10, and Upsample before it: positions o / scale, the nearest one below when enlarging, above when not. */
const resizeOfOutputGrid: Rewrite = (node, upgrade) => {
  if (node.op === "Resize" && upgrade.opset !== 10) return halfPixelForNearest(node, upgrade);
  const [{ inputs, attributes }] = attributesToInputs(9, "scales")(node, upgrade);
  const [x, scales] = inputs;
  if (!scales) return [node];
  const resized = (from: string, by: string, to: string, nearest: "floor" | "ceil"): Node => ({
    op: "Resize",
    domain: "",
    name: to === node.outputs[0] ? node.name : to,
    inputs: [from, "", by],
    outputs: [to],
    attributes: {
      ...attributes,
      coordinate_transformation_mode: attribute.string("asymmetric"),
      nearest_mode: attribute.string(nearest),
    },
  });
  const tensor = upgrade.tensorOf(scales);
  const factors = tensor?.type === "float32" ? numbersOf(tensor) : [];
  const [enlarges, shrinks] = [factors.some((factor) => factor > 1), factors.some((factor) => factor < 1)];
  const [output] = node.outputs;
  if (!(enlarges && shrinks)) return [resized(x, scales, output, shrinks ? "ceil" : "floor")];
  const part = (name: string, bound: (factor: number) => number): string =>
    upgrade.constant(node, name, floatTensor(factors.map(bound)));
  const enlarged = upgrade.fresh(node, "enlarged");
  return [
    resized(
      x,
      part("enlarge", (factor) => Math.max(factor, 1)),
      enlarged,
      "floor",
    ),
    resized(
      enlarged,
      part("shrink", (factor) => Math.min(factor, 1)),
      output,
      "ceil",
    ),
  ];
};

/**
 * tf_half_pixel_for_nn, which 13 abolished, is half_pixel's position plus 0.5: rounded down, that is half_pixel's position
 * rounded to the nearest, halves up.
 */
const halfPixelForNearest: Rewrite = (node, { opset }) => {
  const { coordinate_transformation_mode: coordinates, mode, nearest_mode: nearest } = node.attributes;
  const isNearest = mode === undefined || (mode.kind === "string" && mode.value === "nearest");
  const isDown = nearest?.kind === "string" && nearest.value === "floor";
  const isHalf = coordinates?.kind === "string" && coordinates.value === "tf_half_pixel_for_nn";
  if (opset >= 13 || !isNearest || !isDown || !isHalf) return [node];
  const changed = {
    coordinate_transformation_mode: attribute.string("half_pixel"),
    nearest_mode: attribute.string("round_prefer_ceil"),
  };
  return [{ ...node, attributes: { ...node.attributes, ...changed } }];
};

/**
 * Only the first output is of use outside training, of which `is_test` (until 7) spoke. `spatial` (until 9) said that statistics are per channel; where they
 * are not, their shapes tell.
 */
const batchNormalization: Rewrite = (node) => [
  { ...node, outputs: node.outputs.slice(0, 1), attributes: without(node.attributes, "spatial", "is_test") },
];

/** From 12 on a constant may be written without a tensor. */
const constantTensor: Rewrite = (node) => {
  if (node.attributes.value) return [node];
  const short = Object.keys(node.attributes).find((name) => /^value_(float|int|string)s?$/.test(name));
  const tensor = short === undefined ? undefined : tensorOfAttribute(node.attributes[short]);
  return [tensor ? { ...node, attributes: { value: attribute.tensor(tensor) } } : node];
};

/** Casts to the type of another value. */
const castLike: Rewrite = (node, upgrade) => {
  const type = dataTypes.indexOf(upgrade.typeOf(node.inputs[1])) + 1;
  return [{ ...node, op: "Cast", inputs: node.inputs.slice(0, 1), attributes: { to: attribute.int(type) } }];
};

/** One part of a split, which PyTorch's dynamo exporter writes by way of a sequence. The sequence itself stays, unread. */
const sequenceAt: Rewrite = (node, upgrade) => {
  const source = upgrade.producerOf(node.inputs[0]);
  const at = upgrade.tensorOf(node.inputs[1]);
  const split = source?.op === "SplitToSequence" ? upgrade.tensorOf(source.inputs[1] ?? "") : undefined;
  const isInteger = (tensor: Tensor | undefined): boolean => tensor?.type === "int64" || tensor?.type === "int32";
  if (!source || !at || !split || !isInteger(at) || !isInteger(split) || at.data.length !== 1) return [node];
  const [index] = numbersOf(at);
  const lengths = numbersOf(split);
  // One number is the length of each part; several are one for each.
  const areEqual = split.shape.length === 0;
  if (index < 0 || (!areEqual && index >= lengths.length)) return [node];
  const length = areEqual ? lengths[0] : lengths[index];
  const start = areEqual ? index * length : lengths.slice(0, index).reduce((sum, each) => sum + each, 0);
  const { axis } = source.attributes;
  const range = { starts: start, ends: start + length, axes: axis?.kind === "int" ? axis.value : 0 };
  const inputs = Object.entries(range).map(([name, number]) => upgrade.constant(node, name, int64Tensor([number])));
  return [{ ...node, op: "Slice", inputs: [source.inputs[0], ...inputs], attributes: {} }];
};

/** A value with axes of one element behind its own; undefined where nothing has to be added. */
function withTrailingAxes(node: Node, name: string, count: number, upgrade: Upgrade): Node | undefined {
  const rank = upgrade.ranks.of(name);
  if (count <= 0 || rank === undefined) return undefined;
  const output = upgrade.fresh(node, "aligned");
  const axes = upgrade.constant(node, "axes", int64Tensor(Array.from({ length: count }, (_, index) => rank + index)));
  return { op: "Unsqueeze", domain: "", name: output, inputs: [name, axes], outputs: [output], attributes: {} };
}

/** Until 7 operands were broadcast only where `broadcast` said so, the second one beginning at `axis` of the first. */
const alignedOperands: Rewrite = (node, upgrade) => {
  if (upgrade.opset >= 7) return [node];
  const { axis } = node.attributes;
  const [a, b] = node.inputs;
  const [rank, other] = [upgrade.ranks.of(a), upgrade.ranks.of(b)];
  const plain = { ...node, attributes: without(node.attributes, "broadcast", "axis") };
  if (axis?.kind !== "int" || rank === undefined || other === undefined) return [plain];
  const start = axis.value < 0 ? axis.value + rank : axis.value;
  const aligned = withTrailingAxes(node, b, rank - start - other, upgrade);
  return aligned ? [aligned, { ...plain, inputs: [a, aligned.outputs[0]] }] : [plain];
};

/** Until 7 a slope for each channel was a vector. */
const slopePerChannel: Rewrite = (node, upgrade) => {
  const [x, slope] = node.inputs;
  const rank = upgrade.ranks.of(x);
  if (upgrade.opset >= 7 || rank === undefined || upgrade.tensorOf(slope)?.data.length === 1) return [node];
  const aligned = withTrailingAxes(node, slope, rank - 2, upgrade);
  return aligned ? [aligned, { ...node, inputs: [x, aligned.outputs[0]] }] : [node];
};

/** Until 10 how many are taken was an attribute. */
const topK: Rewrite = (node, upgrade) => {
  const { k } = node.attributes;
  if (upgrade.opset >= 10 || k?.kind !== "int") return [node];
  const count = upgrade.constant(node, "k", int64Tensor([k.value]));
  return [{ ...node, inputs: [node.inputs[0], count], attributes: without(node.attributes, "k") }];
};

/** From 28 on SpaceToDepth has a mode. */
const spaceToDepth: Rewrite = (node) => {
  const { mode } = node.attributes;
  return [
    mode?.kind === "string" && mode.value === "DCR" ? { ...node, attributes: without(node.attributes, "mode") } : node,
  ];
};

/** Until 18 axes were an attribute. */
const reductionAxes = attributesToInputs(18, "axes");

const logarithmOfSum: Rewrite = (node, upgrade) => {
  const [reduction] = reductionAxes(node, upgrade);
  const sum = upgrade.fresh(node, "sum");
  return [
    { ...reduction, op: "ReduceSum", name: sum, outputs: [sum] },
    { ...node, op: "Log", inputs: [sum], attributes: {} },
  ];
};

const rewrites: Readonly<Record<string, Rewrite>> = {
  ...compositions,
  Add: alignedOperands,
  Sub: alignedOperands,
  Mul: alignedOperands,
  Div: alignedOperands,
  Pow: alignedOperands,
  And: alignedOperands,
  Or: alignedOperands,
  Xor: alignedOperands,
  Equal: alignedOperands,
  Greater: alignedOperands,
  Less: alignedOperands,
  Gemm: withoutAttributes("broadcast"),
  PRelu: slopePerChannel,
  Squeeze: attributesToInputs(13, "axes"),
  Unsqueeze: attributesToInputs(13, "axes"),
  ReduceSum: attributesToInputs(13, "axes"),
  ReduceMean: reductionAxes,
  ReduceMax: reductionAxes,
  ReduceMin: reductionAxes,
  ReduceProd: reductionAxes,
  ReduceL1: reductionAxes,
  ReduceL2: reductionAxes,
  ReduceSumSquare: reductionAxes,
  ReduceLogSum: logarithmOfSum,
  ReduceLogSumExp: reductionAxes,
  Slice: attributesToInputs(10, "starts", "ends", "axes"),
  Clip: attributesToInputs(11, "min", "max"),
  Pad: attributesToInputs(11, "pads", "value"),
  Dropout: attributesToInputs(12, "ratio"),
  Split: split,
  TopK: topK,
  Upsample: resizeOfOutputGrid,
  Resize: resizeOfOutputGrid,
  Softmax: softmaxOfMatrix,
  LogSoftmax: softmaxOfMatrix,
  BatchNormalization: batchNormalization,
  SequenceAt: sequenceAt,
  SpaceToDepth: spaceToDepth,
  Range: withoutAttributes("stash_type"),
  Einsum: einsumAsProduct,
  Scatter: (node) => [{ ...node, op: "ScatterElements" }],
  Constant: constantTensor,
  Cast: withoutAttributes("round_mode"),
  CastLike: castLike,
  // From 21 on scale and bias have one element a channel, before one a group: their shapes tell which is meant.
  GroupNormalization: withoutAttributes("stash_type"),
};
