import { describe, expect, it } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights } from "../../src/recipe/initial-values.js";
import { parseRecipe } from "../../src/recipe/recipe.js";
import { type SupervisedRun, Supervisor } from "../../src/training/supervise.js";
import { barDataset, toyNetwork } from "../support/toy-data.js";

const optimizer = parseRecipe(
  { reconstruction: { weight: 1 }, generatorOptimizer: { learningRate: 0.01 } },
  "test",
).generatorOptimizer;
const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [6, 8] });
const features = featureExtractor(network);

const base: SupervisedRun = {
  weights: initialWeights(network, "he", 0),
  data: barDataset(80),
  test: barDataset(60, 8, 1),
  steps: 60,
  seed: 0,
  evaluateAt: [0, 30, 60],
};

async function supervised(run: SupervisedRun) {
  const supervisor = await Supervisor.open({ features, optimizer, batchSize: 16, threads: 1 });
  try {
    return await supervisor.run(run);
  } finally {
    await supervisor.release();
  }
}

describe("Supervisor", () => {
  it("learns lying from standing bars", async () => {
    const result = await supervised(base);
    expect(result.losses.length).toBe(60);
    expect(result.losses.at(-1)).toBeLessThan(result.losses[0] / 2);
    expect(result.evaluations.map(({ step }) => step)).toEqual([0, 30, 60]);
    expect(result.evaluations[2].score).toBeGreaterThan(0.9);
    const [before, , after] = result.evaluations.map(({ loss }) => loss);
    expect(before).toBeGreaterThan(Math.LN2 / 2);
    expect(after).toBeLessThan(before / 2);
    expect(result.divergedAt).toBeUndefined();
  });

  it("trains on changed samples where asked, and is measured on those of the test data as they are", async () => {
    const plain = await supervised(base);
    const changed = await supervised({ ...base, augment: ["shift"] });
    expect(changed.evaluations[0]).toEqual(plain.evaluations[0]);
    expect(changed.losses[0]).not.toBe(plain.losses[0]);
    expect(changed.evaluations[2].score).toBeGreaterThan(0.9);
    expect(await supervised({ ...base, augment: ["shift"] })).toEqual(changed);
  });

  it("lets the learning rate fall where asked", async () => {
    const plain = await supervised(base);
    const falling = await supervised({ ...base, schedule: { kind: "cosine", warmUp: 0 } });
    // The first step has the whole of it.
    expect(falling.losses.slice(0, 2)).toEqual(plain.losses.slice(0, 2));
    expect(falling.losses[2]).not.toBe(plain.losses[2]);
    const still = await supervised({ ...base, evaluateAt: [59, 60], schedule: { kind: "cosine", warmUp: 0 } });
    const [before, after] = still.evaluations.map(({ loss }) => loss);
    expect(Math.abs(after - before)).toBeLessThan(1e-4);
  });

  it("serves many runs, each as if it were the first", async () => {
    const supervisor = await Supervisor.open({ features, optimizer, batchSize: 16, threads: 1 });
    const short = { ...base, steps: 5, evaluateAt: [5] };
    const [a, other, b] = [
      await supervisor.run(short),
      await supervisor.run({ ...short, seed: 1 }),
      await supervisor.run(short),
    ];
    expect(b).toEqual(a);
    expect(other.losses).not.toEqual(a.losses);
    const { step: _, ...measured } = a.evaluations[0];
    expect(await supervisor.measure(a.weights, base)).toEqual(measured);
    await supervisor.release();
  });

  it("reports a divergence and ends the run", async () => {
    const result = await supervised({ ...base, learningRate: 1e30 });
    expect(result.divergedAt).toBeGreaterThan(0);
    expect(result.losses.length).toBe(result.divergedAt);
  });

  it("stops where it is told to", async () => {
    const interruption = new AbortController();
    const run = supervised({
      ...base,
      signal: interruption.signal,
      onStep: (step) => step === 3 && interruption.abort(),
    });
    await expect(run).rejects.toThrow(InterruptedError);
    await expect(run).rejects.toThrow("stopped after 3 of 60 supervised steps");
  });
});
