import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { labelsOfArray } from "../../src/data/sample-labels.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";

const array = (rows: readonly (readonly number[])[]) => ({
  array: { data: Float32Array.from(rows.flat()), dims: [rows.length, rows[0].length] },
  where: "y.npy",
});
const codes = array([
  [0, 0, 1],
  [1, 0, 0],
  [0, 0, 1],
]);

test("rows with a single 1 are classes, numbered by column, also those that no sample has", () => {
  const classes = { labels: Int32Array.of(2, 0, 2), classNames: ["0", "1", "2"] };
  expect(labelsOfArray(codes, 3, {})).toEqual(classes);
  expect(labelsOfArray(codes, 3, { task: "classification" })).toEqual(classes);
  expect(labelsOfArray(codes, 3, { task: "regression" })).toEqual({
    targets: { names: ["label 1", "label 2", "label 3"], values: Float64Array.of(0, 0, 1, 1, 0, 0, 0, 0, 1) },
  });
});

test("anything else in several columns stays numbers, wherever the odd row is", () => {
  for (const odd of [
    [0, 0, 0],
    [1, 0, 1],
    [0, 0.5, 0.5],
    [0, 2, 0],
    [Number.NaN, 1, 0],
    [-1, 1, 1],
  ]) {
    const rows = [[0, 1, 0], [1, 0, 0], odd];
    // A NaN is no number to predict either.
    if (odd.includes(Number.NaN)) expect(() => labelsOfArray(array(rows), 3, {})).toThrow(/got NaN for sample 2/);
    else expect(Object.keys(labelsOfArray(array(rows), 3, {}))).toEqual(["targets"]);
  }
});

test("one column of zeros and ones is what it was: classes and numbers", () => {
  const { labels, targets } = labelsOfArray(array([[0], [1], [1]]), 3, {});
  expect(labels).toEqual(Int32Array.of(0, 1, 1));
  expect(targets?.values).toEqual(Float64Array.of(0, 1, 1));
});

test("codes read as other data are its classes: by column where they are as many, else by number", () => {
  const fitted = (classNames: string[]) => labelsOfArray(codes, 3, { fitted: { classNames } });
  expect(fitted(["ant", "bee", "cat"])).toEqual({
    labels: Int32Array.of(2, 0, 2),
    classNames: ["ant", "bee", "cat"],
  });
  expect(labelsOfArray(codes, 3, { classNames: ["ant", "bee", "cat"] })).toEqual(fitted(["ant", "bee", "cat"]));
  expect(fitted(["2", "0"]).labels).toEqual(Int32Array.of(0, 1, 0));
  expect(() => fitted(["0", "1"])).toThrow(/y\.npy: required classes of the training data \(0, 1\), got the class 2/);
});

test("a data set of such labels says so", async () => {
  const folder = temporaryFolder();
  writeFileSync(`${folder}/x.npy`, npyFile("<f4", [3, 1], Float32Array.of(1, 2, 3)));
  writeFileSync(`${folder}/y.npy`, npyFile("|u1", [3, 3], Uint8Array.of(0, 0, 1, 1, 0, 0, 0, 0, 1)));
  for (const memory of [1, 1 << 20]) {
    const options = { labels: `${folder}/y.npy`, memory };
    const { labels, targets, record } = await openDataset(`${folder}/x.npy`, options);
    expect(labels).toEqual(Int32Array.of(2, 0, 2));
    expect(targets).toBeUndefined();
    expect(record.notes).toEqual([
      "the labels are one-hot, a single 1 in every row: taken for 3 classes, numbered by column from 0",
    ]);
    const asNumbers = await openDataset(`${folder}/x.npy`, { ...options, task: "regression" });
    expect(asNumbers.record.notes).toBeUndefined();
  }
});
