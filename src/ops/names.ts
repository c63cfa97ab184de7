/** The operators that headstart knows, grouped as the files of this folder are. One table entry each, by type. */

/** Computed element by element. */
export const elementwiseNames = [
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Pow",
  "Max",
  "Min",
  "Sum",
  "Mean",
  "Neg",
  "Abs",
  "Sqrt",
  "Reciprocal",
  "Exp",
  "Log",
  "Sign",
  "Floor",
  "Ceil",
  "Round",
  "Mod",
  "Erf",
  "Sin",
  "Cos",
  "Tan",
  "Asin",
  "Acos",
  "Atan",
  "Sinh",
  "Cosh",
  "Asinh",
  "Acosh",
  "Atanh",
  "Clip",
  "Where",
  "Equal",
  "Greater",
  "GreaterOrEqual",
  "Less",
  "LessOrEqual",
  "Not",
  "And",
  "Or",
  "Xor",
  "IsNaN",
  "IsInf",
  "Identity",
  "Dropout",
  "Cast",
] as const;
/** Activation functions, Softmax along an axis among them. */
export const activationNames = [
  "Relu",
  "LeakyRelu",
  "PRelu",
  "Elu",
  "Selu",
  "Celu",
  "Sigmoid",
  "HardSigmoid",
  "HardSwish",
  "Tanh",
  "Softplus",
  "Softsign",
  "Gelu",
  "Mish",
  "ThresholdedRelu",
  "Softmax",
  "LogSoftmax",
] as const;
/** Computed of all elements along axes. */
export const reductionNames = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceProd",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "ReduceLogSumExp",
  "ArgMax",
  "ArgMin",
  "CumSum",
] as const;
/** Products of matrices. */
export const productNames = ["MatMul", "Gemm"] as const;
/** Products with a filter at each position. */
export const convolutionNames = ["Conv", "ConvTranspose"] as const;
/** Of windows of positions, or of all of them. */
export const poolingNames = ["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize"] as const;
/** Shifted and scaled to mean 0 and deviation 1. */
export const normalizationNames = [
  "BatchNormalization",
  "InstanceNormalization",
  "LayerNormalization",
  "GroupNormalization",
] as const;
/** Elements are moved, repeated or left out, and not computed with. */
export const movementNames = [
  "Reshape",
  "Flatten",
  "Transpose",
  "Squeeze",
  "Unsqueeze",
  "Expand",
  "Tile",
  "Concat",
  "Split",
  "Slice",
  "Pad",
  "Gather",
  "GatherElements",
  "ScatterElements",
  "GatherND",
  "ScatterND",
  "TopK",
  "DepthToSpace",
  "SpaceToDepth",
  "Trilu",
] as const;
/** Made of shapes and constants. */
export const shapeArithmeticNames = [
  "Constant",
  "ConstantOfShape",
  "Shape",
  "Size",
  "Range",
  "NonZero",
  "OneHot",
] as const;

export type ElementwiseName = (typeof elementwiseNames)[number];
export type ActivationName = (typeof activationNames)[number];
export type ReductionName = (typeof reductionNames)[number];
export type ProductName = (typeof productNames)[number];
export type ConvolutionName = (typeof convolutionNames)[number];
export type PoolingName = (typeof poolingNames)[number];
export type NormalizationName = (typeof normalizationNames)[number];
export type MovementName = (typeof movementNames)[number];
export type ShapeArithmeticName = (typeof shapeArithmeticNames)[number];
export type OperatorName =
  | ElementwiseName
  | ActivationName
  | ReductionName
  | ProductName
  | ConvolutionName
  | PoolingName
  | NormalizationName
  | MovementName
  | ShapeArithmeticName;
