import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { cheapSums } from "../../src/rewrite/cheap-sums.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

function graphsOf(shape: readonly number[], write: (emit: Emitter, x: Value) => Value): [Graph, Graph] {
  const emit = new Emitter();
  emit.output("y", write(emit, emit.input("x", "float32", shape)));
  const graph = emit.build("plain");
  return [graph, rewriteGraph(graph, cheapSums(64))];
}

const sum = (emit: Emitter, x: Value, axes: readonly number[], keepdims: number) =>
  emit.one("ReduceSum", [x, emit.ints(axes)], { keepdims: attribute.int(keepdims) });
const ops = (graph: Graph) => graph.nodes.map(({ op }) => op);

describe("sums by other operators", () => {
  it.each<[string, readonly number[], (emit: Emitter, x: Value) => Value, readonly string[]]>([
    ["rows", [9, 12], (emit, x) => sum(emit, x, [0], 1), ["MatMul"]],
    ["rows, without the axis", [9, 12], (emit, x) => sum(emit, x, [-2], 0), ["MatMul", "Reshape"]],
    ["squares", [4, 5, 6], (emit, x) => sum(emit, emit.square(x), [0, 1, 2], 0), ["ReduceSumSquare"]],
    ["squares, with the axes", [70], (emit, x) => sum(emit, emit.square(x), [-1], 1), ["ReduceSumSquare"]],
  ])("%s", async (_, shape, write, expected) => {
    const [graph, rewritten] = graphsOf(shape, write);
    expect(ops(rewritten)).toEqual(expected);
    const feeds = { x: normalTensor("x", shape) };
    const [before, after] = await Promise.all([graph, rewritten].map((each) => runOnce(each, feeds)));
    expect(after.y.shape).toEqual(before.y.shape);
    (before.y.data as Float32Array).forEach((number, index) => {
      expect((after.y.data as Float32Array)[index]).toBeCloseTo(number, 4);
    });
  });

  it.each<[string, readonly number[], (emit: Emitter, x: Value) => Value]>([
    ["few elements", [7, 9], (emit, x) => sum(emit, x, [0], 1)],
    ["columns", [9, 12], (emit, x) => sum(emit, x, [1], 1)],
    ["many columns", [2, 600], (emit, x) => sum(emit, x, [0], 1)],
    ["products of two values", [9, 12], (emit, x) => sum(emit, emit.multiply(x, emit.tanh(x)), [0, 1], 1)],
    ["squares along an axis", [3, 4, 12], (emit, x) => sum(emit, emit.square(x), [0], 1)],
  ])("not %s", (_, shape, write) => {
    const [graph, rewritten] = graphsOf(shape, write);
    expect(ops(rewritten)).toEqual(ops(graph));
  });
});
