/** Pools and Resize: from windows or grids of positions to one number each. */
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, intTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import type { PoolingName } from "./names.js";
import {
  type GradientContext,
  intAttribute,
  intsAttribute,
  type NodeContext,
  type Operator,
  RuleError,
  requiredInput,
  stringAttribute,
} from "./operator.js";
import { resize } from "./resize.js";
import { slidingWindows, spanOf, type WindowAxis } from "./window.js";

/** Windows of a pool; throws a {@link RuleError} where they do not fit. */
function poolWindows(node: NodeContext): WindowAxis[] {
  const sizes = spatialShape(node);
  const kernel = intsAttribute(node, "kernel_shape");
  if (kernel?.length !== sizes.length || kernel.some((taps) => taps < 1))
    throw new RuleError(`${node.op}: kernel_shape [${kernel ?? ""}] does not fit ${sizes.length} spatial axes`);
  const windows = slidingWindows(node, sizes, kernel);
  const same = stringAttribute(node, "auto_pad", "NOTSET").startsWith("SAME");
  for (const axis of windows) {
    // ONNX Runtime takes the elements that no window reaches for negative padding.
    if (same && spanOf(axis) < axis.input)
      throw new RuleError(`${node.op}: auto_pad SAME leaves elements between windows out, the pads must be given`);
    if (axis.begin >= axis.kernel || axis.end >= axis.kernel)
      throw new RuleError(
        `${node.op}: pads ${axis.begin} and ${axis.end} must be less than the kernel's ${axis.kernel}`,
      );
    if (readsPaddingAlone(axis)) throw new RuleError(`${node.op}: a window lies in the padding altogether`);
  }
  return windows;
}

function spatialShape(node: NodeContext): readonly number[] {
  const { shape } = requiredInput(node, 0);
  if (shape.length < 3)
    throw new RuleError(
      `${node.op}: the input needs a batch, channels and at least one more axis, it has rank ${shape.length}`,
    );
  return shape.slice(2);
}

function pooledShape(node: NodeContext): number[] {
  const [batch, channels] = requiredInput(node, 0).shape;
  return [batch, channels, ...poolWindows(node).map(({ output }) => output)];
}

/**
 * gx[index of o's maximum] += g[o], over the whole tensor laid flat, which is how MaxPool counts its Indices. Of equal
 * elements the one that Indices names gets all.
 */
function maxPoolGradient(node: GradientContext): Value {
  const { emit, gradient, attributes } = node;
  const x = requiredInput(node, 0);
  // Column-major indices (storage_order 1) are of no use here.
  const { storage_order: _, ...rowMajor } = attributes;
  const indices = emit.node("MaxPool", [x], rowMajor, 2)[1];
  const scattered = emit.one(
    "ScatterElements",
    [
      emit.filled(0, [sizeOf(x.shape)]),
      emit.reshape(indices, [sizeOf(indices.shape)]),
      emit.reshape(gradient, [sizeOf(gradient.shape)]),
    ],
    { axis: attribute.int(0), reduction: attribute.string("add") },
  );
  return emit.reshape(scattered, x.shape);
}

/** gx = Aᵀ (g / count), A summing each window: a transposed convolution of every channel with ones. */
function averagePoolGradient(node: GradientContext): Value {
  const { emit, gradient } = node;
  const { shape } = requiredInput(node, 0);
  const windows = poolWindows(node);
  const shares = emit.multiply(gradient, reciprocalCounts(node, emit, windows));
  if (windows.every((axis) => axis.kernel === axis.stride && axis.dilation === 1 && axis.begin === 0))
    return toSize(emit, enlarged(emit, shares, windows), shape);
  const sums = emit.transposedConvolution(
    shares,
    emit.filled(1, [shape[1], 1, ...windows.map(({ kernel }) => kernel)]),
    undefined,
    {
      strides: windows.map(({ stride }) => stride),
      dilations: windows.map(({ dilation }) => dilation),
      pads: [...windows.map(({ begin }) => begin), ...windows.map(() => 0)],
      group: shape[1],
    },
  );
  return toSize(emit, sums, shape);
}

/** Windows that lie side by side: every share is copied to its whole window. */
function enlarged(emit: Emitter, shares: Value, windows: readonly WindowAxis[]): Value {
  return emit.one(
    "Resize",
    [shares, undefined, emit.constant(floatTensor([1, 1, ...windows.map(({ kernel }) => kernel)]))],
    {
      mode: attribute.string("nearest"),
      coordinate_transformation_mode: attribute.string("asymmetric"),
      nearest_mode: attribute.string("floor"),
    },
  );
}

/** Elements behind the last window get zeros; what pads and ceil_mode let windows reach past the end is cut off. */
function toSize(emit: Emitter, value: Value, shape: readonly number[]): Value {
  const cropped = emit.slice(
    value,
    shape.map((size, axis) => ({ axis, start: 0, end: Math.min(size, value.shape[axis]) })),
  );
  return emit.pad(cropped, [...shape.map(() => 0), ...shape.map((size, axis) => size - cropped.shape[axis])]);
}

/**
 * 1 / the number of elements that a window's sum is divided by: those inside the input, or with count_include_pad
 * those inside the padded input (what ceil_mode adds behind it never counts).
 */
function reciprocalCounts(node: NodeContext, emit: Emitter, windows: readonly WindowAxis[]): Value {
  const includePads = intAttribute(node, "count_include_pad", 0) !== 0;
  let counts: number[] = [1];
  for (const axis of windows) {
    // With pads counted, all of the padded input is inside.
    const { begin, end, input } = axis;
    const along = insideCounts(includePads ? { ...axis, begin: 0, end: 0, input: begin + input + end } : axis);
    counts = counts.flatMap((outer) => along.map((inner) => outer * inner));
  }
  if (counts.every((count) => count === counts[0])) return emit.scalar(1 / counts[0]);
  return emit.constant(
    floatTensor(
      counts.map((count) => 1 / count),
      windows.map(({ output }) => output),
    ),
  );
}

/** How many taps of each window of an axis read an element and not padding. */
function insideCounts(axis: WindowAxis): number[] {
  return Array.from({ length: axis.output }, (_, window) => insideCount(axis, window));
}

function insideCount({ kernel, stride, dilation, begin, input }: WindowAxis, window: number): number {
  // Tap t reads the element start + t · dilation.
  const start = window * stride - begin;
  const first = Math.max(0, Math.ceil(-start / dilation));
  const last = Math.min(kernel - 1, Math.floor((input - 1 - start) / dilation));
  return Math.max(0, last - first + 1);
}

/** Whether a window reads padding alone. Only such can as do not begin and end inside of the input. */
function readsPaddingAlone(axis: WindowAxis): boolean {
  const firstInside = Math.min(axis.output, Math.ceil(axis.begin / axis.stride));
  for (let window = 0; window < firstInside; window++) if (insideCount(axis, window) === 0) return true;
  for (let window = axis.output - 1; window >= firstInside; window--) {
    const count = insideCount(axis, window);
    if (count === 0 || count === axis.kernel) return count === 0;
  }
  return false;
}

/** gx = g / (number of positions), everywhere. */
function globalAverageGradient({ emit, gradient, inputs }: GradientContext): Value {
  const { shape } = inputs[0] as Value;
  return emit.expand(emit.scale(gradient, 1 / sizeOf(shape.slice(2))), shape);
}

/** gx = g at the first of the largest elements, else 0. */
function globalMaxGradient({ emit, gradient, inputs }: GradientContext): Value {
  const x = inputs[0] as Value;
  const [batch, channels, ...sizes] = x.shape;
  const size = sizeOf(sizes);
  const flat = emit.reshape(x, [batch, channels, size]);
  const largest = emit.one("ArgMax", [flat], { axis: attribute.int(2), keepdims: attribute.int(1) });
  const positions = emit.constant(intTensor(Array.from({ length: size }, (_, position) => position)));
  const chosen = emit.indicator(emit.equal(positions, largest));
  return emit.reshape(emit.multiply(chosen, emit.reshape(gradient, [batch, channels, 1])), x.shape);
}

const globalShape = (node: NodeContext) => {
  const sizes = spatialShape(node);
  const { type, shape } = requiredInput(node, 0);
  return [{ type, shape: [shape[0], shape[1], ...sizes.map(() => 1)] }];
};

/** Shape rules and gradients of poolings and of Resize. */
export const poolings: Record<PoolingName, Operator> = {
  GlobalAveragePool: { shape: globalShape, gradient: [globalAverageGradient] },
  GlobalMaxPool: { shape: globalShape, gradient: [globalMaxGradient] },
  AveragePool: {
    shape: (node) => [{ type: requiredInput(node, 0).type, shape: pooledShape(node) }],
    gradient: [averagePoolGradient],
  },
  MaxPool: {
    shape: (node) => {
      const shape = pooledShape(node);
      const { type } = requiredInput(node, 0);
      return node.outputCount > 1
        ? [
            { type, shape },
            { type: "int64", shape },
          ]
        : [{ type, shape }];
    },
    gradient: [maxPoolGradient],
  },
  Resize: resize,
};
