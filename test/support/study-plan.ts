/** Plans and records of studies that never ran, for tests of what is made of them. */
import { builtInRecipe } from "../../src/recipe/recipe.js";
import { type Arm, parseArm } from "../../src/study/arm.js";
import { studyOptimizer } from "../../src/study/optimizer.js";
import { evaluationSteps, type StudyPlan, type Trial, trialKey } from "../../src/study/plan.js";
import type { TrialRecord } from "../../src/study/records.js";

export async function armsOf(...names: string[]): Promise<Arm[]> {
  const sources = { recipe: async (name: string) => builtInRecipe(name), weightsHash: async (file: string) => file };
  return Promise.all(names.map((name) => parseArm(name, sources)));
}

export function planOf(arms: readonly Arm[], changes: Partial<StudyPlan> = {}): StudyPlan {
  return {
    networks: [{ name: "net", file: "net.onnx", hash: "n" }],
    discriminator: "auto",
    data: { train: "t", test: "e", unlabelled: "t" },
    arms,
    baselines: [arms[0].name],
    labels: ["all"],
    optimizers: [studyOptimizer("adam")],
    learningRates: [],
    tune: false,
    steps: 100,
    batchSize: 8,
    seeds: 5,
    head: "he",
    longestExtension: 4,
    minimumEffect: 0.01,
    ...changes,
  };
}

/** A trial that ended at this score. */
export function recordOf(
  plan: StudyPlan,
  trial: Trial,
  score: number,
  changes: Partial<TrialRecord> = {},
): TrialRecord {
  const points = evaluationSteps(plan.steps, 0).map((step) => ({
    step,
    score: 0.1 + (score - 0.1) * (step / plan.steps),
    loss: step === 0 ? null : 1 / step,
    testLoss: 2 / (step + 1),
  }));
  return {
    ...trial,
    key: trialKey(plan, trial),
    steps: plan.steps,
    stepsMade: plan.steps,
    labelsUsed: 300,
    points,
    score,
    bestScore: score,
    chance: 0.1,
    diverged: null,
    stalled: score <= 0.12,
    start: [{ layer: "w", mean: 0, standardDeviation: 1, constantUnits: 0, gradient: 0.01 }],
    headHash: `head ${trial.seed}`,
    timing: { startSeconds: 0.1, secondsPerStep: 0.01, threads: 1 },
    ...changes,
  };
}

/** A trial of an arm. */
export function trialOf(plan: StudyPlan, arm: string, seed: number): Trial {
  return { network: "net", arm, labels: plan.labels[0], optimizer: plan.optimizers[0], seed, purpose: "test" };
}
