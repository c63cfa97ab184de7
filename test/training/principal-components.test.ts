import { describe, expect, it } from "vitest";
import type { Network } from "../../src/ops/network.js";
import { type FeatureExtractor, featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { usualBatch } from "../../src/training/evaluate.js";
import {
  type PrincipalLayers,
  principalLayers,
  startFromPrincipalComponents,
} from "../../src/training/principal-components.js";
import { unitStatisticsOf } from "../../src/training/staged-evaluator.js";
import { barDataset, toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const options = { threads: 1 };
const samples = 200;

function begun(network: Network, dataset: ReturnType<typeof toyDataset>, seed = 0, which: PrincipalLayers = "first") {
  const features = featureExtractor(network);
  const drawn = initialWeights(network, "he", 0);
  return { features, drawn, start: startFromPrincipalComponents(features, drawn, dataset, seed, which, options) };
}

/** An activation, the mean over positions, and a head behind a convolution. */
function classified(net: TestNetwork, convolution: string, units: number, activation = "Relu"): string {
  const pooled = net.node("GlobalAveragePool", [net.node(activation, [convolution])]);
  return net.node("Gemm", [net.node("Flatten", [pooled]), net.weight("h", [units, 2])]);
}

async function firstStatistics(features: FeatureExtractor, weights: Weights, dataset: ReturnType<typeof toyDataset>) {
  const { preActivation } = features.layers[0];
  const indices = Uint32Array.from({ length: samples }, (_, index) => index);
  const measured = await unitStatisticsOf(
    features.network,
    new Map([[preActivation, 1]]),
    weights,
    dataset,
    indices,
    options,
  );
  return measured.get(preActivation)!;
}

describe("startFromPrincipalComponents", () => {
  it.each([
    ["strides", [1, 8, 8], [6, 1, 3, 3], { strides: [2, 2] }],
    ["dilations of which the axes differ", [2, 8, 9], [6, 2, 2, 3], { dilations: [3, 2], strides: [1, 2] }],
    ["one axis", [3, 20], [8, 3, 4], { strides: [3] }],
  ] as const)("reads patches as the convolution does: %s", async (_, sampleShape, weightShape, attributes) => {
    const net = new TestNetwork();
    const conv = net.node("Conv", ["x", net.weight("w", weightShape), net.weight("b", [weightShape[0]])], attributes);
    const network = net.build(sampleShape, classified(net, conv, weightShape[0]));
    const dataset = toyDataset(sampleShape, samples);
    const { features, start } = begun(network, dataset);
    const weights = await start;
    const { mean, std } = await firstStatistics(features, weights, dataset);
    for (const value of mean) expect(Math.abs(value)).toBeLessThan(0.15);
    for (const value of std) expect(Math.abs(value - 1)).toBeLessThan(0.15);
    const half = weights.get("w")!.length / 2;
    for (let at = 0; at < half; at++) expect(weights.get("w")![half + at]).toBeCloseTo(-weights.get("w")![at], 6);
  });

  it("changes the first layer alone, by seed, and not what it was given", async () => {
    const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [6, 5] });
    const dataset = barDataset(samples);
    const { drawn, start } = begun(network, dataset);
    const before = new Map([...drawn].map(([name, values]) => [name, values.slice()]));
    const weights = await start;
    expect(drawn).toEqual(before);
    const changed = [...weights].filter(([name, values]) => values !== drawn.get(name)).map(([name]) => name);
    expect(changed).toEqual(["features.0.weight", "features.0.bias"]);
    expect(await begun(network, dataset).start).toEqual(weights);
    expect((await begun(network, dataset, 1).start).get("features.0.weight")).not.toEqual(
      weights.get("features.0.weight"),
    );
  });

  it("gives no component twice in front of tanh", async () => {
    const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [6, 5], activation: "tanh" });
    const { features, start } = begun(network, barDataset(samples));
    const weight = (await start).get("features.0.weight")!;
    const size = weight.length / 6;
    const unit = (index: number) => weight.subarray(index * size, (index + 1) * size);
    for (let a = 0; a < 6; a++)
      for (let b = 0; b < a; b++) {
        const product = unit(a).reduce((sum, value, at) => sum + value * unit(b)[at], 0);
        expect(Math.abs(product)).toBeLessThan(1e-4 * Math.hypot(...unit(a)) * Math.hypot(...unit(b)));
      }
    for (const which of ["first", "auto"] as const)
      expect(principalLayers(features, which).map(({ weight }) => weight.name)).toEqual(["features.0.weight"]);
  });

  it("leaves networks alone that begin with another layer, or a convolution in groups, of single positions or without an activation", async () => {
    const withConvolution = (
      weightShape: readonly number[],
      attributes: { group?: number },
      next = "Relu",
      channels = 2,
    ) => {
      const net = new TestNetwork();
      const conv = net.node("Conv", ["x", net.weight("w", weightShape)], attributes);
      return net.build([channels, 8, 8], classified(net, conv, 4, next));
    };
    const dense = toyNetwork({ template: "mlp", inputShape: [12], widths: [6, 5] });
    const cases = [
      [dense, toyDataset([12], samples)],
      [withConvolution([4, 2, 1, 1], {}), toyDataset([2, 8, 8], samples)],
      [withConvolution([4, 2, 3, 3], {}, "Neg"), toyDataset([2, 8, 8], samples)],
      [withConvolution([4, 2, 3, 3], { group: 2 }, "Relu", 4), toyDataset([4, 8, 8], samples)],
      [withConvolution([4, 1, 3, 3], { group: 2 }), toyDataset([2, 8, 8], samples)],
    ] as const;
    for (const [network, dataset] of cases) {
      const { features, drawn, start } = begun(network, dataset);
      expect(principalLayers(features, "first")).toEqual([]);
      expect(await start).toBe(drawn);
    }
  });

  it("starts all convolutions one after another, each from what the layers in front make of the samples", async () => {
    const net = new TestNetwork();
    const layer = (input: string, name: string, shape: readonly number[], attributes = {}) =>
      net.node("Relu", [
        net.node("Conv", [input, net.weight(name, shape), net.weight(`${name}.b`, [shape[0]])], attributes),
      ]);
    const first = layer("x", "a", [6, 1, 3, 3]);
    const grouped = layer(first, "b", [6, 1, 3, 3], { group: 6 });
    const pointwise = layer(grouped, "c", [8, 6, 1, 1]);
    const last = layer(pointwise, "d", [10, 8, 2, 2]);
    const pooled = net.node("Flatten", [net.node("GlobalAveragePool", [last])]);
    const network = net.build([1, 8, 8], net.node("Gemm", [pooled, net.weight("h", [10, 2])]));
    const dataset = barDataset(samples);
    const { features, start } = begun(network, dataset, 0, "all");
    const names = ["a", "b", "c", "d"];
    expect(principalLayers(features, "all").map(({ weight }) => weight.name)).toEqual(names);
    expect(principalLayers(features, "auto")).toEqual(principalLayers(features, "all"));
    const weights = await start;
    // What a depthwise filter sees varies most together.
    for (let unit = 0; unit < 6; unit++)
      expect(
        weights
          .get("b")!
          .slice(9 * unit, 9 * unit + 9)
          .reduce((sum, value) => sum + value, 0),
      ).toBeGreaterThan(0);
    const axes = new Map(
      names.map((name) => [features.layers.find(({ weight }) => weight.name === name)!.preActivation, 1]),
    );
    const indices = Uint32Array.from({ length: samples }, (_, index) => index);
    for (const { mean, std } of (await unitStatisticsOf(network, axes, weights, dataset, indices, options)).values()) {
      for (const value of mean) expect(Math.abs(value)).toBeLessThan(0.15);
      for (const value of std) expect(Math.abs(value - 1)).toBeLessThan(0.15);
    }
  });

  it("starts the first convolution alone of a signal's depthwise network where that is to be decided", () => {
    const net = new TestNetwork();
    const first = net.node("Relu", [net.node("Conv", ["x", net.weight("a", [6, 2, 3])])]);
    const next = net.node("Conv", [first, net.weight("b", [6, 1, 3])], { group: 6 });
    const features = featureExtractor(net.build([2, 20], classified(net, next, 6)));
    const names = (which: PrincipalLayers) => principalLayers(features, which).map(({ weight }) => weight.name);
    expect(names("auto")).toEqual(["a"]);
    expect(names("all")).toEqual(["a", "b"]);
  });

  it("computes what several branches read once, and the same filters for those that read it in the same way", async () => {
    const net = new TestNetwork();
    const branch = (name: string, kernel: number, pads: number) =>
      net.node("Conv", ["x", net.weight(name, [6, 1, kernel, kernel])], { pads: [pads, pads, pads, pads] });
    const wide = net.node("Add", [branch("a", 3, 1), branch("b", 3, 1)]);
    const network = net.build([1, 8, 8], classified(net, net.node("Add", [branch("c", 5, 2), wide]), 6));
    const dataset = barDataset(samples);
    let reads = 0;
    const counted: typeof dataset = {
      ...dataset,
      read: (indices, target) => {
        reads++;
        return dataset.read(indices, target);
      },
    };
    const { start } = begun(network, counted, 0, "all");
    const weights = await start;
    expect(reads).toBe(Math.ceil(samples / usualBatch));
    expect(weights.get("a")).toEqual(weights.get("b"));
    const alone = new TestNetwork();
    const conv = alone.node("Conv", ["x", alone.weight("c", [6, 1, 5, 5])], { pads: [2, 2, 2, 2] });
    const { start: ofOne } = begun(alone.build([1, 8, 8], classified(alone, conv, 6)), counted, 0, "all");
    expect(weights.get("c")).toEqual((await ofOne).get("c"));
  });

  it.each(["first", "all"] as const)("leaves layers alone that read what is no number: %s", async (which) => {
    const net = new TestNetwork();
    const conv = net.node("Conv", [net.node("Log", ["x"]), net.weight("w", [6, 1, 3, 3])]);
    const network = net.build([1, 8, 8], classified(net, conv, 6));
    const { drawn, start } = begun(network, toyDataset([1, 8, 8], samples), 0, which);
    expect(await start).toEqual(drawn);
  });

  it("reads behind what stands in front of the convolution", async () => {
    const net = new TestNetwork();
    const scaled = net.node("Div", ["x", net.number(255)]);
    const conv = net.node("Conv", [scaled, net.weight("w", [6, 1, 3, 3]), net.weight("b", [6])]);
    const network = net.build([1, 8, 8], classified(net, conv, 6));
    const dataset = barDataset(samples);
    const { features, start } = begun(network, dataset);
    const { mean, std } = await firstStatistics(features, await start, dataset);
    for (const value of mean) expect(Math.abs(value)).toBeLessThan(0.1);
    for (const value of std) expect(Math.abs(value - 1)).toBeLessThan(0.1);
  });
});
