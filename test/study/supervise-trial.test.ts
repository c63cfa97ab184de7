import { describe, expect, test } from "vitest";
import { evaluationSteps } from "../../src/study/plan.js";
import { stepsMadeFor, superviseTrial, type TrialTraining } from "../../src/study/supervise-trial.js";
import type { SupervisedResult, SupervisedRun } from "../../src/training/supervise.js";

/** Makes results up: the loss of a step tells of how many steps it is one, the score where it is measured. */
function pretender(diverging: (steps: number) => number | undefined = () => undefined) {
  const runs: SupervisedRun[] = [];
  const run = async (given: SupervisedRun): Promise<SupervisedResult> => {
    runs.push(given);
    const divergedAt = diverging(given.steps);
    const made = divergedAt ?? given.steps;
    for (let step = 1; step <= made; step++) given.onStep?.(step, {});
    return {
      losses: new Array<number>(made).fill(given.steps),
      evaluations: given.evaluateAt
        .filter((step) => step <= made)
        .map((step) => ({ step, score: step / 1000, loss: given.steps })),
      ...(divergedAt === undefined ? {} : { divergedAt }),
      weights: given.weights,
    };
  };
  return { runs, run };
}

function trainingOf(changes: Partial<TrialTraining> = {}): TrialTraining {
  const run = { weights: new Map(), seed: 3, learningRate: 0.1 } as unknown as TrialTraining["run"];
  return { supervisor: pretender(), purpose: "test", run, steps: 10, extension: 20, ...changes };
}

describe("superviseTrial", () => {
  test("trains on at a learning rate that stays", async () => {
    const supervisor = pretender();
    const trained = await superviseTrial(trainingOf({ supervisor }));
    expect(supervisor.runs).toMatchObject([{ steps: 30, seed: 3, learningRate: 0.1 }]);
    expect(supervisor.runs[0]).not.toHaveProperty("schedule");
    expect(trained.evaluateAt).toEqual(evaluationSteps(10, 20));
    expect(trained.losses).toHaveLength(30);
  });

  test("trains anew for what lies beyond where the learning rate falls, over all steps", async () => {
    const supervisor = pretender();
    const told: string[] = [];
    const trained = await superviseTrial(
      trainingOf({ supervisor, schedule: "cosine", onStep: (made, all) => told.push(`${made}/${all}`) }),
    );
    const schedule = { kind: "cosine", warmUp: 0 };
    expect(supervisor.runs).toMatchObject([
      { steps: 10, seed: 3, schedule, evaluateAt: evaluationSteps(10, 0) },
      { steps: 30, seed: 3, schedule, evaluateAt: [30] },
    ]);
    expect(trained.evaluateAt).toEqual([...evaluationSteps(10, 0), 30]);
    expect(trained.evaluations.map(({ step, loss }) => [step, loss])).toEqual([
      ...evaluationSteps(10, 0).map((step) => [step, 10]),
      [30, 30],
    ]);
    expect(trained.losses).toEqual([...new Array(10).fill(10), ...new Array(20).fill(30)]);
    expect([told[0], told[10], told.at(-1)]).toEqual(["1/40", "11/40", "40/40"]);
    expect([stepsMadeFor(10, 20, "cosine"), stepsMadeFor(10, 20, undefined)]).toEqual([40, 30]);
  });

  test("trains once where there is nothing beyond, or learning rates are chosen", async () => {
    for (const changes of [{ extension: 0 }, { purpose: "tuning" }] as const) {
      const supervisor = pretender();
      const { evaluateAt } = await superviseTrial(trainingOf({ supervisor, schedule: "cosine", ...changes }));
      expect(supervisor.runs).toMatchObject([{ steps: 10, schedule: { kind: "cosine" } }]);
      expect(evaluateAt).toEqual("purpose" in changes ? [10] : evaluationSteps(10, 0));
    }
    expect(stepsMadeFor(10, 0, "cosine")).toBe(10);
  });

  test("a training that fails is no failure of the shorter one; after that one there is no longer one", async () => {
    const later = await superviseTrial(
      trainingOf({ supervisor: pretender((steps) => (steps === 30 ? 4 : undefined)), schedule: "cosine" }),
    );
    expect(later).toMatchObject({ divergedAt: 10, losses: new Array(10).fill(10) });
    expect(later.evaluations.at(-1)?.step).toBe(10);
    const supervisor = pretender(() => 4);
    const first = await superviseTrial(trainingOf({ supervisor, schedule: "cosine" }));
    expect(supervisor.runs).toHaveLength(1);
    expect(first).toMatchObject({ divergedAt: 4, evaluateAt: [...evaluationSteps(10, 0), 30] });
  });
});
