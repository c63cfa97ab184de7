import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { lookingGraph } from "../../src/recipe/looking-graph.js";
import { logitsName, outputSize, requireSamplesAlone, unboundedOutput } from "../../src/recipe/network-outputs.js";
import { pretrainingGraph } from "../../src/recipe/pretraining-graph.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import { supervisedGraph } from "../../src/recipe/supervised-graph.js";
import { openSession } from "../../src/runtime/node.js";
import { Trainer } from "../../src/training/trainer.js";
import { normalTensor } from "../support/run-graph.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const sgd = parseRecipe(
  { reconstruction: { weight: 1 }, generatorOptimizer: { kind: "sgd", momentum: 0, learningRate: 0.1 } },
  "test",
).generatorOptimizer;
const scalars = {
  "supervised/learning-rate": floatTensor([0.1], []),
  "supervised/first-correction": floatTensor([1], []),
  "supervised/second-correction": floatTensor([1], []),
};

/** A linear classifier behind a fixed layer, ending in what `end` makes of the logits. */
function classifier(end: (net: TestNetwork, logits: string) => string) {
  const net = new TestNetwork();
  const hidden = net.node("Tanh", [net.node("Gemm", ["x", net.weight("w1", [3, 4])])]);
  const logits = net.node("Gemm", [hidden, net.weight("w2", [4, 2]), net.weight("b2", [2])]);
  return { network: net.build([3], end(net, logits)), logits };
}

describe("logitsName", () => {
  it.each<[string, (net: TestNetwork, logits: string) => string]>([
    ["nothing", (_, logits) => logits],
    ["Softmax", (net, logits) => net.node("Softmax", [logits])],
    [
      "Softmax in front of axes of one",
      (net, logits) => net.node("Unsqueeze", [net.node("Softmax", [logits]), net.ints([2])]),
    ],
    ["LogSoftmax behind Identity", (net, logits) => net.node("LogSoftmax", [net.node("Identity", [logits])])],
  ])("is before %s", (_, end) => {
    const { network, logits } = classifier(end);
    expect(logitsName(network)).toBe(logits);
    expect(outputSize(network)).toBe(2);
  });

  it("refuses several outputs", () => {
    const net = new TestNetwork();
    const a = net.node("Gemm", ["x", net.weight("wa", [3, 2])]);
    const b = net.node("Gemm", ["x", net.weight("wb", [3, 2])]);
    const network = analyzeNetwork(net.graph([3], [a, b]), { where: "model.onnx" });
    expect(() => logitsName(network)).toThrow(/^model\.onnx: required a network with one output, got gemm0, gemm1\./);
  });
});

describe("supervisedGraph", () => {
  const { network } = classifier((net, logits) => net.node("Softmax", [logits]));
  const x = normalTensor("samples", [5, 3]);
  const targets = floatTensor(
    [0, 1, 1, 0, 1].flatMap((label) => (label === 0 ? [1, 0] : [0, 1])),
    [5, 2],
  );
  const feeds: Record<string, Tensor> = { samples: x, targets, ...scalars };
  for (const name of network.parameters.keys()) feeds[name] = network.tensors.get(name)!;

  it("updates the last layer as (softmax − target) · features says", async () => {
    const training = supervisedGraph({
      features: featureExtractor(network),
      loss: "cross-entropy",
      optimizer: sgd,
      batchSize: 5,
    });
    expect(training.state.map(({ name, owner }) => [name, owner])).toEqual([
      ["w1", "features"],
      ["w2", "head"],
      ["b2", "head"],
    ]);
    const session = await openSession(training.graph, { threads: 1 });
    const results = await session.run(feeds);
    await session.release();
    const [w1, w2, b2, samples] = [feeds.w1, feeds.w2, feeds.b2, x].map(numbersOf);
    let loss = 0;
    const slope = [0, 0];
    for (let row = 0; row < 5; row++) {
      const hidden = [0, 1, 2, 3].map((unit) =>
        Math.tanh([0, 1, 2].reduce((sum, i) => sum + samples[row * 3 + i] * w1[i * 4 + unit], 0)),
      );
      const logits = [0, 1].map((unit) => hidden.reduce((sum, h, i) => sum + h * w2[i * 2 + unit], b2[unit]));
      const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
      logits.forEach((z, unit) => {
        const target = numbersOf(targets)[row * 2 + unit];
        slope[unit] += (Math.exp(z) / total - target) / 5;
        loss -= (target * Math.log(Math.exp(z) / total)) / 5;
      });
    }
    expect(numbersOf(results.loss)[0]).toBeCloseTo(loss, 5);
    numbersOf(results["next/b2"]).forEach((value, unit) => {
      expect(value).toBeCloseTo(b2[unit] - 0.1 * slope[unit], 5);
    });
  });

  it("measures squared errors for regression", async () => {
    const training = supervisedGraph({
      features: featureExtractor(network),
      loss: "squared-error",
      optimizer: sgd,
      batchSize: 5,
    });
    expect(training.metrics).toEqual(["loss", "gradient-norm"]);
    const session = await openSession(training.graph, { threads: 1 });
    const results = await session.run(feeds);
    await session.release();
    expect(numbersOf(results.loss)[0]).toBeGreaterThan(0);
  });

  it("refuses an output that is no row of scores", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3])])]);
    const maps = net.node("Conv", [hidden, net.weight("w2", [2, 4, 3, 3])]);
    const segmentation = net.build([1, 8, 8], maps);
    expect(() =>
      supervisedGraph({
        features: featureExtractor(segmentation),
        loss: "cross-entropy",
        optimizer: sgd,
        batchSize: 2,
      }),
    ).toThrow(/output conv2: required one row of numbers for each sample, \[batch, classes\], got \[2, 2, 4, 4\]/);
    expect(() => outputSize(segmentation)).toThrow(
      /output conv2: required one row of numbers .*, got \[batch, 2, 4, 4\]\. headstart init takes/,
    );
  });

  it("refuses a network whose scores need another input, too", () => {
    const net = new TestNetwork();
    const weight = net.weight("w1", [4, 3]);
    const [one, other] = ["x", "other"].map((name) => net.node("Gemm", [name, weight]));
    const graph = net.graph([4], [net.node("Gemm", [net.node("Sub", [one, other]), net.weight("w2", [3, 2])])]);
    const inputs = [...graph.inputs, { ...graph.inputs[0], name: "other" }];
    const twins = analyzeNetwork({ ...graph, inputs }, { where: "twins.onnx", input: "x" });
    expect(() => requireSamplesAlone(twins)).toThrow(
      /samples alone, .*, got the input other beside x\. headstart init takes it/,
    );
  });

  it("takes scores of 1x1 maps", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3])])]);
    const maps = net.node("GlobalAveragePool", [net.node("Conv", [hidden, net.weight("w2", [2, 4, 1, 1])])]);
    expect(outputSize(net.build([1, 8, 8], maps))).toBe(2);
  });

  it("replaces running statistics", () => {
    const batch = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [3], normalization: "batch" });
    const training = supervisedGraph({
      features: featureExtractor(batch),
      loss: "cross-entropy",
      optimizer: sgd,
      batchSize: 4,
    });
    expect(training.state.filter(({ parameter }) => parameter?.role === "statistic").length).toBe(2);
    const next = training.graph.nodes.find(({ outputs }) => outputs[0] === "next/features.1.running_mean");
    expect(next?.inputs[0]).not.toBe("features.1.running_mean");
  });
});

describe("lookingGraph", () => {
  it("computes a value from the parameters that it needs", async () => {
    const { network } = classifier((_, logits) => logits);
    const graph = lookingGraph(network, ["tanh1"], 2);
    expect(graph.inputs.map(({ name }) => name)).toEqual(["samples", "w1"]);
    const session = await openSession(graph, { threads: 1 });
    const weights = initialWeights(network, "file", 0);
    const results = await session.run({
      samples: floatTensor([1, 0, 0, 0, 1, 0], [2, 3]),
      w1: floatTensor(weights.get("w1")!, [3, 4]),
    });
    await session.release();
    numbersOf(results["value/tanh1"]).forEach((value, index) => {
      expect(value).toBeCloseTo(Math.tanh(weights.get("w1")![index]), 5);
    });
  });

  it("puts samples first where the network has them second", async () => {
    const net = new TestNetwork();
    const tokensFirst = net.node("Transpose", ["x"], { perm: attribute.ints([1, 0, 2]) });
    const network = net.build([5, 3], net.node("MatMul", [tokensFirst, net.weight("w1", [3, 4])]));
    const target = network.graph.nodes[1].outputs[0];
    const [output] = lookingGraph(network, [target], 2).outputs;
    expect(output.shape).toEqual([2, 5, 4]);
    expect(() =>
      pretrainingGraph({
        features: featureExtractor(network, target),
        recipe: parseRecipe({ contrast: { weight: 1 } }, "test"),
        task: "none",
        batchSize: 2,
        lastActivation: "none",
      }),
    ).toThrow(/first axis counts the samples/);
  });
});

describe("the batch's axis", () => {
  /** Shape of a layer's output on this many samples of five tokens, as the network arranges it. */
  const shapeOf = (batchSize: number, fixedBatch?: number, ...perm: readonly number[]) => {
    const net = new TestNetwork();
    const hidden = net.node("MatMul", ["x", net.weight("w1", [3, 4])]);
    const target =
      perm.length > 0
        ? net.node("Transpose", [hidden], { perm: attribute.ints(perm) })
        : net.node("Reshape", [hidden, net.ints([-1, 4])]);
    const network = analyzeNetwork(net.graph([5, 3], [target], fixedBatch), { where: "model.onnx" });
    return lookingGraph(network, [target], batchSize).outputs[0].shape;
  };

  it("is none that is as long by chance, as where tokens lie in rows of as many units as there are samples", () => {
    expect(shapeOf(4)).toEqual([20, 4]);
    expect(shapeOf(3)).toEqual([15, 4]);
  });

  it("is found among others behind the first", () => {
    expect(shapeOf(4, undefined, 1, 2, 0)).toEqual([4, 5, 4]);
    expect(shapeOf(2, undefined, 1, 0, 2)).toEqual([2, 5, 4]);
    expect(shapeOf(2, 2, 1, 0, 2)).toEqual([2, 5, 4]);
  });
});

describe("a network with one output", () => {
  const single = (end: (net: TestNetwork, logit: string) => string) => {
    const net = new TestNetwork();
    const hidden = net.node("Tanh", [net.node("Gemm", ["x", net.weight("w1", [3, 4])])]);
    const logit = net.node("Gemm", [hidden, net.weight("w2", [4, 1]), net.weight("b2", [1])]);
    return { network: net.build([3], end(net, logit)), logit };
  };

  it("is one of two classes by its logit, before its sigmoid and whatever reshapes it", () => {
    const ends: ((net: TestNetwork, logit: string) => string)[] = [
      (_, logit) => logit,
      (net, logit) => net.node("Sigmoid", [logit]),
      (net, logit) => net.node("Identity", [net.node("Flatten", [net.node("Sigmoid", [logit])])]),
    ];
    for (const end of ends) {
      const { network, logit } = single(end);
      expect(logitsName(network)).toBe(logit);
      expect(outputSize(network)).toBe(1);
    }
    const { network } = single((net, logit) => net.node("Sigmoid", [logit]));
    expect(logitsName(network, "squared-error")).toBe(network.graph.outputs[0].name);
    expect(unboundedOutput(network)).toBe(false);
    expect(unboundedOutput(single((_, logit) => logit).network)).toBe(true);
  });

  it("has the binary cross-entropy, or the mean squared error, of its outputs", async () => {
    const { network, logit } = single((_, last) => last);
    const features = featureExtractor(network);
    const weights = initialWeights(network, "he", 0);
    const samples = normalTensor("samples", [4, 3]);
    const inputs: Record<string, Tensor> = { samples, ...scalars };
    const given = Object.fromEntries(
      [...weights].map(([name, data]) => [name, floatTensor(data, network.parameters.get(name)?.shape ?? [])]),
    );
    const looking = await openSession(lookingGraph(network, [logit], 4), { threads: 1 });
    const z = floatTensor(new Float32Array(4), [4, 1]);
    await looking.run({ samples, ...given }, { [`value/${logit}`]: z });
    await looking.release();
    const logits = [...numbersOf(z)];
    const lossOf = async (loss: "cross-entropy" | "squared-error", targets: Tensor): Promise<number> => {
      const training = supervisedGraph({ features, loss, optimizer: sgd, batchSize: 4 });
      const trainer = await Trainer.open(training, weights, { threads: 1 });
      const { metrics } = await trainer.step({ ...inputs, targets } as never);
      await trainer.release();
      return metrics.loss;
    };
    const labels = [0, 1, 1, 0];
    const oneHot = floatTensor(
      labels.flatMap((label) => (label === 0 ? [1, 0] : [0, 1])),
      [4, 2],
    );
    const binary = logits.map((value, row) => Math.log1p(Math.exp(value)) - labels[row] * value);
    expect(await lossOf("cross-entropy", oneHot)).toBeCloseTo(binary.reduce((sum, value) => sum + value, 0) / 4, 5);
    const squares = logits.map((value, row) => (value - labels[row]) ** 2);
    expect(await lossOf("squared-error", floatTensor(labels, [4, 1]))).toBeCloseTo(
      squares.reduce((sum, value) => sum + value, 0) / 4,
      5,
    );
  });
});

it("steps alike whether optimisers take parameters one by one or all of an owner as one", async () => {
  // Large enough that the weight of the hidden layer is not among the small ones.
  const network = toyNetwork({ template: "mlp", inputShape: [100], widths: [100, 7] });
  const features = featureExtractor(network);
  const optimizer = parseRecipe({ reconstruction: { weight: 1 } }, "test").generatorOptimizer;
  const plan = { features, loss: "cross-entropy", optimizer, batchSize: 8 } as const;
  const graphs = [supervisedGraph(plan), supervisedGraph({ ...plan, joinsParameters: true })];
  expect(graphs[1].graph.nodes.length).toBeLessThan(graphs[0].graph.nodes.length);
  const start = initialWeights(network, "he", 0);
  const classes = outputSize(network);
  const feeds = {
    samples: normalTensor("samples", [8, 100]),
    targets: floatTensor(
      Float32Array.from({ length: 8 * classes }, (_, at) =>
        at % classes === Math.floor(at / classes) % classes ? 1 : 0,
      ),
      [8, classes],
    ),
    ...scalars,
  };
  const states: Map<string, Float32Array>[] = [];
  for (const training of graphs) {
    const trainer = await Trainer.open(training, start, { threads: 1 });
    for (let step = 0; step < 3; step++) await trainer.step(feeds);
    states.push(await trainer.state());
    await trainer.release();
  }
  expect([...states[1].keys()].sort()).toEqual([...states[0].keys()].sort());
  for (const [name, elements] of states[0])
    elements.forEach((value, index) => {
      expect(states[1].get(name)![index], name).toBeCloseTo(value, 5);
    });
});
