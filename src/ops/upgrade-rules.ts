/** By operator: in which operator set its form changed, and how an older form is said in the newer one. */
import { type UserError, userError } from "../errors.js";
import { type Attribute, type Attributes, attribute, type Node } from "../graph/graph.js";
import {
  type DataType,
  floatTensor,
  intTensor,
  numbersOf,
  numberToBfloat16,
  numberToFloat16,
  type Tensor,
} from "../graph/tensor.js";
import type { UpgradeContext, UpgradeRule } from "./upgrade.js";

/** A rule for models of operator sets before this one. */
interface Upgrade {
  readonly before: number;
  readonly rule: UpgradeRule;
}

/** For rules that hold whatever the operator set. */
const always = Number.POSITIVE_INFINITY;
/** The lowest float32: Clip's bound below where none is given. */
const lowest = -3.4028234663852886e38;

/** The rules, oldest first. */
export const upgradeRules: Readonly<Record<string, readonly Upgrade[]>> = {
  BatchNormalization: [
    { before: 9, rule: perActivation },
    { before: 14, rule: trainingOutputs },
  ],
  Cast: [{ before: always, rule: without("round_mode", "saturate") }],
  Clip: [{ before: 11, rule: clipBounds }],
  Constant: [{ before: always, rule: constantValue }],
  // The ratio matters in training only, which these operator sets leave to the runtime.
  Dropout: [{ before: 12, rule: without("ratio") }],
  Hardmax: [{ before: 13, rule: coerced }],
  LogSoftmax: [{ before: 13, rule: coerced }],
  Pad: [{ before: 11, rule: padInputs }],
  ReduceL1: [{ before: 18, rule: axesInput }],
  ReduceL2: [{ before: 18, rule: axesInput }],
  ReduceLogSum: [{ before: 18, rule: axesInput }],
  ReduceLogSumExp: [{ before: 18, rule: axesInput }],
  ReduceMax: [{ before: 18, rule: axesInput }],
  ReduceMean: [{ before: 18, rule: axesInput }],
  ReduceMin: [{ before: 18, rule: axesInput }],
  ReduceProd: [{ before: 18, rule: axesInput }],
  ReduceSum: [{ before: 13, rule: axesInput }],
  ReduceSumSquare: [{ before: 18, rule: axesInput }],
  Resize: [
    { before: 11, rule: resizeAsymmetric },
    { before: 13, rule: resizeHalfPixel },
  ],
  Scatter: [{ before: 11, rule: (node) => [{ ...node, op: "ScatterElements" }] }],
  Slice: [{ before: 10, rule: sliceInputs }],
  Softmax: [{ before: 13, rule: coerced }],
  Split: [
    { before: 13, rule: splitInput },
    { before: 18, rule: splitCount },
  ],
  Squeeze: [{ before: 13, rule: axesInput }],
  Swish: [{ before: always, rule: swish }],
  Unsqueeze: [{ before: 13, rule: axesInput }],
  Upsample: [{ before: 10, rule: upsample }],
};

/** Drops attributes without a meaning for headstart. */
function without(...names: string[]): UpgradeRule {
  return (node) => [{ ...node, attributes: drop(node.attributes, ...names) }];
}

function drop(attributes: Attributes, ...names: string[]): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)));
}

function ints(node: Node, name: string): readonly number[] | undefined {
  const found = node.attributes[name];
  return found?.kind === "ints" ? found.value : undefined;
}

function int(node: Node, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.kind === "int" ? found.value : fallback;
}

function float(node: Node, name: string, fallback: number): number {
  const found = node.attributes[name];
  return found?.kind === "float" ? found.value : fallback;
}

function string(node: Node, name: string, fallback: string): string {
  const found = node.attributes[name];
  return found?.kind === "string" ? found.value : fallback;
}

/** A vector of int64. "To the end" is written as the largest int64, which a double has only as 2^63. */
function int64s(values: readonly number[]): Tensor {
  const limit = 2n ** 63n - 1n;
  const data = BigInt64Array.from(values, (value) =>
    value >= 2 ** 63 ? limit : value <= -(2 ** 63) ? -limit - 1n : BigInt(value),
  );
  return { type: "int64", shape: [values.length], data };
}

/** A number of this type, rank 0. */
function scalar(value: number, type: DataType): Tensor {
  switch (type) {
    case "float16":
      return { type, shape: [], data: Uint16Array.of(numberToFloat16(value)) };
    case "bfloat16":
      return { type, shape: [], data: Uint16Array.of(numberToBfloat16(value)) };
    case "float64":
      return { type, shape: [], data: Float64Array.of(value) };
    case "int32":
      return { type, shape: [], data: Int32Array.of(value) };
    case "int64":
      return intTensor([value], []);
    default:
      return floatTensor([value], []);
  }
}

/** The attribute `axes` became the second input. */
function axesInput(node: Node, context: UpgradeContext): Node[] {
  const axes = ints(node, "axes");
  if (!axes) return [node];
  const input = context.constant(`${node.outputs[0]}/axes`, int64s(axes));
  return [{ ...node, inputs: [node.inputs[0], input], attributes: drop(node.attributes, "axes") }];
}

/** Attributes min and max became inputs. */
function clipBounds(node: Node, context: UpgradeContext): Node[] {
  const type = context.elementType(node.inputs[0]);
  const bound = (name: string, fallback: number): string => {
    const value = float(node, name, fallback);
    return value === fallback ? "" : context.constant(`${node.outputs[0]}/${name}`, scalar(value, type));
  };
  const inputs = [node.inputs[0], bound("min", lowest), bound("max", -lowest)];
  while (inputs.at(-1) === "") inputs.pop();
  return [{ ...node, inputs, attributes: drop(node.attributes, "min", "max") }];
}

/** Attributes pads and value became inputs. */
function padInputs(node: Node, context: UpgradeContext): Node[] {
  const [x] = node.inputs;
  const inputs = [x, context.constant(`${node.outputs[0]}/pads`, int64s(ints(node, "pads") ?? []))];
  const value = float(node, "value", 0);
  if (value !== 0) inputs.push(context.constant(`${node.outputs[0]}/value`, scalar(value, context.elementType(x))));
  return [{ ...node, inputs, attributes: drop(node.attributes, "pads", "value") }];
}

/** Attributes starts, ends and axes became inputs. */
function sliceInputs(node: Node, context: UpgradeContext): Node[] {
  const inputs = [node.inputs[0]];
  for (const name of ["starts", "ends", "axes"]) {
    const values = ints(node, name);
    if (values) inputs.push(context.constant(`${node.outputs[0]}/${name}`, int64s(values)));
  }
  return [{ ...node, inputs, attributes: drop(node.attributes, "starts", "ends", "axes") }];
}

/** The attribute split became an input. */
function splitInput(node: Node, context: UpgradeContext): Node[] {
  const sizes = ints(node, "split");
  if (!sizes) return [node];
  const input = context.constant(`${node.outputs[0]}/split`, int64s(sizes));
  return [{ ...node, inputs: [node.inputs[0], input], attributes: drop(node.attributes, "split") }];
}

/** Without sizes the number of outputs said into how many equal parts; now an attribute does. */
function splitCount(node: Node): Node[] {
  if (node.inputs[1]) return [node];
  return [
    {
      ...node,
      inputs: [node.inputs[0]],
      attributes: { ...node.attributes, num_outputs: attribute.int(node.outputs.length) },
    },
  ];
}

/** Upsample is a Resize that only enlarges; its scales were an attribute before opset 9. */
function upsample(node: Node, context: UpgradeContext): Node[] {
  const scales = node.attributes.scales;
  const inputs =
    scales?.kind === "floats"
      ? [node.inputs[0], context.constant(`${node.outputs[0]}/scales`, floatTensor(scales.value))]
      : node.inputs;
  return [{ ...node, op: "Resize", inputs, attributes: drop(node.attributes, "scales") }];
}

/** The first Resize: inputs X and scales; element i of the output is that at i / scale of the input. */
function resizeAsymmetric(node: Node, context: UpgradeContext): Node[] {
  const [x, scales] = node.inputs;
  const mode = string(node, "mode", "nearest");
  // ONNX Runtime rounds down where it enlarges, and up where it makes smaller.
  const tensor = context.tensor(scales);
  const smaller = tensor !== undefined && numbersOf(tensor).some((scale) => scale < 1);
  const nearest: Attributes = mode === "nearest" ? { nearest_mode: attribute.string(smaller ? "ceil" : "floor") } : {};
  const attributes = {
    mode: attribute.string(mode),
    coordinate_transformation_mode: attribute.string("asymmetric"),
    ...nearest,
  };
  return [{ ...node, inputs: [x, "", scales], attributes }];
}

/**
 * tf_half_pixel_for_nn, x = (i + 0.5) / scale, is half_pixel's x plus 0.5. Rounded down that is half_pixel's x rounded to
 * the nearest, halves up.
 */
function resizeHalfPixel(node: Node): Node[] {
  const isOld = string(node, "coordinate_transformation_mode", "half_pixel") === "tf_half_pixel_for_nn";
  if (!isOld || string(node, "nearest_mode", "round_prefer_floor") !== "floor") return [node];
  const changed = {
    coordinate_transformation_mode: attribute.string("half_pixel"),
    nearest_mode: attribute.string("round_prefer_ceil"),
  };
  return [{ ...node, attributes: { ...node.attributes, ...changed } }];
}

/**
 * Before opset 13 Softmax and its kin took their input for a matrix: axes before `axis` (default 1) are rows, the others
 * together columns. On the last axis that is the same as today.
 */
function coerced(node: Node, context: UpgradeContext): Node[] {
  const axis = int(node, "axis", 1);
  const rank = context.rank(node.inputs[0]);
  if (axis === -1 || (rank !== undefined && (axis < 0 ? axis + rank : axis) === rank - 1))
    return [{ ...node, attributes: { ...node.attributes, axis: attribute.int(axis) } }];
  const [x] = node.inputs;
  const [y] = node.outputs;
  const [matrix, result, shape] = ["matrix", "rows", "shape"].map((name) => context.fresh(`${y}/${name}`));
  return [
    make("Flatten", [x], matrix, { axis: attribute.int(axis) }),
    { ...node, inputs: [matrix], outputs: [result], attributes: { ...node.attributes, axis: attribute.int(-1) } },
    make("Shape", [x], shape),
    make("Reshape", [result, shape], y),
  ];
}

function make(op: string, inputs: readonly string[], output: string, attributes: Attributes = {}): Node {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes };
}

/** spatial = 0: statistics of each activation by itself, not of each channel. y = (x - mean) / √(var + ε) · scale + B. */
function perActivation(node: Node, context: UpgradeContext): readonly Node[] {
  if (int(node, "spatial", 1) !== 0) return [{ ...node, attributes: drop(node.attributes, "spatial") }];
  if (node.outputs.slice(1).some(context.isRead)) throw statisticsRead(node);
  const [x, scale, bias, mean, variance] = node.inputs;
  const [y] = node.outputs;
  const epsilon = context.constant(`${y}/epsilon`, scalar(float(node, "epsilon", 1e-5), context.elementType(x)));
  const [centred, shifted, deviation, normal, scaled] = ["centred", "shifted", "deviation", "normal", "scaled"].map(
    (name) => context.fresh(`${y}/${name}`),
  );
  return [
    make("Sub", [x, mean], centred),
    make("Add", [variance, epsilon], shifted),
    make("Sqrt", [shifted], deviation),
    make("Div", [centred, deviation], normal),
    make("Mul", [normal, scale], scaled),
    make("Add", [scaled, bias], y),
  ];
}

/** Before opset 14 it was the statistics among the outputs that said "training"; two of them are gone. */
function trainingOutputs(node: Node, context: UpgradeContext): Node[] {
  if (node.outputs.slice(1).every((name) => name === "")) return [{ ...node, outputs: node.outputs.slice(0, 1) }];
  if (node.outputs.slice(3).some(context.isRead)) throw statisticsRead(node);
  return [
    { ...node, outputs: node.outputs.slice(0, 3), attributes: { ...node.attributes, training_mode: attribute.int(1) } },
  ];
}

function statisticsRead(node: Node): UserError {
  return userError({
    where: `node ${node.name || node.outputs[0]} (${node.op})`,
    required: "statistics that nothing reads, as newer operator sets do not give them",
    got: "a node that reads them",
    advice: "Export the model in evaluation mode with opset 20.",
  });
}

/** Shorthands for tensors, which Constant has had since opset 12. */
function constantValue(node: Node): Node[] {
  for (const [name, found] of Object.entries(node.attributes)) {
    const tensor = shorthand(name, found);
    if (tensor) return [{ ...node, attributes: { value: attribute.tensor(tensor) } }];
  }
  return [node];
}

function shorthand(name: string, { kind, value }: Attribute): Tensor | undefined {
  if (name === "value_float" && kind === "float") return floatTensor([value], []);
  if (name === "value_floats" && kind === "floats") return floatTensor(value);
  if (name === "value_int" && kind === "int") return { ...int64s([value]), shape: [] };
  if (name === "value_ints" && kind === "ints") return int64s(value);
  if (name === "value_string" && kind === "string") return { type: "string", shape: [], data: [value] };
  if (name === "value_strings" && kind === "strings")
    return { type: "string", shape: [value.length], data: [...value] };
  return undefined;
}

/** Swish, new in opset 24: y = x · σ(αx). */
function swish(node: Node, context: UpgradeContext): Node[] {
  const [x] = node.inputs;
  const [y] = node.outputs;
  const alpha = float(node, "alpha", 1);
  const nodes: Node[] = [];
  let inner = x;
  if (alpha !== 1) {
    inner = context.fresh(`${y}/scaled`);
    nodes.push(make("Mul", [x, context.constant(`${y}/alpha`, scalar(alpha, context.elementType(x)))], inner));
  }
  const gate = context.fresh(`${y}/gate`);
  return [...nodes, make("Sigmoid", [inner], gate), make("Mul", [x, gate], y)];
}
