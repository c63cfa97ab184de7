import { describe, expect, it, test } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import type { Graph, Node } from "../../src/graph/graph.js";
import { computedWeightsWarning, exportWarnings, keptTensorsNote } from "../../src/library/export-warnings.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { newClassifier } from "../../src/recipe/new-network.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const folding = { modules: [""], moduleClass: "", operation: "", arguments: [], isFolded: true, hasKeywords: false };

/** Two convolutions and a head; the names of the convolutions' tensors are given. */
function warningsOf(names: readonly string[], folded: readonly string[] = [], file: Partial<ModelFile> = {}): string[] {
  const [first, firstBias, second, secondBias] = names;
  const node = (op: string, inputs: string[], output: string): Node => {
    return { op, domain: "", name: output, inputs, outputs: [output], attributes: {} };
  };
  const graph: Graph = {
    name: "test",
    inputs: [{ name: "x", type: "float32", shape: ["batch", 4, 2, 2] }],
    outputs: [{ name: "y", type: "float32", shape: null }],
    initializers: new Map([
      [first, normalTensor("first", [4, 4, 1, 1])],
      [firstBias, normalTensor("first bias", [4])],
      [second, normalTensor("second", [4, 4, 1, 1])],
      [secondBias, normalTensor("second bias", [4])],
      ["head", normalTensor("head", [16, 3])],
    ]),
    nodes: [
      node("Conv", ["x", first, firstBias], "a"),
      node("Conv", ["a", second, secondBias], "b"),
      node("Flatten", ["b"], "features"),
      node("MatMul", ["features", "head"], "y"),
    ],
  };
  const model: ModelFile = {
    format: "onnx",
    graph,
    opset: 20,
    producer: "pytorch",
    origins: new Map(folded.map((output) => [output, folding])),
    asStored: (_, tensor) => tensor,
    write: async () => new Map(),
    ...file,
  };
  const network = analyzeNetwork(graph, { where: "m.onnx" });
  return exportWarnings({ path: "m.onnx", model, network, hash: "" }, featureExtractor(network));
}

const own = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"];

describe("exportWarnings", () => {
  it("says nothing where every tensor is as the framework has it", () => {
    expect(warningsOf(own)).toEqual([]);
  });

  it("names what was renamed and folded by the TorchScript exporter", () => {
    const [renamed, folded, ...more] = warningsOf(["onnx::Conv_1", "onnx::Conv_2", "conv2.weight", "conv2.bias"]);
    expect(renamed).toMatch(/renamed 2 of F's weights \(onnx::Conv_1, onnx::Conv_2\).*optimize=False/);
    expect(folded).toMatch(/folded batch normalisation into 1 of F's layers \(onnx::Conv_1\)/);
    expect(more).toEqual([]);
  });

  it("says what to do once, however much has changed", () => {
    const warnings = warningsOf(["onnx::Conv_1", "onnx::Conv_2", "conv2.weight", "onnx::Conv_2"]);
    expect(warnings).toHaveLength(3);
    expect(warnings.map((warning) => warning.includes("optimize=False"))).toEqual([true, false, false]);
  });

  it("names what the file says was folded, whatever its names", () => {
    expect(warningsOf(own, ["b"])).toEqual([expect.stringMatching(/into 1 of F's layers \(conv2\.weight\)/)]);
  });

  it("says where a tensor was computed for the fixed batch", () => {
    const net = new TestNetwork();
    const tokens = net.node("MatMul", ["x", net.weight("fc.weight", [4, 4])]);
    const joined = net.node("Concat", [net.weight("expand", [2, 1, 4]), tokens], { axis: 1 });
    const graph = net.graph([3, 4], [net.node("MatMul", [joined, net.weight("head.weight", [4, 2])])], 2);
    const origin = {
      modules: [""],
      moduleClass: "",
      operation: "aten.linear.default",
      isFolded: false,
      hasKeywords: false,
    };
    const model: ModelFile = {
      format: "onnx",
      graph,
      opset: 20,
      producer: "pytorch",
      origins: new Map([[tokens, { ...origin, arguments: ["%x", "%p_fc_weight"] }]]),
      asStored: (_, tensor) => tensor,
      write: async () => new Map(),
    };
    const network = analyzeNetwork(graph, { where: "m.onnx" });
    expect(exportWarnings({ path: "m.onnx", model, network, hash: "" }, featureExtractor(network))).toEqual([
      expect.stringMatching(/\(expand\).* expand seems to have been computed for the fixed batch of 2.*dynamic_shapes/),
    ]);
  });

  it("knows files that come from Keras, and takes what Keras' own files share for meant", () => {
    const shared = ["conv1.weight", "conv1.bias", "conv2.weight", "conv1.bias"];
    const [keras, ...others] = warningsOf(shared, [], { producer: "tf2onnx 1.16" });
    expect(keras).toMatch(/give headstart the model's own \.keras or \.h5 file/);
    expect(others).toEqual([expect.stringMatching(/conv1\.bias stands for several/)]);
    expect(warningsOf(shared, [], { producer: "Keras 3.13", format: "keras" })).toEqual([]);
  });

  it("knows files of jax2onnx, whose weights have their names where they are the function's inputs", () => {
    const shared = ["Conv_0/kernel", "Conv_0/bias", "Conv_1/kernel", "Conv_0/bias"];
    const jax = { producer: "jax2onnx 0.17.1", origins: new Map() };
    expect(warningsOf(shared, [], { ...jax, jaxWeights: new Set(shared) })).toEqual([]);
    expect(warningsOf(["const_1", "const_2", "const_3", "const_4"], [], { ...jax, jaxWeights: new Set() })).toEqual([
      expect.stringMatching(/renamed 4 of F's weights \(const_1, .*In JAX, export a function .* of every weight/),
    ]);
  });

  it("names vectors that stand for several", () => {
    const merged = warningsOf(["conv1.weight", "conv1.bias", "conv2.weight", "conv1.bias"]);
    expect(merged).toEqual([
      expect.stringMatching(/merged tensors that were equal \(conv1\.bias stands for several\)/),
    ]);
  });
});

test("exportWarnings names what was computed from F's weights and does not follow them", () => {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("MatMul", ["x", net.weight("enc.weight", [4, 5])])]);
  const graph = net.graph([4], [net.node("MatMul", [hidden, net.weight("div", [5, 4])])]);
  const [network, producer] = [analyzeNetwork(graph, { where: "m.onnx" }), "pytorch"];
  const asStored: ModelFile["asStored"] = (_, tensor) => tensor;
  const model: ModelFile = { format: "onnx", graph, opset: 20, producer, asStored, write: async () => new Map() };
  const of = (source: string): string[] =>
    exportWarnings(
      { path: "m.onnx", model, network, hash: "", foldedFrom: new Map([["div", ["val_1", source]]]) },
      featureExtractor(network),
    );
  expect(of("enc.weight")).toEqual([
    expect.stringMatching(/has computed div from weights of F, and it stays as it is .*optimize=False/),
  ]);
  expect(of("fc.weight")).toEqual([]);
});

describe("computedWeightsWarning", () => {
  it("says nothing of the ones and zeros within a group normalisation", () => {
    const graph = newClassifier({ template: "cnn", inputShape: [1, 8, 8], classes: 2, normalization: "group" });
    expect(computedWeightsWarning(featureExtractor(analyzeNetwork(graph, { where: "m.onnx" })))).toBeUndefined();
  });

  /** A layer with this weight, another layer, and a head. */
  function warningOf(weightIn: (net: TestNetwork) => string): string | undefined {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("MatMul", ["x", weightIn(net)])]);
    const features = net.node("Relu", [net.node("MatMul", [hidden, net.weight("second", [4, 4])])]);
    const graph = net.graph([4], [net.node("MatMul", [features, net.weight("head", [4, 2])])]);
    return computedWeightsWarning(featureExtractor(analyzeNetwork(graph, { where: "m.onnx" })));
  }

  it("says nothing of weights that are stored, in whatever form", () => {
    expect(warningOf((net) => net.node("Transpose", [net.weight("w", [4, 4])], { perm: [1, 0] }))).toBeUndefined();
  });

  it("names layers whose weight is computed, behind a transposition too", () => {
    const computed = (net: TestNetwork) => net.node("Mul", [net.weight("g", [4, 1]), net.weight("v", [4, 4])]);
    const message = /^The weights of 1 of F's layers \(matmul\d\) are computed from other tensors/;
    expect(warningOf(computed)).toMatch(message);
    expect(warningOf((net) => net.node("Transpose", [computed(net)], { perm: [1, 0] }))).toMatch(message);
  });

  it("names what else is left as it is, but not what is known to be a constant", () => {
    const net = new TestNetwork();
    const centred = net.node("Sub", ["x", net.weight("means", [4])]);
    const features = net.node("Relu", [net.node("MatMul", [centred, net.weight("w", [4, 4])])]);
    const graph = net.graph([4], [net.node("MatMul", [features, net.weight("head", [4, 2])])]);
    const of = (constants: readonly string[]) =>
      computedWeightsWarning(
        featureExtractor(analyzeNetwork(graph, { where: "m.onnx", constants: new Set(constants) })),
      );
    expect(of([])).toMatch(/^1 of F's tensors stays as in the file, .*\(means\)\.$/);
    expect(of(["means"])).toBeUndefined();
  });

  it("says nothing of weights that were asked to stay", () => {
    const net = new TestNetwork();
    const frozen = net.node("Relu", [net.node("MatMul", ["x", net.weight("first", [4, 4])])]);
    const features = net.node("Relu", [net.node("MatMul", [frozen, net.weight("second", [4, 4])])]);
    const graph = net.graph([4], [net.node("MatMul", [features, net.weight("head", [4, 2])])]);
    const network = analyzeNetwork(graph, { where: "m.onnx", frozen });
    expect(computedWeightsWarning(featureExtractor(network))).toMatch(/^1 of F's tensors stays .*\(first\)\.$/);
    expect(computedWeightsWarning(featureExtractor(network), frozen)).toBeUndefined();
  });
});

test("keptTensorsNote names weights of frozen layers, and nothing that a Keras file does not store", () => {
  const net = new TestNetwork();
  const shifted = net.node("Add", ["x", net.weight("rescaling/shift", [4])]);
  const features = net.node("Relu", [net.node("MatMul", [shifted, net.weight("frozen/kernel", [4, 4])])]);
  const hidden = net.node("Relu", [net.node("MatMul", [features, net.weight("hidden/kernel", [4, 4])])]);
  const graph = net.graph([4], [net.node("MatMul", [hidden, net.weight("head/kernel", [4, 2])])]);
  const constants = new Set(["rescaling/shift", "frozen/kernel"]);
  const network = analyzeNetwork(graph, { where: "m.keras", constants });
  const model: ModelFile = {
    format: "keras",
    graph,
    opset: 20,
    producer: "Keras 3",
    constants,
    asStored: (name, tensor) => (name.endsWith("kernel") ? { ...tensor } : tensor),
    write: async () => new Map(),
  };
  expect(keptTensorsNote({ path: "m.keras", model, network, hash: "" }, featureExtractor(network))).toMatch(
    /^1 of F's tensors stays .* not trainable, .* \(frozen\/kernel\)\.$/,
  );
});

test("keptTensorsNote names constants of JAX, and no numbers of the exporter", () => {
  const net = new TestNetwork();
  const shifted = net.node("Add", ["x", net.weight("const_3", [4])]);
  const scaled = net.node("Mul", [shifted, net.weight("const_4", [1])]);
  const hidden = net.node("Relu", [net.node("MatMul", [scaled, net.weight("params/Dense_0/kernel", [4, 4])])]);
  const graph = net.graph([4], [net.node("MatMul", [hidden, net.weight("params/Dense_1/kernel", [4, 2])])]);
  const constants = new Set(["const_3", "const_4"]);
  const jaxWeights = new Set(["params/Dense_0/kernel", "params/Dense_1/kernel"]);
  const network = analyzeNetwork(graph, { where: "m.onnx", constants });
  const model: ModelFile = {
    format: "onnx",
    graph,
    opset: 23,
    producer: "jax2onnx 0.17.1",
    constants,
    jaxWeights,
    asStored: (_, tensor) => tensor,
    write: async () => new Map(),
  };
  expect(keptTensorsNote({ path: "m.onnx", model, network, hash: "" }, featureExtractor(network))).toBe(
    "1 of F's tensors stays as in the file, being no weights of the tree that was exported (const_3).",
  );
});

test("keptTensorsNote names buffers and computed tables of PyTorch, and no axes or numbers of the exporter", () => {
  const net = new TestNetwork();
  const shifted = net.node("Add", ["x", net.weight("val_9", [4])]);
  const pooled = net.node("ReduceMean", [shifted, net.ints([1])], { keepdims: 1 });
  const chosen = net.node("Gather", [net.node("Add", [shifted, pooled]), net.ints([0, 1, 2, 3])], { axis: 1 });
  const hidden = net.node("Relu", [net.node("MatMul", [chosen, net.weight("hidden.weight", [4, 4])])]);
  const built = net.graph([4], [net.node("MatMul", [hidden, net.weight("head.weight", [4, 2])])]);
  const [axes, indices] = built.nodes.flatMap(({ op, inputs }) => (/ReduceMean|Gather/.test(op) ? [inputs[1]] : []));
  const names = new Map([
    [axes, "val_3"],
    [indices, "body.index"],
  ]);
  const named = (name: string): string => names.get(name) ?? name;
  const graph: Graph = {
    ...built,
    initializers: new Map([...built.initializers].map(([name, tensor]) => [named(name), tensor])),
    nodes: built.nodes.map((node) => ({ ...node, inputs: node.inputs.map(named) })),
  };
  const constants = new Set(["val_3", "val_9", "body.index"]);
  const network = analyzeNetwork(graph, { where: "m.onnx", constants });
  const asStored: ModelFile["asStored"] = (_, tensor) => tensor;
  const common = { format: "onnx", opset: 20, producer: "pytorch", asStored, write: async () => new Map() } as const;
  const opened = { path: "m.onnx", model: { ...common, graph, constants }, network, hash: "" };
  expect(keptTensorsNote(opened, featureExtractor(network))).toMatch(
    /^2 of F's tensors stay .* in PyTorch \(val_9, body\.index\)\.$/,
  );
});
