import { expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { rewriteForDevice } from "../../src/rewrite/rewrite-for-device.js";
import { squaresGraph } from "../support/squares-graph.js";

it("hands other devices the graph as it is", () => {
  const { graph } = squaresGraph();
  for (const device of ["cuda", "dml", "coreml"]) expect(rewriteForDevice(graph, device)).toBe(graph);
});

it("keeps names and shapes of what goes in and comes out, and leaves WebGPU nothing that it has no kernel for", () => {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [2, 16]);
  emit.output("y", emit.one("LogSoftmax", [x], { axis: attribute.int(1) }));
  const sizes = emit.ints(new Array<number>(16).fill(1));
  emit.node("Split", [x, sizes], { axis: attribute.int(1) }, 16).forEach((part, index) => {
    emit.output(`part/${index}`, part);
  });
  const plain = emit.build("plain");
  const rewritten = rewriteForDevice(plain, "webgpu");
  expect(rewritten.inputs).toEqual(plain.inputs);
  expect(rewritten.outputs).toEqual(plain.outputs);
  expect(rewritten.nodes.some(({ op }) => op === "LogSoftmax")).toBe(false);
  expect(Math.max(...rewritten.nodes.map(({ outputs }) => outputs.length))).toBe(6);
});
