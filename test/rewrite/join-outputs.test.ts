import { expect, it } from "vitest";
import { Emitter } from "../../src/ops/emitter.js";
import { joinOutputs } from "../../src/rewrite/join-outputs.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

function sums() {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [3, 4]);
  emit.output("mean", emit.reduceMean(x));
  emit.output("doubled", emit.scale(x, 2));
  emit.output("sum", emit.reduceSum(x));
  return emit.build("sums");
}

it("gives numbers side by side in the order of their names, and all other outputs as before", async () => {
  const feeds = { x: normalTensor("x", [3, 4]) };
  const before = await runOnce(sums(), feeds);
  const joined = joinOutputs(sums(), ["sum", "mean"], "headstart/metrics");
  const after = await runOnce(joined, feeds);
  expect(Object.keys(after).sort()).toEqual(["doubled", "headstart/metrics"]);
  expect(after.doubled).toEqual(before.doubled);
  expect([...after["headstart/metrics"].data]).toEqual([before.sum.data[0], before.mean.data[0]]);
});

it("leaves a graph from which nothing is asked", () => {
  const graph = sums();
  expect(joinOutputs(graph, [], "metrics")).toBe(graph);
});

it.each(["doubled", "missing"])("refuses %s, which is no single number", (name) => {
  expect(() => joinOutputs(sums(), ["sum", name], "metrics")).toThrow(`${name} is no output of one float32`);
});
