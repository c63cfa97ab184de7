import { describe, expect, it } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import type { PytorchOrigin } from "../../src/formats/pytorch-origin.js";
import { attribute, type Node } from "../../src/graph/graph.js";
import { recurrentNode } from "../../src/graph/recurrent-node.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { rewrittenTensors } from "../../src/library/rewritten-export.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { normalTensor } from "../support/run-graph.js";

const origin: PytorchOrigin = {
  modules: [""],
  moduleClass: "",
  operation: "",
  arguments: [],
  isFolded: false,
  hasKeywords: false,
};

const node = (op: string, name: string, inputs: readonly string[], output: string): Node => {
  return { op, domain: "", name, inputs, outputs: [output], attributes: {} };
};

/** What is found in a network of pictures of [4, 2, 2] whose last value is flattened for a dense layer. */
function foundIn(
  nodes: readonly Node[],
  vectors: readonly string[],
  noted: readonly string[] = [],
  tensors: Readonly<Record<string, Tensor>> = {},
): string[] {
  const weights = nodes.flatMap(({ op, inputs }) => (op === "Conv" ? [inputs[1]] : []));
  const initializers = new Map<string, Tensor>([
    ...weights.map((name): [string, Tensor] => [name, normalTensor(name, [4, 4, 1, 1])]),
    ...vectors.map((name): [string, Tensor] => [
      name,
      floatTensor(new Float32Array(name === "scale" ? 16 : 4).fill(1)),
    ]),
    ["linear.weight", normalTensor("linear", [16, 16])],
    ["head.weight", normalTensor("head", [16, 3])],
    ...Object.entries(tensors),
  ]);
  const graph = {
    name: "test",
    inputs: [{ name: "x", type: "float32" as const, shape: ["batch", 4, 2, 2] }],
    outputs: [{ name: "y", type: "float32" as const, shape: null }],
    initializers,
    nodes: [
      ...nodes,
      node("Flatten", "node_flatten", [nodes.at(-1)?.outputs[0] ?? ""], "flat"),
      node("MatMul", "node_head", ["flat", "head.weight"], "y"),
    ],
  };
  const model: ModelFile = {
    format: "onnx",
    graph,
    opset: 20,
    producer: "pytorch",
    origins: new Map(noted.map((output) => [output, origin])),
    asStored: (_, tensor) => tensor,
    write: async () => new Map(),
  };
  const where = "m.onnx";
  const network = analyzeNetwork(unrollRecurrences(graph, 20, { where }).graph, { where });
  return rewrittenTensors(model, featureExtractor(network));
}

describe("rewrittenTensors", () => {
  it.each([
    ["onnxslim", "getitem_weight", "getitem_bias"],
    ["onnxslim, of an optimised export", "conv.weight", "conv.weight_bias"],
    ["ONNX Runtime", "ConvBnFusion_W_conv.weight", "ConvBnFusion_BN_B_norm.bias"],
  ])("knows the names that %s gives what it has folded", (_, weight, bias) => {
    const found = foundIn([node("Conv", "node_conv2d", ["x", weight, bias], "getitem")], [bias]);
    expect(found).toEqual([weight, bias].filter((name) => name !== "conv.weight"));
  });

  it("leaves PyTorch's own names alone, and those that the exporter's notes tell of", () => {
    const conv = (bias: string) => [node("Conv", "node_conv2d", ["x", "conv.weight", bias], "conv2d")];
    expect(foundIn(conv("conv.bias"), ["conv.bias"])).toEqual([]);
    expect(foundIn(conv("conv.weight_bias"), ["conv.weight_bias"], ["conv2d"])).toEqual([]);
  });

  it("finds vectors that were merged, but for those of a module that is called again", () => {
    const normalise = (name: string, from: string, statistics: string, output: string): Node =>
      node(
        "BatchNormalization",
        name,
        [from, "n1.weight", "n1.bias", `${statistics}.mean`, `${statistics}.var`],
        output,
      );
    const twice = (first: string, second: string): Node[] => [
      node("Conv", "node_conv2d", ["x", "conv.weight"], "a"),
      normalise("/n1/BatchNormalization", "a", first, "b"),
      normalise("/n2/BatchNormalization", "b", second, "c"),
    ];
    const vectors = ["n1.weight", "n1.bias", "n1.mean", "n1.var", "n2.mean", "n2.var"];
    expect(foundIn(twice("n1", "n2"), vectors)).toEqual(["n1.weight", "n1.bias"]);
    expect(foundIn(twice("n1", "n1"), vectors)).toEqual([]);
    expect(foundIn(twice("n1", "n2"), vectors, ["a", "b", "c"])).toEqual([]);
  });

  it.each([
    ["of two modules", ["/layers.0/norm/Mul", "/layers.1/norm/Mul"], ["scale"]],
    ["of one module", ["/layers/norm/Mul", "/layers_1/norm/Mul"], []],
    ["that may be of two modules", ["node_mul", "node_mul_1"], ["scale"]],
    ["of a file without names", ["", ""], []],
  ])("tells of a vector that is read by nodes %s", (_, [first, second], expected) => {
    const nodes = [
      node("Flatten", "node_view", ["x"], "rows"),
      node("MatMul", "node_linear", ["rows", "linear.weight"], "a"),
      node("LayerNormalization", first, ["a", "scale"], "b"),
      node("LayerNormalization", second, ["b", "scale"], "c"),
    ];
    expect(foundIn(nodes, ["scale"])).toEqual(expected);
  });

  it("takes all positions of a recurrent layer for one reader", () => {
    const directions = [{ inputWeight: "w_ih", stateWeight: "w_hh", inputBias: "b_ih", stateBias: "b_hh" }];
    const layer = recurrentNode({
      op: "GRU",
      name: "/gru/GRU",
      sequence: "turned",
      state: "",
      cell: "",
      directions,
      gates: ["reset", "update", "hidden"],
      attributes: { hidden_size: attribute.int(4) },
      outputs: ["states"],
    });
    const turn = { perm: attribute.ints([1, 0, 2]) };
    const nodes = [
      node("Reshape", "/Reshape", ["x", "sizes"], "sequence"),
      { ...node("Transpose", "/Transpose", ["sequence"], "turned"), attributes: turn },
      layer,
      node("Squeeze", "/Squeeze", ["states", "axis"], "squeezed"),
      { ...node("Transpose", "/Transpose_1", ["squeezed"], "turned_back"), attributes: turn },
    ];
    const tensors = {
      sizes: intTensor([0, 4, 4]),
      axis: intTensor([1]),
      w_ih: normalTensor("w_ih", [12, 4]),
      w_hh: normalTensor("w_hh", [12, 4]),
      b_ih: normalTensor("b_ih", [12]),
      b_hh: normalTensor("b_hh", [12]),
    };
    expect(foundIn(nodes, [], [], tensors)).toEqual([]);
  });
});
