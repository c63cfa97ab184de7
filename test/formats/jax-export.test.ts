import { describe, expect, it } from "vitest";
import { isJaxExporter, jaxModel } from "../../src/formats/jax-export.js";
import type { ModelFile } from "../../src/formats/model-file.js";
import type { Graph } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

/** A graph whose initializers of these names are inputs too, as jax2onnx writes a function's further arguments. */
function withWeights(graph: Graph, names: readonly string[]): Graph {
  const inputs = names.map((name) => {
    const { type = "float32", shape = [] } = graph.initializers.get(name) ?? {};
    return { name, type, shape };
  });
  return { ...graph, inputs: [...graph.inputs, ...inputs] };
}

function fileOf(graph: Graph, written: Map<string, Tensor> = new Map()): ModelFile {
  return {
    format: "onnx",
    graph,
    opset: 20,
    producer: "jax2onnx 0.17.1",
    asStored: (_, tensor) => tensor,
    write: async (replacements) => {
      for (const [name, tensor] of replacements) written.set(name, tensor);
      return new Map();
    },
    writeEdited: async () => new Map(),
  };
}

/** Channels last: a convolution, a depthwise one, one dense layer whose kernel has an axis for heads, and a bias [4, 1, 1]. */
function network(): Graph {
  const net = new TestNetwork();
  const read = (name: string, shape: readonly number[]): string =>
    net.node("Transpose", [net.weight(name, shape)], { perm: [3, 2, 0, 1] });
  const first = net.node("Transpose", ["x"], { perm: [0, 3, 1, 2] });
  const bias = net.node("Squeeze", [net.weight("Conv_0/bias", [4, 1, 1]), net.ints([1, -1])]);
  const a = net.node("Conv", [first, read("Conv_0/kernel", [3, 2, 2, 4]), bias]);
  const b = net.node("Relu", [net.node("Conv", [a, read("Conv_1/kernel", [1, 2, 1, 4])], { group: 4 })]);
  const last = net.node("Transpose", [b], { perm: [0, 2, 3, 1] });
  const heads = net.node("Reshape", [net.weight("query/kernel", [4, 2, 3]), net.ints([0, -1])]);
  const scaled = net.node("Mul", [net.node("MatMul", [last, heads]), net.filled("scale_0", [6], 0.5)]);
  const flat = net.node("Reshape", [scaled, net.ints([0, -1])]);
  return withWeights(net.graph([4, 4, 2], [flat]), ["Conv_0/bias", "Conv_0/kernel", "Conv_1/kernel", "query/kernel"]);
}

async function outputOf(graph: Graph, x: Tensor): Promise<number[]> {
  const [{ name }] = graph.outputs;
  const initializers = new Set(graph.initializers.keys());
  const inputs = graph.inputs.filter((input) => !initializers.has(input.name));
  const session = await openSession({ ...graph, inputs }, { threads: 1 });
  try {
    return numbersOf((await session.run({ x }))[name]);
  } finally {
    await session.release();
  }
}

describe("jaxModel", () => {
  it("has the weights as layers read them, and computes the same", async () => {
    const graph = network();
    const { graph: read, jaxWeights } = jaxModel(fileOf(graph));
    const shapes = [...(jaxWeights ?? [])].map((name) => [name, read.initializers.get(name)?.shape]);
    expect(Object.fromEntries(shapes)).toEqual({
      "Conv_0/bias": [4],
      "Conv_0/kernel": [4, 2, 3, 2],
      "Conv_1/kernel": [4, 1, 1, 2],
      "query/kernel": [4, 6],
    });
    expect(read.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(read.nodes.map(({ op }) => op).join(" ")).toBe("Transpose Conv Conv Relu Transpose MatMul Mul Reshape");
    const x = normalTensor("x", [3, 4, 4, 2]);
    expect(await outputOf(read, x)).toEqual(await outputOf(graph, x));
  });

  it("gives weights back and writes them in the tree's layout", async () => {
    const graph = network();
    const written = new Map<string, Tensor>();
    const model = jaxModel(fileOf(graph, written));
    for (const name of model.jaxWeights ?? []) {
      const tensor = model.graph.initializers.get(name)!;
      expect(model.asStored(name, tensor)).toEqual(graph.initializers.get(name));
      const twice = floatTensor(
        numbersOf(tensor).map((element) => 2 * element),
        tensor.shape,
      );
      await model.write(new Map([[name, twice]]));
      const before = graph.initializers.get(name)!;
      const doubled = numbersOf(before).map((element) => 2 * element);
      expect(written.get(name)).toEqual(floatTensor(doubled, before.shape));
    }
    expect(written.size).toBe(4);
    expect(model.writeEdited).toBeUndefined();
  });

  it("takes what is no input for a constant", () => {
    const { constants } = jaxModel(fileOf(network()));
    expect(constants?.has("scale_0")).toBe(true);
    expect(constants?.has("query/kernel")).toBe(false);
  });

  it("knows no weights where none is an input", () => {
    const graph = network();
    const model = jaxModel(fileOf({ ...graph, inputs: graph.inputs.slice(0, 1) }));
    expect(model.jaxWeights?.size).toBe(0);
    expect(model.constants).toBeUndefined();
    expect(model.graph.nodes).toHaveLength(graph.nodes.length);
  });

  it.each<[string, (net: TestNetwork) => string]>([
    [
      "is read in two layouts",
      (net) => {
        const w = net.weight("w", [2, 2, 2, 2]);
        const [a, b] = [
          [3, 2, 0, 1],
          [3, 2, 1, 0],
        ].map((perm) => net.node("Transpose", [w], { perm }));
        return net.node("Conv", [net.node("Conv", ["x", a]), b]);
      },
    ],
    [
      "is read by no layer",
      (net) => net.node("Add", ["x", net.node("Transpose", [net.weight("w", [2, 2, 2, 2])], { perm: [3, 2, 0, 1] })]),
    ],
    [
      "is mirrored on the way",
      (net) => {
        const sliced = [net.weight("w", [2, 2, 2, 2]), net.ints([1]), net.ints([-9]), net.ints([0]), net.ints([-1])];
        return net.node("ConvTranspose", ["x", net.node("Transpose", [net.node("Slice", sliced)])]);
      },
    ],
    [
      "is transposed by axes that it lacks",
      (net) => net.node("Conv", ["x", net.node("Transpose", [net.weight("w", [2, 2, 2, 2])], { perm: [4, 2, 0, 1] })]),
    ],
    [
      "is reshaped to another size",
      (net) => net.node("MatMul", ["x", net.node("Reshape", [net.weight("w", [2, 2, 2, 2]), net.ints([4, 3])])]),
    ],
  ])("leaves a weight that %s as it is", (_, build) => {
    const net = new TestNetwork();
    const graph = withWeights(net.graph([2, 4, 4], [build(net)]), ["w"]);
    const model = jaxModel(fileOf(graph));
    expect(model.graph.nodes).toEqual(graph.nodes);
    expect(model.graph.initializers.get("w")).toBe(graph.initializers.get("w"));
    expect(model.jaxWeights).toEqual(new Set(["w"]));
  });

  it("reads a weight that two layers share once", () => {
    const net = new TestNetwork();
    const w = net.weight("w", [1, 1, 2, 2]);
    const read = (): string => net.node("Transpose", [w], { perm: [3, 2, 0, 1] });
    const graph = withWeights(net.graph([2, 4, 4], [net.node("Conv", [net.node("Conv", ["x", read()]), read()])]), [w]);
    const { nodes } = jaxModel(fileOf(graph)).graph;
    expect(nodes.map(({ op, inputs }) => [op, inputs[1]])).toEqual([
      ["Conv", "w"],
      ["Conv", "w"],
    ]);
  });
});

it("isJaxExporter knows jax2onnx by its name", () => {
  expect(["jax2onnx 0.17.1", "jax2onnx", "pytorch 2.15", "tf2onnx 1.17"].map(isJaxExporter)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
