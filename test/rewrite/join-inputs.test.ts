import { expect, it } from "vitest";
import { floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { joinInputs } from "../../src/rewrite/join-inputs.js";
import { rewriteForDevice } from "../../src/rewrite/rewrite-for-device.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** y = rate · x + shift · w. */
function graph() {
  const emit = new Emitter();
  const rate = emit.input("rate", "float32", []);
  const w = emit.input("w", "float32", [2, 3]);
  const x = emit.input("x", "float32", [2, 3]);
  const shift = emit.input("shift", "float32", [1, 3]);
  emit.output("y", emit.add(emit.multiply(rate, x), emit.multiply(shift, w)));
  return emit.build("sums");
}

it("takes inputs side by side in the order of their names, and all others as before", async () => {
  const [w, x, shift] = [normalTensor("w", [2, 3]), normalTensor("x", [2, 3]), normalTensor("shift", [1, 3])];
  const before = await runOnce(graph(), { rate: floatTensor([3], []), w, x, shift });
  const joined = joinInputs(graph(), ["x", "shift", "rate"], "headstart/feeds");
  expect(joined.inputs.map(({ name, shape }) => [name, shape])).toEqual([
    ["w", [2, 3]],
    ["headstart/feeds", [10]],
  ]);
  const feeds = { w, "headstart/feeds": floatTensor([...x.data, ...shift.data, 3]) };
  expect(await runOnce(joined, feeds)).toEqual(before);
  expect(await runOnce(rewriteForDevice(joined, "webgpu"), feeds)).toEqual(before);
});

it("leaves a graph where there is nothing to join", () => {
  const plain = graph();
  expect(joinInputs(plain, ["x"], "feeds")).toBe(plain);
});

it("refuses what is no input", () => {
  expect(() => joinInputs(graph(), ["x", "y"], "feeds")).toThrow("y is no input of float32");
});
