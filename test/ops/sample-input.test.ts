import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { TestNetwork } from "../support/write-network.js";

describe("the sample input", () => {
  const graphWith = (inputs: Graph["inputs"]): Graph => {
    const net = new TestNetwork();
    return { ...net.graph([4], [net.node("Gemm", ["x", net.weight("w", [4, 3])])]), inputs };
  };
  const x = (shape: readonly (number | string | null)[] | null) => ({ name: "x", type: "float32", shape }) as const;
  const analyze = (inputs: Graph["inputs"], options: { input?: string; sampleShape?: readonly number[] } = {}) =>
    analyzeNetwork(graphWith(inputs), { where: "model.onnx", ...options });

  it.each([
    [x(["n", 4]), undefined],
    [x([null, 4]), undefined],
    [x([0, 4]), undefined],
    [x([-1, 4]), undefined],
    [x([1, 4]), 1],
    [x([32, 4]), 32],
  ])("%j has a batch of %s", (input, fixedBatch) => {
    expect(analyze([input])).toMatchObject({ sampleShape: [4], fixedBatch });
  });

  it("is no initializer that is listed as an input, and no integer", () => {
    const network = analyze([
      { name: "w", type: "float32", shape: [4, 3] },
      { name: "length", type: "int64", shape: ["n"] },
      x(["n", 4]),
    ]);
    expect(network.input.name).toBe("x");
  });

  it.each([
    ["float32", 1],
    ["float16", 10],
  ])("may be whole numbers that become %s", (_, to) => {
    const net = new TestNetwork();
    const numbers = net.node("Cast", ["x"], { to });
    const sizes = net.node("Shape", ["x"]);
    const graph = net.graph([4], [net.node("Gemm", [numbers, net.weight("w", [4, 3])]), sizes]);
    const inputs = graph.inputs.map((input) => ({ ...input, type: "uint8" as const }));
    expect(analyzeNetwork({ ...graph, inputs }, { where: "model.onnx" }).input.name).toBe("x");
  });

  it("is none of whole numbers that are read as such", () => {
    const net = new TestNetwork();
    const outputs = [net.node("Cast", ["x"], { to: 1 }), net.node("Cast", ["x"], { to: 7 })];
    const graph = net.graph([4], outputs);
    const inputs = graph.inputs.map((input) => ({ ...input, type: "uint8" as const }));
    expect(() => analyzeNetwork({ ...graph, inputs }, { where: "model.onnx" })).toThrow(
      /one input that takes the samples, .* got x \(uint8\)\. Integers are taken where a table of vectors is looked up by them/,
    );
  });

  it("takes the shape that is given where the model leaves it open", () => {
    expect(analyze([x(["n", "m"])], { sampleShape: [4] }).sampleShape).toEqual([4]);
    expect(analyze([x(null)], { sampleShape: [4] }).sampleShape).toEqual([4]);
  });

  it.each([
    [[], {}, /^model\.onnx: required a model with one input that takes the samples, .*, got no inputs\./],
    [
      [x(["n", 4]), { ...x(["n", 2]), name: "y" }],
      {},
      /got x \(float32\), y \(float32\)\. Choose one with --input NAME\./,
    ],
    [[x(["n", 4])], { input: "z" }, /required an input named "z", got x \(float32\)\./],
    [[x(["n", "m"])], {}, /input x: required a batch axis .*, got \[n, m\]\. .*--input-shape/],
    [[x(["n"])], {}, /input x: required a batch axis .*, got the shape \[n\]\./],
    [[x(null)], {}, /input x: required a batch axis .*, got an unknown rank\./],
    [
      [x(["n", 2 ** 20, 2 ** 20])],
      {},
      /input x: required samples of at most 268435456 values, got \[1048576, 1048576\]/,
    ],
    [[x(["n", 4])], { sampleShape: [5] }, /got the model's \[n, 4\] against --input-shape 5\./],
    [[x(["n", 4])], { sampleShape: [4, 1] }, /got the model's \[n, 4\] against --input-shape 4x1\./],
  ])("%j %j is refused", (inputs, options, message) => {
    expect(() => analyze(inputs, options)).toThrow(message);
  });
});
