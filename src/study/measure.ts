/** What a study judges networks by, and how its numbers are written. */
import type { SupervisedLoss } from "../recipe/network-outputs.js";
import type { StudyPlan } from "./plan.js";

/** What the networks of a study predict: a class, numbers, or a class at each position. */
export const studyTasks = ["classification", "regression", "segmentation"] as const;
export type StudyTask = (typeof studyTasks)[number];

/** What networks that tell classes apart can be judged by; mean-iou: those that do so at each position. */
export const classMeasures = ["accuracy", "balanced-accuracy", "mean-iou"] as const;
export type ClassMeasure = (typeof classMeasures)[number];

/** The loss that networks are trained by for a task; undefined: for classification. */
export function lossOf(task: StudyTask | undefined): SupervisedLoss {
  if (task === "regression") return "squared-error";
  return task === "segmentation" ? "map-cross-entropy" : "cross-entropy";
}

/** The score of a trial, the higher the better, in words and figures. */
export interface Measure {
  readonly key: ClassMeasure | "r2";
  readonly name: string;
  /** At the beginning of a sentence. */
  readonly title: string;
  /** What scores are multiplied by where they are shown. */
  readonly factor: number;
  /** What is written behind them then, without and with a space. */
  readonly unit: string;
  /** What differences are counted in. */
  readonly differenceUnit: string;
  readonly digits: number;
  /** The least and most that a chart shows. */
  readonly shown: readonly [number, number];
  /** What gives the score of chance. */
  readonly chance: string;
}

/** R² has no lower bound: below this it counts, and is drawn, as this much. */
export const leastR2 = -1;

const accuracy: Measure = {
  key: "accuracy",
  name: "accuracy",
  title: "Accuracy",
  factor: 100,
  unit: "%",
  differenceUnit: "points",
  digits: 1,
  shown: [0, 1],
  chance: "always naming the most frequent class",
};

const measures: Readonly<Record<Measure["key"], Measure>> = {
  accuracy,
  "balanced-accuracy": {
    ...accuracy,
    key: "balanced-accuracy",
    name: "balanced accuracy",
    title: "Balanced accuracy",
    chance: "always naming the same class",
  },
  "mean-iou": {
    ...accuracy,
    key: "mean-iou",
    name: "IoU",
    title: "IoU",
  },
  r2: {
    key: "r2",
    name: "R²",
    title: "R²",
    factor: 1,
    unit: "",
    differenceUnit: "",
    digits: 3,
    shown: [leastR2, 1],
    chance: "always predicting the mean",
  },
};

/** The measure of a plan's networks: where it says none accuracy, of maps mean IoU, and R² where they predict numbers. */
export function measureOf({ task, measure }: Pick<StudyPlan, "task" | "measure">): Measure {
  if (task === "regression") return measures.r2;
  return measures[measure ?? (task === "segmentation" ? "mean-iou" : "accuracy")];
}

/** A score with its unit, such as "85.3 %" or "0.853". */
export function showScore({ factor, digits, unit }: Measure, score: number): string {
  const figure = (factor * score).toFixed(digits);
  return unit === "" ? figure : `${figure} ${unit}`;
}

/** A score's mean over seeds and half its 95 % interval, without the unit. */
export function showMean(
  { factor, digits }: Pick<Measure, "factor" | "digits">,
  { mean, high }: { readonly mean: number; readonly high: number | null },
): string {
  const figure = (value: number): string => (factor * value).toFixed(digits);
  return high === null ? figure(mean) : `${figure(mean)} ± ${figure(high - mean)}`;
}

/** A difference of scores with its sign, in the unit of differences but without it. */
export function showDifference({ factor, digits }: Measure, difference: number | undefined): string {
  if (difference === undefined) return "";
  return `${difference > 0 ? "+" : ""}${(factor * difference).toFixed(digits + 1)}`;
}

/** How large a difference is, with its unit, such as "1 point" or "0.01". */
export function showEffect({ factor, differenceUnit }: Measure, difference: number): string {
  const size = Number((factor * difference).toPrecision(3));
  if (differenceUnit === "") return String(size);
  return `${size} ${size === 1 ? differenceUnit.replace(/s$/, "") : differenceUnit}`;
}

/** An error in the data's own units, to four digits or as many as it has before the point. */
export function showError(error: number): string {
  const figure = Number(error.toPrecision(4));
  return Math.abs(figure) >= 1e6 || Math.abs(figure) < 1e-4 ? error.toExponential(2) : String(figure);
}
