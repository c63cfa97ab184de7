import { describe, expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { newClassifier, newNetworkOpset } from "../../src/recipe/new-network.js";
import { evaluate } from "../../src/training/evaluate.js";
import {
  type HeadStart,
  headStart,
  labelledByOutput,
  outputsNote,
  requireHeadStart,
} from "../../src/training/head-start.js";
import { barDataset, curvedVectors, toyDataset, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const options = { threads: 1 };
const inputShape = [12];
const network = toyNetwork({ template: "mlp", inputShape, widths: [6], classes: 3 });
const features = featureExtractor(network);
const weights = initialWeights(network, "he", 0);
const headNames = [...network.parameters.keys()].filter(
  (name) => !features.parameters.some((parameter) => parameter.name === name),
);

/** Samples of which the first in three belong to class 0, and so on; the last has no label. */
const labels = Int32Array.from({ length: 30 }, (_, index) => (index === 29 ? -1 : index % 3));
const { labels: _, ...unlabelled } = memoryDataset(curvedVectors(30, 12), inputShape, undefined, {
  normalise: "standard",
});
const labelled = { ...unlabelled, labels };
const samples = { labelled, unlabelled, seed: 0 };

async function rowsOf(tensor: string, values: ReadonlyMap<string, Float32Array>): Promise<number[][]> {
  const all = Array.from({ length: 30 }, (_, index) => index);
  const { data } = await evaluate(network, tensor, new Map([...weights, ...values]), labelled, all, options);
  const width = data.length / 30;
  return all.map((row) => [...data.subarray(row * width, (row + 1) * width)]);
}

const squaredDistance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, column) => sum + (value - b[column]) ** 2, 0);

describe("a head of zeros", () => {
  it("gives all classes the same score", async () => {
    const head = await headStart("zero", features, weights, { ...samples, labelled: undefined });
    expect([...head.keys()].sort()).toEqual([...headNames].sort());
    for (const scores of await rowsOf(network.graph.outputs[0].name, head)) expect(scores).toEqual([0, 0, 0]);
  });
});

it("starts the layer in front of the first of several outputs", () => {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w", [4, 5])])]);
  const main = net.node("Gemm", [hidden, net.weight("main", [5, 3])]);
  const auxiliary = net.node("Gemm", [hidden, net.weight("auxiliary", [5, 3])]);
  const two = analyzeNetwork(net.graph([4], [main, auxiliary]), { where: "model.onnx" });
  expect(requireHeadStart("zero", featureExtractor(two), undefined).weight.name).toBe("main");
});

describe("a head from class means", () => {
  it("names the class with the nearest mean of features, and its scores have deviation one", async () => {
    const head = await headStart("class-means", features, weights, samples, options);
    const points = await rowsOf(features.feature, head);
    const means = [0, 1, 2].map((label) => {
      const members = points.filter((_, row) => labels[row] === label);
      return members[0].map((_, column) => members.reduce((sum, point) => sum + point[column], 0) / members.length);
    });
    const scores = await rowsOf(network.graph.outputs[0].name, head);
    const known = scores.slice(0, 29).flat();
    const mean = known.reduce((a, b) => a + b) / known.length;
    expect(Math.sqrt(known.reduce((sum, score) => sum + (score - mean) ** 2, 0) / known.length)).toBeCloseTo(1, 4);
    const named = new Set<number>();
    scores.forEach((row, sample) => {
      const distances = means.map((point) => squaredDistance(points[sample], point));
      const best = distances.indexOf(Math.min(...distances));
      named.add(best);
      expect(row.indexOf(Math.max(...row))).toBe(best);
      // Differences of scores are those of squared distances, on one scale.
      expect((row[0] - row[1]) / (distances[1] - distances[0])).toBeCloseTo(
        (scores[0][0] - scores[0][2]) / (squaredDistance(points[0], means[2]) - squaredDistance(points[0], means[0])),
        3,
      );
    });
    expect(named.size).toBe(3);
  });

  it("leaves a class without samples at zero", async () => {
    const two = { ...labelled, labels: labels.map((label) => (label === 1 ? -1 : label)) };
    const head = await headStart("class-means", features, weights, { ...samples, labelled: two }, options);
    const scores = await rowsOf(network.graph.outputs[0].name, head);
    for (const row of scores) expect(row[1]).toBe(0);
    expect(scores.some((row) => row[0] !== 0)).toBe(true);
  });

  it("tells two classes by the sign of one output", async () => {
    const oneOutput = { template: "cnn", inputShape: [1, 8, 8], widths: [4], outputs: 1 } as const;
    const single = analyzeNetwork(upgradeGraph(newClassifier(oneOutput), newNetworkOpset), { where: "model.onnx" });
    const extractor = featureExtractor(single);
    const start = initialWeights(single, "he", 0);
    const bars = barDataset(200);
    const head = await headStart(
      "class-means",
      extractor,
      start,
      { labelled: bars, unlabelled: bars, seed: 0 },
      options,
    );
    const all = Array.from({ length: bars.count }, (_, index) => index);
    const { data } = await evaluate(
      single,
      single.graph.outputs[0].name,
      new Map([...start, ...head]),
      bars,
      all,
      options,
    );
    const right = all.filter((row) => data[row] > 0 === (bars.labels?.[row] === 1)).length;
    expect(right / all.length).toBeGreaterThan(0.8);
  });

  it.each([
    ["no labels", unlabelled, /required samples with class labels.*got none.*--labelled.*--labels.*--head zero/],
    [
      "numbers to predict",
      { ...unlabelled, targets: { names: ["y"], values: new Float64Array(30) } },
      /got numbers to predict/,
    ],
    [
      "too many classes",
      { ...labelled, labels: labels.map((label) => label + 1) },
      /required at most 3 classes.*got 4/,
    ],
  ])("says what is wrong with %s", (_, data, message) => {
    expect(() => requireHeadStart("class-means", features, data)).toThrow(message);
  });

  it("says which starts there are", () => {
    const kind = "self" as HeadStart;
    expect(() => requireHeadStart(kind, features, labelled)).toThrow(
      'head: required one of zero, class-means, linear-discriminant, self-training, got "self".',
    );
  });

  it("says where the head is more than one layer", () => {
    const deep = toyNetwork({ template: "mlp", inputShape, widths: [6, 5] });
    const early = featureExtractor(deep, featureExtractor(deep).layers[0].preActivation);
    const data = toyDataset(inputShape);
    expect(() => requireHeadStart("class-means", early, data)).toThrow(/required one dense layer with a bias/);
    expect(requireHeadStart("zero", early, undefined).weight.shape).toContain(2);
  });

  it("says where nothing stands behind the features", () => {
    const whole = featureExtractor(network, network.graph.outputs[0].name);
    expect(() => requireHeadStart("zero", whole, undefined)).toThrow(
      /required a layer with weights behind the features/,
    );
  });
});

describe("which output stands for which class", () => {
  const layer = requireHeadStart("zero", features, undefined);
  const byOutput = (classNames: readonly string[], numbers = [0, 1, -1]) =>
    labelledByOutput(layer, { ...labelled, labels: Int32Array.from(numbers), classNames });

  it("takes classes as they are where there are as many as outputs", () => {
    const given = byOutput(["a", "b", "c"], [0, 2, -1]);
    expect([...given.labels!]).toEqual([0, 2, -1]);
    expect(outputsNote(layer, given)).toBe(
      "the head's classes: output 0 = a, output 2 = c; no labelled samples for output 1",
    );
    expect([...byOutput(["1", "2", "3"]).labels!]).toEqual([0, 1, -1]);
  });

  it("takes whole numbers of fewer classes for the numbers of outputs", () => {
    const given = byOutput(["1", "2"]);
    expect([...given.labels!]).toEqual([1, 2, -1]);
    expect(outputsNote(layer, given)).toBe(
      "the head's classes: output 1 = 1, output 2 = 2; no labelled samples for output 0",
    );
  });

  it.each([[["a", "b"]], [["-1", "1"]], [["2", "3"]]])("refuses fewer classes that are none: %s", (names) => {
    expect(() => byOutput(names)).toThrow(
      /labels of all 3 classes .* got 2: .* the numbers of the outputs, from 0 to 2/,
    );
  });

  it("refuses samples of one class", () => {
    expect(() => byOutput(["a", "b", "c"], [1, 1, -1])).toThrow(
      /two classes at least.*got only samples of the class b/,
    );
  });
});
