import { expect, it } from "vitest";
import { featuresNote } from "../../src/library/features-note.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { TestNetwork } from "../support/write-network.js";

function withHeads(count: number) {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w", [4, 5])])]);
  const heads = Array.from({ length: count }, (_, head) => net.node("Gemm", [hidden, net.weight(`h${head}`, [5, 2])]));
  return { heads, features: featureExtractor(analyzeNetwork(net.graph([4], heads), { where: "model.onnx" })) };
}

it("says in front of which output the features are, where there are several and nobody has named them", () => {
  const two = withHeads(2);
  expect(featuresNote(two.features, undefined)).toContain(`first output is ${two.heads[0]}, beside ${two.heads[1]}:`);
  expect(featuresNote(two.features, two.features.feature)).toBeUndefined();
  expect(featuresNote(withHeads(5).features, undefined)).toContain("beside 4 others:");
  expect(featuresNote(withHeads(1).features, undefined)).toBeUndefined();
});

it("ends F before other inputs come in, and says so", () => {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w", [4, 5])])]);
  const beside = net.node("Relu", [net.node("Gemm", ["meta", net.weight("m", [3, 5])])]);
  const joined = net.node("Concat", [hidden, beside], { axis: 1 });
  const deeper = net.node("Relu", [net.node("Gemm", [joined, net.weight("d", [10, 6])])]);
  const graph = net.graph([4], [net.node("Gemm", [deeper, net.weight("h", [6, 2])])]);
  const meta = { name: "meta", type: "float32", shape: ["batch", 3] } as const;
  const network = analyzeNetwork({ ...graph, inputs: [...graph.inputs, meta] }, { where: "model.onnx", input: "x" });
  const features = featureExtractor(network);
  expect(features.feature).toBe(hidden);
  expect(features.parameters.map(({ name }) => name)).toEqual(["w"]);
  expect(featuresNote(features, undefined)).toContain(`takes meta beside x: F ends at ${hidden}, which needs none`);
});

it("says where F can begin, where other inputs come in before its first layer", () => {
  const net = new TestNetwork();
  const kinds = net.node("Gather", [net.weight("table", [7, 3]), "kind"]);
  const joined = net.node("Concat", ["x", kinds], { axis: 1 });
  const hidden = net.node("Relu", [net.node("Gemm", [joined, net.weight("w", [7, 5])])]);
  const graph = net.graph([4], [net.node("Gemm", [hidden, net.weight("h", [5, 2])])]);
  const kind = { name: "kind", type: "int64", shape: ["batch"] } as const;
  const network = analyzeNetwork({ ...graph, inputs: [...graph.inputs, kind] }, { where: "model.onnx" });
  const note = featuresNote(featureExtractor(network), undefined);
  expect(note).toContain(`takes kind beside x, and joins them in front of F's first layer, at ${joined}: `);
  expect(note).toContain(`--input ${joined}`);
  expect(note).not.toContain("needs none");
});
