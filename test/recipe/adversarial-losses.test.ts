import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import type { Emitter } from "../../src/ops/emitter.js";
import {
  discriminatorLoss,
  generatorLoss,
  oneCenteredPenalty,
  zeroCenteredPenalty,
} from "../../src/recipe/adversarial-losses.js";
import { checkGradients } from "../support/check-gradients.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

type Closed = (real: number[], fake: number[]) => number;
const formulas: Record<string, { discriminator: Closed; generator: Closed }> = {
  minimax: {
    discriminator: (real, fake) => mean(real.map((x) => softplus(-x))) + mean(fake.map(softplus)),
    generator: (_, fake) => -mean(fake.map(softplus)),
  },
  "non-saturating": {
    discriminator: (real, fake) => mean(real.map((x) => softplus(-x))) + mean(fake.map(softplus)),
    generator: (_, fake) => mean(fake.map((x) => softplus(-x))),
  },
  "least-squares": {
    discriminator: (real, fake) => (mean(real.map((x) => (x - 1) ** 2)) + mean(fake.map((x) => x ** 2))) / 2,
    generator: (_, fake) => mean(fake.map((x) => (x - 1) ** 2)) / 2,
  },
  hinge: {
    discriminator: (real, fake) =>
      mean(real.map((x) => Math.max(0, 1 - x))) + mean(fake.map((x) => Math.max(0, 1 + x))),
    generator: (_, fake) => -mean(fake),
  },
  wasserstein: {
    discriminator: (real, fake) => mean(fake) - mean(real),
    generator: (_, fake) => -mean(fake),
  },
  relativistic: {
    discriminator: (real, fake) => mean(real.map((x, row) => softplus(fake[row] - x))),
    generator: (real, fake) => mean(real.map((x, row) => softplus(x - fake[row]))),
  },
};
const names = Object.keys(formulas) as Parameters<typeof discriminatorLoss>[1][];

async function lossesOf(name: (typeof names)[number], real: Tensor, fake: Tensor) {
  const results = await runGraph({ real, fake }, (emit, v) => {
    const d = discriminatorLoss(emit, name, v.real, v.fake);
    const g = generatorLoss(emit, name, v.real, v.fake);
    const [slopeD] = gradients(emit, [{ value: d }], [v.fake]);
    const [slopeG] = gradients(emit, [{ value: g }], [v.fake]);
    return { d, g, slopeD: slopeD!, slopeG: slopeG! };
  });
  return Object.fromEntries(Object.entries(results).map(([key, tensor]) => [key, numbersOf(tensor)]));
}

describe.each(names)("the %s loss", (name) => {
  it.each([1, 10, 1e4])("equals its formula for logits of size %d, with finite gradients", async (size) => {
    const real = normalTensor("real", [5, 1], size);
    const fake = normalTensor("fake", [5, 1], size, -size / 2);
    const { d, g, slopeD, slopeG } = await lossesOf(name, real, fake);
    const expected = formulas[name];
    const [a, b] = [numbersOf(real), numbersOf(fake)];
    expect(Math.abs(d[0] - expected.discriminator(a, b))).toBeLessThan(1e-5 * Math.max(1, Math.abs(d[0])));
    expect(Math.abs(g[0] - expected.generator(a, b))).toBeLessThan(1e-5 * Math.max(1, Math.abs(g[0])));
    expect([...slopeD, ...slopeG].every(Number.isFinite)).toBe(true);
  });

  it("pulls D and G opposite ways", async () => {
    const real = floatTensor([0.3, -0.2], [2, 1]);
    const { slopeD, slopeG } = await lossesOf(name, real, floatTensor([0.1, 0.4], [2, 1]));
    for (const row of [0, 1]) expect(slopeD[row] * slopeG[row]).toBeLessThan(0);
  });
});

const x = normalTensor("x", [3, 4]);
const weights = { w1: normalTensor("w1", [5, 4], 0.6), w2: normalTensor("w2", [1, 5], 0.6) };
const transposed = { transB: attribute.int(1) };
const judge = (emit: Emitter, v: Record<string, Value>): Value =>
  emit.one("Gemm", [emit.tanh(emit.one("Gemm", [v.x, v.w1], transposed)), v.w2], transposed);

/** ‖∇D‖ of each sample, by central differences in float64. */
function slopeNorms(): number[] {
  const [w1, w2] = [numbersOf(weights.w1), numbersOf(weights.w2)];
  const logit = (sample: number[]): number =>
    w2.reduce(
      (sum, w, unit) => sum + w * Math.tanh(sample.reduce((part, each, i) => part + each * w1[unit * 4 + i], 0)),
      0,
    );
  return [0, 1, 2].map((row) => {
    const sample = numbersOf(x).slice(4 * row, 4 * row + 4);
    return Math.hypot(
      ...sample.map((_, i) => {
        const moved = (step: number): number[] => sample.map((each, j) => (i === j ? each + step : each));
        return (logit(moved(1e-5)) - logit(moved(-1e-5))) / 2e-5;
      }),
    );
  });
}

describe("penalties", () => {
  it("are the mean squared norm of D's slopes, and their distance from one", async () => {
    const results = await runGraph({ x, ...weights }, (emit, v) => ({
      zero: zeroCenteredPenalty(emit, v.x, judge(emit, v), 3),
      one: oneCenteredPenalty(emit, v.x, judge(emit, v), 10),
    }));
    const norms = slopeNorms();
    expect(numbersOf(results.zero)[0]).toBeCloseTo((3 / 2) * mean(norms.map((norm) => norm ** 2)), 5);
    expect(numbersOf(results.one)[0]).toBeCloseTo(10 * mean(norms.map((norm) => (norm - 1) ** 2)), 4);
  });

  it("have the gradients that differences give, for D's weights too", async () => {
    await checkGradients({ x, ...weights }, (emit, v) => zeroCenteredPenalty(emit, v.x, judge(emit, v), 1), {
      order: 1,
    });
    await checkGradients({ x, ...weights }, (emit, v) => oneCenteredPenalty(emit, v.x, judge(emit, v), 1), {
      order: 1,
    });
  });

  it("of a D that does not see the samples are nothing", async () => {
    const results = await runGraph({ x }, (emit, v) => ({
      zero: emit.add(zeroCenteredPenalty(emit, v.x, emit.filled(1, [3, 1]), 1), emit.scale(emit.reduceSum(v.x), 0)),
    }));
    expect(numbersOf(results.zero)[0]).toBeCloseTo(0, 12);
  });

  it("stays finite where D is flat", async () => {
    const flat = { w1: weights.w1, w2: floatTensor(new Float32Array(5), [1, 5]) };
    const results = await runGraph({ x, ...flat }, (emit, v) => {
      const penalty = oneCenteredPenalty(emit, v.x, judge(emit, v), 1);
      return { penalty, slope: gradients(emit, [{ value: penalty }], [v.w2])[0]! };
    });
    expect(numbersOf(results.penalty)[0]).toBeCloseTo(1, 4);
    expect(numbersOf(results.slope).every(Number.isFinite)).toBe(true);
  });
});
