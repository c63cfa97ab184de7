import { expect, test } from "vitest";
import {
  checkClassNames,
  classesOfArray,
  numberByKnown,
  numberClasses,
  numberNamedClasses,
} from "../../src/data/classes.js";
import { UserError } from "../../src/errors.js";

test.each([
  ["whole numbers from 0 are class numbers, gaps included", ["3", "0", "10"], 11, { "0": 0, "3": 3, "10": 10 }],
  ["other whole numbers are numbered by value", ["10", "9", "-1"], 3, { "-1": 0, "9": 1, "10": 2 }],
  ["zeros behind the point do not count", ["0.0", "10.0", "2", "2.0"], 11, { "0.0": 0, "2": 2, "2.0": 2, "10.0": 10 }],
  ["nor where they begin elsewhere", ["10.0", "9.0", "9"], 2, { "9": 0, "9.0": 0, "10.0": 1 }],
  ["nor do signs and zeros in front", ["+3", "3", "04", "4", "00"], 5, { "+3": 3, "3": 3, "04": 4, "4": 4, "00": 0 }],
  ["nor those where they begin elsewhere", ["04", "+3", "4", "3"], 2, { "+3": 0, "3": 0, "04": 1, "4": 1 }],
  ["names are numbered by code unit", ["b", "a", "B"], 3, { B: 0, a: 1, b: 2 }],
])("%s", (_, found, count, numbers) => {
  const { classNames, numberOf } = numberClasses(found, undefined, "file");
  expect(classNames.length).toBe(count);
  expect(Object.fromEntries(numberOf)).toEqual(numbers);
});

test("whole numbers that do not begin at 0 are named as the data writes them, the shortest way", () => {
  expect(numberClasses(["07", "03"], undefined, "file").classNames).toEqual(["03", "07"]);
  expect(numberClasses(["07", "3.0", "03", "+3"], undefined, "file").classNames).toEqual(["3", "07"]);
});

test("labels in an array: one whole number for each sample", () => {
  const { labels, classNames } = classesOfArray({ data: new Float64Array([7, 5, 7]), dims: [3] }, {}, "file");
  expect([...labels]).toEqual([1, 0, 1]);
  expect(classNames).toEqual(["5", "7"]);
  expect(() => classesOfArray({ data: new Float64Array([1, 0.5]), dims: [2] }, {}, "file")).toThrow(UserError);
  expect(() => classesOfArray({ data: new Float64Array(4), dims: [2, 2] }, {}, "file")).toThrow(/\[2, 2\]/);
});

test("classes of the training data are found however their numbers are written", () => {
  expect(Object.fromEntries(numberClasses(["+2", "01"], ["1", "2"], "file").numberOf)).toEqual({ "+2": 1, "01": 0 });
  expect(Object.fromEntries(numberClasses(["01", "1"], ["1", "01"], "file").numberOf)).toEqual({ "01": 1, "1": 0 });
  expect(Object.fromEntries(numberClasses(["2.0", "1"], ["1", "2"], "file").numberOf)).toEqual({ "2.0": 1, "1": 0 });
});

test("numbers of known names: -1 is no label, and what is no number of a name is left out", () => {
  const names = ["cat", "dog", "owl"];
  const numbers = (found: readonly string[], fitted?: readonly string[]) =>
    Object.fromEntries(numberNamedClasses(found, names, fitted, "file").numberOf);
  expect(numbers(["-1", "2", "1.0", "3", "-2", "dog"])).toEqual({ "-1": -1, "2": 2, "1.0": 1, dog: 1 });
  expect(numbers(["0", "-1"], ["owl", "cat"])).toEqual({ "0": 1, "-1": -1 });
  expect(() => numbers(["1"], ["owl", "cat"])).toThrow(/got the class dog/);
});

test("classes that the user names are numbered by their names, or by places among them", () => {
  const classNames = ["ant", "cat", "dog"];
  const number = (found: string[], known = classNames) =>
    Object.fromEntries(numberByKnown(found, { classNames: known }, "file").numberOf);
  expect(number(["dog", "cat"])).toEqual({ dog: 2, cat: 1 });
  expect(number(["2", "0.0", "-1"])).toEqual({ "2": 2, "0.0": 0, "-1": -1 });
  expect(number(["5", "3"], ["3", "4", "5"])).toEqual({ "5": 2, "3": 0 });
  expect(numberByKnown(["dog"], { classNames, fitted: { classNames: ["dog"] } }, "file").classNames).toBe(classNames);
  expect(() => number(["dog", "bee"])).toThrow(
    /file: required classes among those that were named \(ant, cat, dog\), got the class bee\. Name it too/,
  );
  for (const odd of [["3"], ["dog", "0"], ["-2"]]) expect(() => number(odd)).toThrow(/got the class/);
  // Whole numbers as names are never places.
  expect(() => number(["0"], ["3", "4"])).toThrow(/got the class 0/);
});

test.each([
  [["ant"], "1"],
  [["ant", ""], "an empty one"],
  [["ant", "bee", "ant"], '"ant" twice'],
])("refuses %j as names of classes", (names, got) => {
  expect(() => checkClassNames(names)).toThrow(
    `class names: required two or more different names, in the order of the network's outputs, got ${got}`,
  );
});
