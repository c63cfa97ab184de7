import { expect, it } from "vitest";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { evaluate } from "../../src/training/evaluate.js";
import { refreshRunningStatistics } from "../../src/training/running-statistics.js";
import { toyDataset, toyNetwork } from "../support/toy-data.js";

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
