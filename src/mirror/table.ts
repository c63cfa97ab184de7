/** How every operator is mirrored. A name without an entry does not compile. */
import type { OperatorName } from "../ops/names.js";
import { linear, linearInFirst, passedOn, passedOnToFirst } from "./adjoint.js";
import { mirroredDiv, mirroredMul } from "./gates.js";
import { mirroredConv, mirroredConvTranspose, mirroredGemm, mirroredMatMul } from "./layers.js";
import type { MirrorEntry, MirrorRule } from "./mirror-rule.js";
import { nonlinearityAgain, standsAgain } from "./nonlinearity.js";
import { mirroredBatchNormalization, mirroredNormalization } from "./normalizations.js";
import {
  mirroredConcat,
  mirroredGlobalPool,
  mirroredPool,
  mirroredReduction,
  mirroredResize,
  mirroredTile,
} from "./resolutions.js";

/** Where the condition is given, each branch gets what was taken from it; max(x, 0.1x) and its kin stand again. */
const choice: MirrorRule = (context) => nonlinearityAgain(context) ?? linear(context);
/** The larger of several branches: each of them gets the value. */
const extremum: MirrorRule = (context) => nonlinearityAgain(context) ?? passedOn(context);

/** x^p stands again for p = 1, 2, 3, ...; other powers are not defined below zero, and the value is passed on. */
const power: MirrorRule = (context) => {
  const exponent = context.step.inputs[1]?.constant;
  const whole = exponent?.shape.every((size) => size === 1) ? Number(exponent.data[0]) : Number.NaN;
  return Number.isInteger(whole) && whole > 0 ? standsAgain(context) : passedOnToFirst(context);
};

const noValue = "none";
const forgetsSigns = { unsupported: "it keeps sums of magnitudes only, from which no value can be handed back" };
const picksPositions = { unsupported: "it gives positions, not values" };

/** How each operator of F is mirrored, or why it cannot be. A name without an entry does not compile. */
export const mirrors: Readonly<Record<OperatorName, MirrorEntry>> = {
  // Linear: the adjoint.
  Add: passedOn,
  Sum: passedOn,
  Sub: linear,
  Neg: linear,
  Identity: passedOnToFirst,
  Dropout: passedOnToFirst,
  Cast: passedOnToFirst,
  // The mean of several values is mirrored by copies, as all averages are.
  Mean: passedOn,
  Mul: mirroredMul,
  Div: mirroredDiv,
  Where: choice,

  // Layers.
  Gemm: mirroredGemm,
  MatMul: mirroredMatMul,
  Conv: mirroredConv,
  ConvTranspose: mirroredConvTranspose,

  // Nonlinearities stand again.
  Relu: standsAgain,
  LeakyRelu: standsAgain,
  PRelu: standsAgain,
  Elu: standsAgain,
  Selu: standsAgain,
  Celu: standsAgain,
  Sigmoid: standsAgain,
  HardSigmoid: standsAgain,
  HardSwish: standsAgain,
  Tanh: standsAgain,
  Softplus: standsAgain,
  Softsign: standsAgain,
  Gelu: standsAgain,
  Mish: standsAgain,
  ThresholdedRelu: standsAgain,
  Clip: standsAgain,
  Abs: standsAgain,
  Exp: standsAgain,
  Erf: standsAgain,
  Sin: standsAgain,
  Cos: standsAgain,
  Atan: standsAgain,
  Sinh: standsAgain,
  Cosh: standsAgain,
  Asinh: standsAgain,
  Pow: power,
  Max: extremum,
  Min: extremum,
  // Not defined for all numbers, which the mirrored value may be: passed on.
  Sqrt: passedOn,
  Reciprocal: passedOn,
  Log: passedOn,
  Tan: passedOn,
  Asin: passedOn,
  Acos: passedOn,
  Acosh: passedOn,
  Atanh: passedOn,
  // A distribution over what it reads: again, it would flatten the mirrored value to shares of one. Passed on.
  Softmax: passedOn,
  LogSoftmax: passedOn,
  // Steps: passed on, as in straight-through estimation.
  Sign: passedOn,
  Floor: passedOn,
  Ceil: passedOn,
  Round: passedOn,
  Mod: passedOnToFirst,

  // Averages are copied, copies are averaged.
  AveragePool: mirroredPool,
  MaxPool: mirroredPool,
  GlobalAveragePool: mirroredGlobalPool,
  GlobalMaxPool: mirroredGlobalPool,
  ReduceMean: mirroredReduction,
  ReduceMax: mirroredReduction,
  ReduceMin: mirroredReduction,
  ReduceLogSumExp: mirroredReduction,
  ReduceSum: mirroredReduction,
  Resize: mirroredResize,
  // Its result has the broadcast shape, which the walk averages down.
  Expand: passedOnToFirst,
  Tile: mirroredTile,
  ReduceProd: forgetsSigns,
  ReduceL1: forgetsSigns,
  ReduceL2: forgetsSigns,
  ReduceSumSquare: forgetsSigns,
  CumSum: linearInFirst,
  ArgMax: picksPositions,
  ArgMin: picksPositions,

  BatchNormalization: mirroredBatchNormalization,
  InstanceNormalization: mirroredNormalization,
  LayerNormalization: mirroredNormalization,
  GroupNormalization: mirroredNormalization,

  // Movements: the same one backwards.
  Reshape: linearInFirst,
  Flatten: linearInFirst,
  Transpose: linearInFirst,
  Squeeze: linearInFirst,
  Unsqueeze: linearInFirst,
  Concat: mirroredConcat,
  Split: linearInFirst,
  Slice: linearInFirst,
  Pad: linearInFirst,
  Gather: linearInFirst,
  GatherElements: linearInFirst,
  ScatterElements: linear,
  GatherND: linearInFirst,
  ScatterND: linear,
  TopK: linearInFirst,
  DepthToSpace: linearInFirst,
  SpaceToDepth: linearInFirst,
  Trilu: linearInFirst,

  // Facts about values, and constants.
  Equal: noValue,
  Greater: noValue,
  GreaterOrEqual: noValue,
  Less: noValue,
  LessOrEqual: noValue,
  Not: noValue,
  And: noValue,
  Or: noValue,
  Xor: noValue,
  IsNaN: noValue,
  IsInf: noValue,
  Constant: noValue,
  ConstantOfShape: noValue,
  Shape: noValue,
  Size: noValue,
  Range: noValue,
  NonZero: noValue,
  OneHot: noValue,
};
