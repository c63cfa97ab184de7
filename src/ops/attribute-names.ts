/** The attributes that ONNX gives its operators, in the pinned opset. What has any other is no valid model. */
import type { OperatorName } from "./names.js";

const reduction = "keepdims noop_with_empty_axes";
const position = "axis keepdims select_last_index";
const convolution = "auto_pad dilations group kernel_shape pads strides";
const pool = "auto_pad ceil_mode dilations kernel_shape pads strides";

/** By operator, with spaces between; the others have none. */
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

/** Those of a node's attributes that its operator does not have. */
export function unknownAttributes(op: string, attributes: Readonly<Record<string, unknown>>): string[] {
  const known = new Set((Object.hasOwn(names, op) ? names[op as OperatorName] : undefined)?.split(" "));
  return Object.keys(attributes).filter((name) => !known.has(name));
}
