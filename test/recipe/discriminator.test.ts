import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import type { Value } from "../../src/graph/builder.js";
import { floatTensor, numbersOf, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import type { Emitter } from "../../src/ops/emitter.js";
import { zeroCenteredPenalty } from "../../src/recipe/adversarial-losses.js";
import { buildDiscriminator, type Discriminator, type DiscriminatorKind } from "../../src/recipe/discriminator.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

function weightsOf({ parameters }: Discriminator): Record<string, Tensor> {
  return Object.fromEntries(
    parameters.map(({ name, shape, fanIn, role }) => [
      name,
      normalTensor(name, shape, role === "bias" ? 0.1 : 1 / Math.sqrt(fanIn!)),
    ]),
  );
}

const count = ({ parameters }: Discriminator): number => parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

const shapes: {
  kind: DiscriminatorKind;
  sampleShape: number[];
  layout?: "NCHW" | "NHWC";
  became: string;
  layers: string[];
}[] = [
  {
    kind: "auto",
    sampleShape: [3, 32, 32],
    became: "cnn",
    layers: [
      "Conv 32,16,16",
      "LeakyRelu 32,16,16",
      "Conv 64,8,8",
      "LeakyRelu 64,8,8",
      "Conv 128,4,4",
      "LeakyRelu 128,4,4",
      "Reshape 2048",
      "Gemm 1",
    ],
  },
  {
    kind: "auto",
    sampleShape: [1, 28, 28],
    became: "cnn",
    layers: [
      "Conv 32,14,14",
      "LeakyRelu 32,14,14",
      "Conv 64,7,7",
      "LeakyRelu 64,7,7",
      "Conv 128,3,3",
      "LeakyRelu 128,3,3",
      "Reshape 1152",
      "Gemm 1",
    ],
  },
  {
    kind: "cnn",
    sampleShape: [1, 8, 8],
    became: "cnn",
    layers: ["Conv 32,4,4", "LeakyRelu 32,4,4", "Conv 64,2,2", "LeakyRelu 64,2,2", "Reshape 256", "Gemm 1"],
  },
  {
    kind: "auto",
    sampleShape: [8, 6, 3],
    layout: "NHWC",
    became: "cnn",
    layers: [
      "Transpose 3,8,6",
      "Conv 32,4,3",
      "LeakyRelu 32,4,3",
      "Conv 64,2,1",
      "LeakyRelu 64,2,1",
      "Reshape 128",
      "Gemm 1",
    ],
  },
  {
    kind: "auto",
    sampleShape: [2, 1, 5],
    became: "cnn",
    layers: ["Conv 32,1,2", "LeakyRelu 32,1,2", "Conv 64,1,1", "LeakyRelu 64,1,1", "Reshape 64", "Gemm 1"],
  },
  {
    kind: "auto",
    sampleShape: [2, 64],
    became: "cnn1d",
    layers: [
      "Conv 32,16",
      "LeakyRelu 32,16",
      "Conv 64,8",
      "LeakyRelu 64,8",
      "Conv 128,4",
      "LeakyRelu 128,4",
      "Reshape 512",
      "Gemm 1",
    ],
  },
  {
    kind: "auto",
    sampleShape: [14],
    became: "mlp",
    layers: ["Gemm 256", "LeakyRelu 256", "Gemm 128", "LeakyRelu 128", "Gemm 1"],
  },
  {
    kind: "auto",
    sampleShape: [5, 1, 1],
    became: "mlp",
    layers: ["Reshape 5", "Gemm 256", "LeakyRelu 256", "Gemm 128", "LeakyRelu 128", "Gemm 1"],
  },
  {
    kind: "mlp",
    sampleShape: [1, 8, 8],
    became: "mlp",
    layers: ["Reshape 64", "Gemm 256", "LeakyRelu 256", "Gemm 128", "LeakyRelu 128", "Gemm 1"],
  },
];

describe("buildDiscriminator", () => {
  for (const { became, layers, ...options } of shapes) {
    it(`suits [${options.sampleShape.join(", ")}] (${options.kind}, ${options.layout ?? "NCHW"})`, async () => {
      const discriminator = buildDiscriminator(options);
      expect(discriminator.kind).toBe(became);
      expect(discriminator.describe.map(({ op, shape }) => `${op} ${shape}`)).toEqual(layers);
      const weights = weightsOf(discriminator);
      const samples = normalTensor("samples", [3, ...options.sampleShape]);
      const { logits } = await runGraph({ samples, ...weights }, (emit, values) => ({
        logits: discriminator.apply(emit, values.samples, (name) => values[name]),
      }));
      expect(logits.shape).toEqual([3, 1]);
      const numbers = numbersOf(logits);
      expect(numbers.every(Number.isFinite)).toBe(true);
      expect(new Set(numbers).size).toBe(3);
    });
  }

  it("counts parameters and multiply-adds", () => {
    const mlp = buildDiscriminator({ kind: "mlp", sampleShape: [14] });
    expect(count(mlp)).toBe(14 * 256 + 256 + 256 * 128 + 128 + 128 + 1);
    expect(mlp.cost).toBe(14 * 256 + 256 * 128 + 128);
    const cnn = buildDiscriminator({ kind: "cnn", sampleShape: [1, 8, 8] });
    expect(count(cnn)).toBe(32 * 16 + 32 + 64 * 32 * 16 + 64 + 256 + 1);
    expect(cnn.cost).toBe(16 * 32 * 16 + 4 * 64 * 32 * 16 + 256);
    expect(cnn.parameters.map(({ name, fanIn, role }) => `${name} ${role} ${fanIn}`)).toEqual([
      "discriminator/conv1.weight weight 16",
      "discriminator/conv1.bias bias 16",
      "discriminator/conv2.weight weight 512",
      "discriminator/conv2.bias bias 512",
      "discriminator/linear.weight weight 256",
      "discriminator/linear.bias bias 256",
    ]);
  });

  it("comes near a cost", () => {
    for (const targetCost of [3e5, 3e6, 3e7]) {
      const { cost } = buildDiscriminator({ kind: "cnn", sampleShape: [3, 32, 32], targetCost });
      expect(Math.abs(Math.log(cost / targetCost))).toBeLessThan(0.35);
    }
    const smallest = buildDiscriminator({ kind: "mlp", sampleShape: [4], targetCost: 0 });
    expect(smallest.describe[0].shape).toEqual([8]);
    const largest = buildDiscriminator({ kind: "mlp", sampleShape: [4], targetCost: 1e12 });
    expect(largest.describe[0].shape).toEqual([1024]);
  });

  it("judges each sample by itself", async () => {
    const discriminator = buildDiscriminator({ kind: "cnn", sampleShape: [1, 8, 8] });
    const weights = weightsOf(discriminator);
    const pair = normalTensor("pair", [2, 1, 8, 8]);
    const logitsOf = async (samples: Tensor): Promise<number[]> => {
      const run = await runGraph({ samples, ...weights }, (emit, values) => ({
        logits: discriminator.apply(emit, values.samples, (name) => values[name]),
      }));
      return numbersOf(run.logits);
    };
    const alone = { ...pair, shape: [1, 1, 8, 8], data: pair.data.slice(0, 64) };
    expect((await logitsOf(pair))[0]).toBeCloseTo((await logitsOf(alone))[0], 5);
  });

  for (const [kind, sampleShape] of [
    ["cnn", [1, 8, 8]],
    ["cnn1d", [2, 9]],
    ["mlp", [6]],
  ] as const) {
    it(`has a gradient penalty that can be differentiated: ${kind}`, async () => {
      const discriminator = buildDiscriminator({ kind, sampleShape, targetCost: 1 });
      // Large biases of both signs keep every unit away from its kink, where the penalty jumps.
      const inputs: Record<string, Tensor> = {
        samples: normalTensor("samples", [2, ...sampleShape]),
        ...weightsOf(discriminator),
      };
      const biases = discriminator.parameters.filter(({ role }) => role === "bias");
      biases.forEach(({ name, shape }, layer) => {
        inputs[name] = floatTensor(
          Array.from({ length: shape[0] }, (_, unit) => 10 ** (layer + 1) * (unit % 2 === 0 ? 1 : -1)),
        );
      });
      // The penalty is made of D's gradient, so its first-order check is D's second order.
      const penalty = (emit: Emitter, values: Record<string, Value>): Value => {
        const logits = discriminator.apply(emit, values.samples, (name) => values[name]);
        return zeroCenteredPenalty(emit, values.samples, logits, 1);
      };
      await checkGradients(inputs, penalty, { order: 1, step: 5e-3, fixed: biases.map(({ name }) => name) });
    });
  }

  it("refuses samples that do not fit the kind", () => {
    expect(() => buildDiscriminator({ kind: "cnn", sampleShape: [14] })).toThrow(UserError);
    expect(() => buildDiscriminator({ kind: "cnn", sampleShape: [14] })).toThrow(
      "discriminator cnn: required samples of shape [channels, height, width], got [14]. Choose mlp, or auto.",
    );
    expect(() => buildDiscriminator({ kind: "cnn1d", sampleShape: [3, 8, 8] })).toThrow("Choose cnn, or auto.");
    expect(() => buildDiscriminator({ kind: "cnn", sampleShape: [3, 1, 1] })).toThrow("Choose mlp, or auto.");
  });
});
