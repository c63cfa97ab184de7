import { expect, test } from "vitest";
import { labelsOfArray, labelsOfTexts, pickLabels } from "../../src/data/sample-labels.js";

const array = (values: readonly number[], dims: readonly number[] = [values.length]) => ({
  array: { data: Float64Array.from(values), dims },
  where: "y.npy",
});

test("whole numbers are given as classes and as numbers where nothing is asked for", () => {
  const both = labelsOfArray(array([5, 7, 5]), 3, {});
  expect(both).toEqual({
    labels: Int32Array.of(0, 1, 0),
    classNames: ["5", "7"],
    targets: { names: ["label"], values: Float64Array.of(5, 7, 5) },
  });
  expect(Object.keys(labelsOfArray(array([5, 7, 5]), 3, { task: "classification" }))).toEqual(["labels", "classNames"]);
  expect(Object.keys(labelsOfArray(array([5, 7, 5]), 3, { task: "regression" }))).toEqual(["targets"]);
  expect(labelsOfArray(array([5, 7, 5]), 3, { task: "none" })).toEqual({});
});

test("fractions and several numbers a sample are numbers", () => {
  expect(labelsOfArray(array([0.5, 1, 2]), 3, {})).toEqual({
    targets: { names: ["label"], values: Float64Array.of(0.5, 1, 2) },
  });
  expect(labelsOfArray(array([1, 2, 3, 4, 5, 6], [3, 2]), 3, {})).toEqual({
    targets: { names: ["label 1", "label 2"], values: Float64Array.of(1, 2, 3, 4, 5, 6) },
  });
});

test("refuses labels of another number of samples, of more samples too, and what the task cannot use", () => {
  expect(() => labelsOfArray(array([1, 2]), 3, {})).toThrow(/y\.npy: required one label for each of 3 samples/);
  expect(() => labelsOfArray(array([1, 2, 3, 4]), 3, {})).toThrow(/got an array of the shape \[4\]/);
  expect(() => labelsOfArray(array([1, Number.NaN, 2]), 3, {})).toThrow(
    /finite numbers as labels, got NaN for sample 1/,
  );
  expect(() => labelsOfArray(array([0.5, 1, 2]), 3, { task: "classification" })).toThrow(/whole numbers as labels/);
  expect(() => labelsOfArray(array([1, 2, 3, 4], [2, 2]), 2, { task: "classification" })).toThrow(/one label for each/);
});

test("texts that are numbers may be either, others are classes", () => {
  const read = (texts: readonly string[], task?: "classification" | "regression" | "none") =>
    labelsOfTexts(texts, new Set(texts), undefined, "faces", { task });
  expect(read(["23", "41"])).toEqual({
    labels: Int32Array.of(0, 1),
    classNames: ["23", "41"],
    targets: { names: ["label"], values: Float64Array.of(23, 41) },
  });
  expect(read(["23.5", "41"])).toEqual({ targets: { names: ["label"], values: Float64Array.of(23.5, 41) } });
  expect(read(["cat", "dog"])).toEqual({ labels: Int32Array.of(0, 1), classNames: ["cat", "dog"] });
  expect(Object.keys(read(["23", "41"], "regression"))).toEqual(["targets"]);
  expect(read(["cat"], "none")).toEqual({});
  expect(() => read(["23", "old"], "regression")).toThrow(
    /faces: required numbers as labels, to predict them, got "old"/,
  );
});

test("some samples keep their own labels", () => {
  const targets = { names: ["a", "b"], values: Float64Array.of(1, 2, 3, 4, 5, 6) };
  expect(pickLabels({ labels: Int32Array.of(7, 8, 9), targets }, [2, 0])).toEqual({
    labels: Int32Array.of(9, 7),
    targets: { names: ["a", "b"], values: Float64Array.of(5, 6, 1, 2) },
  });
  expect(pickLabels({}, [0])).toEqual({});
});

test("samples without a label have the class -1, and cannot be numbers to predict", () => {
  const texts = ["1", undefined, "0"];
  const read = (task?: "classification" | "regression") =>
    labelsOfTexts(texts, new Set(["1", "0"]), undefined, "faces", { task });
  expect(read()).toEqual({ labels: Int32Array.of(1, -1, 0), classNames: ["0", "1"] });
  expect(() => read("regression")).toThrow(/faces, sample 2: required a number as label, to predict it, got none/);
});

test("numbers of known names that are none are named with their place", () => {
  const read = (texts: readonly string[]) => labelsOfTexts(texts, new Set(texts), ["cat", "dog"], "faces", {});
  expect(read(["1", "-1"])).toEqual({ labels: Int32Array.of(1, -1), classNames: ["cat", "dog"] });
  expect(() => read(["1", "2"])).toThrow(
    "faces, sample 2: required labels from 0 to 1 (cat, dog), or -1 for none, got 2",
  );
});
