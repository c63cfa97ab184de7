import { describe, expect, it } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import type { Graph, Node } from "../../src/graph/graph.js";
import { exportWarnings } from "../../src/library/export-warnings.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { normalTensor } from "../support/run-graph.js";

const folding = { modules: [""], moduleClass: "", operation: "", arguments: [], isFolded: true };

/** Two convolutions and a head; the names of the convolutions' tensors are given. */
function warningsOf(names: readonly string[], folded: readonly string[] = []): string[] {
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

  it("names what the file says was folded, whatever its names", () => {
    expect(warningsOf(own, ["b"])).toEqual([expect.stringMatching(/into 1 of F's layers \(conv2\.weight\)/)]);
  });

  it("names vectors that stand for several", () => {
    const merged = warningsOf(["conv1.weight", "conv1.bias", "conv2.weight", "conv1.bias"]);
    expect(merged).toEqual([
      expect.stringMatching(/merged tensors that were equal \(conv1\.bias stands for several\)/),
    ]);
  });
});
