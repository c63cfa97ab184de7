import { describe, expect, it } from "vitest";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { checkAttributes } from "../../src/ops/check-attributes.js";
import { openSession } from "../../src/runtime/node.js";

function graphOf(op: string, attributes: Attributes, domain = ""): Graph {
  const node: Node = { op, domain, name: "first", inputs: ["x", "w"], outputs: ["y"], attributes };
  return {
    name: "test",
    inputs: [
      { name: "x", type: "float32", shape: [1, 1, 4, 4] },
      { name: "w", type: "float32", shape: [1, 1, 3, 3] },
    ],
    outputs: [{ name: "y", type: "float32", shape: null }],
    initializers: new Map(),
    nodes: [node],
  };
}

describe("checkAttributes", () => {
  const of = attribute;
  it.each<[string, Attributes, string]>([
    [
      "Conv",
      { pads: of.floats([1, 1, 1, 1]) },
      "a list of whole numbers as the attribute pads, got a list of floating-point numbers",
    ],
    ["Conv", { pads: of.int(1) }, "a list of whole numbers as the attribute pads, got a whole number"],
    ["Conv", { group: of.float(1) }, "a whole number as the attribute group, got a floating-point number"],
    ["Conv", { auto_pad: of.int(0) }, "a text as the attribute auto_pad, got a whole number"],
    [
      "Conv",
      { padding: of.ints([1, 1, 1, 1]) },
      "one of the attributes auto_pad, dilations, group, kernel_shape, pads, strides, got padding",
    ],
    ["Concat", { axis: of.string("1") }, "a whole number as the attribute axis, got a text"],
    ["Concat", {}, "the attribute axis, got none"],
    ["Add", { alpha: of.float(1) }, "one of the attributes axis, broadcast, got alpha"],
    ["MatMul", { alpha: of.float(1) }, "no attributes, as ONNX gives MatMul none, got alpha"],
    ["LeakyRelu", { alpha: of.int(1) }, "a floating-point number as the attribute alpha, got a whole number"],
    ["Pad", { value: of.tensor(floatTensor([1])) }, "a floating-point number as the attribute value, got a tensor"],
    ["ConstantOfShape", { value: of.float(1) }, "a tensor as the attribute value, got a floating-point number"],
    ["GRU", { hidden_size: of.float(4) }, "a whole number as the attribute hidden_size, got a floating-point number"],
    ["Gelu", { approximate: of.string("erf") }, "one of none, tanh as the attribute approximate, got erf"],
    [
      "DepthToSpace",
      { blocksize: of.int(2), mode: of.string("ABC") },
      "one of DCR, CRD as the attribute mode, got ABC",
    ],
    ["Resize", { mode: of.string("area") }, "one of nearest, linear, cubic as the attribute mode, got area"],
    ["GRU", { activations: of.string("Tanh") }, "a list of texts as the attribute activations, got a text"],
  ])("refuses %s with %o", (op, attributes, message) => {
    expect(() => checkAttributes(graphOf(op, attributes), "model.onnx")).toThrow(
      `model.onnx: node first (${op}): required ${message}. Check the model with onnx.checker, and export it again.`,
    );
  });

  it("refuses what ONNX Runtime refuses", async () => {
    for (const attributes of [{ pads: of.floats([1, 1, 1, 1]) }, { padding: of.ints([1, 1, 1, 1]) }]) {
      const graph = graphOf("Conv", attributes);
      expect(() => checkAttributes(graph, "model.onnx")).toThrow("required");
      await expect(openSession(graph)).rejects.toThrow(/attribute/);
    }
  });

  it("takes what is right, what other operator sets have, and what is no business of ONNX's", () => {
    const good: readonly (readonly [string, Attributes, string?])[] = [
      ["Conv", { pads: of.ints([1, 1, 1, 1]), group: of.int(1), auto_pad: of.string("NOTSET") }],
      ["Conv", { __note: of.string("a program's own") }],
      ["ReduceMean", { axes: of.ints([1]) }],
      ["Conv", { padding: of.string("same") }, "my.domain"],
      ["NoOperatorOfOnnx", { padding: of.string("same") }],
    ];
    for (const [op, attributes, domain] of good) checkAttributes(graphOf(op, attributes, domain), "model.onnx");
  });

  it("looks into the branches of an If", () => {
    const branch = graphOf("Concat", {});
    const node = graphOf("If", { then_branch: { kind: "graph", value: branch, source: undefined } });
    expect(() => checkAttributes(node, "model.onnx")).toThrow("node first (Concat): required the attribute axis");
  });
});
