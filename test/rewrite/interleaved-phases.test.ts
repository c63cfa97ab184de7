import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import type { Graph } from "../../src/graph/graph.js";
import { type ConvolutionSettings, Emitter } from "../../src/ops/emitter.js";
import { blockedConvolutions } from "../../src/rewrite/blocked-convolutions.js";
import { blockedValues } from "../../src/rewrite/blocked-values.js";
import { interleavePhases, phasesOfBoth } from "../../src/rewrite/interleaved-phases.js";
import { type NodeRule, rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { channelBlock } from "../../src/runtime/channel-block.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** What ONNX Runtime's channels lie in here; a machine without the layout has nothing to test. */
const block = await channelBlock();
const channels = block ?? 16;
const shapes = { x: [2, channels, 4, 3], w: [channels, channels, 3, 3], v: [channels, channels, 1, 1] };

const threes: ConvolutionSettings = { strides: [2, 2], pads: [1, 1, 1, 1], outputPadding: [1, 1] };
const ones: ConvolutionSettings = { strides: [2, 2], pads: [0, 0, 0, 0], outputPadding: [1, 1] };

/** A sum of transposed convolutions, and what else is made of them; plain and rewritten. */
function graphsOf(write: (emit: Emitter, a: Value, b: Value) => readonly Value[]): [Graph, Graph] {
  const emit = new Emitter();
  const { x, w, v } = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, emit.input(name, "float32", shape)]),
  );
  const a = emit.transposedConvolution(x, w, undefined, threes);
  const b = emit.transposedConvolution(x, v, undefined, ones);
  write(emit, a, b).forEach((value, index) => {
    emit.output(`y${index}`, value);
  });
  const graph = emit.build("plain");
  const passes: NodeRule[] = [blockedConvolutions(channels, 0), blockedValues(channels)];
  return [graph, rewriteGraph(graph, (...node) => passes[0](...node) ?? passes[1](...node))];
}

const count = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op).length;

async function expectSame([graph, rewritten]: [Graph, Graph]): Promise<void> {
  const feeds = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normalTensor(name, shape)]));
  const [expected, actual] = await Promise.all([graph, rewritten].map((each) => runOnce(each, feeds)));
  for (const [name, { data }] of Object.entries(expected))
    (data as Float32Array).forEach((number, index) => {
      expect((actual[name].data as Float32Array)[index]).toBeCloseTo(number, 3);
    });
}

describe.skipIf(block === undefined)("sums of interleaved phases", () => {
  it("are made phase by phase", async () => {
    const graphs = graphsOf((emit, a, b) => [emit.add(a, b)]);
    // All phases, to be moved at once; one of the four is a sum, within a convolution.
    expect(count(graphs[1], "Concat")).toBe(1);
    expect(count(graphs[1], "Pad")).toBe(0);
    expect(count(graphs[1], "Add")).toBe(0);
    await expectSame(graphs);
  });

  it("are made of the whole where others read that too", async () => {
    const graphs = graphsOf((emit, a, b) => [emit.add(a, b), emit.tanh(b)]);
    expect(count(graphs[1], "Add")).toBe(1);
    await expectSame(graphs);
  });

  it("of the same phases twice are right", async () => {
    await expectSame(graphsOf((emit, a) => [emit.add(a, a)]));
  });
});

describe("interleavePhases", () => {
  const phase = (emit: Emitter, name: string, height = 2): Value => emit.input(name, "float32", [1, 16, height, 3]);

  it("remembers the phases of values that are interleaved alike", () => {
    const emit = new Emitter();
    const [a, b, c] = ["a", "b", "c"].map((name) => phase(emit, name));
    const first = interleavePhases(emit, [[a, b]], 16) as Value;
    const second = interleavePhases(emit, [[c, undefined]], 16) as Value;
    expect(first.shape).toEqual([1, 16, 2, 6]);
    expect(phasesOfBoth(first, second)).toEqual([
      [
        [a, c],
        [b, undefined],
      ],
    ]);
    const below = interleavePhases(emit, [[phase(emit, "d", 1)], [phase(emit, "e", 1)]], 16) as Value;
    expect(phasesOfBoth(first, below)).toBeUndefined();
    expect(phasesOfBoth(first, a)).toBeUndefined();
    expect(interleavePhases(emit, [[undefined, undefined]], 16)).toBeUndefined();
  });
});
