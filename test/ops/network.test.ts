import { describe, expect, it } from "vitest";
import { analyzeNetwork, ancestors } from "../../src/ops/network.js";
import { TestNetwork } from "../support/write-network.js";

it.each([
  ["RandomUniformLike", /dropout.*model\.eval\(\)/],
  ["DynamicQuantizeLinear", /quantised; give the one in floating point/],
  ["If", /control flow/],
  ["STFT", /spectra .* --input/],
  ["com.microsoft.FusedConv", /ONNX Runtime has optimised/],
])("knows why %s is in the way", (operator, why) => {
  const net = new TestNetwork();
  const [op = "", ...domain] = operator.split(".").reverse();
  const noise = net.node(op, ["x"]);
  const graph = net.graph([4], [net.node("Gemm", [net.node("Mul", ["x", noise]), net.weight("w", [4, 3])])]);
  const nodes = graph.nodes.map((node) => (node.op === op ? { ...node, domain: domain.reverse().join(".") } : node));
  const network = analyzeNetwork({ ...graph, nodes }, { where: "model.onnx" });
  expect([...network.obstacles]).toEqual([[noise, expect.stringMatching(why)]]);
});

describe("ancestors", () => {
  it("are the nodes that a value needs, in their order", () => {
    const net = new TestNetwork();
    const a = net.node("Relu", ["x"]);
    const b = net.node("Tanh", ["x"]);
    const c = net.node("Gemm", [a, net.weight("w", [4, 3])]);
    net.node("Add", [c, b]);
    const network = net.build([4], c);
    expect(ancestors(network, [c]).map(({ op }) => op)).toEqual(["Relu", "Gemm"]);
    expect(ancestors(network, [b, a]).map(({ op }) => op)).toEqual(["Relu", "Tanh"]);
    expect(ancestors(network, ["x"])).toEqual([]);
  });
});

describe("parts of a network", () => {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 3]), net.weight("b1", [3])])]);
  const graph = net.graph([4], [net.node("Gemm", [hidden, net.weight("w2", [3, 2])])]);
  const where = "model.onnx";

  it("begins at a tensor inside, without what computes it", () => {
    const network = analyzeNetwork(graph, { where, input: hidden, sampleShape: [3] });
    expect(network.input.name).toBe(hidden);
    expect(network.sampleShape).toEqual([3]);
    expect([...network.parameters.keys()]).toEqual(["w2"]);
    expect(network.producers.has(hidden)).toBe(false);
    expect(() => analyzeNetwork(graph, { where, input: hidden })).toThrow(
      /required the shape of one sample.*--input-shape/,
    );
    expect(() => analyzeNetwork(graph, { where, input: "none" })).toThrow(/an input named "none"/);
  });

  it("asks the tensor that it begins at for the batch where the export asks the model's input", () => {
    const net = new TestNetwork();
    const inside = net.node("Relu", ["x"]);
    const batch = net.node("Shape", ["x"], { start: 0, end: 1 });
    const graph = net.graph([4], [net.node("Expand", [net.weight("token", [1, 3]), batch]), inside], "s77");
    const begun = analyzeNetwork(graph, { where, input: inside, sampleShape: [3] });
    expect(begun.producers.get(batch)?.inputs).toEqual([inside]);
  });

  it("is frozen up to a tensor", () => {
    const network = analyzeNetwork(graph, { where, frozen: hidden });
    expect([...network.parameters.keys()]).toEqual(["w2"]);
    expect(network.layers.map(({ weight }) => weight.name)).toEqual(["w2"]);
    expect([...network.tensors.keys()]).toEqual(["w1", "b1", "w2"]);
    expect(() => analyzeNetwork(graph, { where, frozen: "w1" })).toThrow(/up to which it is frozen, got "w1"/);
  });
});
