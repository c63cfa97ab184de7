import { describe, expect, test } from "vitest";
import { fitPilot, type PilotBench, type PilotRequest } from "../../src/library/fit-pilot.js";
import type { Recipe } from "../../src/recipe/recipe.js";
import { pilotArms, selfTrainedPilotArms } from "../../src/study/arm.js";
import { parseLabelAmount } from "../../src/study/labels.js";
import { pretrainingKey, type StudyPlan } from "../../src/study/plan.js";
import { pretrainingSteps } from "../../src/training/pretrain.js";
import { armsOf, planOf } from "../support/study-plan.js";

const draftOf = async (): Promise<StudyPlan> =>
  planOf(await armsOf(...pilotArms), {
    baselines: ["he+calibrated"],
    labels: [parseLabelAmount("10/class")],
    steps: 300,
    pretrainingSeeds: 1,
    longestExtension: 1,
  });

/** A bench on which everything takes as long as it is told. */
function benchOf(
  seconds: { selfTraining: number; pretrainingSteps: readonly number[]; pretrainingStart?: number; step?: number },
  takesHead = true,
): PilotBench {
  let plan: StudyPlan | undefined;
  const perStep = [...seconds.pretrainingSteps];
  return {
    usePlan: (given) => {
      plan = given;
    },
    run: async () => ({
      kind: "timing",
      secondsPerStep: seconds.step ?? 0.002,
      secondsPerEvaluation: 0.05,
      ...(plan?.arms.some(({ head }) => head === "self-training") ? { selfTrainingSeconds: seconds.selfTraining } : {}),
    }),
    takesHead: async () => takesHead,
    unlabelledCount: async () => 60_000,
    // Never the same twice, as with real measurements.
    timePretraining: async () => ({ start: seconds.pretrainingStart ?? 0, perStep: perStep.shift() ?? 1 }),
  };
}

const none = new AbortController().signal;
const requestOf = async (minutes: number, changes: Partial<PilotRequest> = {}): Promise<PilotRequest> => ({
  draft: await draftOf(),
  besides: await armsOf(...selfTrainedPilotArms),
  minutes,
  workers: 2,
  ...changes,
});
const fitted = async (bench: PilotBench, minutes: number, changes: Partial<PilotRequest> = {}) =>
  fitPilot(bench, await requestOf(minutes, changes), none);
const recipesOf = ({ arms: planned }: StudyPlan): Recipe[] =>
  planned.flatMap(({ source }) => (source.kind === "recipe" ? [source.recipe] : []));
const names = ({ arms: planned }: StudyPlan): string[] => planned.map(({ name }) => name);

describe("fitPilot", () => {
  test("takes self-training along where there is time, with the pretraining of the arm without it", async () => {
    const { plan, leftOut, expected } = await fitted(benchOf({ selfTraining: 4, pretrainingSteps: [0.5, 0.7] }), 10);
    expect(names(plan)).toEqual([...pilotArms, ...selfTrainedPilotArms]);
    expect(leftOut).toBeUndefined();
    const keys = plan.arms.flatMap((arm) =>
      arm.source.kind === "recipe" ? [pretrainingKey(plan, "net", arm, 0)] : [],
    );
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    // Two fifths of ten minutes at half a second a step: 480 steps of 128 of 60,000 samples.
    for (const { source } of plan.arms)
      if (source.kind === "recipe") expect(source.recipe.epochs).toBeCloseTo(1.024, 1);
    expect(expected).toBeLessThan(600);
    expect(plan.seeds).toBeGreaterThanOrEqual(3);
  });

  test("leaves less time for steps where pretraining starts slowly", async () => {
    const seconds = { selfTraining: 4, pretrainingSteps: [0.5] };
    const [quick] = recipesOf((await fitted(benchOf(seconds), 10)).plan);
    const slow = await fitted(benchOf({ ...seconds, pretrainingStart: 120 }), 10);
    const [cut] = recipesOf(slow.plan);
    // Of two fifths of ten minutes the start takes half.
    expect(cut.epochs).toBeCloseTo(quick.epochs / 2, 2);
    expect(slow.expected).toBeLessThan(600);
    // A start that takes longer than there is leaves one step, and its time is said.
    const slowest = await fitted(benchOf({ ...seconds, pretrainingStart: 900 }), 10);
    const [least] = recipesOf(slowest.plan);
    expect(pretrainingSteps(least, 60_000)).toBe(1);
    expect(slowest.expected).toBeGreaterThan(900);
    expect(slowest.tooShort).toMatch(/--pilot \d+$/);
  });

  test("counts recipes that are a start alone, which cannot be cut", async () => {
    const draft = { ...(await draftOf()), arms: await armsOf("he", "principal-components", "default") };
    const request = { draft, besides: [], workers: 1 };
    const seconds = { selfTraining: 0, pretrainingSteps: [0, 0.5], pretrainingStart: 80 };
    const { plan, expected } = await fitted(benchOf(seconds), 10, request);
    const [untrained, cut] = recipesOf(plan);
    expect(untrained).toEqual(recipesOf(draft)[0]);
    // 240 seconds less twice 80 are 160 steps of 128.
    expect(pretrainingSteps(cut, 60_000)).toBe(160);
    expect(expected).toBeGreaterThan(240);
  });

  test("tells how many kinds of steps it has timed: those with labels, and those of each pretraining", async () => {
    const told: string[] = [];
    const bench = benchOf({ selfTraining: 4, pretrainingSteps: [0.5, 0.7] });
    await fitPilot(bench, await requestOf(10), none, (done, kinds) => told.push(`${done}/${kinds}`));
    expect(told).toEqual(["0/2", "1/2", "2/2"]);
  });

  test("says why it leaves self-training out", async () => {
    const { plan, leftOut } = await fitted(benchOf({ selfTraining: 200, pretrainingSteps: [0.01] }), 10);
    expect(names(plan)).toEqual(pilotArms);
    expect(leftOut).toMatch(/takes 200 s for each start; .*--arms pytorch-default,.*,default\+self-training$/);
    const [recipe] = recipesOf(plan);
    expect(recipe.epochs).toBe(2.5);
  });

  test("compares heads from labels only where the network takes them", async () => {
    const { plan, leftOut } = await fitted(benchOf({ selfTraining: 1, pretrainingSteps: [0.01] }, false), 10);
    expect(names(plan)).toEqual(pilotArms);
    expect(leftOut).toBeUndefined();
  });

  test("makes fewer steps where not even three seeds fit", async () => {
    const slow = benchOf({ selfTraining: 1, pretrainingSteps: [0.01], step: 0.5 }, false);
    const { plan, expected } = await fitted(slow, 4);
    expect(plan.seeds).toBe(3);
    expect(plan.steps).toBeLessThan(300);
    expect(plan.steps).toBeGreaterThanOrEqual(30);
    expect(expected).toBeLessThan(4 * 60);
  });

  test("says how long it would have to be where not even that fits", async () => {
    const slow = benchOf({ selfTraining: 1, pretrainingSteps: [0.01], step: 2 }, false);
    const { expected, tooShort } = await fitted(slow, 1);
    expect(expected).toBeGreaterThan(60);
    const minutes = Math.ceil(expected / 60);
    expect(tooShort).toContain(`about ${minutes} minutes: give it more time, as with --pilot ${minutes}`);
    expect((await fitted(benchOf({ selfTraining: 1, pretrainingSteps: [0.01] }, false), 10)).tooShort).toBeUndefined();
  });
});
