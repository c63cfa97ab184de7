import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { UserError } from "../../src/errors.js";
import { readAll } from "./read-all.js";

test("delivers the caller's numbers as they are", async () => {
  const x = Float32Array.from({ length: 24 }, (_, index) => index / 10);
  const dataset = memoryDataset(x, [2, 2, 3], [1, 0]);
  expect([dataset.kind, dataset.count, dataset.shape]).toEqual(["images", 2, [2, 2, 3]]);
  expect(await readAll(dataset)).toEqual(x);
  const two = new Float32Array(24);
  await dataset.read([1, 0], two);
  expect(two).toEqual(Float32Array.from([...x.slice(12), ...x.slice(0, 12)]));
});

test("refuses lengths that do not fit, and NaN", () => {
  expect(() => memoryDataset(new Float32Array(5), [2])).toThrow(UserError);
  expect(() => memoryDataset(new Float32Array(4), [2], [1])).toThrow(/1 labels/);
  expect(() => memoryDataset(new Float32Array([1, Number.NaN]), [2])).toThrow(/NaN in sample 0/);
});

test("refuses a limit that takes nothing", () => {
  expect(() => memoryDataset(new Float32Array(4), [2], undefined, { limit: 0 })).toThrow(
    /limit: required a whole number above 0, got 0/,
  );
});

test("says how to give what is no typed array, and options in the place of labels", () => {
  const given: unknown = [1, 2, 3];
  expect(() => memoryDataset(given as Float32Array, [3])).toThrow(
    /^samples in memory: required .*, got an array\. Float32Array\.from/,
  );
  const options: unknown = { normalise: "standard" };
  expect(() => memoryDataset(new Float32Array(6), [3], options as number[])).toThrow(/third argument.*fourth/);
  expect(() => memoryDataset(new Float32Array(6), [3], options as number[])).toThrow(UserError);
});
