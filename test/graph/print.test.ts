import { describe, expect, it } from "vitest";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { printGraph } from "../../src/graph/print.js";
import { floatTensor, intTensor } from "../../src/graph/tensor.js";

const graph: Graph = {
  name: "main graph",
  inputs: [
    { name: "x", type: "float32", shape: ["batch", 3, null, 8] },
    { name: "rank unknown", type: "float16", shape: null },
  ],
  outputs: [{ name: "y", type: "float32", shape: [] }],
  initializers: new Map([
    ["features.0/weight", floatTensor(new Float32Array(9), [1, 1, 3, 3])],
    ["bias", floatTensor([0.1, -0, 1e-8, Number.NaN, Number.POSITIVE_INFINITY, 3, 1 / 3, 2 ** -149])],
    ["double", { type: "float64", shape: [1], data: Float64Array.of(0.1) }],
    ["half", { type: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) }],
    ["brain", { type: "bfloat16", shape: [], data: Uint16Array.of(0x3f80) }],
    ["end", { type: "int64", shape: [1], data: BigInt64Array.of(2n ** 63n - 1n) }],
    ["text", { type: "string", shape: [2], data: ["a", 'new\n"line"'] }],
    ["packed", { type: "int4", shape: [3], data: Uint8Array.of(0x21, 3) }],
    ["empty", intTensor([])],
    ["flags", { type: "bool", shape: [2], data: Uint8Array.of(1, 0) }],
  ]),
  nodes: [
    {
      op: "Conv",
      domain: "",
      name: "first",
      inputs: ["x", "features.0/weight", "", "bias"],
      outputs: ["h"],
      attributes: {
        pads: attribute.ints([1, 1, 1, 1]),
        auto_pad: attribute.string("NOTSET"),
        kernel_shape: attribute.ints([3, 3]),
      },
    },
    { op: "Relu", domain: "", name: "", inputs: ["h"], outputs: ["new\nline", "", "z"], attributes: {} },
    {
      op: "Odd",
      domain: "com.example",
      name: "",
      inputs: [],
      outputs: ["y"],
      attributes: {
        a: attribute.float(Math.fround(0.1)),
        b: attribute.floats([0.5, -0]),
        c: attribute.strings(["p", "q"]),
        d: attribute.tensor(floatTensor([1, 2], [2, 1])),
        e: { kind: "opaque", value: { anything: 1n } },
        f: attribute.int(-3),
      },
    },
  ],
};

describe("printGraph", () => {
  it("writes one line a value", () => {
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "graph "main graph"
        input %x: float32[batch, 3, ?, 8]
        input %"rank unknown": float16
        output %y: float32[]
        initializer %features.0/weight: float32[1, 1, 3, 3]
        initializer %bias: float32[8] {0.1, -0, 1e-8, NaN, Infinity, 3, 0.33333334, 1.4013e-45}
        initializer %double: float64[1] {0.1}
        initializer %half: float16[2] {1, -2}
        initializer %brain: bfloat16[] {1}
        initializer %end: int64[1] {9223372036854775807}
        initializer %text: string[2] {"a", "new\\n\\"line\\""}
        initializer %packed: int4[3]
        initializer %empty: int64[0] {}
        initializer %flags: bool[2] {1, 0}
      nodes
        %h = Conv[auto_pad="NOTSET", kernel_shape=[3, 3], pads=[1, 1, 1, 1]](%x, %features.0/weight, _, %bias)
        %"new\\nline", _, %z = Relu(%h)
        %y = com.example.Odd[a=0.1, b=[0.5, -0], c=["p", "q"], d=float32[2, 1] {1, 2}, e=..., f=-3]()
      "
    `);
  });
});
