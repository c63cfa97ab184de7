/** Conv and ConvTranspose: linear in the input, linear in the weight, and each the other's adjoint. */
import type { Value } from "../graph/builder.js";
import type { ConvolutionSettings, Emitter } from "./emitter.js";
import { filterGradient } from "./filter-gradient.js";
import type { ConvolutionName } from "./names.js";
import {
  type GradientContext,
  intAttribute,
  intsAttribute,
  type NodeContext,
  type Operator,
  RuleError,
  requiredInput,
} from "./operator.js";
import { extentOf, padsOf, perAxis, slidingWindows, spanOf, type WindowAxis, windowSettings } from "./window.js";

/** Channels, groups and windows of a node, checked. */
export interface Geometry {
  readonly batch: number;
  readonly group: number;
  /** Channels of the output. */
  readonly channels: number;
  readonly windows: readonly WindowAxis[];
}

/** Weight [K, C/group, kernel...] over x [N, C, input...] gives [N, K, output...]. */
export function convolutionGeometry(node: NodeContext): Geometry {
  const { x, weight, group } = operands(node);
  const channels = weight.shape[0];
  if (x.shape[1] !== weight.shape[1] * group)
    throw new RuleError(
      `${node.op}: the input has ${x.shape[1]} channels, the weight takes ${weight.shape[1] * group} (${group} groups)`,
    );
  if (channels % group !== 0)
    throw new RuleError(`${node.op}: ${channels} output channels do not split into ${group} groups`);
  checkBias(node, channels);
  return { batch: x.shape[0], group, channels, windows: slidingWindows(node, x.shape.slice(2), weight.shape.slice(2)) };
}

/**
 * Weight [C, K/group, kernel...] over x [N, C, size...] gives [N, K, size'...] with
 * size' = stride · (size − 1) + output_padding + extent − begin − end.
 *
 * The windows are those of the convolution that this one transposes: their `input` is this node's output.
 */
export function transposedGeometry(node: NodeContext): Geometry {
  const { x, weight, group } = operands(node);
  const channels = weight.shape[1] * group;
  if (x.shape[1] !== weight.shape[0])
    throw new RuleError(`${node.op}: the input has ${x.shape[1]} channels, the weight takes ${weight.shape[0]}`);
  if (x.shape[1] % group !== 0)
    throw new RuleError(`${node.op}: ${x.shape[1]} input channels do not split into ${group} groups`);
  checkBias(node, channels);
  const sizes = x.shape.slice(2);
  const rank = sizes.length;
  const { strides, dilations, pads, autoPad } = windowSettings(node, rank);
  const padding = perAxis(node, "output_padding", rank, 0, 0);
  const wanted = outputShape(node, rank);
  // ONNX's shape rule knows no output that is smaller than the input, and runtimes refuse what follows.
  if (wanted?.some((size, axis) => size < sizes[axis]))
    throw new RuleError(
      `${node.op}: output_shape [${wanted.join(", ")}] is smaller than its input [${sizes.join(", ")}], the pads must be given`,
    );
  const windows = sizes.map((output, axis): WindowAxis => {
    const shared = { output, kernel: weight.shape[axis + 2], stride: strides[axis], dilation: dilations[axis] };
    const natural = shared.stride * (output - 1) + extentOf(shared) + padding[axis];
    const explicit = autoPad === "NOTSET";
    let input = wanted?.[axis] ?? natural - (explicit ? pads[axis] + pads[axis + rank] : 0);
    if (wanted === undefined && (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER")) {
      input = output * shared.stride;
      // ONNX Runtime gives fewer elements here than ONNX's shape rule says.
      if (input > natural)
        throw new RuleError(
          `${node.op}: auto_pad ${autoPad} asks for ${input} elements of the ${natural} that the kernel reaches`,
        );
    }
    if (input < 1) throw new RuleError(`${node.op}: its pads leave nothing of ${natural} elements`);
    const added = padding[axis] + (wanted ? Math.max(0, input - natural) : 0);
    if (added >= shared.stride && added > 0)
      throw new RuleError(
        `${node.op}: ${added} elements are added at the end, runtimes take less than the stride ${shared.stride}`,
      );
    if (wanted === undefined && explicit) return { ...shared, input, begin: pads[axis], end: pads[axis + rank] };
    // What is too much is cropped from both ends; what is missing is filled up behind.
    const total = Math.max(0, natural - input);
    const begin = autoPad === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
    return { ...shared, input, begin, end: total - begin };
  });
  return { batch: x.shape[0], group, channels, windows };
}

function operands(node: NodeContext): { x: Value; weight: Value; group: number } {
  const x = requiredInput(node, 0);
  const weight = requiredInput(node, 1);
  const group = intAttribute(node, "group", 1);
  if (x.shape.length < 3)
    throw new RuleError(
      `${node.op}: the input needs a batch, channels and at least one more axis, it has rank ${x.shape.length}`,
    );
  if (weight.shape.length !== x.shape.length)
    throw new RuleError(`${node.op}: the input has rank ${x.shape.length}, the weight ${weight.shape.length}`);
  if (group < 1) throw new RuleError(`${node.op}: ${group} groups`);
  const kernel = intsAttribute(node, "kernel_shape");
  if (kernel && kernel.length > 0 && kernel.join() !== weight.shape.slice(2).join())
    throw new RuleError(
      `${node.op}: kernel_shape is ${kernel.join("×")}, the weight has ${weight.shape.slice(2).join("×")}`,
    );
  return { x, weight, group };
}

function checkBias(node: NodeContext, channels: number): void {
  const bias = node.inputs[2];
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== channels))
    throw new RuleError(`${node.op}: the bias has shape [${bias.shape.join(", ")}], required [${channels}]`);
}

/** output_shape may or may not begin with batch and channels. */
function outputShape(node: NodeContext, rank: number): readonly number[] | undefined {
  const found = intsAttribute(node, "output_shape");
  if (!found || found.length === 0) return undefined;
  if (found.length !== rank && found.length !== rank + 2)
    throw new RuleError(`${node.op}: output_shape has ${found.length} numbers, its input needs ${rank}`);
  return found.slice(found.length - rank);
}

function settingsOf(windows: readonly WindowAxis[], group: number): ConvolutionSettings {
  return {
    strides: windows.map(({ stride }) => stride),
    dilations: windows.map(({ dilation }) => dilation),
    pads: padsOf(windows),
    group,
  };
}

/** Aᵀ: from the windows' outputs back to an input of exactly the windows' input size. */
function transposed(emit: Emitter, y: Value, weight: Value, { windows, group }: Geometry): Value {
  // What no window reaches at the end (strides that do not divide) gets zeros through output_padding.
  const outputPadding = windows.map((axis) => axis.input + axis.begin + axis.end - spanOf(axis));
  return emit.transposedConvolution(y, weight, undefined, { ...settingsOf(windows, group), outputPadding });
}

/** A: from the windows' input to their outputs. */
function forward(emit: Emitter, x: Value, weight: Value, { windows, group }: Geometry): Value {
  return emit.convolution(x, weight, undefined, settingsOf(windows, group));
}

/** The bias adds to every position: its gradient is the sum over all of them. */
function biasGradient({ emit, gradient }: GradientContext): Value {
  return emit.reduceSum(
    gradient,
    gradient.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}

/** Shape rules and gradients of convolutions: with A(w) the matrix of a convolution, each is linear in x and in w. */
export const convolutions: Record<ConvolutionName, Operator> = {
  // y = A(w) x: gx = A(w)ᵀ g
  Conv: {
    shape: (node) => {
      const { batch, channels, windows } = convolutionGeometry(node);
      return [{ type: requiredInput(node, 0).type, shape: [batch, channels, ...windows.map(({ output }) => output)] }];
    },
    gradient: [
      (node) => transposed(node.emit, node.gradient, requiredInput(node, 1), convolutionGeometry(node)),
      (node) => {
        const { windows, group } = convolutionGeometry(node);
        return filterGradient(node.emit, requiredInput(node, 0), node.gradient, windows, group);
      },
      biasGradient,
    ],
  },
  // y = A(w)ᵀ x: gx = A(w) g; ⟨g, A(w)ᵀ x⟩ = ⟨A(w) g, x⟩: the weight's gradient is Conv's with x and g exchanged
  ConvTranspose: {
    shape: (node) => {
      const { batch, channels, windows } = transposedGeometry(node);
      return [{ type: requiredInput(node, 0).type, shape: [batch, channels, ...windows.map(({ input }) => input)] }];
    },
    gradient: [
      (node) => forward(node.emit, node.gradient, requiredInput(node, 1), transposedGeometry(node)),
      (node) => {
        const { windows, group } = transposedGeometry(node);
        return filterGradient(node.emit, node.gradient, requiredInput(node, 0), windows, group);
      },
      biasGradient,
    ],
  },
};
