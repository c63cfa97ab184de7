import { expect, it } from "vitest";
import { measuringSamples } from "../../src/training/measuring-samples.js";
import { toyDataset } from "../support/toy-data.js";

it("draws different samples, by seed and purpose", () => {
  const dataset = toyDataset([2], 20);
  const drawn = measuringSamples(dataset, 8, 0, "a");
  expect(new Set(drawn).size).toBe(8);
  expect(measuringSamples(dataset, 8, 0, "a")).toEqual(drawn);
  expect(measuringSamples(dataset, 8, 1, "a")).not.toEqual(drawn);
  expect(measuringSamples(dataset, 8, 0, "b")).not.toEqual(drawn);
  expect(measuringSamples(dataset, 100, 0, "a").length).toBe(20);
});
