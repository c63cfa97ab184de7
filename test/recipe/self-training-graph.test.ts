import { expect, it } from "vitest";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { selfTrainingGraph } from "../../src/recipe/self-training-graph.js";
import { normalTensor, runOnce } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const rate = 0.1;
const optimizer = {
  kind: "sgd",
  learningRate: rate,
  momentum: 0,
  secondMoment: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
} as const;

/** A network tanh(x W1) W2 + b2 of 3 inputs and 4 hidden units, and what it is fed. */
function setUp(outputs: number, threshold: number) {
  const net = new TestNetwork();
  const hidden = net.node("Tanh", [net.node("Gemm", ["x", net.weight("w1", [3, 4])])]);
  const network = net.build(
    [3],
    net.node("Gemm", [hidden, net.weight("w2", [4, outputs]), net.weight("b2", [outputs])]),
  );
  const [batchSize, labelledBatchSize] = [5, 2];
  const training = selfTrainingGraph({
    features: featureExtractor(network),
    optimizer,
    batchSize,
    labelledBatchSize,
    threshold,
  });
  const classes = Math.max(2, outputs);
  const rows = [
    [1, 0, 0],
    [0, 1, 0],
  ].map((row) => row.slice(0, classes));
  const feeds: Record<string, Tensor> = {
    samples: normalTensor("samples", [batchSize, 3], 2),
    views: normalTensor("views", [batchSize + labelledBatchSize, 3], 2),
    targets: floatTensor(rows.flat(), [labelledBatchSize, classes]),
    "self-training/learning-rate": floatTensor([rate], []),
    "self-training/first-correction": floatTensor([1], []),
    "self-training/second-correction": floatTensor([1], []),
  };
  for (const name of network.parameters.keys()) feeds[name] = network.tensors.get(name)!;
  return { training, feeds, rows, outputs };
}

/** Class probabilities and hidden values of rows of samples, computed by hand. */
function byHand(feeds: Record<string, Tensor>, samples: Tensor, outputs: number) {
  const [w1, w2, b2] = ["w1", "w2", "b2"].map((name) => [...numbersOf(feeds[name])]);
  const x = [...numbersOf(samples)];
  return Array.from({ length: x.length / 3 }, (_, row) => {
    const hidden = [0, 1, 2, 3].map((unit) =>
      Math.tanh([0, 1, 2].reduce((sum, input) => sum + x[row * 3 + input] * w1[input * 4 + unit], 0)),
    );
    const logits = b2.map((bias, unit) => hidden.reduce((sum, h, from) => sum + h * w2[from * outputs + unit], bias));
    const scores = outputs === 1 ? [0, logits[0]] : logits;
    const whole = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    return { hidden, probabilities: scores.map((score) => Math.exp(score) / whole) };
  });
}

it.each([
  ["three classes", 3, 0.5],
  ["one output for two classes", 1, 0.6],
  ["no guess that counts", 3, 1],
])("has FixMatch's loss, and gradients through the views alone: %s", async (_, outputs, threshold) => {
  const { training, feeds, rows } = setUp(outputs, threshold);
  const results = await runOnce(training.graph, feeds);
  const number = (name: string): number => numbersOf(results[name])[0] as number;

  const guesses = byHand(feeds, feeds.samples, outputs).map(({ probabilities }) => probabilities);
  const seen = byHand(feeds, feeds.views, outputs);
  const targets = [
    ...guesses.map((row) => row.map((probability) => (probability >= threshold ? 1 / guesses.length : 0))),
    ...rows.map((row) => row.map((value) => value / rows.length)),
  ];
  const sure = guesses.filter((row) => Math.max(...row) >= threshold).length;
  // So that the test shows what it says.
  if (threshold < 1) expect([1, 2, 3, 4]).toContain(sure);
  else expect(sure).toBe(0);
  const loss = -targets
    .flatMap((row, at) => row.map((target, label) => target * Math.log(seen[at].probabilities[label])))
    .reduce((a, b) => a + b);
  expect(number("loss")).toBeCloseTo(loss, 5);
  expect(number("confident")).toBeCloseTo(sure / guesses.length, 6);

  // The bias's gradient is the sum of w (p − target), w the row's weight.
  const slope = (label: number): number =>
    targets.reduce((sum, row, at) => {
      const weight = row.reduce((a, b) => a + b);
      return sum + weight * seen[at].probabilities[label] - row[label];
    }, 0);
  const before = [...numbersOf(feeds.b2)] as number[];
  const after = [...numbersOf(results["next/b2"])] as number[];
  after.forEach((value, unit) => {
    expect((before[unit] - value) / rate).toBeCloseTo(slope(outputs === 1 ? 1 : unit), 4);
  });
  // F learns, too.
  expect([...numbersOf(results["next/w1"])]).not.toEqual([...numbersOf(feeds.w1)]);
});

it("moves running statistics towards those of the views, of which gradients are", async () => {
  const net = new TestNetwork();
  const [scale, bias, mean, variance] = ["scale", "bias", "mean", "variance"].map((name) => net.weight(name, [4]));
  const dense = net.node("Gemm", ["x", net.weight("w1", [3, 4])]);
  const normal = net.node("BatchNormalization", [dense, scale, bias, mean, variance]);
  const network = net.build([3], net.node("Gemm", [normal, net.weight("w2", [4, 2]), net.weight("b2", [2])]));
  const training = selfTrainingGraph({
    features: featureExtractor(network),
    optimizer,
    batchSize: 5,
    labelledBatchSize: 2,
    threshold: 0.6,
  });
  const feeds: Record<string, Tensor> = {
    samples: normalTensor("samples", [5, 3], 2),
    views: normalTensor("views", [7, 3], 2),
    targets: floatTensor([1, 0, 0, 1], [2, 2]),
    "self-training/learning-rate": floatTensor([rate], []),
    "self-training/first-correction": floatTensor([1], []),
    "self-training/second-correction": floatTensor([1], []),
  };
  for (const name of network.parameters.keys()) feeds[name] = network.tensors.get(name)!;
  const results = await runOnce(training.graph, feeds);
  const values = (tensor: Tensor): number[] => [...numbersOf(tensor)] as number[];
  const meanOf = (samples: Tensor, unit: number): number => {
    const x = values(samples);
    const w1 = values(feeds.w1);
    const units = Array.from({ length: x.length / 3 }, (_, row) =>
      [0, 1, 2].reduce((sum, input) => sum + x[row * 3 + input] * w1[input * 4 + unit], 0),
    );
    return units.reduce((sum, value) => sum + value, 0) / units.length;
  };
  // ONNX's momentum is the share that stays: 0.9 by default.
  values(results["next/mean"]).forEach((next, unit) => {
    const before = values(feeds.mean)[unit];
    expect(next).toBeCloseTo(0.9 * before + 0.1 * meanOf(feeds.views, unit), 5);
    expect(Math.abs(meanOf(feeds.views, unit) - meanOf(feeds.samples, unit))).toBeGreaterThan(0.01);
  });
});
