import { expect, test } from "vitest";
import { judgeTrial, judgeTrials } from "../../src/study/judge-trial.js";
import type { TrialRecord } from "../../src/study/records.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";

/** A trial of ten steps that went on for ten, nine tenths of whose test samples are of one class. */
async function measured(...balanced: [number, number, number]): Promise<TrialRecord> {
  const plan = planOf(await armsOf("he"), { steps: 10 });
  const points = [0, 10, 20].map((step, index) => ({
    step,
    score: 0.9 + step / 1000,
    balancedAccuracy: balanced[index],
    loss: 1,
  }));
  return recordOf(plan, trialOf(plan, "he", 0), 0.91, { points, classSizes: [90, 10], chance: 0.9, stalled: true });
}

const byBalance = { measure: "balanced-accuracy" } as const;

test("a trial is judged by accuracy where the plan says no other measure", async () => {
  const record = await measured(0.5, 0.7, 0.8);
  expect(judgeTrial(record, {})).toBe(record);
  expect(judgeTrial(record, { measure: "accuracy" })).toBe(record);
});

test("balanced accuracy takes accuracy's place in all that a score decides", async () => {
  const judged = judgeTrial(await measured(0.75, 0.7, 0.8), byBalance);
  expect(judged).toMatchObject({ score: 0.7, bestScore: 0.75, chance: 0.5, stalled: false });
  expect(judged?.points.map(({ score }) => score)).toEqual([0.75, 0.7, 0.8]);
});

test("what ends near chance or below has stalled by balanced accuracy, too", async () => {
  expect(judgeTrial(await measured(0.5, 0.519, 0.8), byBalance)?.stalled).toBe(true);
  expect(judgeTrial(await measured(0.5, 0.4, 0.8), byBalance)?.stalled).toBe(true);
  expect(judgeTrial(await measured(0.5, 0.53, 0.5), byBalance)?.stalled).toBe(false);
});

test("records of earlier versions cannot be judged by balanced accuracy", async () => {
  const { classSizes: _, ...early } = await measured(0.5, 0.7, 0.8);
  expect(judgeTrial(early, byBalance)).toBeUndefined();
  const trials = new Map<string, TrialRecord>([
    ["early", early],
    ["late", await measured(0.5, 0.7, 0.8)],
  ]);
  expect([...judgeTrials(trials, byBalance)].map(([key, { score }]) => [key, score])).toEqual([["late", 0.7]]);
  expect(judgeTrials(trials, {})).toEqual(trials);
});

test("where each position has a class, IoU judges unless accuracy is asked for", async () => {
  const record = await measured(0.5, 0.7, 0.8);
  const points = record.points.map((point, index) => ({ ...point, meanIou: [0.45, 0.46, 0.6][index] }));
  // Positions of three classes, the last of which nobody names.
  const maps = { ...record, points, classSizes: [600, 300, 100], chance: 0.6 };
  const judged = judgeTrial(maps, { task: "segmentation" });
  expect(judged).toMatchObject({ score: 0.46, bestScore: 0.46, stalled: false });
  expect(judged?.chance).toBeCloseTo(0.6 / 3, 12);
  expect(judged?.points.map(({ score }) => score)).toEqual([0.45, 0.46, 0.6]);
  expect(judgeTrial(maps, { task: "segmentation", measure: "accuracy" })).toBe(maps);
  expect(judgeTrial(maps, { task: "segmentation", measure: "balanced-accuracy" })).toMatchObject({ score: 0.7 });
});
