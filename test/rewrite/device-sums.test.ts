import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { deviceSums } from "../../src/rewrite/device-sums.js";
import { rewriteGraph } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** A sum or mean of a drawn x; without axes over everything. */
function reduction(op: string, shape: readonly number[], axes: readonly number[] | undefined, keepdims = 0) {
  const emit = new Emitter();
  const x = emit.input("x", "float32", shape);
  const inputs = axes ? [x, emit.ints(axes)] : [x];
  emit.output("y", emit.one(op, inputs, { keepdims: attribute.int(keepdims) }));
  return emit.build("reduction");
}

const opsOf = ({ nodes }: { readonly nodes: readonly { readonly op: string }[] }, wanted: string): number =>
  nodes.filter(({ op }) => op === wanted).length;

describe("deviceSums", () => {
  it.each<[string, readonly number[], readonly number[] | undefined, number, number]>([
    ["ReduceSum", [16, 3, 16, 16], [0, 2, 3], 0, 2],
    ["ReduceMean", [16, 3, 16, 16], [-1, 0, 2], 1, 2],
    ["ReduceSum", [96, 128], undefined, 0, 2],
    ["ReduceMean", [6, 5, 64, 4], [0, 1, 2, 3], 1, 2],
    ["ReduceSum", [16, 3, 9, 300], [1, 3], 0, 1],
    ["ReduceSum", [16, 3, 9, 300], [0, 3], 1, 2],
    // A prime number of elements, few elements, no last axes.
    ["ReduceSum", [4099], undefined, 0, 1],
    ["ReduceSum", [16, 64], undefined, 0, 1],
    ["ReduceSum", [4096, 8], [0], 0, 1],
  ])("%s of %j over %j, keepdims %d: %d stages", async (op, shape, axes, keepdims, stages) => {
    const plain = reduction(op, shape, axes, keepdims);
    const rewritten = rewriteGraph(plain, deviceSums());
    expect(opsOf(rewritten, op)).toBe(stages);
    expect(rewritten.outputs).toEqual(plain.outputs);
    const feeds = { x: normalTensor("x", shape) };
    const [expected, got] = await Promise.all([plain, rewritten].map((graph) => runOnce(graph, feeds)));
    (expected.y.data as Float32Array).forEach((value, index) => {
      expect((got.y.data as Float32Array)[index]).toBeCloseTo(value, 3);
    });
  });

  it.each<[string, readonly number[], number, boolean, number]>([
    ["one column", [1, 300], 1, true, 0],
    ["one column without a bias", [1, 300], 1, false, 0],
    ["one column that is one", [300, 1], 0, true, 0],
    ["two columns", [2, 300], 1, true, 1],
  ])("a product with %s", async (_, shape, transB, hasBias, left) => {
    const emit = new Emitter();
    const inputs = [emit.input("a", "float32", [5, 300]), emit.input("b", "float32", shape)];
    if (hasBias) inputs.push(emit.input("c", "float32", [1]));
    emit.output("y", emit.one("Gemm", inputs, { transB: attribute.int(transB) }));
    const plain = emit.build("product");
    const rewritten = rewriteGraph(plain, deviceSums());
    expect(opsOf(rewritten, "Gemm")).toBe(left);
    const feeds = {
      a: normalTensor("a", [5, 300]),
      b: normalTensor("b", shape),
      ...(hasBias ? { c: normalTensor("c", [1]) } : {}),
    };
    const [expected, got] = await Promise.all([plain, rewritten].map((graph) => runOnce(graph, feeds)));
    expect(got.y.shape).toEqual(expected.y.shape);
    (expected.y.data as Float32Array).forEach((value, index) => {
      expect((got.y.data as Float32Array)[index]).toBeCloseTo(value, 3);
    });
  });

  it.each(["transA", "alpha", "beta"])("leaves a product with %s", (name) => {
    const emit = new Emitter();
    const a = emit.input("a", "float32", [300, 300]);
    const b = emit.input("b", "float32", [300, 1]);
    const c = emit.input("c", "float32", [1]);
    emit.output(
      "y",
      emit.one("Gemm", [a, b, c], { [name]: name === "transA" ? attribute.int(1) : attribute.float(2) }),
    );
    const plain = emit.build("product");
    expect(rewriteGraph(plain, deviceSums()).nodes.map(({ op }) => op)).toEqual(["Gemm"]);
  });
});
