import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { pinnedOpset as opset } from "../../src/graph/opset.js";
import { floatTensor, type Tensor } from "../../src/graph/tensor.js";
import { takeBranches } from "../../src/ops/take-branches.js";
import { TestNetwork } from "../support/write-network.js";

const where = "net.onnx";
const bias = (values: readonly number[]): Tensor => floatTensor(values);

/** A branch that adds its own numbers to a value of the graph around it. */
function branch(name: string, reads: string, initializers: ReadonlyMap<string, Tensor> = new Map()) {
  const inner = new TestNetwork();
  const added = initializers.size > 0 ? "Add" : "Relu";
  const graph = inner.graph([1], [name]);
  const node = {
    op: added,
    domain: "",
    name,
    inputs: [reads, ...initializers.keys()],
    outputs: [name],
    attributes: {},
  };
  return { kind: "graph", value: { ...graph, inputs: [], initializers, nodes: [node] }, source: undefined } as const;
}

/** x, a product, and an If on whether an axis of the product has this length. */
function network(axis: number, length: number, own?: ReadonlyMap<string, Tensor>) {
  const net = new TestNetwork();
  const product = net.node("Gemm", ["x", net.weight("w", [4, 3])]);
  const size = net.node("Gather", [net.node("Shape", [product]), net.ints([axis])]);
  const condition = net.node("Equal", [size, net.ints([length])]);
  const result = net.node("If", [condition], {
    then_branch: branch("then", product, own),
    else_branch: branch("else", product),
  });
  return { graph: net.graph([4], [net.node("Gemm", [result, net.weight("v", [3, 2])])]), result, product };
}

const operators = ({ nodes }: Graph) => nodes.map(({ op }) => op);
const before = ["Gemm", "Shape", "Gather", "Equal"];

describe("takeBranches", () => {
  it("writes the branch that a shape decides on, stored tensors and all", () => {
    const own = new Map([["b", bias([1, 2, 3])]]);
    const yes = takeBranches(network(1, 3, own).graph, opset, { where });
    expect(operators(yes.graph)).toEqual([...before, "Add", "Identity", "Gemm"]);
    expect(yes.graph.initializers.get("b")?.data).toEqual(Float32Array.of(1, 2, 3));
    expect([...yes.constants]).toEqual(["b"]);
    const { graph, result } = network(1, 4, own);
    const no = takeBranches(graph, opset, { where });
    expect(operators(no.graph)).toEqual([...before, "Relu", "Identity", "Gemm"]);
    expect(no.graph.nodes.at(-2)).toMatchObject({ inputs: ["else"], outputs: [result] });
    expect(no.constants.size).toBe(0);
  });

  it("takes branches inside branches", () => {
    const { graph, product } = network(1, 3);
    const inner = network(1, 3).graph.nodes.find(({ op }) => op === "If")!;
    const nested = { ...inner, name: "nested", outputs: ["nested"], inputs: [...graph.nodes[3].outputs] };
    const outer = {
      ...branch("outer", product).value,
      outputs: [{ name: "nested", type: "float32", shape: null }],
      nodes: [nested],
    } as const;
    const nodes = graph.nodes.map((node) =>
      node.op === "If"
        ? {
            ...node,
            attributes: { ...node.attributes, then_branch: { kind: "graph", value: outer, source: 0 } as const },
          }
        : node,
    );
    const taken = takeBranches({ ...graph, nodes }, opset, { where });
    expect(operators(taken.graph)).toEqual([...before, "Relu", "Identity", "Identity", "Gemm"]);
  });

  it.each([
    ["hangs on the batch", () => network(0, 2).graph],
    [
      "hangs on the samples",
      () => {
        const { graph, product } = network(1, 3);
        const nodes = graph.nodes.map((node) => (node.op === "If" ? { ...node, inputs: [product] } : node));
        return { ...graph, nodes };
      },
    ],
    [
      "has a branch that cannot be read",
      () => {
        const { graph } = network(1, 3);
        const then_branch = { kind: "opaque", value: undefined } as const;
        return {
          ...graph,
          nodes: graph.nodes.map((node) => (node.op === "If" ? { ...node, attributes: { then_branch } } : node)),
        };
      },
    ],
    ["has a branch with names of the graph around it", () => network(1, 3, new Map([["w", bias([1, 2, 3])]])).graph],
  ])("leaves an If that %s", (_, make) => {
    const graph = make();
    expect(takeBranches(graph, opset, { where }).graph).toBe(graph);
  });

  it("leaves an If of another domain", () => {
    const { graph } = network(1, 3);
    const nodes = graph.nodes.map((node) => (node.op === "If" ? { ...node, domain: "com.example" } : node));
    expect(operators(takeBranches({ ...graph, nodes }, opset, { where }).graph)).toContain("If");
  });
});
