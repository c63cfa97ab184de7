import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { fewerPieces } from "../../src/rewrite/fewer-pieces.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

function splitInto(sizes: readonly number[], axis: number, shape: readonly number[]) {
  const emit = new Emitter();
  const x = emit.input("x", "float32", shape);
  const parts = emit.node("Split", [x, emit.ints(sizes)], { axis: attribute.int(axis) }, sizes.length);
  parts.forEach((part, index) => {
    emit.output(`part/${index}`, part);
  });
  return emit.build("plain");
}

const mostOutputs = (graph: { nodes: readonly { op: string; outputs: readonly string[] }[] }): number =>
  Math.max(...graph.nodes.filter(({ op }) => op === "Split").map(({ outputs }) => outputs.length));

describe("fewerPieces", () => {
  it.each([8, 17, 49, 50, 120])("splits into %i pieces, seven at a time at most", async (count) => {
    const sizes = Array.from({ length: count }, (_, index) => 1 + (index % 3));
    const shape = [2, sizes.reduce((a, b) => a + b)];
    const plain = splitInto(sizes, 1, shape);
    const rewritten = rewriteGraph(plain, fewerPieces());
    expect(mostOutputs(plain)).toBe(count);
    expect(mostOutputs(rewritten)).toBeLessThanOrEqual(7);
    const feeds = { x: normalTensor("x", shape) };
    expect(await runOnce(rewritten, feeds)).toEqual(await runOnce(plain, feeds));
  });

  it.each([
    [12, 24],
    [10, 28],
  ])("splits into %i pieces of %i elements whose sizes are not given", async (count, length) => {
    const emit = new Emitter();
    const x = emit.input("x", "float32", [3, length]);
    const attributes = { axis: attribute.int(-1), num_outputs: attribute.int(count) };
    const parts = emit.node("Split", [x], attributes, count);
    parts.forEach((part, index) => {
      emit.output(`part/${index}`, part);
    });
    const plain = emit.build("plain");
    const rewritten = rewriteGraph(plain, fewerPieces());
    expect(mostOutputs(plain)).toBe(count);
    expect(mostOutputs(rewritten)).toBeLessThanOrEqual(7);
    const feeds = { x: normalTensor("x", [3, length]) };
    expect(await runOnce(rewritten, feeds)).toEqual(await runOnce(plain, feeds));
  });

  it("leaves seven pieces as they are", () => {
    const plain = splitInto([1, 2, 1, 1, 1, 1, 1], 0, [8]);
    expect(rewriteGraph(plain, fewerPieces()).nodes).toEqual(plain.nodes);
  });
});
