/** The attributes that ONNX gives its operators. What has any other is no valid model. */
import type { Attribute } from "../graph/graph.js";
import type { OperatorName } from "./names.js";
import { operatorOf } from "./table.js";

const reduction = "keepdims noop_with_empty_axes";
const position = "axis keepdims select_last_index";
const convolution = "auto_pad dilations group kernel_shape pads strides";
const pool = "auto_pad ceil_mode dilations kernel_shape pads strides";

/** In the pinned opset, by operator, with spaces between; the others have none. */
const names: Readonly<Partial<Record<OperatorName, string>>> = {
  ArgMax: position,
  ArgMin: position,
  AveragePool: `${pool} count_include_pad`,
  BatchNormalization: "epsilon momentum training_mode",
  Cast: "saturate to",
  Celu: "alpha",
  Concat: "axis",
  Constant: "sparse_value value value_float value_floats value_int value_ints value_string value_strings",
  ConstantOfShape: "value",
  Conv: convolution,
  ConvTranspose: `${convolution} output_padding output_shape`,
  CumSum: "exclusive reverse",
  DepthToSpace: "blocksize mode",
  Dropout: "seed",
  Elu: "alpha",
  Flatten: "axis",
  Gather: "axis",
  GatherElements: "axis",
  GatherND: "batch_dims",
  Gelu: "approximate",
  Gemm: "alpha beta transA transB",
  GroupNormalization: "epsilon num_groups",
  HardSigmoid: "alpha beta",
  InstanceNormalization: "epsilon",
  IsInf: "detect_negative detect_positive",
  LayerNormalization: "axis epsilon stash_type",
  LeakyRelu: "alpha",
  LogSoftmax: "axis",
  MaxPool: `${pool} storage_order`,
  Mod: "fmod",
  OneHot: "axis",
  Pad: "mode",
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: reduction,
  ReduceSumSquare: reduction,
  Reshape: "allowzero",
  Resize:
    "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value " +
    "keep_aspect_ratio_policy mode nearest_mode",
  ScatterElements: "axis reduction",
  ScatterND: "reduction",
  Selu: "alpha gamma",
  Shape: "end start",
  Softmax: "axis",
  SpaceToDepth: "blocksize",
  Split: "axis num_outputs",
  ThresholdedRelu: "alpha",
  TopK: "axis largest sorted",
  Transpose: "perm",
  Trilu: "upper",
};

const broadcast = "axis broadcast";
const recurrent = "activation_alpha activation_beta activations clip direction hidden_size layout output_sequence";

/** In the other operator sets that are read, where these have more, or have operators that the pinned one has not. */
const otherNames: Readonly<Record<string, string>> = {
  Add: broadcast,
  And: broadcast,
  Attention:
    "is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale softcap softmax_precision",
  BatchNormalization: "is_test spatial",
  Cast: "round_mode",
  CastLike: "round_mode saturate",
  Clip: "max min",
  Div: broadcast,
  Dropout: "is_test ratio",
  Einsum: "equation",
  Equal: broadcast,
  GRU: `${recurrent} linear_before_reset`,
  Gemm: "broadcast",
  Greater: broadcast,
  GroupNormalization: "stash_type",
  LRN: "alpha beta bias size",
  LSTM: `${recurrent} input_forget`,
  Less: broadcast,
  Mul: broadcast,
  Or: broadcast,
  Pad: "pads value",
  Pow: broadcast,
  RMSNormalization: "axis epsilon stash_type",
  RNN: recurrent,
  Range: "stash_type",
  ReduceL1: "axes",
  ReduceL2: "axes",
  ReduceLogSum: `axes ${reduction}`,
  ReduceLogSumExp: "axes",
  ReduceMax: "axes",
  ReduceMean: "axes",
  ReduceMin: "axes",
  ReduceProd: "axes",
  ReduceSum: "axes",
  ReduceSumSquare: "axes",
  Scatter: "axis",
  SequenceAt: "",
  Shrink: "bias lambd",
  Slice: "axes ends starts",
  SpaceToDepth: "mode",
  Split: "split",
  SplitToSequence: "axis keepdims",
  Squeeze: "axes",
  Sub: broadcast,
  Swish: "alpha",
  TopK: "k",
  Unsqueeze: "axes",
  Upsample: "height_scale mode scales width_scale",
  Xor: broadcast,
};

/** Those that all operator sets require. */
const required: Readonly<Record<string, string>> = {
  AveragePool: "kernel_shape",
  Cast: "to",
  Concat: "axis",
  DepthToSpace: "blocksize",
  Einsum: "equation",
  GroupNormalization: "num_groups",
  LRN: "size",
  MaxPool: "kernel_shape",
  SpaceToDepth: "blocksize",
};

/** What kind attributes have by their names: ONNX gives those of one name the same kind, whatever the operator, but for `value`. */
const kinds: Readonly<Partial<Record<Attribute["kind"], string>>> = {
  int:
    "allowzero axis batch_dims blocksize broadcast ceil_mode count_include_pad detect_negative detect_positive end " +
    "antialias exclude_outside exclusive fmod group hidden_size input_forget is_causal is_test k keepdims kv_num_heads " +
    "largest layout left_window_size linear_before_reset noop_with_empty_axes num_groups num_outputs output_sequence " +
    "q_num_heads qk_matmul_output_mode reverse right_window_size saturate seed select_last_index size softmax_precision " +
    "sorted spatial start stash_type storage_order to training_mode transA transB upper value_int",
  float:
    "alpha beta bias clip cubic_coeff_a epsilon extrapolation_value gamma height_scale lambd max min momentum ratio scale " +
    "softcap value_float width_scale",
  string:
    "approximate auto_pad coordinate_transformation_mode direction equation keep_aspect_ratio_policy mode nearest_mode " +
    "reduction round_mode value_string",
  tensor: "value",
  ints: "axes dilations ends kernel_shape output_padding output_shape pads perm split starts strides value_ints",
  floats: "activation_alpha activation_beta scales value_floats",
  strings: "activations value_strings",
};

/** The words that a text attribute is one of, by its name, or by operator and name where operators differ. */
const words: Readonly<Record<string, readonly string[]>> = {
  approximate: ["none", "tanh"],
  auto_pad: ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", ""],
  coordinate_transformation_mode: [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "tf_crop_and_resize",
  ],
  keep_aspect_ratio_policy: ["stretch", "not_larger", "not_smaller"],
  nearest_mode: ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"],
  reduction: ["none", "add", "mul", "max", "min"],
  "DepthToSpace mode": ["DCR", "CRD"],
  "Pad mode": ["constant", "reflect", "edge", "wrap"],
  "Resize mode": ["nearest", "linear", "cubic"],
  "SpaceToDepth mode": ["DCR", "CRD"],
};

const kindOf = new Map<string, Attribute["kind"]>();
for (const [kind, all] of Object.entries(kinds))
  for (const name of all.split(" ")) kindOf.set(name, kind as Attribute["kind"]);

function listOf(table: Readonly<Partial<Record<string, string>>>, op: string): string[] {
  return (Object.hasOwn(table, op) ? (table[op] ?? "") : "").split(" ").filter((name) => name !== "");
}

/** Those of a node's attributes that its operator does not have in the pinned opset. */
export function unknownAttributes(op: string, attributes: Readonly<Record<string, unknown>>): string[] {
  const known = new Set(listOf(names, op));
  return Object.keys(attributes).filter((name) => !known.has(name));
}

/** Those that an operator has in any operator set that is read; undefined where headstart does not know the operator. */
export function attributesEver(op: string): string[] | undefined {
  if (operatorOf(op) === undefined && !Object.hasOwn(otherNames, op)) return undefined;
  return [...listOf(names, op), ...listOf(otherNames, op)];
}

/** Those that an operator cannot do without, whatever the operator set. */
export function requiredAttributes(op: string): string[] {
  return listOf(required, op);
}

/** The words that an operator's text attribute is one of; undefined where any text will do, or is looked at elsewhere. */
export function attributeWords(op: string, name: string): readonly string[] | undefined {
  return words[`${op} ${name}`] ?? words[name];
}

/** The kind of an operator's attribute; undefined where headstart never looks into it. */
export function attributeKind(op: string, name: string): Attribute["kind"] | undefined {
  return op === "Pad" && name === "value" ? "float" : kindOf.get(name);
}
