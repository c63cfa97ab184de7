import { describe, expect, it } from "vitest";
import { checkGraph } from "../../src/graph/check.js";
import type { Graph, Node } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";

function node(inputs: string[], outputs: string[], op = "Op", name = ""): Node {
  return { op, domain: "", name, inputs, outputs, attributes: {} };
}

function graphOf(nodes: Node[], more: Partial<Graph> = {}): Graph {
  return {
    name: "test",
    inputs: [{ name: "x", type: "float32", shape: [1] }],
    outputs: [{ name: "y", type: "float32", shape: [1] }],
    initializers: new Map([["w", floatTensor([1])]]),
    nodes,
    ...more,
  };
}

const declared = (...names: string[]) => names.map((name) => ({ name, type: "float32" as const, shape: null }));

describe("checkGraph", () => {
  it.each<[string, Graph]>([
    ["a chain", graphOf([node(["x", "w"], ["h"]), node(["h", "", "x"], ["y", ""])])],
    ["an initializer that is an input's default", graphOf([node(["x", "w"], ["y"])], { inputs: declared("x", "w") })],
    ["an output that is an input", graphOf([], { outputs: declared("x") })],
    ["omitted outputs", graphOf([node(["x"], ["", "a"]), node(["x"], ["", "b"]), node(["a", "b"], ["y"])])],
  ])("finds no fault in %s", (_, graph) => {
    expect(checkGraph(graph)).toEqual([]);
  });

  it.each<[string, Graph, string]>([
    ["an unknown input", graphOf([node(["z"], ["y"])]), "the node Op that makes y reads z, which nothing defines"],
    [
      "a cycle",
      graphOf([node(["b"], ["y"], "Relu", "first"), node(["y"], ["b"], "Tanh", "second")]),
      "the node first (Relu) reads b before the node second (Tanh) computes it (a cycle, or nodes out of order)",
    ],
    [
      "a node that reads itself",
      graphOf([node(["y"], ["y"], "Relu", "n")]),
      "the node n (Relu) reads y before the node n (Relu) computes it (a cycle, or nodes out of order)",
    ],
    [
      "a name that two nodes make",
      graphOf([node(["x"], ["y"]), node(["x"], ["y"], "Relu", "n")]),
      "the name y is defined twice, the second time by the node n (Relu)",
    ],
    [
      "a node that makes an input",
      graphOf([node(["x"], ["x", "y"])]),
      "the name x is defined twice, the second time by the node Op that makes x",
    ],
    [
      "a node that makes an initializer",
      graphOf([node(["x"], ["y", "w"], "Op", "n")]),
      "the name w is defined twice, the second time by the node n (Op)",
    ],
    ["an input twice", graphOf([node(["x"], ["y"])], { inputs: declared("x", "x") }), "the input x is declared twice"],
    ["an input without a name", graphOf([node(["x"], ["y"])], { inputs: declared("x", "") }), "an input has no name"],
    ["no outputs", graphOf([node(["x"], ["y"])], { outputs: [] }), "the graph has no outputs"],
    [
      "an output twice",
      graphOf([node(["x"], ["y"])], { outputs: declared("y", "y") }),
      "the output y is declared twice",
    ],
    ["an undefined output", graphOf([node(["x"], ["z"])]), "the output y is defined by nothing"],
    [
      "an output without a name",
      graphOf([node(["x"], ["y", ""])], { outputs: declared("y", "") }),
      "the output  is defined by nothing",
    ],
    ["a node without an operator", graphOf([node(["x"], ["y"], "")]), "the node  that makes y has no operator"],
  ])("finds %s", (_, graph, complaint) => {
    expect(checkGraph(graph)).toEqual([complaint]);
  });

  it("takes names for names, whatever they mean in JavaScript", () => {
    expect(checkGraph(graphOf([node(["x"], ["__proto__"]), node(["__proto__", "toString"], ["y"])]))).toEqual([
      "the node Op that makes y reads toString, which nothing defines",
    ]);
  });
});
