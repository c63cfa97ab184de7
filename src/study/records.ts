/** What a study keeps of its pretrainings and trials. */
import { z } from "zod";
import type { Trial } from "./plan.js";

/** pretraining/KEY.json: what a pretraining cost and how it ended; its weights lie beside it. */
export interface PretrainingRecord {
  readonly key: string;
  readonly network: string;
  readonly recipe: string;
  readonly seed: number;
  readonly steps: number;
  /** Unlabelled samples seen, repetitions counted. */
  readonly samples: number;
  /** Seconds of one thread. */
  readonly seconds: number;
  /** Of the weights' file; absent in records of earlier versions. */
  readonly sha256?: string;
  /** The step at which a loss became non-finite; there are no weights then. */
  readonly divergedAt?: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

/** Score and losses along a trial. */
export interface TrialPoint {
  readonly step: number;
  /** Accuracy, or R² where numbers are predicted: the higher the better. See judgeTrial for other measures. */
  readonly score: number;
  /** Absent where numbers are predicted, and in records of earlier versions. */
  readonly balancedAccuracy?: number;
  /** Mean intersection over union, where each position has a class. */
  readonly meanIou?: number;
  /** Root mean squared error of each number that is predicted, in the data's own units. */
  readonly rmse?: readonly number[];
  /** Mean training loss since the point before; null at step 0 and where it was not finite. */
  readonly loss: number | null;
  /** Loss on the test data after this step; null where it was not finite, absent in records of earlier versions. */
  readonly testLoss?: number | null;
}

/** A layer before supervised training. */
export interface LayerStart {
  readonly layer: string;
  /** Of its pre-activations on unlabelled samples; null where these are not finite. */
  readonly mean: number | null;
  readonly standardDeviation: number | null;
  readonly constantUnits: number | null;
  /** Root mean square of the loss's gradient by its weight, on the first batch; null where it is not finite. */
  readonly gradient: number | null;
}

/** One line of trials.jsonl. */
export interface TrialRecord extends Trial {
  readonly key: string;
  /** Steps of the plan, and those that were made (more for the comparison at equal time, fewer where it diverged). */
  readonly steps: number;
  readonly stepsMade: number;
  readonly labelsUsed: number;
  /** How many samples, or positions, it was measured on of each class that has any; absent where {@link TrialPoint.balancedAccuracy} is. */
  readonly classSizes?: readonly number[];
  readonly points: readonly TrialPoint[];
  /** After `steps`. */
  readonly score: number;
  /** The largest up to `steps`. */
  readonly bestScore: number;
  /** Score of always naming the test data's most frequent class, or of always predicting its mean: 0. */
  readonly chance: number;
  /** "non-finite", or "loss above its start" over the last tenth of the steps, or "pretraining" where nothing was there to start from; null where it did not. */
  readonly diverged: "non-finite" | "loss above its start" | "pretraining" | null;
  /** Score within 0.02 of chance after `steps`; an accuracy below that too. */
  readonly stalled: boolean;
  readonly start: readonly LayerStart[];
  /** Hash of the head's start weights: equal in all arms of a seed. */
  readonly headHash: string;
  /** Depends on the machine; everything else does not. */
  readonly timing: { readonly startSeconds: number; readonly secondsPerStep: number; readonly threads: 1 };
}

/** Trials of the first version called their score accuracy. */
interface EarlyRecord extends Omit<TrialRecord, "points" | "score" | "bestScore"> {
  readonly accuracy: number;
  readonly bestAccuracy: number;
  readonly points: readonly (Omit<TrialPoint, "score"> & { readonly accuracy: number })[];
}

/** A trial's record as it is written today. */
export function currentRecord(record: TrialRecord | EarlyRecord): TrialRecord {
  if (!("bestAccuracy" in record)) return record;
  const { accuracy, bestAccuracy, points, ...rest } = record;
  const scored = points.map(({ accuracy: score, ...point }) => ({ ...point, score }));
  return { ...rest, points: scored, score: accuracy, bestScore: bestAccuracy };
}

/** What a study counts with. Numbers that may not be finite are null in JSON. */
const countedTrial = z.object({
  key: z.string(),
  network: z.string(),
  arm: z.string(),
  optimizer: z.object({ learningRate: z.number() }),
  seed: z.number().int(),
  steps: z.number().int(),
  stepsMade: z.number().int(),
  labelsUsed: z.number().int(),
  points: z
    .array(
      z.object({
        step: z.number().int(),
        score: z.number(),
        balancedAccuracy: z.number().optional(),
        meanIou: z.number().optional(),
        rmse: z.array(z.number().nullable()).optional(),
        loss: z.number().nullable(),
        testLoss: z.number().nullable().optional(),
      }),
    )
    .min(1),
  score: z.number(),
  bestScore: z.number(),
  chance: z.number(),
  diverged: z.enum(["non-finite", "loss above its start", "pretraining"]).nullable(),
  stalled: z.boolean(),
  start: z.array(
    z.object({
      layer: z.string(),
      mean: z.number().nullable(),
      standardDeviation: z.number().nullable(),
      constantUnits: z.number().nullable(),
      gradient: z.number().nullable(),
    }),
  ),
  timing: z.object({ startSeconds: z.number().nullable(), secondsPerStep: z.number().nullable() }),
});

/** Whether a line of trials.jsonl is a trial's record, of today or of the first version. */
export function isTrial(value: unknown): value is TrialRecord | EarlyRecord {
  if (typeof value !== "object" || value === null) return false;
  try {
    return countedTrial.safeParse(currentRecord(value as TrialRecord)).success;
  } catch {
    // One of the first version without points.
    return false;
  }
}

/** A line of trials.jsonl as a trial's record of today; undefined where it is none. */
export function readTrial(line: string): TrialRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isTrial(value) ? currentRecord(value) : undefined;
  } catch {
    return undefined;
  }
}

const countedPretraining = z.object({
  key: z.string(),
  steps: z.number().int(),
  samples: z.number(),
  seconds: z.number(),
  sha256: z.string().optional(),
  divergedAt: z.number().int().optional(),
  metrics: z.object({}),
  warnings: z.array(z.string()),
});

/** Whether this is a pretraining's record, as far as a study counts with it. */
export function isPretraining(record: unknown): record is PretrainingRecord {
  return countedPretraining.safeParse(record).success;
}
