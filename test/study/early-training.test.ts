import { expect, test } from "vitest";
import { earlyWord, meanResolution, meanScore, stepsToTarget } from "../../src/study/early-training.js";

const points = [
  { step: 0, score: 0.1, loss: null },
  { step: 10, score: 0.5, loss: 1 },
  { step: 40, score: 0.9, loss: 0.5 },
  { step: 80, score: 0.2, loss: 0.5 },
];

test("the mean score is the area under the curve of unevenly spaced points, within the steps", () => {
  expect(meanScore(points, 40)).toBeCloseTo((10 * 0.3 + 30 * 0.7) / 40, 12);
  expect(meanScore(points, 80)).toBeCloseTo((10 * 0.3 + 30 * 0.7 + 40 * 0.55) / 80, 12);
  expect(
    meanScore(
      points.map((point) => ({ ...point, score: 0.3 })),
      40,
    ),
  ).toBeCloseTo(0.3, 12);
  expect(meanScore(points, 0)).toBe(0.1);
});

test("a mean over points moves by finer steps than one of them", () => {
  expect(meanResolution(points, 40, 0.01)).toBeCloseTo(0.01 * Math.hypot(5 / 40, 20 / 40, 15 / 40), 12);
  expect(meanResolution(points, 0, 0.01)).toBe(0.01);
});

test("steps to the target are those of the first point there, if it is within the steps", () => {
  expect(stepsToTarget(points, 80, 0.5)).toBe(10);
  expect(stepsToTarget(points, 80, 0.6)).toBe(40);
  expect(stepsToTarget(points, 20, 0.6)).toBeUndefined();
  expect(stepsToTarget(points, 80, 0.95)).toBeUndefined();
});

test("has words of its own", () => {
  expect(["helps", "hurts", "no difference shown", "unclear"].map((word) => earlyWord(word as "helps"))).toEqual([
    "learns faster",
    "learns slower",
    "no difference shown",
    "unclear",
  ]);
});
