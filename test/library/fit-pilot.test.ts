import { describe, expect, test } from "vitest";
import { fitPilot, type PilotBench } from "../../src/library/fit-pilot.js";
import { pilotArms, selfTrainedPilotArms } from "../../src/study/arm.js";
import { parseLabelAmount } from "../../src/study/labels.js";
import { pretrainingKey, type StudyPlan } from "../../src/study/plan.js";
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
  seconds: { selfTraining: number; pretrainingSteps: readonly number[]; step?: number },
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
    timePretraining: async () => perStep.shift() ?? 1,
  };
}

const none = new AbortController().signal;
const fitted = async (bench: PilotBench, minutes: number) =>
  fitPilot(bench, await draftOf(), await armsOf(...selfTrainedPilotArms), minutes * 60, 2, undefined, none);
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

  test("tells how many kinds of steps it has timed: those with labels, and those of each pretraining", async () => {
    const told: string[] = [];
    const bench = benchOf({ selfTraining: 4, pretrainingSteps: [0.5, 0.7] });
    await fitPilot(
      bench,
      await draftOf(),
      await armsOf(...selfTrainedPilotArms),
      600,
      2,
      undefined,
      none,
      (done, kinds) => told.push(`${done}/${kinds}`),
    );
    expect(told).toEqual(["0/2", "1/2", "2/2"]);
  });

  test("says why it leaves self-training out", async () => {
    const { plan, leftOut } = await fitted(benchOf({ selfTraining: 200, pretrainingSteps: [0.01] }), 10);
    expect(names(plan)).toEqual(pilotArms);
    expect(leftOut).toMatch(/takes 200 s for each start; .*--arms pytorch-default,.*,default\+self-training$/);
    const [recipe] = plan.arms.flatMap(({ source }) => (source.kind === "recipe" ? [source.recipe] : []));
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
