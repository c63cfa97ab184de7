import { describe, expect, it } from "vitest";
import { checkGraph } from "../../src/graph/check.js";
import type { Graph, Node } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";

const node = (inputs: string[], outputs: string[], op = "Relu"): Node => ({
  op,
  domain: "",
  name: "",
  inputs,
  outputs,
  attributes: {},
});
const info = (name: string) => ({ name, type: "float32", shape: null }) as const;
const graph = (changes: Partial<Graph>): Graph => ({
  name: "g",
  inputs: [info("x")],
  outputs: [info("y")],
  initializers: new Map([["w", floatTensor([1])]]),
  nodes: [node(["x", "", "w"], ["y", ""])],
  ...changes,
});

describe("checkGraph", () => {
  it("has nothing to say of a sound graph, also with an initializer as an input's default", () => {
    expect(checkGraph(graph({}))).toEqual([]);
    expect(checkGraph(graph({ inputs: [info("x"), info("w")] }))).toEqual([]);
    expect(checkGraph(graph({ outputs: [info("x")] }))).toEqual([]);
  });

  it.each<[string, Partial<Graph>, RegExp]>([
    ["an undefined name", { nodes: [node(["z"], ["y"])] }, /reads z, which nothing defines/],
    [
      "nodes out of order",
      { nodes: [node(["h"], ["y"]), node(["x"], ["h"])] },
      /before the node Relu that makes h computes it/,
    ],
    ["a cycle", { nodes: [node(["y"], ["y"])] }, /cycle/],
    ["a name defined twice", { nodes: [node(["x"], ["y"]), node(["x"], ["y"])] }, /y is defined twice/],
    ["an output that hides an initializer", { nodes: [node(["x"], ["w"]), node(["w"], ["y"])] }, /w is defined twice/],
    ["an output that hides an input", { nodes: [node(["x"], ["x"]), node(["x"], ["y"])] }, /x is defined twice/],
    ["an input twice", { inputs: [info("x"), info("x")] }, /input x is declared twice/],
    ["an input without a name", { inputs: [info("x"), info("")] }, /no name/],
    ["an output twice", { outputs: [info("y"), info("y")] }, /output y is declared twice/],
    ["an undefined output", { outputs: [info("q")] }, /output q is defined by nothing/],
    ["no outputs", { outputs: [] }, /no outputs/],
    ["no operator", { nodes: [node(["x"], ["y"], "")] }, /no operator/],
  ])("finds %s", (_, changes, complaint) => {
    const complaints = checkGraph(graph(changes));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatch(complaint);
  });
});
