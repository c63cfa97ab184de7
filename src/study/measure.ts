/** What a study judges networks by, and how its numbers are written. */
import type { StudyPlan } from "./plan.js";

/** What the networks of a study predict. */
export type StudyTask = "classification" | "regression";

/** What networks that tell classes apart can be judged by. */
export const classMeasures = ["accuracy", "balanced-accuracy"] as const;
export type ClassMeasure = (typeof classMeasures)[number];

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

/** The measure of a plan's networks: accuracy where it says no other, R² where they predict numbers. */
export function measureOf({ task, measure = "accuracy" }: Pick<StudyPlan, "task" | "measure">): Measure {
  return measures[task === "regression" ? "r2" : measure];
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
