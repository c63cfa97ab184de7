/**
 * Resize: every axis is sampled by itself, so the operator is a product with one constant matrix an axis, and its
 * gradient the product with their transposes.
 */
import { userError } from "../errors.js";
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import {
  constantInput,
  floatAttribute,
  type GradientContext,
  intAttribute,
  intsAttribute,
  type NodeContext,
  normalizedAxis,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
  wholeNumbersOf,
} from "./operator.js";

/** One axis that is resized. */
interface ResizedAxis {
  readonly axis: number;
  readonly input: number;
  readonly output: number;
  /** Output elements an input element. */
  readonly scale: number;
}

/** The axes that scales or sizes name, with their new sizes. */
function resizedAxes(node: NodeContext): ResizedAxis[] {
  const { shape } = requiredInput(node, 0);
  const axes = (intsAttribute(node, "axes") ?? shape.map((_, axis) => axis)).map((axis) =>
    normalizedAxis(axis, shape.length, node.op),
  );
  const scales = constantInput(node, 2) ?? [];
  const sizes = wholeNumbersOf(node, 3) ?? [];
  if (scales.length > 0 === sizes.length > 0) throw new RuleError(`${node.op}: required either scales or sizes`);
  const given = scales.length > 0 ? scales : sizes;
  if (given.length !== axes.length)
    throw new RuleError(
      `${node.op}: ${given.length} ${scales.length > 0 ? "scales" : "sizes"} for ${axes.length} axes`,
    );
  if (given.some((number) => !(number > 0))) throw new RuleError(`${node.op}: scales and sizes must be positive`);
  const policy = stringAttribute(node, "keep_aspect_ratio_policy", "stretch");
  if (scales.length > 0)
    return axes.map((axis, index) => {
      const scale = Math.fround(scales[index]);
      return { axis, input: shape[axis], output: Math.floor(Math.fround(shape[axis] * scale)), scale };
    });
  const ratios = axes.map((axis, index) => Math.fround(sizes[index] / shape[axis]));
  if (policy === "stretch")
    return axes.map((axis, index) => ({ axis, input: shape[axis], output: sizes[index], scale: ratios[index] }));
  // ONNX Runtime 1.30 leaves such axes as they are.
  if (intsAttribute(node, "axes")?.some((axis) => axis < 0))
    throw new RuleError(`${node.op}: keep_aspect_ratio_policy ${policy} needs axes counted from the front`);
  const scale = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map((axis) => ({ axis, input: shape[axis], output: Math.round(scale * shape[axis]), scale }));
}

function resizeShape(node: NodeContext): number[] {
  const shape = [...requiredInput(node, 0).shape];
  const axes = resizedAxes(node);
  for (const { axis, output } of axes) shape[axis] = output;
  if (shape.some((size) => size < 1)) throw new RuleError(`${node.op}: nothing is left of the input`);
  const changed = axes.filter(({ scale }) => scale !== 1);
  if (!isInterpolated(node, shape.length, changed))
    throw new RuleError(
      `${node.op}: ONNX Runtime does not interpolate in mode ${stringAttribute(node, "mode", "nearest")} along axes [${changed.map(({ axis }) => axis).join(", ")}] of ${shape.length}`,
    );
  return shape;
}

/** Whether ONNX Runtime 1.30 can compute between elements along all of these axes at once. */
function isInterpolated(node: NodeContext, rank: number, changed: readonly ResizedAxis[]): boolean {
  const mode = stringAttribute(node, "mode", "nearest");
  if (mode === "cubic" && rank !== 2 && rank !== 4) return false;
  if (mode === "nearest" || changed.length === 0) return true;
  const areAmong = (...axes: number[]): boolean => changed.every(({ axis }) => axes.includes(axis));
  if (rank === 2 || rank === 3) return true;
  if (rank === 5) return areAmong(2, 3, 4);
  if (rank !== 4) return false;
  // Channels last, it shrinks cubically with antialias only.
  const shrinks = changed.some(({ scale }) => scale < 1) && intAttribute(node, "antialias", 0) === 0;
  return areAmong(2, 3) || (areAmong(1, 2) && !(mode === "cubic" && shrinks));
}

function resizeGradient(node: GradientContext): Value {
  const { emit } = node;
  let gradient = node.gradient;
  // An axis that keeps its size is copied by every mode.
  const axes = resizedAxes(node).filter((axis) => axis.input !== axis.output || axis.scale !== 1);
  if (axes.length === 0) return gradient;
  const taps = axes.map((axis) => tapsOf(node, axis));
  if (axes.every((axis, index) => axis.axis >= 2 && isRepetition(axis, taps[index])))
    return windowSums(emit, gradient, axes);
  axes.forEach((axis, index) => {
    gradient = adjointAlong(emit, gradient, axis, taps[index]);
  });
  return gradient;
}

/** True where every input element is copied the same number of times, side by side. */
function isRepetition({ input, output }: ResizedAxis, taps: readonly Taps[]): boolean {
  const factor = output / input;
  return (
    Number.isInteger(factor) && taps.every((each, o) => each.length === 1 && each[0][0] === Math.floor(o / factor))
  );
}

/** The adjoint of copying is summing; AveragePool is the quickest way to sum windows side by side. */
function windowSums(emit: Emitter, gradient: Value, axes: readonly ResizedAxis[]): Value {
  const factors = gradient.shape.slice(2).map((_, index) => {
    const found = axes.find(({ axis }) => axis === index + 2);
    return found ? found.output / found.input : 1;
  });
  const means = emit.one("AveragePool", [gradient], {
    kernel_shape: attribute.ints(factors),
    strides: attribute.ints(factors),
  });
  return emit.scale(means, sizeOf(factors));
}

/** An output element is the sum of these input elements, times their weights. */
type Taps = readonly (readonly [index: number, weight: number])[];

function adjointAlong(
  emit: Emitter,
  gradient: Value,
  { axis, input, output }: ResizedAxis,
  taps: readonly Taps[],
): Value {
  const matrix = new Float32Array(input * output);
  taps.forEach((each, o) => {
    for (const [index, weight] of each) matrix[index * output + o] += weight;
  });
  const adjoint = emit.constant(floatTensor(matrix, [input, output]));
  const rank = gradient.shape.length;
  if (axis === rank - 2) return emit.matmul(adjoint, gradient);
  const swapped = gradient.shape.map((_, index) => (index === axis ? rank - 1 : index === rank - 1 ? axis : index));
  return emit.transpose(emit.matmul(emit.transpose(gradient, swapped), emit.transposeMatrix(adjoint)), swapped);
}

/** The input elements that each output element of an axis is made of. */
function tapsOf(node: NodeContext, axis: ResizedAxis): Taps[] {
  const mode = stringAttribute(node, "mode", "nearest");
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel");
  if (coordinates === "tf_crop_and_resize")
    throw noGradient(node, "another coordinate_transformation_mode", coordinates);
  const smooths = intAttribute(node, "antialias", 0) !== 0 && mode !== "nearest";
  // At ties the runtime's rounding of this formula decides which neighbour is taken, which cannot be foreseen.
  if (coordinates === "half_pixel_symmetric" && mode === "nearest")
    throw noGradient(node, "another coordinate_transformation_mode", coordinates);
  const rounding = stringAttribute(node, "nearest_mode", "round_prefer_floor");
  return Array.from({ length: axis.output }, (_, o) => {
    const position = originalCoordinate(node, coordinates, o, axis);
    const clamp = (index: number): number => Math.min(Math.max(index, 0), axis.input - 1);
    if (mode === "nearest") return [[clamp(rounded(node, rounding, position)), 1]] as const;
    if (smooths || mode === "cubic") return kernelTaps(node, mode, position, axis, smooths);
    const inside = clamp(position);
    const before = Math.floor(inside);
    return [
      [before, 1 - (inside - before)],
      [clamp(before + 1), inside - before],
    ] as const;
  });
}

/**
 * Weights of a kernel around a position: Keys' cubic convolution (1981, equation 15 with a free a), or a triangle. With
 * antialias the kernel is as many times wider as the axis is shrunk. What lies outside is taken from the edge, or left out.
 */
function kernelTaps(
  node: NodeContext,
  mode: string,
  position: number,
  { input, scale }: ResizedAxis,
  smooths: boolean,
): Taps {
  const isCubic = mode === "cubic";
  const a = floatAttribute(node, "cubic_coeff_a", -0.75);
  const leavesOut = intAttribute(node, "exclude_outside", 0) !== 0;
  const widening = smooths ? Math.max(1, 1 / scale) : 1;
  const reach = (isCubic ? 2 : 1) * widening;
  const taps: [number, number][] = [];
  for (let index = Math.floor(position - reach) + 1; index < position + reach; index++) {
    const distance = Math.abs(index - position) / widening;
    const weight = isCubic ? cubicWeight(distance, a) : 1 - distance;
    const inside = Math.min(Math.max(index, 0), input - 1);
    if (inside === index || !leavesOut) taps.push([inside, weight]);
  }
  const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
  return taps.map(([index, weight]) => [index, weight / total] as const);
}

/** Keys' kernel at a distance below 2. */
function cubicWeight(distance: number, a: number): number {
  return distance <= 1
    ? ((a + 2) * distance - (a + 3)) * distance ** 2 + 1
    : ((distance - 5) * distance + 8) * distance * a - 4 * a;
}

/**
 * Where in the input the output's element o lies (the formulas of ONNX Resize). Every step is rounded to float32, as
 * the runtime does: which neighbour is the nearest may hang on it.
 */
function originalCoordinate(node: NodeContext, mode: string, o: number, { input, output, scale }: ResizedAxis): number {
  const f = Math.fround;
  const halfPixel = f(f(f(o + 0.5) / scale) - 0.5);
  switch (mode) {
    case "asymmetric":
      return f(o / scale);
    case "half_pixel":
      return halfPixel;
    case "pytorch_half_pixel":
      return output > 1 ? halfPixel : 0;
    case "align_corners":
      return output > 1 ? f(f(o * (input - 1)) / (output - 1)) : 0;
    case "half_pixel_symmetric": {
      const adjustment = f(output / f(scale * input));
      const offset = f((input / 2) * f(1 - adjustment));
      return f(f(offset + f(f(o + 0.5) / scale)) - 0.5);
    }
    default:
      throw new RuleError(`${node.op}: coordinate_transformation_mode ${mode} does not exist`);
  }
}

function rounded(node: NodeContext, mode: string, position: number): number {
  switch (mode) {
    case "round_prefer_floor":
      return Math.ceil(position - 0.5);
    case "round_prefer_ceil":
      return Math.floor(position + 0.5);
    case "floor":
      return Math.floor(position);
    case "ceil":
      return Math.ceil(position);
    default:
      throw new RuleError(`${node.op}: nearest_mode ${mode} does not exist`);
  }
}

function noGradient(node: NodeContext, required: string, got: string): Error {
  return userError({
    where: node.op,
    required: `${required} for a gradient`,
    got,
    advice: "Resize by another mode, or put this operator behind the feature tensor.",
  });
}

/** Resize: its shape, and its gradient in the modes that have one. */
export const resize: Operator = {
  shape: (node) => [{ type: requiredInput(node, 0).type, shape: resizeShape(node) }],
  gradient: [resizeGradient],
};
