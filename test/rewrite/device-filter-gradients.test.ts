import { describe, expect, it } from "vitest";
import { Emitter } from "../../src/ops/emitter.js";
import { filterGradient } from "../../src/ops/filter-gradient.js";
import type { WindowAxis } from "../../src/ops/window.js";
import { deviceFilterGradients } from "../../src/rewrite/device-filter-gradients.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

const [samples, channels, filters] = [16, 8, 16];

function axis(input: number, kernel: number, stride: number, pad: number, dilation = 1): WindowAxis {
  const output = Math.floor((input + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1;
  return { input, kernel, stride, dilation, output, begin: pad, end: pad };
}

function graphsOf(windows: readonly WindowAxis[]) {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [samples, channels, ...windows.map(({ input }) => input)]);
  const y = emit.input("y", "float32", [samples, filters, ...windows.map(({ output }) => output)]);
  emit.output("gradient", filterGradient(emit, x, y, windows, 1));
  const plain = emit.build("plain");
  return { plain, rewritten: rewriteGraph(plain, deviceFilterGradients()), shapes: { x: x.shape, y: y.shape } };
}

const count = ({ nodes }: { readonly nodes: readonly { readonly op: string }[] }, wanted: string): number =>
  nodes.filter(({ op }) => op === wanted).length;

describe("deviceFilterGradients", () => {
  it.each<[string, readonly WindowAxis[]]>([
    ["3×3", [axis(6, 3, 1, 1), axis(7, 3, 1, 1)]],
    ["4×4, stride 2", [axis(8, 4, 2, 1), axis(10, 4, 2, 1)]],
    ["rows and columns that no window reaches", [axis(8, 3, 2, 0), axis(8, 3, 2, 0)]],
    ["dilations", [axis(9, 3, 1, 2, 2), axis(9, 3, 1, 2, 2)]],
    ["one axis", [axis(20, 5, 2, 2)]],
  ])("%s: a product for each sample", async (_, windows) => {
    const { plain, rewritten, shapes } = graphsOf(windows);
    expect([count(plain, "MatMul"), count(rewritten, "MatMul")]).toEqual([0, 1]);
    const feeds = { x: normalTensor("x", shapes.x), y: normalTensor("y", shapes.y) };
    const [expected, got] = await Promise.all([plain, rewritten].map((graph) => runOnce(graph, feeds)));
    expect(got.gradient.shape).toEqual(expected.gradient.shape);
    (expected.gradient.data as Float32Array).forEach((value, index) => {
      expect((got.gradient.data as Float32Array)[index]).toBeCloseTo(value, 3);
    });
  });

  it("leaves a gradient behind whose last window there is room for another one", () => {
    const { plain, rewritten } = graphsOf(
      [axis(10, 3, 1, 0, 2), axis(9, 3, 1, 0, 3)].map((one) => ({ ...one, output: one.output - 1 })),
    );
    expect(rewritten.nodes.map(({ op }) => op)).toEqual(plain.nodes.map(({ op }) => op));
  });

  it("leaves other convolutions", () => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2, 3, 8, 8]);
    const weight = emit.input("w", "float32", [4, 3, 3, 3]);
    const one = [1, 1];
    emit.output(
      "y",
      emit.convolution(x, weight, undefined, { strides: one, dilations: one, pads: [0, 0, 0, 0], group: 1 }),
    );
    const plain = emit.build("plain");
    expect(rewriteGraph(plain, deviceFilterGradients()).nodes).toEqual(plain.nodes);
  });
});
