import { describe, expect, it } from "vitest";
import type { Dimension, Graph } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate, parameterInputs } from "../../src/ops/instantiate.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { TestNetwork } from "../support/write-network.js";

/** An embedding of the integers x, of width 3, and what reads it; the model's own input as exporters declare it. */
function tokens(body: (net: TestNetwork, vectors: string) => string, shape: readonly Dimension[] = ["batch", 5]) {
  const net = new TestNetwork();
  const vectors = net.node("Gather", [net.weight("table", [7, 3]), net.node("Cast", ["x"], { to: 7 })]);
  const graph: Graph = net.graph([], [body(net, vectors)]);
  return { graph: { ...graph, inputs: [{ name: "x", type: "int64", shape: [...shape] }] } satisfies Graph, vectors };
}

const mlp = (net: TestNetwork, vectors: string): string =>
  net.node("Relu", [net.node("MatMul", [vectors, net.weight("w", [3, 4])])]);

/** The shape that a network's only output has for a batch of two. */
function outputShape({ graph, vectors }: ReturnType<typeof tokens>) {
  const network = analyzeNetwork(graph, { where: "model.onnx", input: vectors });
  const emit = new Emitter();
  const input = emit.input("samples", "float32", [2, ...network.sampleShape]);
  const targets = [graph.outputs[0].name];
  const parameter = parameterInputs(emit, network);
  return instantiate({ emit, network, input, targets, parameter, normalization: "running" }).targets[0].shape;
}

describe("a network that begins behind its embedding", () => {
  it("takes samples of the vectors' shape, and leaves the table out of its parameters", () => {
    const { graph, vectors } = tokens(mlp);
    const network = analyzeNetwork(graph, { where: "model.onnx", input: vectors });
    expect(network.input).toEqual({ name: vectors, type: "float32", shape: ["batch", 5, 3] });
    expect(network.sampleShape).toEqual([5, 3]);
    expect([...network.parameters.keys()]).toEqual(["w"]);
  });

  it("needs the length of one where the model leaves it open, and the width of the table", () => {
    const { graph, vectors } = tokens(mlp, ["batch", "length"]);
    const begun = (sampleShape?: readonly number[]) =>
      analyzeNetwork(graph, { where: "model.onnx", input: vectors, ...(sampleShape ? { sampleShape } : {}) });
    expect(() => begun()).toThrow(/known shape of one sample, got \[batch, length, 3\]\. .*--input-shape/);
    expect(begun([6, 3]).sampleShape).toEqual([6, 3]);
    expect(() => begun([6, 4])).toThrow(/\[batch, length, 3\] against --input-shape 6x4/);
  });

  it.each<[string, Readonly<Record<string, number>>, number[]]>([
    ["whole", {}, [2, 5]],
    ["the batch", { start: 0, end: 1 }, [2]],
    ["the last axis", { start: -1 }, [5]],
    ["all but the last", { end: -1 }, [2]],
    ["more than there is", { start: 1, end: 9 }, [5]],
    ["before the first", { start: -9 }, [2, 5]],
  ])("reads the shape of its integers from the vectors: %s", (_, attributes, shape) => {
    const network = tokens((net) => net.node("ConstantOfShape", [net.node("Shape", ["x"], attributes)]));
    expect(outputShape(network)).toEqual(shape);
  });

  it("reads it behind a Cast, too, and nothing else of the integers", () => {
    const cast = tokens((net) =>
      net.node("ConstantOfShape", [net.node("Shape", [net.node("Cast", ["x"], { to: 6 })])]),
    );
    expect(outputShape(cast)).toEqual([2, 5]);
    const numbers = tokens((net, vectors) =>
      net.node("Mul", [mlp(net, vectors), net.node("Unsqueeze", [net.node("Cast", ["x"], { to: 1 }), net.ints([2])])]),
    );
    expect(() => outputShape(numbers)).toThrow(/alone, got some that need the input x too/);
  });

  it("is none that gathers columns, or whose integers are of unknown rank", () => {
    const begin = (axis: number, shape: Dimension[] | null, sampleShape?: readonly number[]) => {
      const net = new TestNetwork();
      const input = net.node("Gather", [net.weight("table", [2, 3]), "x"], { axis });
      const graph = { ...net.graph([], [mlp(net, input)]), inputs: [{ name: "x", type: "int64", shape } as const] };
      return analyzeNetwork(graph, { where: "model.onnx", input, ...(sampleShape ? { sampleShape } : {}) });
    };
    expect(() => begin(1, ["batch", 5])).toThrow(/required the shape of one sample/);
    expect(() => begin(0, null)).toThrow(/required the shape of one sample/);
    expect(begin(0, null, [5, 3]).sampleShape).toEqual([5, 3]);
  });
});

it("names the options with which integers' networks begin behind their embeddings", () => {
  const begin = (shape: readonly Dimension[]) => analyzeNetwork(tokens(mlp, shape).graph, { where: "model.onnx" });
  const { vectors } = tokens(mlp);
  expect(() => begin(["batch", 5])).toThrow(`begin behind their embedding, with --input ${vectors} --input-shape 5x3,`);
  expect(() => begin(["batch", "n"])).toThrow(`--input ${vectors} --input-shape LENGTHx3,`);
  const { graph } = tokens(mlp);
  expect(() => analyzeNetwork(graph, { where: "model.onnx", input: "x" })).toThrow(
    `input x: required samples of numbers, got integers that an embedding reads. They cannot be learned from: begin behind their embedding, with --input ${vectors} --input-shape 5x3,`,
  );
});
