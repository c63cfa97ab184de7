import { expect, it } from "vitest";
import { outputsNote } from "../../src/library/outputs-note.js";
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
  expect(outputsNote(two.features, undefined)).toContain(`first output is ${two.heads[0]}, beside ${two.heads[1]}:`);
  expect(outputsNote(two.features, two.features.feature)).toBeUndefined();
  expect(outputsNote(withHeads(5).features, undefined)).toContain("beside 4 others:");
  expect(outputsNote(withHeads(1).features, undefined)).toBeUndefined();
});
