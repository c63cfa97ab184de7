import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Dimension, Graph } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate, parameterInputs } from "../../src/ops/instantiate.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { normalTensor, runGraph } from "../support/run-graph.js";
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

describe("a network that takes tokens", () => {
  it("knows how many there are, and learns their vectors", () => {
    const network = analyzeNetwork(tokens(mlp).graph, { where: "model.onnx" });
    expect(network).toMatchObject({ vocabulary: 7, sampleShape: [5], beginsInside: false });
    expect([...network.parameters.values()]).toMatchObject([
      { name: "table", shape: [7, 3], role: "embedding" },
      { name: "w", role: "weight" },
    ]);
    // Named, it is the same input.
    expect(analyzeNetwork(tokens(mlp).graph, { where: "model.onnx", input: "x" }).vocabulary).toBe(7);
  });

  it("has as many as the smaller of two tables", () => {
    const net = new TestNetwork();
    const large = net.node("Gather", [net.weight("large", [9, 3]), "x"]);
    const small = net.node("Gather", [net.weight("small", [4, 3]), "x"]);
    const graph = net.graph([], [mlp(net, net.node("Add", [large, small]))]);
    const inputs = [{ name: "x", type: "int32", shape: ["batch", 5] }] as const;
    const network = analyzeNetwork({ ...graph, inputs: [...inputs] }, { where: "model.onnx" });
    expect(network.vocabulary).toBe(4);
    expect([...network.parameters.values()].map(({ role }) => role)).toEqual(["embedding", "embedding", "weight"]);
  });

  it.each(["int64", "float32"] as const)("takes tokens before a mask of their shape, of %s", (type) => {
    const net = new TestNetwork();
    const vectors = net.node("Gather", [net.weight("table", [7, 4]), "ids"]);
    const numbers = type === "float32" ? "mask" : net.node("Cast", ["mask"], { to: 1 });
    const masked = net.node("Mul", [vectors, net.node("Unsqueeze", [numbers, net.ints([-1])])]);
    const flat = net.node("ReduceSum", [masked, net.ints([1])], { keepdims: 0 });
    const graph: Graph = {
      ...net.graph([], [net.node("Gemm", [flat, net.weight("w", [4, 3])])]),
      inputs: [
        { name: "ids", type: "int64", shape: ["batch", 5] },
        { name: "mask", type, shape: ["batch", 5] },
      ],
    };
    const network = analyzeNetwork(graph, { where: "model.onnx" });
    expect(network).toMatchObject({ input: { name: "ids" }, vocabulary: 7 });
    const emit = new Emitter();
    const settings = { emit, network, targets: [flat], parameter: parameterInputs(emit, network) } as const;
    const input = emit.input("samples", "float32", [2, 5]);
    expect(() => instantiate({ ...settings, input, normalization: "running" })).toThrow(
      /depend on the input ids alone, got some that need the input mask too\. .* a mask of padding \(x != 0\), can be computed/,
    );
  });

  it("takes an input of numbers before one of tokens", () => {
    const net = new TestNetwork();
    const vectors = net.node("Gather", [net.weight("table", [7, 4]), "ids"]);
    const dense = net.node("MatMul", ["numbers", net.weight("w", [3, 4])]);
    const inputs = [
      { name: "ids", type: "int64", shape: ["batch"] },
      { name: "numbers", type: "float32", shape: ["batch", 3] },
    ] as const;
    const graph = { ...net.graph([], [net.node("Add", [vectors, dense])]), inputs: [...inputs] };
    const network = analyzeNetwork(graph, { where: "model.onnx" });
    expect(network.input.name).toBe("numbers");
    expect(network.vocabulary).toBeUndefined();
  });

  it.each(["int64", "int32"] as const)(
    "picks vectors by numbers that stand for %s, and learns these alone",
    async (type) => {
      const net = new TestNetwork();
      const vectors = net.node("Gather", [net.weight("table", [7, 3]), "x"]);
      const graph = { ...net.graph([], [vectors]), inputs: [{ name: "x", type, shape: ["batch", 2] }] };
      const network = analyzeNetwork(graph as Graph, { where: "model.onnx" });
      const table = normalTensor("table", [7, 3]);
      const samples = floatTensor([6, 0, 2, 2], [2, 2]);
      const { output, slope } = await runGraph({ table, samples }, (emit, inputs) => {
        const instance = instantiate({
          emit,
          network,
          input: inputs.samples,
          targets: [vectors],
          parameter: () => inputs.table,
          normalization: "running",
        });
        const [value] = instance.targets;
        const [slope] = gradients(emit, [{ value: emit.reduceSum(emit.square(value)) }], [inputs.table]);
        if (!slope) throw new Error("no gradient");
        return { output: value, slope };
      });
      const row = (token: number): number[] => Array.from(table.data.subarray(token * 3, token * 3 + 3));
      expect(Array.from(output.data as Float32Array)).toEqual([6, 0, 2, 2].flatMap(row));
      // Token 2 was picked twice.
      const twice = [1, 0, 2, 0, 0, 0, 1].flatMap((times, token) => row(token).map((value) => 2 * times * value));
      expectClose(slope.data as Float32Array, twice);
    },
  );
});

function expectClose(found: Float32Array, wanted: readonly number[]): void {
  expect(found.length).toBe(wanted.length);
  for (const [at, value] of wanted.entries()) expect(found[at]).toBeCloseTo(value, 5);
}
