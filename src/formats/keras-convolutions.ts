/** Keras' convolutions and poolings: channels last outside, ONNX's channels first inside. */
import { type Attributes, attribute } from "../graph/graph.js";
import { activate } from "./keras-activations.js";
import { describe } from "./keras-calls.js";
import type { KerasValue, LayerContext } from "./keras-graph.js";

/** Positions of a window along each axis. */
interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** Output sizes, and pads as ONNX has them: all begins, then all ends. */
interface Placement {
  readonly sizes: readonly number[];
  readonly pads: readonly number[];
}

/** TensorFlow's padding: "same" gives ceil(size / stride) positions, the odd pad at the end; "causal" pads the past. */
function place(context: LayerContext, spatial: readonly number[], windows: Windows): Placement {
  const padding = context.text("padding", "valid");
  const extents = windows.kernel.map((size, axis) => (size - 1) * windows.dilations[axis] + 1);
  switch (padding) {
    case "valid":
      return {
        sizes: spatial.map((size, axis) => Math.floor((size - extents[axis]) / windows.strides[axis]) + 1),
        pads: spatial.flatMap(() => [0, 0]),
      };
    case "same": {
      const sizes = spatial.map((size, axis) => Math.ceil(size / windows.strides[axis]));
      const totals = spatial.map((size, axis) =>
        Math.max((sizes[axis] - 1) * windows.strides[axis] + extents[axis] - size, 0),
      );
      const begins = totals.map((total) => Math.floor(total / 2));
      return { sizes, pads: [...begins, ...totals.map((total, axis) => total - begins[axis])] };
    }
    case "causal": {
      if (spatial.length !== 1) throw context.refuse("padding same or valid", padding);
      return {
        sizes: spatial.map((size, axis) => Math.floor((size - 1) / windows.strides[axis]) + 1),
        pads: [extents[0] - 1, 0],
      };
    }
    default:
      throw context.refuse("padding same, valid or causal", padding);
  }
}

function attributesOf({ kernel, strides, dilations }: Windows, pads: readonly number[], groups: number): Attributes {
  return {
    kernel_shape: attribute.ints(kernel),
    strides: attribute.ints(strides),
    dilations: attribute.ints(dilations),
    pads: attribute.ints(pads),
    group: attribute.int(groups),
  };
}

function windowsOf(context: LayerContext, axes: number): Windows {
  return {
    kernel: context.counts("kernel_size", axes),
    strides: context.counts("strides", axes, 1),
    dilations: context.counts("dilation_rate", axes, 1),
  };
}

/** [...kernel, inputs, outputs] as [outputs, inputs, ...kernel]. */
function outputsFirst(axes: number): number[] {
  return [axes + 1, axes, ...Array.from({ length: axes }, (_, axis) => axis)];
}

/** [...kernel, channels, multiplier] as [channels, multiplier, ...kernel], of which the first two become one axis. */
function channelsFirst(axes: number): number[] {
  return [axes, axes + 1, ...Array.from({ length: axes }, (_, axis) => axis)];
}

function split(
  context: LayerContext,
  value: KerasValue,
  axes: number,
): { spatial: readonly number[]; channels: number } {
  context.requireChannelsLast();
  context.requireRank(value, axes + 1);
  return { spatial: value.shape.slice(0, axes), channels: value.shape[axes] };
}

/**
 * Conv1D, Conv2D and Conv3D with groups, bias and activation: [...positions, channels] to [...positions, filters].
 *
 * @param axes how many axes of positions there are
 * @throws UserError where groups do not divide channels and filters, or the samples are too small
 */
export function convolution(context: LayerContext, value: KerasValue, axes: number): KerasValue {
  const { spatial, channels } = split(context, value, axes);
  const windows = windowsOf(context, axes);
  const filters = context.count("filters");
  const groups = context.count("groups", 1);
  if (channels % groups !== 0 || filters % groups !== 0)
    throw context.refuse("groups that divide channels and filters", `${groups} of ${channels} and ${filters}`);
  const { sizes, pads } = place(context, spatial, windows);
  const shape = context.requirePositive([...sizes, filters]);
  const kernel = context.variable("kernel", 0, [...windows.kernel, channels / groups, filters], outputsFirst(axes));
  const bias = context.flag("use_bias", true) ? [context.variable("bias", 1, [filters])] : [];
  const output = context.node("Conv", [context.first(value), kernel, ...bias], attributesOf(windows, pads, groups));
  return activate(context, { shape, first: output });
}

/** The output of a depthwise convolution, without bias. */
function depthwise(
  context: LayerContext,
  value: KerasValue,
  axes: number,
  name: string,
  bias: boolean,
): { output: string; sizes: readonly number[]; channels: number } {
  const { spatial, channels } = split(context, value, axes);
  const windows = windowsOf(context, axes);
  const multiplier = context.count("depth_multiplier", 1);
  const { sizes, pads } = place(context, spatial, windows);
  const outputs = channels * multiplier;
  context.requirePositive([...sizes, outputs]);
  const kernel = context.variable(name, 0, [...windows.kernel, channels, multiplier], channelsFirst(axes), [
    outputs,
    1,
    ...windows.kernel,
  ]);
  const inputs = [context.first(value), kernel, ...(bias ? [context.variable("bias", 1, [outputs])] : [])];
  return { output: context.node("Conv", inputs, attributesOf(windows, pads, channels)), sizes, channels: outputs };
}

/**
 * DepthwiseConv1D and DepthwiseConv2D, each channel by itself: [...positions, channels] to [...positions, channels ·
 * multiplier].
 *
 * @param axes how many axes of positions there are
 */
export function depthwiseConvolution(context: LayerContext, value: KerasValue, axes: number): KerasValue {
  // Keras 2 called it depthwise_kernel; Keras 3 calls it kernel.
  const name = context.graph.version === 2 ? "depthwise_kernel" : "kernel";
  const { output, sizes, channels } = depthwise(context, value, axes, name, context.flag("use_bias", true));
  return activate(context, { shape: [...sizes, channels], first: output });
}

/**
 * SeparableConv1D and SeparableConv2D, a depthwise convolution and one of single positions behind it: [...positions,
 * channels] to [...positions, filters].
 *
 * @param axes how many axes of positions there are
 */
export function separableConvolution(context: LayerContext, value: KerasValue, axes: number): KerasValue {
  const { output, sizes, channels } = depthwise(context, value, axes, "depthwise_kernel", false);
  const filters = context.count("filters");
  const ones = new Array<number>(axes).fill(1);
  const kernel = context.variable("pointwise_kernel", 1, [...ones, channels, filters], outputsFirst(axes));
  const bias = context.flag("use_bias", true) ? [context.variable("bias", 2, [filters])] : [];
  const windows = { kernel: ones, strides: ones, dilations: ones };
  const pads = [...ones, ...ones].map(() => 0);
  const mixed = context.node("Conv", [output, kernel, ...bias], attributesOf(windows, pads, 1));
  return activate(context, { shape: [...sizes, filters], first: mixed });
}

/** Numbers that are added to an output's sizes; one number counts for all axes. */
function outputPadding(context: LayerContext, axes: number): number[] {
  const given = context.layer.settings.output_padding;
  const list: unknown[] = Array.isArray(given) ? given : new Array(axes).fill(given);
  if (list.length !== axes || !list.every((size) => Number.isSafeInteger(size) && (size as number) >= 0))
    throw context.refuse(`${axes} sizes for output_padding`, describe(given));
  return list as number[];
}

/**
 * Conv1DTranspose to Conv3DTranspose: [...positions, channels] to [...positions · stride, filters], and as much longer
 * without padding as the kernel is than the stride; with output_padding, to the sizes that it makes.
 *
 * @param axes how many axes of positions there are
 * @throws UserError for an output_padding that the strides do not allow
 */
export function transposedConvolution(context: LayerContext, value: KerasValue, axes: number): KerasValue {
  const { spatial, channels } = split(context, value, axes);
  const windows = windowsOf(context, axes);
  const filters = context.count("filters");
  const padding = context.text("padding", "valid");
  if (padding !== "same" && padding !== "valid") throw context.refuse("padding same or valid", padding);
  const given = (context.layer.settings.output_padding ?? null) === null ? undefined : outputPadding(context, axes);
  const extents = windows.kernel.map((size, axis) => (size - 1) * windows.dilations[axis] + 1);
  const { strides } = windows;
  const isSame = padding === "same";
  const sizes = spatial.map((size, axis) => {
    const [extent, stride] = [extents[axis], strides[axis]];
    if (given) return (size - 1) * stride + extent - (isSame ? 2 * Math.floor(extent / 2) : 0) + given[axis];
    return size * stride + (isSame ? 0 : Math.max(extent - stride, 0));
  });
  // What the kernels reach beyond those sizes is cut off; where they do not reach as far, zeros fill up.
  const surplus = spatial.map((size, axis) => (size - 1) * strides[axis] + extents[axis] - sizes[axis]);
  if (isSame && !spatial.every((size, axis) => size === Math.ceil(sizes[axis] / strides[axis])))
    throw context.refuse("an output_padding that the strides allow", describe(given));
  const cut = surplus.map((size) => Math.max(size, 0));
  const begins = cut.map((size) => Math.floor(size / 2));
  const pads = [...begins, ...cut.map((size, axis) => size - begins[axis])];
  const shape = context.requirePositive([...sizes, filters]);
  // Keras keeps [...kernel, outputs, inputs], ONNX [inputs, outputs, ...kernel].
  const kernel = context.variable("kernel", 0, [...windows.kernel, filters, channels], outputsFirst(axes));
  const bias = context.flag("use_bias", true) ? [context.variable("bias", 1, [filters])] : [];
  const output = context.node("ConvTranspose", [context.first(value), kernel, ...bias], {
    ...attributesOf(windows, pads, 1),
    output_padding: attribute.ints(surplus.map((size) => Math.max(-size, 0))),
  });
  return activate(context, { shape, first: output });
}

/**
 * The largest or mean value of each window: [...positions, channels] to [...fewer positions, channels].
 *
 * @param axes how many axes of positions there are
 */
export function pooling(
  context: LayerContext,
  value: KerasValue,
  axes: number,
  op: "MaxPool" | "AveragePool",
): KerasValue {
  const { spatial, channels } = split(context, value, axes);
  const kernel = context.counts("pool_size", axes, 2);
  const strides = (context.layer.settings.strides ?? null) === null ? kernel : context.counts("strides", axes);
  const { sizes, pads } = place(context, spatial, { kernel, strides, dilations: kernel.map(() => 1) });
  const shape = context.requirePositive([...sizes, channels]);
  const output = context.node(op, [context.first(value)], {
    kernel_shape: attribute.ints(kernel),
    strides: attribute.ints(strides),
    pads: attribute.ints(pads),
  });
  return { shape, first: output };
}

/**
 * The largest or mean value of all positions: [...positions, channels] to [channels], or, with keepdims, to as many axes
 * as before.
 *
 * @param axes how many axes of positions there are
 */
export function globalPooling(
  context: LayerContext,
  value: KerasValue,
  axes: number,
  op: "GlobalMaxPool" | "GlobalAveragePool",
): KerasValue {
  const { channels } = split(context, value, axes);
  const pooled = context.node(op, [context.first(value)]);
  if (context.flag("keepdims", false)) return { shape: [...new Array<number>(axes).fill(1), channels], first: pooled };
  return { shape: [channels], last: context.node("Flatten", [pooled], { axis: attribute.int(1) }) };
}
