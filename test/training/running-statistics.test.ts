import { expect, it } from "vitest";
import { unitStatistics } from "../../src/initializers/conditioning.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { evaluate } from "../../src/training/evaluate.js";
import { refreshRunningStatistics } from "../../src/training/running-statistics.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

it("makes inference normalise as training did", async () => {
  const network = toyNetwork({ template: "resnet", inputShape: [3, 8, 8], widths: [4, 6], normalization: "batch" });
  const features = featureExtractor(network);
  const dataset = toyDataset([3, 8, 8], 64);
  const start = initialWeights(network, "he", 0);
  const weights = await refreshRunningStatistics(features, start, dataset, 0, { threads: 1, batchSize: 64 });
  expect([...weights.keys()]).toEqual([...start.keys()]);
  const statistics = [...weights.keys()].filter((name) => name.includes("running_"));
  expect(statistics.length).toBeGreaterThan(4);
  for (const name of statistics) expect(weights.get(name)).not.toEqual(start.get(name));
  for (const [name, elements] of weights) if (!name.includes("running_")) expect(elements).toBe(start.get(name));
  const everything = Array.from({ length: 64 }, (_, index) => index);
  const of = (normalization: "batch" | "running") =>
    evaluate(network, features.feature, weights, dataset, everything, { threads: 1, batchSize: 64, normalization });
  const [running, batch] = [await of("running"), await of("batch")];
  running.data.forEach((value, index) => {
    expect(value).toBeCloseTo(batch.data[index], 3);
  });
});

it("takes what a normalisation sees in all its calls, where it is called again", async () => {
  const net = new TestNetwork();
  const own = [net.filled("scale", [4], 1), net.filled("shift", [4], 0)];
  const running = [net.filled("mean", [4], 0), net.filled("variance", [4], 1)];
  const normalized = (from: string): string =>
    net.node("Relu", [net.node("BatchNormalization", [from, ...own, ...running])]);
  const first = net.node("Conv", ["x", net.weight("w1", [4, 3, 3, 3], 1), net.filled("b1", [4], 2)]);
  const second = net.node("Conv", [normalized(first), net.weight("w2", [4, 4, 3, 3]), net.filled("b2", [4], -1)]);
  const flat = net.node("Flatten", [normalized(second)]);
  const network = net.build([3, 8, 8], net.node("Gemm", [flat, net.weight("w3", [64, 2]), net.weight("b3", [2])]));
  const features = featureExtractor(network);
  const dataset = toyDataset([3, 8, 8], 32);
  const start = initialWeights(network, "file", 0);
  const weights = await refreshRunningStatistics(features, start, dataset, 0, { threads: 1 });
  const indices = Array.from({ length: 32 }, (_, index) => index);
  const options = { threads: 1, batchSize: 32, normalization: "batch" } as const;
  const calls = await Promise.all(
    [first, second].map((name) => evaluate(network, name, start, dataset, indices, options)),
  );
  const [a, b] = calls.map(({ data, shape }) => unitStatistics(data, shape, 1));
  const [meanOf, variance] = ["mean", "variance"].map((name) => weights.get(name)!);
  for (let unit = 0; unit < 4; unit++) {
    const mean = (36 * a.mean[unit] + 16 * b.mean[unit]) / 52;
    const squares = (36 * (a.std[unit] ** 2 + a.mean[unit] ** 2) + 16 * (b.std[unit] ** 2 + b.mean[unit] ** 2)) / 52;
    expect(meanOf[unit]).toBeCloseTo(mean, 3);
    expect(variance[unit]).toBeCloseTo(squares - mean ** 2, 3);
  }
});
