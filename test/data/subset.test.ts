import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { labelledSubset, subset } from "../../src/data/subset.js";
import { UserError } from "../../src/errors.js";
import { readAll } from "./read-all.js";

const labels = Int32Array.from({ length: 90 }, (_, index) => (index % 10 === 9 ? -1 : index % 3));
const counts = (chosen: Uint32Array) =>
  [0, 1, 2].map((label) => [...chosen].filter((index) => labels[index] === label).length);

test("draws as many of each class, by the seed", () => {
  const chosen = labelledSubset(labels, { perClass: 5 }, 1);
  expect(counts(chosen)).toEqual([5, 5, 5]);
  expect(new Set(chosen).size).toBe(15);
  expect(labelledSubset(labels, { perClass: 5 }, 1)).toEqual(chosen);
  expect(labelledSubset(labels, { perClass: 5 }, 2)).not.toEqual(chosen);
});

test("spreads a total that does not divide", () => {
  const chosen = labelledSubset(labels, { total: 11 }, 3);
  expect(chosen.length).toBe(11);
  expect(counts(chosen).sort()).toEqual([3, 4, 4]);
});

test("refuses more than a class has", () => {
  expect(() => labelledSubset(labels, { perClass: 40 }, 1)).toThrow(UserError);
});

test("a view delivers the chosen samples with their labels, under another hash", async () => {
  const whole = memoryDataset(new Float32Array([0, 1, 10, 11, 20, 21]), [2], [0, 1, 2]);
  const view = subset(whole, [2, 0]);
  expect(view.count).toBe(2);
  expect([...view.labels!]).toEqual([2, 0]);
  expect([...(await readAll(view))]).toEqual([20, 21, 0, 1]);
  expect(view.hash).not.toBe(whole.hash);
  expect(() => subset(whole, [3])).toThrow(RangeError);
});
