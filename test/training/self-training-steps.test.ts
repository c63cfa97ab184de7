import { afterEach, expect, it, vi } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { subset } from "../../src/data/subset.js";
import { numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { selfTrain } from "../../src/training/self-training.js";
import { Trainer } from "../../src/training/trainer.js";
import { barDataset, toyNetwork } from "../support/toy-data.js";

const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 8] });
const features = featureExtractor(network);
const start = initialWeights(network, "he", 0);
const all = barDataset(200);
const options = { threads: 1 };
const rateFeed = "self-training/learning-rate";

afterEach(() => {
  vi.restoreAllMocks();
});

it("finds labelled samples wherever they stand among those without a label", async () => {
  const places = Uint32Array.of(17, 40, 41, 99, 150, 199);
  const labels = Int32Array.from({ length: all.count }, () => -1);
  for (const place of places) labels[place] = all.labels![place];
  const some: Dataset = { ...all, labels };
  const steps = { ...options, steps: 4 };
  expect(await selfTrain(features, start, all, some, 0, steps)).toEqual(
    await selfTrain(features, start, all, subset(all, places), 0, steps),
  );
});

it("raises the learning rate over a tenth of the steps and lowers it along a cosine", async () => {
  const step = vi.spyOn(Trainer.prototype, "step");
  await selfTrain(features, start, all, all, 0, { ...options, steps: 20 });
  const rates = step.mock.calls.map(([feeds]) => numbersOf((feeds as Record<string, Tensor>)[rateFeed])[0]);
  expect(rates.length).toBe(20);
  expect(rates[0]).toBeCloseTo(0.001, 6);
  rates.slice(1).forEach((rate, index) => {
    const share = Math.max(0, index - 1) / 18;
    expect(rate).toBeCloseTo(0.001 * (1 + Math.cos(Math.PI * share)), 6);
  });
});
