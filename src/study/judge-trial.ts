/** Trials as the measure of a plan judges them: their records have accuracy as the score, and other measures beside it. */
import { measureOf } from "./measure.js";
import type { StudyPlan } from "./plan.js";
import type { TrialPoint, TrialRecord } from "./records.js";
import { isStalled } from "./run-trial.js";

/** What of a plan says by what trials are judged. */
type Judging = Pick<StudyPlan, "task" | "measure">;

/** Measures beside accuracy: where a point has them, and what always naming the most frequent class is worth by them. */
const others = {
  "balanced-accuracy": {
    of: ({ balancedAccuracy }: TrialPoint) => balancedAccuracy,
    chance: (_share: number, classes: number) => 1 / classes,
  },
  // Everything is named after the most frequent class: its union with that is everything, and other classes have nothing.
  "mean-iou": {
    of: ({ meanIou }: TrialPoint) => meanIou,
    chance: (share: number, classes: number) => share / classes,
  },
} as const;

/** A trial with the plan's measure as its score; undefined where it was not measured, in a record of an earlier version. */
export function judgeTrial(record: TrialRecord, plan: Judging): TrialRecord | undefined {
  const { key } = measureOf(plan);
  if (key === "accuracy" || key === "r2") return record;
  const { classSizes, steps } = record;
  if (classSizes === undefined) return undefined;
  const points = record.points.map((point) => ({ ...point, score: others[key].of(point) ?? Number.NaN }));
  const within = points.filter(({ step }) => step <= steps).map(({ score }) => score);
  const score = within[within.length - 1];
  const chance = others[key].chance(record.chance, classSizes.length);
  const stalled = isStalled(score, chance, "classification");
  return { ...record, points, score, bestScore: Math.max(...within), chance, stalled };
}

/** Those of trials by key that {@link judgeTrial} can judge. */
export function judgeTrials(trials: ReadonlyMap<string, TrialRecord>, plan: Judging): Map<string, TrialRecord> {
  const judged = new Map<string, TrialRecord>();
  for (const [key, record] of trials) {
    const own = judgeTrial(record, plan);
    if (own) judged.set(key, own);
  }
  return judged;
}
