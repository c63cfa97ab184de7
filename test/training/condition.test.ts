import { describe, expect, it } from "vitest";
import type { Network } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { conditionFeatures } from "../../src/training/condition.js";
import type { HeadStart } from "../../src/training/head-start.js";
import { activationStatistics } from "../../src/training/probe.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const options = { threads: 1 };
const samples = 48;

function badlyScaled(weights: Weights): Weights {
  return new Map(
    [...weights].map(([name, values]) => [name, /weight$/.test(name) ? values.map((v) => 7 * v) : values]),
  );
}

describe.each([
  ["mlp", [12], "sigmoid"],
  ["cnn", [1, 8, 8], "relu"],
  ["cnn1d", [2, 16], "tanh"],
] as const)("conditionFeatures on the %s", (template, inputShape, activation) => {
  const network = toyNetwork({ template, inputShape, widths: [6, 5], activation });
  const features = featureExtractor(network);
  const dataset = toyDataset(inputShape, samples);
  const start = badlyScaled(initialWeights(network, "he", 0));

  it("gives every unit mean 0 and deviation 1", async () => {
    const settings = { spectrumExponent: null, scale: "unit", samples } as const;
    const before = start.get(features.layers[0].weight.name)!.slice();
    const { weights, records } = await conditionFeatures(features, start, dataset, settings, 0, options);
    expect(records.map(({ weight }) => weight)).toEqual(features.layers.map(({ weight }) => weight.name));
    expect(start.get(features.layers[0].weight.name)).toEqual(before);
    for (const { mean, standardDeviation } of await activationStatistics(features, weights, dataset, 0, options)) {
      expect(mean).toBeCloseTo(0, 1);
      expect(Math.abs(standardDeviation - 1)).toBeLessThan(0.1);
    }
  });

  it("opens units in front of ReLU alone, where that is asked for", async () => {
    const settings = { spectrumExponent: null, scale: "unit", samples, openness: 2 } as const;
    const { weights } = await conditionFeatures(features, start, dataset, settings, 0, options);
    for (const { mean, standardDeviation } of await activationStatistics(features, weights, dataset, 0, options)) {
      expect(mean).toBeCloseTo(activation === "relu" ? 2 : 0, 1);
      expect(Math.abs(standardDeviation - 1)).toBeLessThan(0.1);
    }
  });

  it("leaves weights alone where nothing is asked for", async () => {
    const settings = { spectrumExponent: null, scale: "none", samples } as const;
    const { weights, records } = await conditionFeatures(features, start, dataset, settings, 0, options);
    expect(weights).toEqual(start);
    expect(records).toEqual([]);
  });
});

describe("conditionFeatures", () => {
  it("opens deep chains of dense layers with ReLU where openness is auto, and nothing else", async () => {
    const meansOf = async (depth: number, activation: "relu" | "tanh", template: "mlp" | "cnn" = "mlp") => {
      const inputShape = template === "mlp" ? [12] : [1, 16, 16];
      const network = toyNetwork({ template, inputShape, widths: Array.from({ length: depth }, () => 6), activation });
      const features = featureExtractor(network);
      const dataset = toyDataset(inputShape, samples);
      const settings = { spectrumExponent: null, scale: "unit", samples, openness: "auto" } as const;
      const start = initialWeights(network, "he", 0);
      const { weights } = await conditionFeatures(features, start, dataset, settings, 0, options);
      const found = await activationStatistics(features, weights, dataset, 0, options);
      return found.map(({ mean, standardDeviation }) => [mean, standardDeviation]);
    };
    // Two deviations of features that are a fifth as large.
    for (const [mean, deviation] of await meansOf(8, "relu")) {
      expect(mean).toBeCloseTo(0.4, 1);
      expect(deviation).toBeCloseTo(0.2, 1);
    }
    for (const others of [await meansOf(7, "relu"), await meansOf(8, "tanh"), await meansOf(8, "relu", "cnn")])
      for (const [mean, deviation] of others) {
        expect(mean).toBeCloseTo(0, 1);
        expect(deviation).toBeGreaterThan(0.85);
      }
  });

  it("makes features of the size that is asked for, whatever the head, and of the gain beside it", async () => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6, 5] });
    const features = featureExtractor(network);
    const start = initialWeights(network, "he", 0);
    const first = features.layers[0].weight.name;
    const factorOf = async (head: HeadStart | undefined) => {
      const settings = { spectrumExponent: null, scale: "none", samples, size: 0.25, gain: 2 } as const;
      const dataset = toyDataset([12], samples);
      const conditioning = { ...options, ...(head ? { head } : {}) };
      const { weights } = await conditionFeatures(features, start, dataset, settings, 0, conditioning);
      // The head is among the weights of a study, too, and no part of F.
      const own = new Set(features.parameters.map(({ name }) => name));
      const others = [...start.keys()].filter((name) => !own.has(name));
      expect(others).toHaveLength(2);
      for (const name of others) expect(weights.get(name)).toEqual(start.get(name));
      return weights.get(first)![0] / start.get(first)![0];
    };
    expect(await factorOf(undefined)).toBeCloseTo(0.25, 6);
    expect(await factorOf("class-means")).toBeCloseTo(0.5, 6);
  });

  it("multiplies the first layer by the gain for a head from class means, and says where that would not do", async () => {
    const settings = { spectrumExponent: null, scale: "none", samples, gain: 2 } as const;
    const conditioned = async (activation: "relu" | "tanh", head?: HeadStart) => {
      const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6, 5], activation });
      const features = featureExtractor(network);
      const start = initialWeights(network, "he", 0);
      const first = features.layers[0].weight.name;
      const result = await conditionFeatures(features, start, toyDataset([12], samples), settings, 0, {
        ...options,
        ...(head ? { head } : {}),
      });
      return { ...result, first, start: start.get(first)! };
    };
    const relu = await conditioned("relu", "class-means");
    expect(relu.weights.get(relu.first)).toEqual(relu.start.map((value) => 2 * value));
    expect(relu.records).toEqual([]);
    const tanh = await conditioned("tanh", "class-means");
    expect(tanh.weights.get(tanh.first)).toEqual(tanh.start);
    expect(tanh.records).toEqual([
      { weight: tanh.first, dead: 0, capped: 0, skipped: expect.stringMatching(/gain would change what F computes/) },
    ]);
    for (const head of [undefined, "zero"] as const) {
      const other = await conditioned("relu", head);
      expect(other.weights.get(other.first)).toEqual(other.start);
    }
  });

  it("leaves weights as they were trained, but for the gain, under heads from labels where scaling is for drawn ones", async () => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6, 5] });
    const features = featureExtractor(network);
    const dataset = toyDataset([12], samples);
    const start = badlyScaled(initialWeights(network, "he", 0));
    const settings = { spectrumExponent: 0.5, scale: "unit", openness: 2, samples, gain: 3 } as const;
    const conditioned = async (drawnHeadsOnly: boolean, head?: HeadStart) => {
      const conditioning = { ...options, ...(head ? { head } : {}) };
      const { weights } = await conditionFeatures(
        features,
        start,
        dataset,
        { ...settings, drawnHeadsOnly },
        0,
        conditioning,
      );
      return weights;
    };
    const justGain = { spectrumExponent: null, scale: "none", samples, gain: 3 } as const;
    for (const head of ["class-means", "linear-discriminant", "self-training"] as const) {
      const multiplied = await conditionFeatures(features, start, dataset, justGain, 0, { ...options, head });
      expect(await conditioned(true, head)).toEqual(multiplied.weights);
      expect(await conditioned(false, head)).not.toEqual(multiplied.weights);
    }
    for (const head of [undefined, "zero"] as const)
      expect(await conditioned(true, head)).toEqual(await conditioned(false, head));
  });

  it("scales whole layers where a table has one-hot columns", async () => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6] });
    const features = featureExtractor(network);
    const plain = toyDataset([12], samples);
    const settings = { spectrumExponent: null, scale: "auto", samples } as const;
    const start = badlyScaled(initialWeights(network, "he", 0));
    const name = features.layers[0].weight.name;
    const ratios = async (dataset: typeof plain): Promise<number[]> => {
      const { weights } = await conditionFeatures(features, start, dataset, settings, 0, options);
      return Array.from(weights.get(name)!, (value, index) => value / start.get(name)![index]);
    };
    const byLayer = await ratios({ ...plain, oneHotGroups: [{ start: 0, end: 2 }] });
    const byUnit = await ratios(plain);
    expect(Math.max(...byLayer) / Math.min(...byLayer)).toBeCloseTo(1, 4);
    expect(Math.max(...byUnit) / Math.min(...byUnit)).toBeGreaterThan(1.01);
  });

  it("leaves the scale to a batch normalisation that follows", async () => {
    const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" });
    const features = featureExtractor(network);
    const start = badlyScaled(initialWeights(network, "he", 0));
    const settings = { spectrumExponent: null, scale: "unit", samples } as const;
    const { weights } = await conditionFeatures(features, start, toyDataset([1, 8, 8], samples), settings, 0, options);
    const name = features.layers[0].weight.name;
    expect(weights.get(name)).toEqual(start.get(name));
  });

  it("flattens the spectrum", async () => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6] });
    const features = featureExtractor(network);
    const settings = { spectrumExponent: 0, scale: "none", samples } as const;
    const start = initialWeights(network, "he", 0);
    const { weights } = await conditionFeatures(features, start, toyDataset([12], samples), settings, 0, options);
    const w = weights.get(features.layers[0].weight.name)!;
    const product = (a: number, b: number): number =>
      Array.from({ length: 12 }, (_, i) => w[a * 12 + i] * w[b * 12 + i]).reduce((x, y) => x + y, 0);
    // Orthogonal rows of one length.
    expect(product(0, 1) / product(0, 0)).toBeCloseTo(0, 4);
    expect(product(1, 1) / product(0, 0)).toBeCloseTo(1, 4);
  });

  it.each([
    ["sigmoid", true],
    ["tanh", true],
    ["relu", false],
    ["gelu", false],
  ] as const)("flattens the spectrum in front of %s by itself: %s", async (activation, isFlat) => {
    const network = toyNetwork({ template: "mlp", inputShape: [12], widths: [6], activation });
    const features = featureExtractor(network);
    const settings = { spectrumExponent: "auto", scale: "none", samples } as const;
    const start = initialWeights(network, "he", 0);
    const { weights } = await conditionFeatures(features, start, toyDataset([12], samples), settings, 0, options);
    const { name } = features.layers[0].weight;
    const w = weights.get(name)!;
    const product = (a: number, b: number): number =>
      Array.from({ length: 12 }, (_, i) => w[a * 12 + i] * w[b * 12 + i]).reduce((x, y) => x + y, 0);
    if (!isFlat) expect(w).toEqual(start.get(name));
    else {
      expect(product(0, 1) / product(0, 0)).toBeCloseTo(0, 4);
      expect(product(1, 1) / product(0, 0)).toBeCloseTo(1, 4);
    }
  });
});

describe("conditionFeatures on layers whose matrices lie in one tensor", () => {
  /** Two layers side by side, from rows of one weight and parts of a bias, which may be their own. */
  function stacked(op: "Slice" | "Split", ownBiases: boolean): Network {
    const net = new TestNetwork();
    const parts = (name: string): readonly string[] => {
      if (op === "Slice")
        return [
          [0, 3],
          [-5, 99],
        ].map(([start, end]) => net.node(op, [name, net.ints([start]), net.ints([end]), net.ints([0])]));
      const first = net.node(op, [name, net.ints([3, 5])], { axis: 0 }, 2);
      return [first, `${first}:1`];
    };
    const weights = parts(net.weight("w", [8, 12]));
    const biases = ownBiases ? [net.weight("b0", [3]), net.weight("b1", [5])] : parts(net.weight("b", [8]));
    const sides = weights.map((weight, index) => {
      const turned = net.node("Transpose", [weight], { perm: [1, 0] });
      return net.node("Relu", [net.node("Add", [net.node("MatMul", ["x", turned]), biases[index]])]);
    });
    const joined = net.node("Concat", sides, { axis: 1 });
    return net.build([12], net.node("Gemm", [joined, net.weight("head", [8, 2])]));
  }

  it.each([
    ["Slice", false],
    ["Split", false],
    ["Split", true],
  ] as const)("by %s, biases of their own: %s: gives every unit mean 0 and deviation 1", async (op, ownBiases) => {
    const network = stacked(op, ownBiases);
    const features = featureExtractor(network);
    const dataset = toyDataset([12], samples);
    const start = initialWeights(network, "he", 0);
    start.set(
      "w",
      start.get("w")!.map((value) => 7 * value),
    );
    const before = start.get("w")!.slice();
    const settings = { spectrumExponent: null, scale: "unit", samples } as const;
    const { weights, records } = await conditionFeatures(features, start, dataset, settings, 0, options);
    expect(records.map(({ weight }) => weight)).toEqual(["w[0:3]", "w[3:8]"]);
    expect(start.get("w")).toEqual(before);
    const statistics = await activationStatistics(features, weights, dataset, 0, options);
    expect(statistics).toHaveLength(2);
    for (const { mean, standardDeviation } of statistics) {
      expect(mean).toBeCloseTo(0, 1);
      expect(Math.abs(standardDeviation - 1)).toBeLessThan(0.1);
    }
  });
});
