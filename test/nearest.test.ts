import { expect, test } from "vitest";
import { nearest } from "../src/nearest.js";

test("finds the name with the fewest edits, letter case aside", () => {
  const known = ["epochs", "steps", "seed", "batch-size"];
  expect(nearest("epoch", known)).toBe("epochs");
  expect(nearest("sede", known)).toBe("seed");
  expect(nearest("BATCHSIZE", known)).toBe("batch-size");
  expect(nearest("setps", known)).toBe("steps");
});

test("takes the first of equally near names, and nothing from nothing", () => {
  expect(nearest("ac", ["ab", "ad"])).toBe("ab");
  expect(nearest("anything", [])).toBeUndefined();
});

test("ends quickly for very long names", () => {
  expect(nearest("x".repeat(1e6), ["x", "xx"])).toBe("xx");
});
