/** initialize on networks of many makes: what is written has the model's own names, shapes and types, and runs. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { type DataType, floatTensor, numbersOf, numberToFloat16, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { type InitializeOptions, type InitializeResult, initialize } from "../../src/library/initialize.js";
import { openModel } from "../../src/library/open-model.js";
import { lookingGraph } from "../../src/recipe/looking-graph.js";
import type { RecipeInput } from "../../src/recipe/recipe.js";
import { openSerialized, openSession } from "../../src/runtime/node.js";
import { MapNetwork, smallUnet } from "../support/map-network.js";
import { normalTensor } from "../support/run-graph.js";
import { folderWith, modelFile, toyModel, vectorFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const recipe: RecipeInput = {
  adversarial: { weight: 0.1 },
  reconstruction: { weight: 1 },
  contrast: { weight: 0.5 },
  conditioning: { spectrumExponent: 0.5, scale: "unit", samples: 24 },
};

interface Ran {
  readonly result: InitializeResult;
  readonly path: (name: string) => string;
  /** F's tensors as written, by name. */
  readonly written: ReadonlyMap<string, Tensor>;
  readonly before: Graph;
  readonly after: Graph;
}

async function run(
  bytes: Uint8Array,
  shape: readonly number[],
  options: Partial<InitializeOptions> = {},
): Promise<Ran> {
  const path = folderWith({ "model.onnx": bytes, "data.npy": vectorFile(24, shape) });
  const result = await initialize({
    model: path("model.onnx"),
    data: path("data.npy"),
    output: path("run"),
    recipe,
    batchSize: 8,
    steps: 3,
    threads: 1,
    ...options,
  });
  const read = (file: string): Graph => readOnnx(readFileSync(file), { where: file }).graph;
  const written = readSafetensors(readFileSync(result.weightsFile), "weights").tensors;
  return { result, path, written, before: read(path("model.onnx")), after: read(result.modelFile) };
}

/** Initializers and values of Constant nodes. */
function tensorsOf(graph: Graph): Map<string, Tensor> {
  const tensors = new Map(graph.initializers);
  for (const node of graph.nodes)
    if (node.attributes.value?.kind === "tensor") tensors.set(node.outputs[0], node.attributes.value.value);
  return tensors;
}

/** Names are exactly these; shapes and types are the model's; all else in the model is as it was. */
function expectWritten({ written, before, after }: Ran, names: readonly string[]): void {
  expect([...written.keys()].sort()).toEqual([...names].sort());
  const [old, now] = [tensorsOf(before), tensorsOf(after)];
  expect([...now.keys()]).toEqual([...old.keys()]);
  for (const [name, tensor] of now) {
    const original = old.get(name)!;
    expect([tensor.type, tensor.shape], name).toEqual([original.type, original.shape]);
    const file = written.get(name);
    if (!file) {
      expect(tensor.data, `${name} is not of F`).toEqual(original.data);
      continue;
    }
    expect([file.type, file.shape], name).toEqual([original.type, original.shape]);
    expect(file.data, name).toEqual(tensor.data);
    expect(numbersOf(file).every(Number.isFinite), name).toBe(true);
    expect(numbersOf(file), `${name} has been trained`).not.toEqual(numbersOf(original));
  }
  expect(after.nodes.map(({ op, inputs, outputs }) => ({ op, inputs, outputs }))).toEqual(
    before.nodes.map(({ op, inputs, outputs }) => ({ op, inputs, outputs })),
  );
}

/** The written model's feature tensor equals F's as headstart computes it with the weights that it gives. */
async function expectSameFeatures(ran: Ran, shape: readonly number[], batch = 4): Promise<void> {
  const { result } = ran;
  const { network, model } = await openModel(result.modelFile);
  const { features } = result.run.model;
  const looking = await openSession(lookingGraph(network, [features], batch), { threads: 1 });
  const samples = normalTensor("samples", [batch, ...shape]);
  const feeds: Record<string, Tensor> = { samples };
  for (const [name, elements] of result.weights) feeds[name] = floatTensor(elements, network.tensors.get(name)!.shape);
  const own = numbersOf((await looking.run(feeds))[`value/${features}`]);
  await looking.release();

  // ONNX Runtime gives outputs only: the feature tensor is made one.
  const { serializeGraph } = await import("../../src/formats/onnx-write.js");
  const graph = {
    ...ran.after,
    outputs: [...ran.after.outputs, { name: features, type: "float32" as const, shape: null }],
  };
  const session = await openSerialized(serializeGraph(graph, model.opset), { threads: 1 });
  const direct: Record<string, Tensor> = { [result.run.model.input]: samples };
  for (const [name, tensor] of ran.after.initializers) direct[name] = tensor;
  const theirs = numbersOf((await session.run(direct))[features]);
  await session.release();
  expect(theirs.length).toBe(own.length);
  const largest = Math.max(...own.map(Math.abs));
  expect(largest).toBeGreaterThan(0);
  own.forEach((value, index) => {
    expect(Math.abs(value - theirs[index])).toBeLessThan(1e-4 * largest);
  });
}

describe("fresh networks", () => {
  it.each([
    ["mlp", [12], { widths: [10, 6], activation: "sigmoid" }],
    ["cnn", [1, 8, 8], { widths: [4, 6], normalization: "group" }],
    ["cnn", [3, 9, 7], { widths: [4, 6], normalization: "layer", activation: "gelu" }],
    ["cnn1d", [2, 16], { widths: [4, 6], normalization: "batch", activation: "silu" }],
    ["resnet", [3, 8, 8], { widths: [4, 6] }],
  ] as const)("%s of %j %j", async (template, inputShape, options) => {
    const ran = await run(toyModel({ template, inputShape, ...options }), inputShape);
    const own = [...ran.before.initializers.keys()].filter((name) => {
      const { type, data } = ran.before.initializers.get(name)!;
      return type === "float32" && data.length > 1 && !/^(classifier|fc)\.|\.(ones|zeros)$/.test(name);
    });
    expectWritten(ran, own);
    await expectSameFeatures(ran, inputShape);
  });
});

describe("running statistics", () => {
  it("become those of the data under the new weights", async () => {
    const bytes = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" });
    const { written } = await run(bytes, [1, 8, 8]);
    for (const name of ["features.1.running_mean", "features.1.running_var"]) expect(written.has(name)).toBe(true);
    expect(numbersOf(written.get("features.1.running_var")!).every((value) => value > 1e-6)).toBe(true);
    // The pre-activations of a convolution on data of mean 0 and deviation 1 have neither 0 nor 1 by chance.
    expect(numbersOf(written.get("features.1.running_mean")!).some((value) => value !== 0)).toBe(true);
  });
});

/** x → Gemm → Relu → Gemm → Relu → head, with the weights stored as `store` wants it. */
function perceptron(
  type: DataType,
  store: (tensors: ReadonlyMap<string, Tensor>, graph: Graph) => Graph = (_, graph) => graph,
): Graph {
  const net = new TestNetwork();
  const first = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [6, 5]), net.weight("b1", [5])])]);
  const second = net.node("Relu", [net.node("Gemm", [first, net.weight("w2", [5, 4]), net.weight("b2", [4])])]);
  const graph = net.graph([6], [net.node("Gemm", [second, net.weight("w3", [4, 2]), net.weight("b3", [2])])]);
  const converted = new Map([...graph.initializers].map(([name, tensor]) => [name, inType(tensor, type)]));
  return store(converted, {
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, type })),
    outputs: graph.outputs.map((output) => ({ ...output, type })),
    initializers: converted,
  });
}

function inType(tensor: Tensor, type: DataType): Tensor {
  const values = numbersOf(tensor);
  if (type === "float16") return { type, shape: tensor.shape, data: Uint16Array.from(values, numberToFloat16) };
  if (type === "float64") return { type, shape: tensor.shape, data: Float64Array.from(values) };
  return tensor;
}

const parameters = ["w1", "b1", "w2", "b2"];

describe("how weights are stored", () => {
  it.each(["float16", "float64"] as const)("in %s", async (type) => {
    const ran = await run(modelFile(perceptron(type)), [6]);
    expectWritten(ran, parameters);
    expect(ran.written.get("w1")?.type).toBe(type);
  });

  it("in Constant nodes", async () => {
    const graph = perceptron("float32", (tensors, plain) => ({
      ...plain,
      initializers: new Map(),
      nodes: [
        ...[...tensors].map(
          ([name, tensor]): Node => ({
            op: "Constant",
            domain: "",
            name: `constant_${name}`,
            inputs: [],
            outputs: [name],
            attributes: { value: attribute.tensor(tensor) },
          }),
        ),
        ...plain.nodes,
      ],
    }));
    const ran = await run(modelFile(graph), [6]);
    expectWritten(ran, parameters);
    await expectSameFeatures(ran, [6]);
  });

  it("as inputs of the graph too", async () => {
    const graph = perceptron("float32", (tensors, plain) => ({
      ...plain,
      inputs: [...plain.inputs, ...[...tensors].map(([name, { type, shape }]) => ({ name, type, shape }))],
    }));
    const ran = await run(modelFile(graph), [6]);
    expectWritten(ran, parameters);
    await expectSameFeatures(ran, [6]);
  });

  it("behind Identity", async () => {
    const graph = perceptron("float32", (_, plain) => ({
      ...plain,
      nodes: [
        { op: "Identity", domain: "", name: "alias", inputs: ["b1"], outputs: ["alias_b1"], attributes: {} },
        ...plain.nodes.map((node) => ({
          ...node,
          inputs: node.inputs.map((name) => (name === "b1" ? "alias_b1" : name)),
        })),
      ],
    }));
    const ran = await run(modelFile(graph), [6]);
    expectWritten(ran, parameters);
    await expectSameFeatures(ran, [6]);
  });

  it("used twice", async () => {
    const net = new TestNetwork();
    const shared = net.weight("shared", [6, 6]);
    const first = net.node("Tanh", [net.node("MatMul", ["x", shared])]);
    const second = net.node("Tanh", [net.node("Add", [net.node("MatMul", [first, shared]), net.weight("b", [6])])]);
    const graph = net.graph([6], [net.node("Gemm", [second, net.weight("head", [6, 2])])]);
    const ran = await run(modelFile(graph), [6]);
    expectWritten(ran, ["shared", "b"]);
    await expectSameFeatures(ran, [6]);
  });
});

describe("shapes and ends", () => {
  it("a batch of one written into Reshape", async () => {
    const net = new TestNetwork();
    const flat = net.node("Reshape", ["x", net.ints([1, 64])]);
    const hidden = net.node("Relu", [net.node("Gemm", [flat, net.weight("w1", [64, 8]), net.weight("b1", [8])])]);
    const graph = net.graph([1, 8, 8], [net.node("Gemm", [hidden, net.weight("w2", [8, 2])])], 1);
    const ran = await run(modelFile(graph), [1, 8, 8]);
    expectWritten(ran, ["w1", "b1"]);
    await expectSameFeatures(ran, [1, 8, 8], 1);
  });

  it("channels last with a Transpose in front, as Keras exports", async () => {
    const net = new TestNetwork();
    const turned = net.node("Transpose", ["x"], { perm: [0, 3, 1, 2] });
    const maps = net.node("Relu", [
      net.node("Conv", [turned, net.weight("w1", [4, 3, 3, 3]), net.weight("b1", [4])], { pads: [1, 1, 1, 1] }),
    ]);
    const back = net.node("Transpose", [net.node("MaxPool", [maps], { kernel_shape: [2, 2], strides: [2, 2] })], {
      perm: [0, 2, 3, 1],
    });
    const flat = net.node("Reshape", [back, net.ints([-1, 64])]);
    const logits = net.node("Add", [net.node("MatMul", [flat, net.weight("w2", [64, 2])]), net.weight("b2", [2])]);
    const ran = await run(modelFile(net.graph([8, 8, 3], [net.node("Softmax", [logits])])), [8, 8, 3]);
    expectWritten(ran, ["w1", "b1"]);
    expect(ran.result.run.discriminator?.kind).toBe("cnn");
    await expectSameFeatures(ran, [8, 8, 3]);
  });

  it("a convolution as last layer", async () => {
    const net = new TestNetwork();
    const first = net.node("Relu", [net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3]), net.weight("b1", [4])])]);
    const last = net.node("Conv", [first, net.weight("w2", [2, 4, 1, 1]), net.weight("b2", [2])]);
    const graph = net.graph([1, 8, 8], [net.node("Flatten", [net.node("GlobalAveragePool", [last])])]);
    const ran = await run(modelFile(graph), [1, 8, 8]);
    expectWritten(ran, ["w1", "b1"]);
    await expectSameFeatures(ran, [1, 8, 8]);
  });

  it("branches that are joined, and groups", async () => {
    const net = new TestNetwork();
    const stem = net.node("Relu", [
      net.node("Conv", ["x", net.weight("stem", [4, 1, 3, 3])], { pads: [1, 1, 1, 1], strides: [2, 2] }),
    ]);
    const a = net.node("Conv", [stem, net.weight("a", [4, 2, 3, 3]), net.weight("a_bias", [4])], {
      group: 2,
      pads: [1, 1, 1, 1],
    });
    const b = net.node("Conv", [stem, net.weight("b", [2, 4, 1, 1])]);
    const joined = net.node("Relu", [net.node("Concat", [a, b, stem], { axis: 1 })]);
    const flat = net.node("Flatten", [net.node("GlobalAveragePool", [joined])]);
    const graph = net.graph([1, 8, 8], [net.node("LogSoftmax", [net.node("Gemm", [flat, net.weight("h", [10, 2])])])]);
    const ran = await run(modelFile(graph), [1, 8, 8]);
    expectWritten(ran, ["stem", "a", "a_bias", "b"]);
    await expectSameFeatures(ran, [1, 8, 8]);
  });

  it("several outputs", async () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [6, 5]), net.weight("b1", [5])])]);
    const classes = net.node("Gemm", [hidden, net.weight("wa", [5, 3])]);
    const box = net.node("Gemm", [hidden, net.weight("wb", [5, 4])]);
    const ran = await run(modelFile(net.graph([6], [classes, box])), [6]);
    expectWritten(ran, ["w1", "b1"]);
    await expectSameFeatures(ran, [6]);
  });

  it("an input shape given by the user where the model leaves it open", async () => {
    const net = new TestNetwork();
    const maps = net.node("Relu", [net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3]), net.weight("b1", [4])])]);
    const pooled = net.node("Flatten", [net.node("GlobalAveragePool", [maps])]);
    const graph = net.graph([1, 8, 8], [net.node("Gemm", [pooled, net.weight("w2", [4, 2])])]);
    const open: Graph = { ...graph, inputs: [{ name: "x", type: "float32", shape: ["n", 1, "height", null] }] };
    await expect(run(modelFile(open), [1, 8, 8])).rejects.toThrow(/input x: required .*--input-shape/);
    const ran = await run(modelFile(open), [1, 8, 8], { inputShape: [1, 8, 8] });
    expectWritten(ran, ["w1", "b1"]);
  });

  it("one of several inputs", async () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [6, 5]), net.weight("b1", [5])])]);
    const joined = net.node("Concat", [hidden, "age"], { axis: 1 });
    const graph = net.graph([6], [net.node("Gemm", [joined, net.weight("w2", [6, 2])])]);
    const two: Graph = {
      ...graph,
      inputs: [...graph.inputs, { name: "age", type: "float32", shape: ["batch", 1] }],
    };
    await expect(run(modelFile(two), [6])).rejects.toThrow(
      /one input that takes the samples.*Choose one with --input NAME/,
    );
    const ran = await run(modelFile(two), [6], { input: "x", features: hidden });
    expectWritten(ran, ["w1", "b1"]);
    expect(sizeOf(ran.result.run.model.sampleShape)).toBe(6);
    // Without a name F ends where the other input comes in.
    const found = await run(modelFile(two), [6], { input: "x" });
    expect(found.result.run.model.features).toBe(hidden);
    expectWritten(found, ["w1", "b1"]);
    await expect(run(modelFile(two), [6], { input: "x", features: joined })).rejects.toThrow(
      /required values that depend on the input x alone, got some that need the input age too/,
    );
  });
});

it("trains the encoder of a network that enlarges its maps again, from PyTorch's weights, and leaves the decoder", async () => {
  const net = new MapNetwork();
  const { last } = smallUnet(net, (from) => net.enlarged(from));
  const network = net.graph([1, 16, 16], [net.convolution(last, "head", 4, 2)]);
  const notes: string[] = [];
  const ran = await run(modelFile(network), [1, 16, 16], {
    recipe: "default",
    onEvent: (event) => {
      if (event.type === "note") notes.push(event.message);
    },
  });
  expectWritten(ran, ["encoder.0", "encoder.1"]);
  const { recipe: used } = JSON.parse(readFileSync(ran.path("run/run.json"), "utf8"));
  expect(used).toMatchObject({ name: "rotation", start: "pytorch-default", principalComponents: "none" });
  expect(notes.join("\n")).toMatch(/F ends in front of that/);
  expect(notes.join("\n")).toMatch(
    /a decoder follows F, for which the recipe default is rotation from PyTorch's weights/,
  );
});
