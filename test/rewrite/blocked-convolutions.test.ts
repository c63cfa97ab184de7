import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { type ConvolutionSettings, Emitter } from "../../src/ops/emitter.js";
import { blockedConvolutions } from "../../src/rewrite/blocked-convolutions.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

interface Case extends ConvolutionSettings {
  readonly title: string;
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly bias?: number;
}

const both = (stride: number, pad: number) => ({ strides: [stride, stride], pads: [pad, pad, pad, pad] });

const convolutions: readonly Case[] = [
  { title: "few input channels", x: [2, 3, 8, 8], weight: [32, 3, 3, 3], bias: 32, ...both(1, 1) },
  { title: "stride 2, kernel 4", x: [2, 32, 8, 8], weight: [64, 32, 4, 4], bias: 64, ...both(2, 1) },
  { title: "channels that fill no block", x: [3, 20, 7, 9], weight: [36, 20, 3, 2], pads: [1, 0, 2, 1] },
  { title: "few output channels", x: [2, 16, 6, 6], weight: [3, 16, 3, 3], bias: 3, ...both(1, 1) },
  { title: "channels that reorder only when filled up", x: [2, 18, 6, 6], weight: [17, 18, 3, 3], ...both(1, 1) },
  { title: "large kernel, most windows in the padding", x: [3, 20, 9, 9], weight: [16, 20, 9, 9], ...both(1, 1) },
  {
    title: "large kernel with dilations",
    x: [3, 16, 17, 17],
    weight: [16, 16, 8, 8],
    pads: [2, 2, 1, 1],
    dilations: [2, 2],
  },
  { title: "depthwise, odd channels", x: [2, 19, 7, 7], weight: [19, 1, 3, 3], group: 19 },
  { title: "dilations", x: [2, 16, 9, 9], weight: [16, 16, 3, 3], dilations: [2, 3] },
  { title: "1×1", x: [2, 16, 5, 5], weight: [32, 16, 1, 1] },
  { title: "depthwise", x: [2, 20, 7, 7], weight: [20, 1, 3, 3], bias: 20, group: 20, ...both(2, 1) },
  { title: "one axis", x: [2, 16, 20], weight: [32, 16, 5], bias: 32, strides: [2], pads: [2, 2] },
];

const transposed: readonly Case[] = [
  { title: "stride 1", x: [2, 16, 6, 7], weight: [16, 32, 3, 3], bias: 32, ...both(1, 1) },
  { title: "stride 1, dilations", x: [2, 16, 6, 7], weight: [16, 16, 3, 3], dilations: [2, 1], pads: [1, 0, 2, 1] },
  { title: "stride 2, kernel 4", x: [2, 32, 4, 4], weight: [32, 16, 4, 4], bias: 16, ...both(2, 1) },
  { title: "stride 2, kernel 4, few input channels", x: [2, 3, 9, 8], weight: [3, 16, 4, 4], bias: 16, ...both(2, 1) },
  { title: "stride 3, kernel 8", x: [1, 16, 30, 30], weight: [16, 16, 8, 8], ...both(3, 1) },
  {
    title: "stride 2, kernel 3, output padding",
    x: [2, 16, 5, 4],
    weight: [16, 32, 3, 3],
    outputPadding: [1, 1],
    ...both(2, 1),
  },
  { title: "stride 2, kernel 1", x: [2, 16, 4, 4], weight: [16, 16, 1, 1], outputPadding: [1, 1], ...both(2, 0) },
  {
    title: "stride 2, kernel 1, bias",
    x: [2, 16, 4, 4],
    weight: [16, 16, 1, 1],
    bias: 16,
    outputPadding: [1, 1],
    ...both(2, 0),
  },
  { title: "stride 3, kernel 2", x: [2, 16, 4, 4], weight: [16, 16, 2, 2], outputPadding: [1, 1], ...both(3, 0) },
  {
    title: "stride 3, kernel 2, padding between",
    x: [2, 16, 4, 4],
    weight: [16, 16, 2, 2],
    outputPadding: [2, 2],
    ...both(3, 1),
  },
  { title: "many blocks", x: [2, 64, 4, 4], weight: [64, 64, 3, 3], ...both(1, 1) },
  { title: "stride 3, kernel 5", x: [2, 16, 4, 4], weight: [16, 20, 5, 5], bias: 20, ...both(3, 2) },
  { title: "few output channels", x: [2, 16, 4, 4], weight: [16, 3, 4, 4], bias: 3, ...both(2, 1) },
  { title: "half a block of output channels", x: [2, 16, 4, 4], weight: [16, 8, 4, 4], bias: 8, ...both(2, 1) },
  { title: "few input channels", x: [2, 8, 4, 4], weight: [8, 16, 4, 4], ...both(2, 1) },
  { title: "other strides", x: [2, 16, 4, 5], weight: [16, 3, 4, 3], bias: 3, strides: [2, 1], pads: [1, 1, 1, 1] },
  { title: "depthwise, stride 1", x: [2, 32, 6, 6], weight: [32, 1, 3, 3], group: 32, ...both(1, 1) },
  {
    title: "depthwise, stride 2",
    x: [2, 20, 4, 4],
    weight: [20, 1, 3, 3],
    group: 20,
    outputPadding: [1, 1],
    ...both(2, 1),
  },
  { title: "one axis", x: [2, 32, 8], weight: [32, 16, 5], bias: 16, strides: [2], pads: [2, 2], outputPadding: [1] },
];

/** What ONNX Runtime's channels lie in here; a machine without the layout has nothing to test. */
const block = await channelBlock();

async function run(graph: Graph, feeds: Record<string, Tensor>): Promise<Float32Array> {
  const session = await openSession(graph, { threads: 1 });
  try {
    return (await session.run(feeds)).y.data as Float32Array;
  } finally {
    await session.release();
  }
}

async function expectSame(
  op: "convolution" | "transposedConvolution",
  { x, weight, bias, title: _, ...settings }: Case,
) {
  const emit = new Emitter();
  const shapes = { x, weight, ...(bias === undefined ? {} : { bias: [bias] }) };
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normalTensor(name, shape)]));
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, emit.input(name, "float32", shape)]),
  );
  emit.output("y", emit[op](values.x, values.weight, values.bias, settings));
  const graph = emit.build("plain");
  const rewritten = rewriteGraph(graph, blockedConvolutions(block ?? 0, 0));
  expect(rewritten.nodes.some(({ domain }) => domain === "com.microsoft.nchwc")).toBe(true);
  expect(rewritten.nodes.some(({ op: name, domain }) => domain === "" && /Conv/.test(name))).toBe(false);
  expect(rewritten.outputs).toEqual(graph.outputs);
  const [expected, actual] = [await run(graph, feeds), await run(rewritten, feeds)];
  expect(actual.length).toBe(expected.length);
  expected.forEach((number, index) => {
    expect(Math.abs(actual[index] - number)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(number)));
  });
}

describe.skipIf(block === undefined)("blocked convolutions compute what the plain ones do", () => {
  it.each(convolutions)("Conv: $title", (each) => expectSame("convolution", each));
  it.each(transposed)("ConvTranspose: $title", (each) => expectSame("transposedConvolution", each));
});

describe.skipIf(block === undefined)("a value in blocks that are filled up", () => {
  const [half, most] = [1 / 2, 3 / 4].map((part) => part * (block ?? 16));
  it.each([
    ["a convolution", "convolution", [20, most, 3, 3], both(1, 1), true],
    ["a transposed convolution of all phases at once", "transposedConvolution", [most, 20, 4, 4], both(2, 1), true],
    ["a transposed convolution phase by phase", "transposedConvolution", [most, 20, 3, 3], both(2, 0), true],
    ["no convolution where half a block is empty", "convolution", [20, half, 3, 3], both(1, 1), false],
  ] as const)("is read by %s", async (_, op, weight, settings, isRead) => {
    const channels = op === "convolution" ? weight[1] : weight[0];
    const shapes = { x: [2, 20, 8, 8], before: [channels, 20, 1, 1], weight };
    const emit = new Emitter();
    const [x, before, after] = Object.entries(shapes).map(([name, shape]) => emit.input(name, "float32", shape));
    const padding = op === "convolution" ? {} : { outputPadding: [weight[2] % 2, weight[2] % 2] };
    emit.output("y", emit[op](emit.convolution(x, before, undefined), after, undefined, { ...settings, ...padding }));
    const graph = emit.build("plain");
    const rewritten = rewriteGraph(graph, blockedConvolutions(block ?? 16, 0));
    expect(rewritten.nodes.filter(({ op: each }) => each === "ReorderOutput")).toHaveLength(isRead ? 1 : 2);
    const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normalTensor(name, shape)]));
    const [expected, actual] = [await run(graph, feeds), await run(rewritten, feeds)];
    expected.forEach((number, index) => {
      expect(Math.abs(actual[index] - number)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(number)));
    });
  });
});

describe("what stays as it is", () => {
  const rule = blockedConvolutions(16, 0);
  const opsOf = (write: (emit: Emitter) => void): string[] => {
    const emit = new Emitter();
    write(emit);
    return rewriteGraph(emit.build("plain"), rule).nodes.map(({ op }) => op);
  };
  it.each([
    ["groups of several channels", [32, 16, 3, 3], { group: 2 }, [2, 32, 6, 6]],
    ["three spatial axes", [16, 16, 3, 3, 3], {}, [2, 16, 4, 4, 4]],
  ] as const)("%s", (_, weight, settings, x) => {
    const ops = opsOf((emit) => {
      emit.output(
        "y",
        emit.convolution(emit.input("x", "float32", x), emit.input("w", "float32", weight), undefined, settings),
      );
    });
    expect(ops).toEqual(["Conv"]);
  });

  it("constant weights, which ONNX Runtime blocks by itself", () => {
    const ops = opsOf((emit) => {
      const weight = emit.constant(normalTensor("w", [16, 16, 3, 3]));
      emit.output("y", emit.convolution(emit.input("x", "float32", [2, 16, 6, 6]), weight, undefined));
    });
    expect(ops).toEqual(["Conv"]);
  });

  it("small convolutions", () => {
    const emit = new Emitter();
    emit.output(
      "y",
      emit.convolution(
        emit.input("x", "float32", [2, 16, 6, 6]),
        emit.input("w", "float32", [16, 16, 3, 3]),
        undefined,
      ),
    );
    expect(rewriteGraph(emit.build("plain"), blockedConvolutions(16)).nodes.map(({ op }) => op)).toEqual(["Conv"]);
  });
});
