import { describe, expect, it } from "vitest";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { evaluate } from "../../src/training/evaluate.js";
import { multiplyFeatures } from "../../src/training/feature-gain.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";

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
  ] as const)("multiplies the features of the %s of %s by the gain (%s)", async (template, inputShape, activation) => {
    const network = toyNetwork({ template, inputShape, widths: [6, 5, 4], activation });
    const features = featureExtractor(network);
    const own = new Set(features.parameters.map(({ name }) => name));
    const start: Weights = new Map([...drawn(network)].filter(([name]) => own.has(name)));
    const changed = multiplyFeatures(features, start, 3);
    expect(changed).toBeDefined();
    const dataset = toyDataset(inputShape, 10);
    const of = async (weights: Weights): Promise<Float32Array> => {
      const whole = new Map([...drawn(network), ...weights]);
      return (await evaluate(network, features.feature, whole, dataset, rows, { threads: 1 })).data;
    };
    const [before, after] = [await of(start), await of(changed ?? start)];
    expect(before.some((value) => value > 0.01)).toBe(true);
    before.forEach((value, index) => {
      expect(after[index]).toBeCloseTo(3 * value, 4);
    });
    for (const { weight } of features.layers.slice(1))
      expect(changed?.get(weight.name)).toEqual(start.get(weight.name));
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
