import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { Graph } from "../../src/graph/graph.js";
import { intTensor, sizeOf } from "../../src/graph/tensor.js";
import {
  type ClassifierOptions,
  classifierActivations,
  newClassifier,
  newNetworkOpset,
} from "../../src/recipe/new-network.js";
import { openSerialized } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

function countParameters(graph: Graph): number {
  let count = 0;
  for (const [name, { shape }] of graph.initializers) if (/\.(weight|bias)$/.test(name)) count += sizeOf(shape);
  return count;
}

/** Shapes and elements of the logits for batches of these sizes. */
async function run(
  graph: Graph,
  batches: readonly number[],
): Promise<{ shape: readonly number[]; data: Float32Array }[]> {
  const session = await openSerialized(serializeGraph(graph, newNetworkOpset), { threads: 1 });
  try {
    const results = [];
    for (const batch of batches) {
      const [{ type, shape: declared }] = graph.inputs;
      const shape = [batch, ...(declared ?? []).slice(1)] as number[];
      const tokens = Array.from({ length: sizeOf(shape) }, (_, at) => (at * 7) % 11);
      const input = type === "int64" ? intTensor(tokens, shape) : normalTensor("input", shape);
      const { logits } = await session.run({ input });
      results.push({ shape: logits.shape, data: logits.data as Float32Array });
    }
    return results;
  } finally {
    await session.release();
  }
}

interface Case {
  readonly options: ClassifierOptions;
  readonly parameters: number;
}

/** Parameters counted by hand: outputs × (inputs × kernel + 1 with a bias), and 2 for each normalised channel. */
const cases: readonly Case[] = [
  { options: { template: "mlp", inputShape: [784] }, parameters: 256 * 785 + 128 * 257 + 10 * 129 },
  {
    options: { template: "mlp", inputShape: [1, 4, 5], widths: [8], depth: 3, classes: 2 },
    parameters: 8 * 21 + 2 * 8 * 9 + 2 * 9,
  },
  {
    options: { template: "mlp", inputShape: [20], widths: [8], normalization: "batch", classes: 3 },
    parameters: 8 * 20 + 16 + 3 * 9,
  },
  {
    options: { template: "mlp", inputShape: [20], widths: [8], normalization: "layer", classes: 3 },
    parameters: 8 * 21 + 16 + 3 * 9,
  },
  {
    options: { template: "cnn", inputShape: [1, 28, 28] },
    parameters: 16 * 10 + 32 * (16 * 9 + 1) + 10 * (32 * 49 + 1),
  },
  {
    options: { template: "cnn", inputShape: [3, 7, 9], widths: [6], kernel: 5, normalization: "batch" },
    parameters: 6 * 75 + 12 + 10 * (6 * 20 + 1),
  },
  // An even kernel halves the size, rounded down.
  {
    options: { template: "cnn", inputShape: [3, 32, 32], widths: [4, 8], kernel: 4 },
    parameters: 4 * 49 + 8 * (4 * 16 + 1) + 10 * (8 * 64 + 1),
  },
  {
    options: { template: "cnn", inputShape: [1, 7, 9], widths: [6], kernel: 2 },
    parameters: 6 * 5 + 10 * (6 * 12 + 1),
  },
  {
    options: { template: "cnn", inputShape: [3, 8, 8], widths: [12], normalization: "group" },
    parameters: 12 * 28 + 24 + 10 * (12 * 16 + 1),
  },
  {
    options: { template: "cnn", inputShape: [3, 8, 8], widths: [12], normalization: "instance" },
    parameters: 12 * 28 + 24 + 10 * (12 * 16 + 1),
  },
  {
    options: { template: "cnn", inputShape: [3, 8, 8], widths: [12], normalization: "layer" },
    parameters: 12 * 28 + 2 * 12 * 16 + 10 * (12 * 16 + 1),
  },
  // ResNet-8 of He et al.: 3 stages of one block.
  {
    options: { template: "resnet", inputShape: [3, 32, 32] },
    parameters:
      16 * 27 +
      32 +
      2 * (16 * 144 + 32) +
      (32 * 144 + 64 + 32 * 288 + 64 + 32 * 16 + 64) +
      (64 * 288 + 128 + 64 * 576 + 128 + 64 * 32 + 128) +
      650,
  },
  {
    options: { template: "resnet", inputShape: [1, 9, 9], widths: [4], depth: 2, normalization: "none", classes: 3 },
    parameters: 4 * 10 + 4 * 4 * 37 + 15,
  },
  // A 3×3 convolution, then depthwise and 1×1 ones by turns, two channels' numbers normalised behind each.
  {
    options: { template: "mobilenet", inputShape: [3, 32, 32], widths: [4, 6], depth: 2, classes: 3 },
    parameters: 4 * 27 + 8 + (4 * 9 + 8 + 4 * 6 + 12) + (6 * 9 + 12 + 6 * 6 + 12) + 3 * 7,
  },
  {
    options: { template: "mobilenet", inputShape: [1, 5, 7], widths: [4, 6], normalization: "none", kernel: 5 },
    parameters: 4 * 26 + (4 * 26 + 6 * 5) + 10 * 7,
  },
  // Blocks of 4 to 6 and 6 to 6 channels that expand three times, and four times as many channels before the average.
  {
    options: { template: "mobilenetv2", inputShape: [3, 32, 32], widths: [4, 6, 6], expansion: 3, classes: 3 },
    parameters:
      4 * 27 +
      8 +
      (4 * 12 + 24 + 12 * 9 + 24 + 12 * 6 + 12) +
      (6 * 18 + 36 + 18 * 9 + 36 + 18 * 6 + 12) +
      (6 * 24 + 48) +
      3 * 25,
  },
  {
    options: { template: "mobilenetv2", inputShape: [3, 8, 8], widths: [4, 6], expansion: 1 },
    parameters: 4 * 27 + 8 + (4 * 9 + 8 + 4 * 6 + 12) + (6 * 24 + 48) + 10 * 25,
  },
  {
    options: { template: "cnn1d", inputShape: [2, 128] },
    parameters: 16 * 11 + 32 * 81 + 64 * 161 + 10 * (64 * 16 + 1),
  },
  {
    options: { template: "cnn1d", inputShape: [1, 33], widths: [4, 6], kernel: 3, normalization: "group" },
    parameters: 4 * 4 + 8 + 6 * 13 + 12 + 10 * (6 * 9 + 1),
  },
  {
    options: { template: "text", inputShape: [12], vocabulary: 50, widths: [8, 6, 5], normalization: "batch" },
    parameters: 50 * 8 + 6 * (8 * 3) + 12 + 5 * (6 * 3) + 10 + 10 * 6,
  },
];

describe("newClassifier", () => {
  it.each(cases)("writes $options", async ({ options, parameters }) => {
    const graph = newClassifier(options);
    expect(countParameters(graph)).toBe(parameters);
    const results = await run(graph, [1, 3]);
    const classes = options.classes ?? 10;
    expect(results.map(({ shape }) => shape)).toEqual([
      [1, classes],
      [3, classes],
    ]);
    for (const { data } of results) for (const logit of data) expect(Number.isFinite(logit)).toBe(true);
    // Untrained logits of fresh weights still tell samples apart.
    expect(results[1].data.slice(0, classes)).not.toEqual(results[1].data.slice(classes, 2 * classes));
  });

  it.each(classifierActivations)("runs with %s", async (activation) => {
    const graph = newClassifier({ template: "cnn", inputShape: [1, 6, 6], widths: [4], classes: 2, activation });
    const [{ shape, data }] = await run(graph, [2]);
    expect(shape).toEqual([2, 2]);
    expect(data.every(Number.isFinite)).toBe(true);
  });

  it("names tensors as PyTorch does", () => {
    const names = (options: ClassifierOptions): string[] => [...newClassifier(options).initializers.keys()];
    expect(names({ template: "mlp", inputShape: [4], widths: [3, 2] })).toEqual([
      "features.0.weight",
      "features.0.bias",
      "features.2.weight",
      "features.2.bias",
      "classifier.weight",
      "classifier.bias",
    ]);
    expect(names({ template: "cnn", inputShape: [1, 4, 4], widths: [2], normalization: "batch" })).toEqual([
      "features.0.weight",
      "features.1.weight",
      "features.1.bias",
      "features.1.running_mean",
      "features.1.running_var",
      "classifier.weight",
      "classifier.bias",
    ]);
    expect(names({ template: "resnet", inputShape: [1, 4, 4] })).toEqual(
      expect.arrayContaining([
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.conv2.weight",
        "layer3.0.downsample.1.weight",
        "fc.bias",
      ]),
    );
  });

  it("names inverted residuals as torchvision's mobilenet_v2 does", () => {
    const block = ["0.0.weight", "0.1.weight", "0.1.bias", "0.1.running_mean", "0.1.running_var"];
    const names = [
      ...newClassifier({ template: "mobilenetv2", inputShape: [3, 8, 8], widths: [4, 6] }).initializers.keys(),
    ];
    expect(names.filter((name) => !/^(zero|six)$/.test(name))).toEqual([
      ...block.map((name) => `features.0.${name.slice(2)}`),
      ...block.map((name) => `features.1.conv.${name}`),
      ...block.map((name) => `features.1.conv.1${name.slice(1)}`),
      ...["2.weight", "3.weight", "3.bias", "3.running_mean", "3.running_var"].map((name) => `features.1.conv.${name}`),
      ...block.map((name) => `features.2.${name.slice(2)}`),
      "classifier.1.weight",
      "classifier.1.bias",
    ]);
  });

  it.each(["mobilenet", "mobilenetv2"])(
    "halves the picture of a %s where a block widens, but not the first",
    (template) => {
      const { nodes } = newClassifier({ template, inputShape: [3, 32, 32], widths: [4, 8, 8, 12, 10] });
      const strides = nodes.flatMap(({ attributes: { group, strides } }) => {
        const isDepthwise = group?.kind === "int" && group.value > 1;
        return isDepthwise && strides?.kind === "ints" ? [strides.value] : [];
      });
      expect(strides).toEqual([
        [1, 1],
        [1, 1],
        [2, 2],
        [1, 1],
      ]);
      // Only inverted residuals of equal width add their input.
      expect(nodes.filter(({ op }) => op === "Add").length).toBe(template === "mobilenet" ? 0 : 1);
    },
  );

  it("gives the same weights for the same seed only", () => {
    const weights = (seed: number) =>
      newClassifier({ template: "mlp", inputShape: [4], widths: [3], seed }).initializers;
    expect(weights(1)).toEqual(weights(1));
    expect(weights(1).get("features.0.weight")).not.toEqual(weights(2).get("features.0.weight"));
  });

  it("draws by the initializer's name", () => {
    const graph = newClassifier({ template: "mlp", inputShape: [4], widths: [3], initializer: "constant:0.5" });
    expect(graph.initializers.get("features.0.weight")?.data).toEqual(new Float32Array(12).fill(0.5));
    expect(graph.initializers.get("features.0.bias")?.data).toEqual(new Float32Array(3));
  });

  const wrong: readonly [Partial<ClassifierOptions>, string][] = [
    [
      { template: "cmm" },
      'template: required one of mlp, cnn, resnet, mobilenet, mobilenetv2, cnn1d, text, got "cmm". Did you mean cnn?',
    ],
    [{ inputShape: [28, 28] }, "required channelsxheightxwidth"],
    [{ inputShape: [1, 28, 0] }, "got 1x28x0"],
    [{ template: "mlp", inputShape: [] }, "got nothing"],
    [{ inputShape: [1, 2.5, 4] }, "got 1x2.5x4"],
    [
      { template: "mlp", inputShape: [1_000_000, 1_000_000] },
      "input shape: required at most 2147483648 values a sample, got 1000000x1000000, which are 1000000000000.",
    ],
    [{ activation: "rellu" }, "Did you mean relu?"],
    [{ normalization: "bach" }, "Did you mean batch?"],
    [{ template: "mlp", normalization: "group" }, "one of none, batch, layer"],
    [{ normalization: "instance", inputShape: [1, 2, 2] }, "leaves nothing but zeros"],
    [{ widths: [] }, "widths: required one or more"],
    [{ widths: [4, -1] }, "got -1"],
    [{ widths: [4, 8], depth: 3 }, "depth: required as many layers as widths (2)"],
    [{ depth: 0 }, "depth: required a whole number from 1 on"],
    [{ classes: 1 }, "classes: required a whole number from 2 on"],
    [{ template: "resnet", kernel: 4 }, "Take 3 or 5."],
    [{ inputShape: [1, 1, 28], kernel: 4 }, "features.0: required at least 2 positions for an even kernel, got 1x28"],
    [{ template: "mobilenet", kernel: 4 }, "Take 3 or 5."],
    [{ template: "mobilenet", expansion: 3 }, "expansion: required the template mobilenetv2"],
    [{ template: "mobilenetv2", expansion: 0 }, "expansion: required a whole number from 1 on"],
    [{ template: "mlp", vocabulary: 3 }, "vocabulary: required the template text"],
    [{ template: "text", inputShape: [8], vocabulary: 1 }, "vocabulary: required a whole number from 2 on"],
    [{ template: "text", inputShape: [8], kernel: 4 }, "Take 3 or 5."],
    [{ template: "text" }, "input shape: required length, whole numbers from 1 on, got 1x28x28. Such as 64."],
    [{ template: "mlp", kernel: 3 }, "kernel: required a template with convolutions"],
    [{ seed: Number.NaN }, "seed: required a whole number"],
    [{ initializer: "hee" }, "Did you mean he?"],
    [{ widths: [100_000, 100_000] }, "an ONNX file holds"],
  ];
  it.each(wrong)("refuses %o", (options, message) => {
    const build = () => newClassifier({ template: "cnn", inputShape: [1, 28, 28], ...options });
    expect(build).toThrow(UserError);
    expect(build).toThrow(message);
  });
});
