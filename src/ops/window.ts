/** Sliding windows: what kernels, strides, dilations, pads and auto_pad come to, an axis at a time. */
import { type Attributes, attribute } from "../graph/graph.js";
import { intAttribute, intsAttribute, type NodeContext, RuleError, stringAttribute } from "./operator.js";

/**
 * One spatial axis of a window operator. Tap t of window o reads the element
 * `o · stride + t · dilation − begin` of the input; what lies outside of it is padding.
 */
export interface WindowAxis {
  readonly input: number;
  /** Number of windows. */
  readonly output: number;
  /** Taps a window. */
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before the first and after the last element. */
  readonly begin: number;
  readonly end: number;
}

/** Elements that a window spans, from its first tap to its last. */
export function extentOf({ kernel, dilation }: Pick<WindowAxis, "kernel" | "dilation">): number {
  return (kernel - 1) * dilation + 1;
}

/** Elements that all windows together span, counted from the first element of the padding. */
export function spanOf(axis: WindowAxis): number {
  return (axis.output - 1) * axis.stride + extentOf(axis);
}

/** How a convolution or a pool is set on its axes; throws a {@link RuleError} where a setting does not fit. */
export interface WindowSettings {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All begins, then all ends. */
  readonly pads: readonly number[];
  readonly autoPad: "NOTSET" | "VALID" | "SAME_UPPER" | "SAME_LOWER";
}

/** Reads strides, dilations, pads and auto_pad of a node with this many spatial axes. */
export function windowSettings(node: NodeContext, rank: number): WindowSettings {
  const autoPad = stringAttribute(node, "auto_pad", "NOTSET") || "NOTSET";
  if (autoPad !== "NOTSET" && autoPad !== "VALID" && autoPad !== "SAME_UPPER" && autoPad !== "SAME_LOWER")
    throw new RuleError(`${node.op}: auto_pad ${autoPad} does not exist`);
  return {
    strides: perAxis(node, "strides", rank, 1, 1),
    dilations: perAxis(node, "dilations", rank, 1, 1),
    pads: perAxis(node, "pads", 2 * rank, 0, 0),
    autoPad,
  };
}

/** An attribute with one number an axis, each at least `least`; `fallback` everywhere where it is missing. */
export function perAxis(
  node: NodeContext,
  name: string,
  count: number,
  fallback: number,
  least: number,
): readonly number[] {
  const found = intsAttribute(node, name) ?? [];
  if (found.length === 0) return new Array<number>(count).fill(fallback);
  if (found.length !== count)
    throw new RuleError(`${node.op}: ${name} has ${found.length} numbers, its input needs ${count}`);
  const wrong = found.find((number) => number < least);
  if (wrong !== undefined)
    throw new RuleError(`${node.op}: ${name} holds ${wrong}, the least that is allowed is ${least}`);
  return found;
}

/** A gibibyte of results along one axis alone. */
const mostWindows = 2 ** 28;

/**
 * The windows of Conv, MaxPool and AveragePool over an input with these spatial sizes.
 *
 * Explicit pads give floor((input + begin + end − extent) / stride) + 1 windows, ceil_mode rounds up instead. SAME gives ceil(input / stride) windows.
 */
export function slidingWindows(node: NodeContext, input: readonly number[], kernel: readonly number[]): WindowAxis[] {
  const { strides, dilations, pads, autoPad } = windowSettings(node, input.length);
  const ceil = intAttribute(node, "ceil_mode", 0) !== 0;
  return input.map((size, axis): WindowAxis => {
    const shared = { input: size, kernel: kernel[axis], stride: strides[axis], dilation: dilations[axis] };
    const extent = extentOf(shared);
    let begin = autoPad === "NOTSET" ? pads[axis] : 0;
    let end = autoPad === "NOTSET" ? pads[input.length + axis] : 0;
    if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
      // ONNX Runtime refuses this for Conv and counts a pool's windows as if they were not dilated.
      if (shared.dilation !== 1)
        throw new RuleError(`${node.op}: auto_pad ${autoPad} with dilations is not supported, the pads must be given`);
      const output = Math.ceil(size / shared.stride);
      const total = Math.max(0, (output - 1) * shared.stride + extent - size);
      begin = autoPad === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      end = total - begin;
    }
    const room = size + begin + end - extent;
    const output = (ceil ? Math.ceil(room / shared.stride) : Math.floor(room / shared.stride)) + 1;
    if (ceil && output > 1 && (output - 1) * shared.stride >= size + begin)
      throw new RuleError(
        `${node.op}: with ceil_mode its last window begins in the padding, on which ONNX's shape rule and runtimes disagree`,
      );
    if (room < 0 || output < 1)
      throw new RuleError(
        `${node.op}: a window of ${extent} does not fit into ${size} elements padded by ${begin} and ${end}`,
      );
    if (output > mostWindows)
      throw new RuleError(`${node.op}: ${output} windows along an axis, memory holds ${mostWindows} at most`);
    return { ...shared, begin, end, output };
  });
}

/**
 * The attributes of a pool without ceil_mode where that changes nothing: where strides divide, and where the window that
 * it adds would begin in the padding. ONNX drops such a window since 22 and PyTorch always did, and runtimes that know it
 * no better count it.
 */
export function withoutIdleCeil(node: NodeContext): Attributes {
  const { attributes } = node;
  const sizes = node.inputs[0]?.shape.slice(2) ?? [];
  const kernel = intsAttribute(node, "kernel_shape");
  if (intAttribute(node, "ceil_mode", 0) === 0 || kernel?.length !== sizes.length) return attributes;
  const { strides, dilations, pads, autoPad } = windowSettings(node, sizes.length);
  if (autoPad !== "NOTSET") return attributes;
  const isIdle = sizes.every((size, axis) => {
    const extent = extentOf({ kernel: kernel[axis], dilation: dilations[axis] });
    const steps = (size + pads[axis] + pads[sizes.length + axis] - extent) / strides[axis];
    return Number.isInteger(steps) || Math.ceil(steps) * strides[axis] >= size + pads[axis];
  });
  return isIdle ? { ...attributes, ceil_mode: attribute.int(0) } : attributes;
}

/** Pads of the axes in ONNX's order: all begins, then all ends. */
export function padsOf(axes: readonly WindowAxis[]): number[] {
  return [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)];
}
