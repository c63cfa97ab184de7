import { describe, expect, it } from "vitest";
import { dependents, type Graph } from "../../src/graph/graph.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { type Cut, cutGraph } from "../../src/rewrite/cut-graph.js";
import { rewriteParts } from "../../src/rewrite/rewrite-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";

/** y = relu(x) is used before and behind the cut; w becomes w − y there; late = (w − y) · relu(x) · tanh(x). */
function example(): { graph: Graph; cut: Cut } {
  const emit = new Emitter();
  const x = emit.input("x", "float32", [4]);
  const w = emit.input("w", "float32", [4]);
  emit.input("unused", "float32", [1]);
  const y = emit.relu(x);
  const next = emit.subtract(w, y);
  emit.output("early", emit.reduceSum(y));
  emit.output("next", next);
  emit.output("late", emit.multiply(emit.multiply(next, y), emit.tanh(x)));
  const gradient = emit.nameInGraph(y);
  return { graph: emit.build("example"), cut: { out: new Map([["gradient", gradient]]), back: ["next"] } };
}

const opsOf = (graph: { nodes: readonly { op: string }[] }) => graph.nodes.map(({ op }) => op);

describe("cutGraph", () => {
  it("takes outputs as early, and all else as late as can be", () => {
    const { graph, cut } = example();
    const parts = cutGraph(graph, [cut]);
    expect(parts.map(opsOf)).toEqual([
      ["Relu", "ReduceSum"],
      ["Mul", "Tanh", "Mul"],
    ]);
    expect(parts.map(({ outputs }) => [...outputs.keys()])).toEqual([["gradient", "early"], ["late"]]);
  });

  it("is the whole graph where nothing is cut", () => {
    const { graph } = example();
    expect(cutGraph(graph, []).map(opsOf)).toEqual([opsOf(graph)]);
  });

  it("hands on what does not go out anyway", () => {
    const { graph, cut } = example();
    const [first] = cutGraph(graph, [{ ...cut, out: new Map() }]);
    expect([...first.outputs.keys()]).toEqual(["early", expect.stringMatching(/^headstart\/cut\//)]);
  });
});

describe("dependents", () => {
  it("are all that comes of a value", () => {
    const { graph } = example();
    expect([...dependents(graph, new Set(["next"]))].filter((name) => name === "early" || name === "late")).toEqual([
      "late",
    ]);
  });
});

describe("rewriteParts", () => {
  it("gives parts that compute together what the graph computes, and are fed what they need only", async () => {
    const { graph, cut } = example();
    const feeds = { x: normalTensor("x", [4]), w: normalTensor("w", [4]), unused: normalTensor("u", [1]) };
    const expected = await runOnce(graph, feeds);
    const parts = rewriteParts(graph, [cut], () => undefined);
    expect(parts.map(({ inputs }) => inputs.map(({ name }) => name))).toEqual([["x"], ["next", "gradient", "x"]]);
    let known: Record<string, Tensor> = feeds;
    for (const part of parts) {
      known = { ...known, ...(await runOnce(part, known)) };
      known.next = expected.next;
    }
    expect(known.early).toEqual(expected.early);
    expect(known.late).toEqual(expected.late);
    expect(known.gradient.data).toEqual(new Float32Array(feeds.x.data).map((number) => Math.max(0, number)));
  });
});
