/** Whether a study's data has the labels that its networks are trained and judged by. */
import { counted } from "../counted.js";
import { shorten } from "../data/classes.js";
import { type UserError, userError } from "../errors.js";
import type { OutputMaps } from "../recipe/network-outputs.js";
import type { StudyTask } from "../study/measure.js";
import type { StudyData } from "../study/run-trial.js";
import { meansOf, variancesOf } from "../training/objective.js";
import type { CompareOptions } from "./compare-types.js";
import { requireMaps } from "./require-maps.js";
import { requireNamesOfOutputs } from "./require-names-of-outputs.js";

/** What is said where there are no labels. */
export function noLabels(where: string): UserError {
  return userError({
    where,
    required:
      "labelled samples (folders of two or more classes, an IDX pair, an NPY pair, or a table with --label-column)",
    got: "no labels",
    advice: "Say where they are with --label-column, or --test-label-column for the test data.",
  });
}

/**
 * @param network how many numbers its output has, and how they lie where each position has its own
 * @throws UserError unless every test sample has a label, there are training labels, and the model has outputs for them
 */
export function requireLabels(
  options: CompareOptions,
  data: StudyData,
  { outputs, maps }: { readonly outputs: number; readonly maps?: OutputMaps },
  task: StudyTask,
): void {
  if (task === "regression") {
    requireNoMeasure(options);
    requireTargets(options, data, outputs);
  } else if (maps) requireMaps(options, data, outputs, maps.positions);
  else {
    requireMeasureOfSamples(options);
    requireClasses(options, data, outputs);
  }
}

function requireMeasureOfSamples({ measure }: CompareOptions): void {
  if (measure !== "mean-iou") return;
  throw userError({
    where: "measure",
    required: "accuracy or balanced-accuracy for a network that gives one class for each sample",
    got: measure,
    advice: "Leave --measure out.",
  });
}

function requireNoMeasure({ measure }: CompareOptions): void {
  if (measure === undefined) return;
  throw userError({
    where: "measure",
    required: "labels that are classes",
    got: "numbers to predict, which are judged by R²",
    advice: "Leave --measure out, or say --task classification if each number is a class.",
  });
}

function requireTargets(options: CompareOptions, { train, test }: StudyData, outputs: number): void {
  if (!train.targets) throw noLabels(options.data);
  if (!test.targets) throw noLabels(options.test);
  for (const [where, { names }] of [
    [options.data, train.targets],
    [options.test, test.targets],
  ] as const) {
    if (names.length === outputs) continue;
    throw userError({
      where,
      required: `${counted(outputs, "number")} to predict for each sample, as the model has outputs`,
      got: `${names.length} (${shorten(names)})`,
      advice: "Name as many label columns, separated by commas, or give another model.",
    });
  }
  const constant = variancesOf(test.targets).findIndex((variance) => !(variance > 0));
  if (constant < 0) return;
  throw userError({
    where: options.test,
    required: "numbers to predict that differ between the test samples",
    got: `the same ${test.targets.names[constant]} in all`,
    advice: "Give other test data.",
  });
}

/** Deviations of the training data by which the means of the two may differ, and times that their spreads may. */
const [farMeans, farSpreads] = [3, 10];

/**
 * What is odd about the numbers to predict, in words: labels of which a sample has several, which are no classes here; and
 * test data of another quantity, or in other units, which would be compared in earnest, and only every R² would be poor.
 */
export function targetNotes(options: CompareOptions, { train, test }: StudyData): string[] {
  if (!train.targets || !test.targets) return [];
  const [own, other] = [train.targets, test.targets];
  const [ownMeans, otherMeans] = [meansOf(own), meansOf(other)];
  const [ownSpreads, otherSpreads] = [variancesOf(own).map(Math.sqrt), variancesOf(other).map(Math.sqrt)];
  const figure = (value: number): string => String(Number(value.toPrecision(3)));
  const flags = own.names.length > 1 && own.values.every((value) => value === 0 || value === 1);
  const severalLabels = flags
    ? [
        `${shorten(own.names)} of ${options.data} are all 0 or 1: they are predicted as numbers, by squared error, since a sample has one class at most here; R² is what is measured, not how many labels are right`,
      ]
    : [];
  const otherQuantities = own.names.flatMap((name, at) => {
    const times = ownSpreads[at] / otherSpreads[at];
    const alike = Math.abs(ownMeans[at] - otherMeans[at]) <= farMeans * Math.max(ownSpreads[at], otherSpreads[at]);
    if (alike && times < farSpreads && times > 1 / farSpreads) return [];
    const shown = (means: readonly number[], spreads: readonly number[]): string =>
      `${figure(means[at])} ± ${figure(spreads[at])}`;
    return [
      `${other.names[at]} of ${options.test} is ${shown(otherMeans, otherSpreads)}, where ${name} of ${options.data} is ${shown(ownMeans, ownSpreads)}: if these are two quantities, or one in two units, say with --test-label-column where the right one is`,
    ];
  });
  return [...severalLabels, ...otherQuantities];
}

function requireClasses(options: CompareOptions, { train, test }: StudyData, outputs: number): void {
  const scores = Math.max(2, outputs);
  if (options.classNames) requireNamesOfOutputs(options.classNames, scores);
  if (!train.labels) throw noLabels(options.data);
  if (!test.labels) throw noLabels(options.test);
  for (const [where, labels] of [
    [options.data, train.labels],
    [options.test, test.labels],
  ] as const) {
    const largest = labels.reduce((most, label) => Math.max(most, label), -1);
    if (largest >= scores)
      throw userError({
        where,
        required: `at most the ${counted(scores, "class", "classes")} that the model has scores for`,
        got: `${largest + 1}`,
        advice: "Give a model for as many classes as the data has.",
      });
    // One class alone is always named right: by trials that diverged, too.
    if (new Set(labels.filter((label) => label >= 0)).size < 2)
      throw userError({
        where,
        required: "samples of two classes at least",
        got: largest < 0 ? "none with a label" : "one class alone",
        advice: "Give labelled samples of every class.",
      });
  }
  const unlabelledTests = test.labels.reduce((count, label) => count + (label < 0 ? 1 : 0), 0);
  if (unlabelledTests > 0)
    throw userError({
      where: options.test,
      required: "a label for every test sample",
      got: `${unlabelledTests} without`,
      advice: "Remove them.",
    });
}
