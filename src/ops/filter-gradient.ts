/**
 * The gradient of a convolution's weight, as matrix products: ONNX has no operator for it, and a Conv over transposed
 * tensors is several times slower than unfolding the input (im2col) and multiplying.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import type { WindowAxis } from "./window.js";

/**
 * Emits gw[k, c, t] = Σ over n, o of y[n, k, o] · x[n, c, o · stride + t · dilation − begin], x being zero outside.
 *
 * @param x the side that windows slide over, [N, C, input...]
 * @param y the side with one element a window, [N, K, output...]
 * @returns [K, C/group, kernel...]
 */
export function filterGradient(
  emit: Emitter,
  x: Value,
  y: Value,
  windows: readonly WindowAxis[],
  group: number,
): Value {
  const [batch, channels] = x.shape;
  const filters = y.shape[1];
  const kernel = windows.map((axis) => axis.kernel);
  const positions = batch * sizeOf(windows.map(({ output }) => output));
  const columns = emit.concat(
    taps(emit, x, windows).map((tap) => emit.reshape(tap, [group, channels / group, positions])),
    1,
  );
  const order = [1, 0, ...windows.map((_, axis) => axis + 2)];
  const rows = emit.reshape(emit.transpose(y, order), [group, filters / group, positions]);
  const product = emit.matmul(rows, emit.transposeMatrix(columns));
  const split = emit.reshape(product, [filters, ...kernel, channels / group]);
  return emit.transpose(split, [0, kernel.length + 1, ...kernel.map((_, axis) => axis + 1)]);
}

/**
 * What each tap of the kernel reads in all windows: one [1..., C, N, output...] a tap, the last axis' taps fastest.
 *
 * Slices with steps are slow. So every axis of size blocks · stride is first laid out as [stride, blocks] (space to
 * depth, by one Transpose), and a tap's elements o · stride + t · dilation, with t · dilation = q · stride + r, lie
 * side by side: at phase r, from block q on.
 */
function taps(emit: Emitter, x: Value, windows: readonly WindowAxis[]): Value[] {
  const [batch, channels] = x.shape;
  const rank = windows.length;
  const blocks = windows.map((axis) => axis.output + Math.floor(((axis.kernel - 1) * axis.dilation) / axis.stride));
  const ends = windows.map((axis, index) => blocks[index] * axis.stride - axis.input - axis.begin);
  const padded = emit.pad(x, [0, 0, ...windows.map(({ begin }) => begin), 0, 0, ...ends]);
  const split = emit.reshape(padded, [
    batch,
    channels,
    ...windows.flatMap(({ stride }, index) => [blocks[index], stride]),
  ]);
  const phases = emit.transpose(split, [
    ...windows.map((_, index) => 2 * index + 3),
    1,
    0,
    ...windows.map((_, index) => 2 * index + 2),
  ]);
  return tapIndices(windows).map((tap) =>
    emit.slice(
      phases,
      windows.flatMap(({ stride, dilation, output }, index) => {
        const offset = tap[index] * dilation;
        const phase = offset % stride;
        const block = Math.floor(offset / stride);
        return [
          { axis: index, start: phase, end: phase + 1 },
          { axis: rank + 2 + index, start: block, end: block + output },
        ];
      }),
    ),
  );
}

/** All positions in the kernel, the last axis fastest. */
function tapIndices(windows: readonly WindowAxis[]): number[][] {
  return windows.reduce<number[][]>(
    (indices, { kernel }) => indices.flatMap((index) => Array.from({ length: kernel }, (_, tap) => [...index, tap])),
    [[]],
  );
}
