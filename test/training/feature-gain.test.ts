import { describe, expect, it } from "vitest";
import { analyzeNetwork } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { evaluate } from "../../src/training/evaluate.js";
import { multiplyFeatures } from "../../src/training/feature-gain.js";
import { textDataset, toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const rows = Uint32Array.from({ length: 10 }, (_, row) => row);

/** Weights with biases that are not zero. */
function drawn(network: ReturnType<typeof toyNetwork>): Weights {
  return new Map(
    [...initialWeights(network, "he", 0)].map(([name, values]) => [
      name,
      values.map((value, index) => value + 0.1 * Math.sin(index + 1)),
    ]),
  );
}

describe("multiplyFeatures", () => {
  it.each([
    ["mlp", [12], "relu"],
    ["mlp", [12], "leaky-relu"],
    ["cnn", [1, 8, 8], "relu"],
    ["text", [8], "relu"],
  ] as const)("multiplies the features of the %s of %s by the gain (%s)", async (template, inputShape, activation) => {
    const network = toyNetwork({ template, inputShape, widths: [6, 5, 4], activation });
    const features = featureExtractor(network);
    const own = new Set(features.parameters.map(({ name }) => name));
    const start: Weights = new Map([...drawn(network)].filter(([name]) => own.has(name)));
    const changed = multiplyFeatures(features, start, 3);
    expect(changed).toBeDefined();
    const dataset = template === "text" ? textDataset(10) : toyDataset(inputShape, 10);
    const of = async (weights: Weights): Promise<Float32Array> => {
      const whole = new Map([...drawn(network), ...weights]);
      return (await evaluate(network, features.feature, whole, dataset, rows, { threads: 1 })).data;
    };
    const [before, after] = [await of(start), await of(changed ?? start)];
    expect(before.some((value) => value > 0.01)).toBe(true);
    before.forEach((value, index) => {
      expect(after[index]).toBeCloseTo(3 * value, 4);
    });
    for (const { weight } of features.layers.slice(template === "text" ? 0 : 1))
      expect(changed?.get(weight.name)).toEqual(start.get(weight.name));
  });

  it("multiplies those behind a Flatten that PyTorch's exporter has written out, for batches of any size", () => {
    const net = new TestNetwork();
    const batch = net.node("Squeeze", [net.node("Shape", ["x"], { start: 0, end: 1 })]);
    const shape = net.node("Concat", [net.node("Reshape", [batch, net.ints([-1])]), net.ints([12])], { axis: 0 });
    const flat = net.node("Reshape", ["x", shape]);
    const hidden = net.node("Relu", [net.node("Gemm", [flat, net.weight("w1", [12, 6]), net.weight("b1", [6])])]);
    const head = net.node("Gemm", [hidden, net.weight("w2", [6, 3]), net.weight("b2", [3])]);
    const features = featureExtractor(net.build([3, 4], head));
    const start = initialWeights(features.network, "file", 0);
    const multiplied = multiplyFeatures(features, start, 2);
    expect(multiplied?.get("w1")).toEqual(start.get("w1")?.map((value) => 2 * value));
    expect(multiplied?.get("b1")).toEqual(start.get("b1")?.map((value) => 2 * value));
    expect(multiplied?.get("w2")).toEqual(start.get("w2"));
  });

  it("leaves a network alone with a bias that is none of F's parameters", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [5, 6]), net.weight("fixed", [6])])]);
    const head = net.node("Gemm", [hidden, net.weight("w2", [6, 3]), net.weight("b2", [3])]);
    const graph = net.graph([5], [head]);
    const multiplied = (constants: readonly string[]) => {
      const network = analyzeNetwork(graph, { where: "model.onnx", constants: new Set(constants) });
      return multiplyFeatures(featureExtractor(network), initialWeights(network, "file", 0), 2);
    };
    expect(multiplied([])).toBeDefined();
    expect(multiplied(["fixed"])).toBeUndefined();
  });

  it.each([
    ["mlp", [12], "tanh"],
    ["mlp", [12], "sigmoid"],
    ["resnet", [3, 16, 16], "relu"],
  ] as const)("leaves the %s of %s with %s alone", (template, inputShape, activation) => {
    const network = toyNetwork({ template, inputShape, widths: [6, 5, 4], activation });
    expect(multiplyFeatures(featureExtractor(network), initialWeights(network, "he", 0), 2)).toBeUndefined();
  });
});
