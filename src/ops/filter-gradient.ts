/**
 * The gradient of a convolution's weight, for which ONNX has no operator, in four forms that are each the quickest of
 * those tried for some shapes (ONNX Runtime on a CPU; docs/log.md has the measurements).
 */
import type { Value } from "../graph/builder.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import type { Emitter } from "./emitter.js";
import { padsOf, spanOf, type WindowAxis } from "./window.js";

/** What the unfolded input or the products of some samples may hold: memory for 64 Mi numbers. */
const largestUnfolded = 2 ** 26;

/** 4 MiB of them stay in a processor's cache, for which the batch is cut into parts, but not into more than these. */
const cachedUnfolded = 2 ** 20;
const mostParts = 8;

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
  const channels = x.shape[1] / group;
  const filters = y.shape[1] / group;
  if (group > 1 && channels === 1 && filters === 1) return depthwiseConvolution(emit, x, y, windows);
  const taps = sizeOf(windows.map(({ kernel }) => kernel));
  const positions = sizeOf(windows.map(({ output }) => output));
  if (taps === 1 && group === 1 && isIdentity(windows) && positions * (channels + filters) < channels * filters)
    return oneProduct(emit, x, y);
  // The convolution over exchanged axes computes `taps` columns, which a CPU's vectors of 16 must be filled with; it is
  // best where a product a sample would be thin, and where unfolding, which costs taps² a channel, is dear.
  const filled = taps / (16 * Math.ceil(taps / 16)) >= 0.75 && channels >= 8;
  // In ONNX Runtime's blocked layout, where samples are its channels, it is best wherever they and filters fill vectors.
  const vectors = group === 1 && channels >= 3 && filters >= 16 && x.shape[0] >= 16;
  if (taps > 32 || (vectors && !isIdentity(windows)) || (taps > 1 && (positions <= 32 || filled)))
    return exchangedConvolution(emit, x, y, windows, group);
  return productPerSample(emit, x, y, windows, group);
}

/** True where every window is one element, in order: the input is its own unfolding. */
function isIdentity(windows: readonly WindowAxis[]): boolean {
  return windows.every((axis) => axis.kernel === 1 && axis.stride === 1 && axis.begin === 0 && axis.end === 0);
}

/** For 1×1 kernels: gw = Y Xᵀ over samples and positions at once. */
function oneProduct(emit: Emitter, x: Value, y: Value): Value {
  const flat = (value: Value): Value => {
    const [batch, channels, ...sizes] = value.shape;
    const exchanged = emit.transpose(emit.reshape(value, [batch, channels, sizeOf(sizes)]), [1, 0, 2]);
    return emit.reshape(exchanged, [channels, batch * sizeOf(sizes)]);
  };
  const product = emit.matmul(flat(y), emit.transposeMatrix(flat(x)));
  return emit.reshape(product, [...product.shape, ...x.shape.slice(2).map(() => 1)]);
}

/**
 * Σ over n of Y[n] · unfold(X)[n]ᵀ, group by group; the unfolding has the taps of a channel side by side. See
 * {@link filterGradient}.
 */
function productPerSample(emit: Emitter, x: Value, y: Value, windows: readonly WindowAxis[], group: number): Value {
  const batch = x.shape[0];
  const channels = x.shape[1] / group;
  const filters = y.shape[1] / group;
  const kernel = windows.map((axis) => axis.kernel);
  const rows = channels * sizeOf(kernel);
  const positions = sizeOf(windows.map(({ output }) => output));
  const perSample = group * rows * Math.max(positions, filters);
  const wanted = Math.max(Math.floor(cachedUnfolded / perSample), Math.ceil(batch / mostParts));
  const part = Math.max(1, Math.min(batch, wanted, Math.floor(largestUnfolded / perSample)));
  const sum = sumOverParts(emit, x, y, part, (xs, ys) => {
    const samples = xs.shape[0];
    const columns = emit.reshape(unfold(emit, xs, windows), [samples, group, rows, positions]);
    const arrived = emit.reshape(ys, [samples, group, filters, positions]);
    return emit.matmul(arrived, emit.transposeMatrix(columns));
  });
  return emit.reshape(sum, [group * filters, channels, ...kernel]);
}

/**
 * The sum over samples of what they give in parts of a batch.
 *
 * @param part samples of x and y in a part
 * @param give a value for each sample of a part, side by side
 */
export function sumOverParts(
  emit: Emitter,
  x: Value,
  y: Value,
  part: number,
  give: (x: Value, y: Value) => Value,
): Value {
  const batch = x.shape[0];
  let sum: Value | undefined;
  for (let start = 0; start < batch; start += part) {
    const range = [{ axis: 0, start, end: Math.min(batch, start + part) }];
    const product = emit.reduceSum(give(emit.slice(x, range), emit.slice(y, range)), [0]);
    sum = sum ? emit.add(sum, product) : product;
  }
  if (!sum) throw new Error("filter gradient: an empty batch");
  return sum;
}

/**
 * What each tap reads in each window: [N, C · taps, output...]. A depthwise convolution whose kernels are the unit
 * vectors does it: on a CPU it is several times as fast as slicing, and runs on all threads.
 *
 * @param places for the taps of a channel; those behind them stay zero
 */
export function unfold(emit: Emitter, x: Value, windows: readonly WindowAxis[], places?: number): Value {
  const channels = x.shape[1];
  const kernel = windows.map((axis) => axis.kernel);
  const taps = sizeOf(kernel);
  const filters = places ?? taps;
  if (isIdentity(windows) && filters === 1) return x;
  const units = new Float32Array(channels * filters * taps);
  for (let channel = 0; channel < channels; channel++)
    for (let tap = 0; tap < taps; tap++) units[(channel * filters + tap) * taps + tap] = 1;
  const weight = emit.constant(floatTensor(units, [channels * filters, 1, ...kernel]));
  return emit.convolution(x, weight, undefined, {
    strides: windows.map(({ stride }) => stride),
    dilations: windows.map(({ dilation }) => dilation),
    pads: padsOf(windows),
    group: channels,
  });
}

/** The pads that windows reach: with any behind them, y would be slid further than there are taps. */
function reachedPads(windows: readonly WindowAxis[]): number[] {
  return padsOf(windows.map((axis) => ({ ...axis, end: Math.max(0, spanOf(axis) - axis.begin - axis.input) })));
}

/**
 * Where each channel has a filter of its own, each channel of each sample is slid under its own y, and the results are
 * summed over samples. In ONNX Runtime's blocked layout nothing has to be moved for it.
 */
function depthwiseConvolution(emit: Emitter, x: Value, y: Value, windows: readonly WindowAxis[]): Value {
  const [batch, channels, ...sizes] = x.shape;
  const found = emit.convolution(
    emit.reshape(x, [1, batch * channels, ...sizes]),
    emit.reshape(y, [batch * channels, 1, ...y.shape.slice(2)]),
    undefined,
    {
      strides: windows.map(({ dilation }) => dilation),
      dilations: windows.map(({ stride }) => stride),
      pads: reachedPads(windows),
      group: batch * channels,
    },
  );
  const reached = found.shape.slice(2);
  const sum = emit.reduceSum(emit.reshape(found, [batch, channels, ...reached]), [0]);
  const cropped = emit.slice(
    sum,
    windows.map(({ kernel }, axis) => ({ axis: axis + 1, start: 0, end: kernel })),
  );
  return emit.reshape(cropped, [channels, 1, ...windows.map(({ kernel }) => kernel)]);
}

/**
 * A convolution in which samples and channels change places: it sums over n as over channels, slides y as if it were
 * the kernel, and has strides where the other has dilations.
 */
function exchangedConvolution(emit: Emitter, x: Value, y: Value, windows: readonly WindowAxis[], group: number): Value {
  const [batch, channels, ...sizes] = x.shape;
  const exchange = [1, 0, ...sizes.map((_, axis) => axis + 2)];
  const grouped = emit.reshape(x, [batch, group, channels / group, ...sizes]);
  const exchanged =
    group === 1 ? emit.transpose(x, exchange) : emit.transpose(grouped, [2, 1, 0, ...sizes.map((_, axis) => axis + 3)]);
  const found = emit.convolution(
    emit.reshape(exchanged, [channels / group, group * batch, ...sizes]),
    emit.transpose(y, exchange),
    undefined,
    {
      // A single tap is one place, however far the next would be.
      strides: windows.map(({ kernel, stride, dilation }) => (kernel === 1 ? stride : dilation)),
      dilations: windows.map(({ stride }) => stride),
      pads: reachedPads(windows),
      group,
    },
  );
  // Elements that no window reaches make it slide further than there are taps.
  const cropped = emit.slice(
    found,
    windows.map(({ kernel }, axis) => ({ axis: axis + 2, start: 0, end: kernel })),
  );
  return emit.transpose(cropped, [1, 0, ...sizes.map((_, axis) => axis + 2)]);
}
