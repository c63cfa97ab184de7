/**
 * The gradient of a convolution's filters where thousands of threads compute. As a convolution in which samples and
 * channels have changed places (src/ops/filter-gradient.ts) it sums over a whole batch for each of the few places of a
 * filter; WebGPU's convolution gives such a sum to one thread. A product for each sample, summed afterwards, has work
 * for all of them.
 */
import type { Value } from "../graph/builder.js";
import { sizeOf } from "../graph/tensor.js";
import { convolutionGeometry } from "../ops/convolutions.js";
import type { Emitter } from "../ops/emitter.js";
import { sumOverParts, unfold } from "../ops/filter-gradient.js";
import { spanOf, type WindowAxis } from "../ops/window.js";
import { exchangedAxes } from "./blocked-layout.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Filters of a group that WebGPU's convolution computes at once, see runtime/webgpu-exceptions.ts. */
const filtersAtOnce = 4;

/** Numbers that the unfolded samples of one product may hold: 128 MiB of a device's memory. */
const mostUnfolded = 2 ** 25;

/**
 * The pass: a Conv of exchanged samples and filters, in one group and at most two dimensions, as one product for each
 * sample and their sum. The result has the shape [filters, channels, ...kernel] that the Conv had after its exchange.
 */
export function deviceFilterGradients(): NodeRule {
  return (emit, node, inputs) => {
    const [exchanged, kernel] = inputs;
    if (node.op !== "Conv" || !exchanged || !kernel || inputs[2]) return undefined;
    const [x, y] = [exchangedAxes(emit, exchanged), exchangedAxes(emit, kernel)];
    if (!x || !y) return undefined;
    const { attributes } = node;
    const { group, windows } = convolutionGeometry({ op: node.op, inputs, attributes, outputCount: 1 });
    // Unfolding in three dimensions is left to the CPU.
    if (group !== 1 || windows.length > 2) return undefined;
    const slid = windows.map((axis): WindowAxis => {
      const turned = {
        ...axis,
        kernel: axis.output,
        output: axis.kernel,
        stride: axis.dilation,
        dilation: axis.stride,
      };
      return { ...turned, end: Math.max(0, spanOf(turned) - axis.begin - axis.input) };
    });
    // Where elements are left behind the last window, unfolding would find one window more.
    if (slid.some((axis) => axis.input + axis.begin + axis.end - spanOf(axis) >= axis.stride)) return undefined;
    const product = productPerSample(emit, x, y, slid);
    return [emit.transpose(product, [1, 0, ...windows.map((_, axis) => axis + 2)])];
  };
}

/**
 * Σ over n of Y[n] · unfold(X)[n]ᵀ: [filters, channels, kernel...]. Where the provider computes channels last, the
 * unfolding is what it left behind, transposed already; and so that it may compute like that, the taps of a channel are
 * filled up to a multiple of four.
 */
function productPerSample(emit: Emitter, x: Value, y: Value, windows: readonly WindowAxis[]): Value {
  const [batch, channels] = x.shape;
  const filters = y.shape[1];
  const kernel = windows.map((axis) => axis.kernel);
  const taps = sizeOf(kernel);
  const places = taps < filtersAtOnce ? taps : filtersAtOnce * Math.ceil(taps / filtersAtOnce);
  const positions = sizeOf(windows.map(({ output }) => output));
  const perSample = channels * places * Math.max(positions, filters);
  const parts = Math.ceil(batch / Math.max(1, Math.floor(mostUnfolded / perSample)));
  const sum = sumOverParts(emit, x, y, Math.ceil(batch / parts), (xs, ys) => {
    const samples = xs.shape[0];
    const channelsLast = emit.transpose(unfold(emit, xs, windows, places), [
      0,
      ...windows.map((_, axis) => axis + 2),
      1,
    ]);
    const columns = emit.reshape(channelsLast, [samples, positions, channels * places]);
    return emit.matmul(emit.reshape(ys, [samples, filters, positions]), columns);
  });
  const placed = emit.reshape(sum, [filters, channels, places]);
  return emit.reshape(emit.slice(placed, [{ axis: 2, start: 0, end: taps }]), [filters, channels, ...kernel]);
}
