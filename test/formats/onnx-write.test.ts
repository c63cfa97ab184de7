import { describe, expect, it } from "vitest";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { openSerialized } from "../../src/runtime/node.js";
import { denseGraph } from "./models.js";

describe("serializeGraph", () => {
  it("writes what ONNX Runtime runs", async () => {
    const session = await openSerialized(serializeGraph(denseGraph, 20), { threads: 1 });
    const { y } = await session.run({ x: floatTensor([1, 2], [1, 2]) });
    // [1, 2] · [[1, 2], [3, 4], [5, 6]]ᵀ + [10, 20, -100], then ReLU.
    expect(Array.from(y.data as Float32Array)).toEqual([15, 31, 0]);
    await session.release();
  });

  it("gives back the same graph when read", () => {
    const tensors: Tensor[] = [
      { type: "float16", shape: [2], data: Uint16Array.of(15360, 1) },
      { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
      { type: "string", shape: [2], data: ["a", "ä"] },
      { type: "int4", shape: [3], data: Uint8Array.of(0x21, 0x03) },
      { type: "complex64", shape: [1], data: Float32Array.of(1, 2) },
      intTensor([], [0]),
    ];
    const graph: Graph = {
      name: "kinds",
      inputs: [{ name: "x", type: "float32", shape: ["batch", null, 3] }],
      outputs: [{ name: "y", type: "float32", shape: null }],
      initializers: new Map(tensors.map((tensor, index) => [`t${index}`, tensor])),
      nodes: [
        {
          op: "Anything",
          domain: "my.domain",
          name: "n",
          inputs: ["x", "", "t0"],
          outputs: ["y"],
          attributes: {
            a: attribute.float(0.5),
            b: attribute.int(-3),
            c: attribute.string("ü"),
            d: attribute.tensor(floatTensor([1, 2, 3, 4], [2, 2])),
            e: attribute.floats([1, 2]),
            f: attribute.ints([1, -2]),
            g: attribute.strings(["x", ""]),
            h: attribute.floats([]),
          },
        },
      ],
    };
    const model = readOnnx(serializeGraph(graph, 20), { where: "kinds.onnx" });
    expect(model.graph).toEqual(graph);
    expect(model.domains).toEqual(
      new Map([
        ["", 20],
        ["my.domain", 1],
      ]),
    );
  });

  it("keeps the largest int64, which stands for the end", () => {
    const graph: Graph = {
      ...denseGraph,
      nodes: denseGraph.nodes.map((node) => ({
        ...node,
        attributes: { ...node.attributes, ends: attribute.ints([2 ** 63]) },
      })),
    };
    const { message } = readOnnx(serializeGraph(graph, 20), { where: "m" });
    expect(message.graph?.node[0].attribute.at(-1)?.ints).toEqual([2n ** 63n - 1n]);
  });
});
