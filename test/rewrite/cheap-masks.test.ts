import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { cheapMasks } from "../../src/rewrite/cheap-masks.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { openSession } from "../../src/runtime/node.js";

const edge = 2 ** -126;
const numbers = [-Infinity, -3, -1e-30, -edge, -0, 0, edge, 1e-30, 0.5, 3, Infinity];

function maskGraph(slope: number | undefined, threshold = 0) {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [numbers.length]);
  const positive = emit.greater(x, emit.scalar(threshold));
  emit.output(
    "y",
    slope === undefined ? emit.indicator(positive) : emit.where(positive, emit.scalar(1), emit.scalar(slope)),
  );
  return emit.build("mask");
}

describe("cheapMasks", () => {
  it.each([undefined, 0, 0.2])("gives what the comparison gives, below zero %s", async (slope) => {
    const graph = maskGraph(slope);
    const rewritten = rewriteGraph(graph, cheapMasks(1));
    expect(rewritten.nodes.map(({ op }) => op)).toEqual(slope === undefined ? ["HardSigmoid"] : ["Mul", "Clip"]);
    const x = floatTensor(numbers);
    for (const each of [graph, rewritten]) {
      const session = await openSession(each, { threads: 1 });
      const { y } = await session.run({ x });
      // Adding 0 makes 0 of -0.
      expect(numbersOf(y).map((number) => number + 0)).toEqual(
        numbers.map((number) => (number > 0 ? 1 : Math.fround(slope ?? 0))),
      );
      await session.release();
    }
  });

  it.each([
    ["another threshold", maskGraph(undefined, 1)],
    ["a slope above 1", maskGraph(1.5)],
    ["a negative slope", maskGraph(-1)],
  ])("leaves %s", (_, graph) => {
    expect(rewriteGraph(graph, cheapMasks(1)).nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op));
  });

  it("leaves small masks and other casts", () => {
    expect(rewriteGraph(maskGraph(0.2), cheapMasks()).nodes.map(({ op }) => op)).toEqual(["Greater", "Where"]);
    const emit = new Emitter();
    emit.output("y", emit.one("Cast", [emit.input("x", "int64", [9])], { to: attribute.int(1) }));
    expect(rewriteGraph(emit.build("cast"), cheapMasks(1)).nodes.map(({ op }) => op)).toEqual(["Cast"]);
  });
});
