import { describe, expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { InterruptedError, UserError } from "../../src/errors.js";
import { sizeOf } from "../../src/graph/tensor.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../../src/recipe/initial-values.js";
import { studyOptimizer } from "../../src/study/optimizer.js";
import { divergence, runTrial, type TrialOptions } from "../../src/study/run-trial.js";
import { refreshRunningStatistics } from "../../src/training/running-statistics.js";
import type { SupervisedResult, SupervisedRun } from "../../src/training/supervise.js";
import { readAll } from "../data/read-all.js";
import { armsOf } from "../support/study-plan.js";
import { curvedVectors, toyNetwork } from "../support/toy-data.js";

/** A run of 100 steps: the first batch's loss, those of all others, and the test loss before and after. */
function run(first: number, others: number, before: number, after: number) {
  const losses = [first, ...new Array<number>(99).fill(others)];
  const at = (step: number, loss: number) => ({ step, loss, score: 0.5 });
  return { losses, evaluations: [at(0, before), at(50, 9), at(100, after)] };
}

test("a loss that rises on training and test data has diverged", () => {
  expect(divergence(run(2.3, 2.5, 2.3, 2.6), 100)).toBe("loss above its start");
  expect(divergence(run(2.3, 2.5, 2.3, Number.NaN), 100)).toBe("loss above its start");
});

test("a first batch with a small loss is no divergence, nor is a test loss that rises alone", () => {
  expect(divergence(run(0.7, 0.75, 0.76, 0.75), 100)).toBeNull();
  expect(divergence(run(2.3, 0.1, 2.3, 2.6), 100)).toBeNull();
  expect(divergence(run(2.3, 2.31, 2.3, 2.31), 100)).toBeNull();
});

test("without a measurement before training the training loss decides", () => {
  expect(divergence({ ...run(2.3, 2.5, 2.3, 2.2), evaluations: [] }, 100)).toBe("loss above its start");
});

test("a loss that is not finite counts within the steps that are compared", () => {
  const { losses, evaluations } = run(2.3, 0.1, 2.3, 0.2);
  expect(divergence({ losses, evaluations, divergedAt: 60 }, 100)).toBe("non-finite");
  expect(divergence({ losses, evaluations, divergedAt: 100 }, 100)).toBeNull();
});

const size = 4;

function vectors(count: number, seed: number) {
  const labels = Uint8Array.from({ length: count }, (_, index) => (index % 3 === 0 ? 1 : 0));
  // As a study of classes has it: whole numbers are numbers, too, where nobody says.
  const { targets: _, ...classes } = memoryDataset(curvedVectors(count, size, seed), [size], labels, {
    normalise: "none",
  });
  return classes;
}

const data = { train: vectors(60, 0), test: vectors(30, 1), unlabelled: vectors(50, 2) };
const features = featureExtractor(
  toyNetwork({ template: "mlp", inputShape: [size], widths: [5], normalization: "batch" }),
);

/** Makes the results of training up, and remembers what it was given. */
function pretender(changes: (run: SupervisedRun) => Partial<SupervisedResult> = () => ({})) {
  const runs: SupervisedRun[] = [];
  const run = async (given: SupervisedRun): Promise<SupervisedResult> => {
    runs.push(given);
    return {
      losses: new Array<number>(given.steps).fill(0.5),
      evaluations: given.evaluateAt.map((step) => ({ step, score: 0.8, loss: 0.5 })),
      weights: given.weights,
      ...changes(given),
    };
  };
  return { runs, run };
}

async function optionsOf(
  arm: string,
  purpose: "test" | "tuning",
  changes: Partial<TrialOptions> = {},
): Promise<TrialOptions> {
  return {
    key: "key",
    trial: { network: "net", arm, labels: "20", optimizer: studyOptimizer("adam"), seed: 0, purpose },
    arm: (await armsOf(arm))[0],
    features,
    data,
    given: undefined,
    headInitializer: "he",
    supervisor: pretender(),
    gradientProbe: pretender(),
    standardise: true,
    steps: 10,
    extension: 0,
    ...changes,
  };
}

/** A data set's samples, each as one text. */
const samplesOf = async (dataset: Parameters<typeof readAll>[0]): Promise<string[]> => {
  const values = await readAll(dataset);
  return Array.from({ length: dataset.count }, (_, at) => values.slice(at * size, (at + 1) * size).join());
};

describe("runTrial", () => {
  test("trains on the labels that there are, and is judged by the test data", async () => {
    const supervisor = pretender();
    const record = await runTrial(await optionsOf("he", "test", { supervisor, extension: 20 }));
    const [{ data: labelled, test: measured, steps, evaluateAt }] = supervisor.runs;
    expect(measured).toBe(data.test);
    expect(labelled.count).toBe(20);
    expect(await samplesOf(data.train)).toEqual(expect.arrayContaining(await samplesOf(labelled)));
    expect([steps, evaluateAt.at(-1)]).toEqual([30, 30]);
    expect(record).toMatchObject({ labelsUsed: 20, stepsMade: 30, score: 0.8, chance: 2 / 3, diverged: null });
    // Of class 1 and of class 0, in the order in which they come.
    expect(record.classSizes).toEqual([10, 20]);
  });

  test("a tuning trial sees no test data, and is judged by labels that it was not trained on", async () => {
    const [whole, tuning, gradientProbe] = [pretender(), pretender(), pretender()];
    await runTrial(await optionsOf("he", "test", { supervisor: whole }));
    const record = await runTrial(
      await optionsOf("he", "tuning", { supervisor: tuning, gradientProbe, extension: 20 }),
    );
    const [{ data: trained, test: judged, steps, evaluateAt }] = tuning.runs;
    const [forTraining, forJudging] = [await samplesOf(trained), await samplesOf(judged)];
    expect([forTraining.length, forJudging.length]).toEqual([16, 4]);
    // The two are the same 20 labels that the trial itself trains on, each on one side.
    expect([...forTraining, ...forJudging].sort()).toEqual((await samplesOf(whole.runs[0].data)).sort());
    expect(new Set([...forTraining, ...forJudging]).size).toBe(20);
    expect([steps, evaluateAt, gradientProbe.runs]).toEqual([10, [10], []]);
    expect(record.labelsUsed).toBe(16);
  });

  test("starts with running statistics as the unlabelled data has them, a plain random start too", async () => {
    const supervisor = pretender();
    await runTrial(await optionsOf("he", "test", { supervisor }));
    const drawn = initialWeights(features.network, "he", 0);
    const expected = await refreshRunningStatistics(features, drawn, data.unlabelled, 0, { threads: 1 });
    const statistics = [...drawn.keys()].filter((name) => name.includes("running_"));
    expect(statistics).toHaveLength(2);
    const [{ weights }] = supervisor.runs;
    for (const name of statistics) {
      expect(weights.get(name)).toEqual(expected.get(name));
      expect(weights.get(name)).not.toEqual(drawn.get(name));
    }
  });

  test("takes F alone from given weights, so that it does not matter how a head in them numbers the classes", async () => {
    const supervisor = pretender();
    const drawn = initialWeights(features.network, "he", 0);
    const inF = new Set(features.parameters.map(({ name }) => name));
    const head = [...features.network.parameters.keys()].filter((name) => !inF.has(name));
    expect(head.length).toBeGreaterThan(0);
    const given = initialWeights(features.network, "he", 7);
    await runTrial(await optionsOf("weights:some.safetensors", "test", { supervisor, given }));
    const [{ weights }] = supervisor.runs;
    for (const name of inF) if (!name.includes("running_")) expect(weights.get(name)).toEqual(given.get(name));
    for (const name of head) {
      expect(weights.get(name)).toEqual(drawn.get(name));
      if (drawn.get(name)?.some((value) => value !== 0)) expect(weights.get(name)).not.toEqual(given.get(name));
    }
  });

  test("a score that is no number counts as chance", async () => {
    const supervisor = pretender(({ evaluateAt }) => ({
      evaluations: evaluateAt.map((step) => ({
        step,
        score: step < 5 ? 0.9 : Number.NaN,
        balancedAccuracy: step < 5 ? 0.8 : Number.NaN,
        loss: Number.NaN,
      })),
    }));
    const { points, score, bestScore, stalled } = await runTrial(await optionsOf("he", "test", { supervisor }));
    expect([score, bestScore, stalled]).toEqual([2 / 3, 0.9, true]);
    for (const point of points) {
      expect(point.balancedAccuracy).toBe(point.step < 5 ? 0.8 : 1 / 2);
      expect(point.score).toBe(point.step < 5 ? 0.9 : 2 / 3);
      expect(point.testLoss).toBeNull();
    }
  });

  test("tells the gradient that one step of plain descent shows", async () => {
    const rate = 1e6;
    const gradientProbe = pretender(({ weights }) => ({
      weights: new Map([...weights].map(([name, values]) => [name, values.map((value) => value - rate * 0.25)])),
    }));
    const { start } = await runTrial(await optionsOf("he", "test", { gradientProbe }));
    expect(start.length).toBeGreaterThan(0);
    for (const { gradient } of start) expect(gradient).toBeCloseTo(0.25, 6);
    const [{ data: trained, steps }] = gradientProbe.runs;
    expect([trained.count, steps]).toEqual([20, 1]);
  });

  test("of a start whose activations are not finite nothing is told of them", async () => {
    const given: Weights = new Map(
      features.parameters.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape)).fill(3e38)]),
    );
    const { start } = await runTrial(await optionsOf("weights:huge", "test", { given }));
    expect(start.map(({ mean, standardDeviation }) => [mean, standardDeviation])).toEqual([[null, null]]);
  });

  test("a start whose activations are not finite, so that it cannot be conditioned, counts at chance", async () => {
    const supervisor = pretender();
    const plain = featureExtractor(toyNetwork({ template: "mlp", inputShape: [size], widths: [5, 4] }));
    const given: Weights = new Map(
      plain.parameters.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape)).fill(3e38)]),
    );
    const options = await optionsOf("weights:huge+calibrated", "test", { features: plain, supervisor, given });
    const record = await runTrial(options);
    expect(record).toMatchObject({ stepsMade: 0, score: 2 / 3, diverged: "pretraining", stalled: true, start: [] });
    expect(supervisor.runs).toEqual([]);
    // What else goes wrong is told.
    const unreadable = {
      ...data,
      unlabelled: { ...data.unlabelled, read: () => Promise.reject(new UserError("gone")) },
    };
    await expect(runTrial({ ...options, data: unreadable })).rejects.toThrow("gone");
    const sound = initialWeights(plain.network, "he", 1);
    expect(await runTrial({ ...options, given: sound })).toMatchObject({ diverged: null, stepsMade: 10 });
  });

  test("stops while its start is measured, and in the middle of self-training", async () => {
    const supervisor = pretender();
    const stopped = await optionsOf("he+calibrated", "test", { supervisor, signal: AbortSignal.abort() });
    await expect(runTrial(stopped)).rejects.toThrow(InterruptedError);
    const controller = new AbortController();
    const { signal } = controller;
    const selfTraining = { steps: 1000, onStep: (step: number) => step === 3 && controller.abort() };
    const taught = await optionsOf("he+self-training", "test", { supervisor, signal, selfTraining });
    await expect(runTrial(taught)).rejects.toThrow("stopped after 3 of 1000 steps of self-training");
    expect(supervisor.runs).toEqual([]);
  });
});
