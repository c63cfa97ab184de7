import { expect, test } from "vitest";
import type { CompareOptions } from "../../src/library/compare.js";
import { requireLabels, targetNotes } from "../../src/library/study-labels.js";
import type { StudyData } from "../../src/study/run-trial.js";
import { labelled } from "../support/labelled-data.js";

test("says that several labels of a sample are predicted as numbers", () => {
  const notes = (train: readonly number[], width: number) =>
    targetNotes({ model: "m", data: "train.csv", test: "test.csv" }, {
      train: labelled(undefined, train, width),
      test: labelled(undefined, train, width),
    } as StudyData);
  expect(notes([0, 1, 1, 1, 0, 0], 2)).toEqual([
    expect.stringMatching(/^y0, y1 of train\.csv are all 0 or 1: they are predicted as numbers/),
  ]);
  expect(notes([0, 1, 1, 1, 0, 2], 2)).toEqual([]);
  expect(notes([0, 1, 1, 0], 1)).toEqual([]);
});

test("a study takes samples of two classes, in the training and in the test data", () => {
  const options: CompareOptions = { model: "m", data: "train.csv", test: "test.csv" };
  const require = (train: readonly number[], test: readonly number[]) => () =>
    requireLabels(
      options,
      { train: labelled(train), test: labelled(test) } as StudyData,
      { outputs: 3 },
      "classification",
    );
  expect(require([0, 1], [2, 1])).not.toThrow();
  expect(require([0, 1], [1, 1])).toThrow(
    /^test\.csv: required samples of two classes at least, got one class alone\./,
  );
  expect(require([0, -1, 0], [0, 1])).toThrow(/^train\.csv: .* got one class alone/);
  expect(require([-1, -1], [0, 1])).toThrow(/^train\.csv: .* got none with a label/);
  // A single folder of pictures is no class, so there are no labels at all.
  const unlabelled = { train: labelled(undefined), test: labelled(undefined) } as StudyData;
  expect(() => requireLabels(options, unlabelled, { outputs: 3 }, "classification")).toThrow(
    /^train\.csv: required labelled samples \(folders of two or more classes, .* got no labels\./,
  );
});

test("numbers are judged by R² alone", () => {
  const data = { train: labelled(undefined, [1, 2, 3]), test: labelled(undefined, [1, 2]) } as StudyData;
  const require = (measure?: "accuracy" | "balanced-accuracy") => () =>
    requireLabels(
      { model: "m", data: "d", test: "t", ...(measure && { measure }) },
      data,
      { outputs: 1 },
      "regression",
    );
  expect(require()).not.toThrow();
  for (const measure of ["accuracy", "balanced-accuracy"] as const)
    expect(require(measure)).toThrow(/^measure: required labels that are classes, got numbers to predict, .* R²\./);
});

test("classes that are named must be as many as the network tells apart", () => {
  const data = labelled([0, 1]);
  const require = (classNames: readonly string[], outputs: number) =>
    requireLabels(
      { model: "net.onnx", data: "train", test: "test", classNames },
      { train: data, test: data, unlabelled: data },
      { outputs },
      "classification",
    );
  require(["a", "b"], 1);
  require(["a", "b", "c"], 3);
  expect(() => require(["a", "b"], 3)).toThrow(/class names: required 3, .* got 2: a, b/);
  expect(() => require(["a", "b", "c"], 1)).toThrow(/class names: required 2, .* got 3: a, b, c/);
});
