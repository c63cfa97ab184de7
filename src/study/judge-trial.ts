/** Trials as the measure of a plan judges them: their records have accuracy as the score, and balanced accuracy beside it. */
import type { StudyPlan } from "./plan.js";
import type { TrialRecord } from "./records.js";
import { isStalled } from "./run-trial.js";

/** A trial with the plan's measure as its score; undefined where it was not measured, in a record of an earlier version. */
export function judgeTrial(record: TrialRecord, { measure }: Pick<StudyPlan, "measure">): TrialRecord | undefined {
  if (measure !== "balanced-accuracy") return record;
  const { classSizes, steps } = record;
  if (classSizes === undefined) return undefined;
  const points = record.points.map((point) => ({ ...point, score: point.balancedAccuracy ?? Number.NaN }));
  const within = points.filter(({ step }) => step <= steps).map(({ score }) => score);
  const score = within[within.length - 1];
  const chance = 1 / classSizes.length;
  const stalled = isStalled(score, chance, "classification");
  return { ...record, points, score, bestScore: Math.max(...within), chance, stalled };
}

/** Those of trials by key that {@link judgeTrial} can judge. */
export function judgeTrials(
  trials: ReadonlyMap<string, TrialRecord>,
  plan: Pick<StudyPlan, "measure">,
): Map<string, TrialRecord> {
  const judged = new Map<string, TrialRecord>();
  for (const [key, record] of trials) {
    const own = judgeTrial(record, plan);
    if (own) judged.set(key, own);
  }
  return judged;
}
