import { expect, test } from "vitest";
import { studyOptimizer } from "../../src/study/optimizer.js";
import { evaluationSteps, pretrainingKey, settingName, settingsOf, shortHash, trialKey } from "../../src/study/plan.js";
import { armsOf, planOf, trialOf } from "../support/study-plan.js";

test("a trial's key holds what decides its result, and nothing else", async () => {
  const plan = planOf(await armsOf("he", "default", "he+self-training"));
  const he = trialOf(plan, "he", 0);
  const key = trialKey(plan, he);
  const larger = planOf(await armsOf("he", "default", "lecun"), {
    seeds: 9,
    longestExtension: 0,
    minimumEffect: 0.1,
    pretrainingSeeds: 1,
  });
  expect(trialKey(larger, he)).toBe(key);
  const trained = trialOf(plan, "default", 1);
  const taught = trialOf(plan, "he+self-training", 0);
  expect(trialKey({ ...plan, selfTrainingSteps: 9 }, taught)).not.toBe(trialKey(plan, taught));
  expect(trialKey({ ...plan, selfTrainingSteps: 9 }, he)).toBe(key);
  expect(trialKey({ ...plan, pretrainingSeeds: 1 }, trained)).not.toBe(trialKey(plan, trained));

  const keys = [
    key,
    trialKey(plan, trained),
    trialKey(plan, { ...he, seed: 1 }),
    trialKey(plan, { ...he, labels: "10" }),
    trialKey(plan, { ...he, purpose: "tuning" }),
    trialKey(plan, { ...he, optimizer: studyOptimizer("sgd") }),
    ...[
      { steps: 99 },
      { batchSize: 9 },
      { augment: ["shift" as const] },
      { augment: ["shift" as const, "flip" as const] },
      { schedule: "cosine" as const },
      { device: "webgpu" as const },
      { headstart: "0.0.1" },
      { features: "x" },
      { reading: { normalise: "none" } },
      { reading: { normalise: "unit" } },
      { data: { ...plan.data, train: "x" } },
      { data: { ...plan.data, test: "x" } },
      // A plain random start's running statistics are measured on unlabelled data, too.
      { data: { ...plan.data, unlabelled: "x" } },
      { networks: [{ ...plan.networks[0], hash: "x" }] },
    ].map((change) => trialKey({ ...plan, ...change }, he)),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

test("pretraining belongs to seed, recipe and data, not to labels or rates", async () => {
  const plan = planOf(await armsOf("default", "default+raw", "paper"));
  const [own, raw, paper] = plan.arms.map((arm) => pretrainingKey(plan, "net", arm, 0));
  expect(raw).toBe(own);
  expect(paper).not.toBe(own);
  expect(pretrainingKey({ ...plan, labels: ["10"], learningRates: [1], steps: 7 }, "net", plan.arms[0], 0)).toBe(own);
  expect(pretrainingKey(plan, "net", plan.arms[0], 1)).not.toBe(own);
  const changes = [
    { device: "webgpu" as const },
    { headstart: "0.0.1" },
    { features: "x" },
    { reading: { normalise: "none" } },
    { discriminatorHash: "x" },
  ];
  for (const change of changes) expect(pretrainingKey({ ...plan, ...change }, "net", plan.arms[0], 0)).not.toBe(own);
});

test("settings are all combinations, or one for each amount of labels where rates are tuned", async () => {
  const changes = {
    labels: ["10/class", "all"],
    optimizers: [studyOptimizer("adam"), studyOptimizer("sgd")],
    learningRates: [0.1, 0.01],
  };
  const plan = planOf(await armsOf("he"), changes);
  expect(settingsOf(plan)).toHaveLength(8);
  expect(new Set(settingsOf(plan).map((setting) => settingName(plan, setting))).size).toBe(8);
  expect(settingsOf({ ...plan, tune: true })).toHaveLength(4);
  const plain = planOf(await armsOf("he"), { labels: ["all", "1", "300", "5%", "1/class", "10/class"] });
  expect(settingsOf(plain).map((setting) => settingName(plain, setting))).toEqual([
    "all labels",
    "1 label",
    "300 labels",
    "5% labels",
    "1 label a class",
    "10 labels a class",
  ]);
});

test("accuracy is measured at the start, at the end, and at the end of the extension", () => {
  expect(evaluationSteps(100, 0)).toEqual([...new Set(evaluationSteps(100, 0))]);
  expect(evaluationSteps(100, 0)[0]).toBe(0);
  expect(evaluationSteps(100, 0).at(-1)).toBe(100);
  expect(evaluationSteps(100, 40)).toEqual([...evaluationSteps(100, 0), 110, 120, 130, 140]);
  expect(evaluationSteps(5, 0)).toEqual([0, 1, 2, 3, 4, 5]);
});

test("hashes do not depend on the order of keys", () => {
  expect(shortHash({ a: 1, b: [{ c: 2, d: 3 }] })).toBe(shortHash({ b: [{ d: 3, c: 2 }], a: 1 }));
  expect(shortHash({ a: 1 })).not.toBe(shortHash({ a: 2 }));
});
