import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { filterGradient } from "../../src/ops/filter-gradient.js";
import type { WindowAxis } from "../../src/ops/window.js";
import { blockedConvolutions } from "../../src/rewrite/blocked-convolutions.js";
import { filterGradients } from "../../src/rewrite/filter-gradients.js";
import { type NodeRule, rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** What ONNX Runtime's channels lie in here; a machine without the layout has nothing to test. */
const block = await channelBlock();
const samples = 2 * (block ?? 16);

interface Case {
  readonly title: string;
  readonly channels: number;
  readonly filters: number;
  readonly windows: readonly WindowAxis[];
  /** Channels that come to lie side by side. */
  readonly together: number;
  readonly samples?: number;
  /** Whether the convolution before has left its input in blocks of channels. */
  readonly inBlocks?: boolean;
}

function axis(input: number, kernel: number, stride: number, pad: number, dilation = 1): WindowAxis {
  const output = Math.floor((input + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1;
  return { input, kernel, stride, dilation, output, begin: pad, end: pad };
}

const cases: readonly Case[] = [
  { title: "3×3", channels: 16, filters: 16, windows: [axis(6, 3, 1, 1), axis(7, 3, 1, 1)], together: 4 },
  { title: "4×4, stride 2", channels: 6, filters: 32, windows: [axis(8, 4, 2, 1), axis(8, 4, 2, 1)], together: 3 },
  { title: "odd channels", channels: 3, filters: 16, windows: [axis(5, 3, 1, 1), axis(6, 3, 1, 1)], together: 3 },
  {
    title: "channels of no use together, filters that fill no block",
    channels: 11,
    filters: 19,
    windows: [axis(5, 3, 1, 0), axis(6, 3, 1, 2)],
    together: 1,
  },
  {
    title: "rows and columns that no window reaches",
    channels: 8,
    filters: 16,
    windows: [axis(8, 3, 2, 0), axis(8, 3, 2, 0)],
    together: 8,
  },
  {
    title: "rows with dilations, one column",
    channels: 12,
    filters: 16,
    windows: [axis(9, 3, 1, 2, 2), axis(3, 1, 1, 0)],
    together: 6,
  },
  {
    title: "an input in blocks of channels",
    channels: 32,
    filters: 16,
    windows: [axis(6, 3, 1, 1), axis(7, 3, 1, 1)],
    together: block ?? 16,
    inBlocks: true,
  },
  {
    title: "one axis of it, with elements that no window reaches",
    channels: 16,
    filters: 16,
    windows: [axis(20, 4, 2, 0)],
    together: block ?? 16,
    inBlocks: true,
  },
  {
    title: "one element, stride 2",
    channels: 16,
    filters: 32,
    windows: [axis(7, 1, 2, 0), axis(8, 1, 2, 0)],
    together: block ?? 16,
    inBlocks: true,
  },
  {
    title: "one element, stride 3, of an input that is not in blocks",
    channels: 6,
    filters: 16,
    windows: [axis(7, 1, 3, 0), axis(8, 1, 3, 0)],
    together: 6,
  },
  {
    title: "an input in a block of channels that is filled up",
    channels: 12,
    filters: 20,
    windows: [axis(6, 3, 1, 1), axis(7, 3, 1, 1)],
    together: block ?? 16,
    inBlocks: true,
  },
  { title: "one axis", channels: 9, filters: 16, windows: [axis(20, 5, 2, 2)], together: 3 },
];

/** A filter's gradient, plain and rewritten. */
function graphsOf({ channels, filters, windows, samples: count = samples, inBlocks = false }: Case): [Graph, Graph] {
  const emit = new Emitter();
  const input = emit.input("x", "float32", [count, channels, ...windows.map(({ input: size }) => size)]);
  const before = emit.input("before", "float32", [channels, channels, ...windows.map(() => 1)]);
  const x = inBlocks ? emit.convolution(input, before, undefined) : input;
  const y = emit.input("y", "float32", [count, filters, ...windows.map(({ output }) => output)]);
  emit.output("gradient", filterGradient(emit, x, y, windows, 1));
  const graph = emit.build("plain");
  const passes: NodeRule[] = [filterGradients(block ?? 16, 0)];
  if (inBlocks) passes.push(blockedConvolutions(block ?? 16, 0));
  return [
    graph,
    rewriteGraph(graph, (...node) => passes.map((pass) => pass(...node)).find((found) => found !== undefined)),
  ];
}

const gradientConvolution = (graph: Graph) =>
  graph.nodes.findLast(({ op, domain, attributes }) => {
    const { group } = attributes;
    // Pads are laid around by a depthwise one.
    return op === "Conv" && domain === "com.microsoft.nchwc" && group?.kind === "int" && group.value <= 2;
  });

describe.skipIf(block === undefined)("a filter's gradient in blocks of samples", () => {
  it.each(cases)("$title", async (each) => {
    const [graph, rewritten] = graphsOf(each);
    const dilations = gradientConvolution(rewritten)?.attributes.dilations;
    const [{ stride, kernel }] = each.windows.slice(-1);
    // What no single tap reads is left out before.
    expect(dilations?.kind === "ints" && dilations.value[1]).toBe((kernel === 1 ? 1 : stride) * each.together);
    expect(rewritten.nodes.some(({ op, domain }) => op === "Conv" && domain === "")).toBe(false);
    // The gradient's own.
    expect(rewritten.nodes.filter(({ op }) => op === "ReorderOutput")).toHaveLength(1);
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name, shape }) => [name, normalTensor(name, (shape ?? []).map(Number))]),
    );
    const [expected, actual] = await Promise.all([graph, rewritten].map((part) => runOnce(part, feeds)));
    expect(actual.gradient.shape).toEqual(expected.gradient.shape);
    const [before, after] = [expected.gradient.data as Float32Array, actual.gradient.data as Float32Array];
    const size = before.reduce((largest, number) => Math.max(largest, Math.abs(number)), 0);
    before.forEach((number, index) => {
      expect(Math.abs(after[index] - number)).toBeLessThanOrEqual(1e-5 * size);
    });
  });

  it.each([
    ["samples that fill no block", { ...cases[0], samples: (block ?? 16) + 1 }],
    ["columns with dilations", { ...cases[0], windows: [axis(6, 3, 1, 1), axis(9, 3, 1, 2, 2)] }],
    ["rows of which only padding is read", { ...cases[0], windows: [axis(1, 1, 3, 1), axis(4, 1, 1, 0)] }],
    ["columns of which only padding is read", { ...cases[0], windows: [axis(4, 1, 1, 0), axis(1, 1, 3, 1)] }],
  ])("%s stay as they are", (_, each) => {
    const [graph, rewritten] = graphsOf(each);
    expect(graph.nodes.some(({ op }) => op === "Conv")).toBe(true);
    expect(rewritten.nodes.map(({ op, domain }) => `${domain}.${op}`)).toEqual(
      graph.nodes.map(({ op, domain }) => `${domain}.${op}`),
    );
  });
});
