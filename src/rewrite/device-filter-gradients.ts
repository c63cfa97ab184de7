/**
 * The gradient of a convolution's filters where thousands of threads compute. As a convolution in which samples and
 * channels have changed places (src/ops/filter-gradient.ts) it sums over a whole batch for each of the few places of a
 * filter; WebGPU's convolution gives such a sum to one thread. A product for each sample, summed afterwards, has work
 * for all of them.
 */
import { convolutionGeometry } from "../ops/convolutions.js";
import { productPerSample } from "../ops/filter-gradient.js";
import { spanOf, type WindowAxis } from "../ops/window.js";
import { exchangedAxes } from "./blocked-layout.js";
import type { NodeRule } from "./rewrite-graph.js";

/** Numbers that the unfolded samples of one product may hold: 64 MiB of a device's memory. */
const mostUnfolded = 2 ** 24;

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
    const product = productPerSample(emit, x, y, slid, 1, mostUnfolded);
    return [emit.transpose(product, [1, 0, ...windows.map((_, axis) => axis + 2)])];
  };
}
