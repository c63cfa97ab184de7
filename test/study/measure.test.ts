import { expect, test } from "vitest";
import { measureOf, showDifference, showEffect, showError, showMean, showScore } from "../../src/study/measure.js";

test("accuracies are shown as percentages, R² as it is", () => {
  const [accuracy, r2] = [measureOf({}), measureOf({ task: "regression" })];
  expect([accuracy.key, r2.key]).toEqual(["accuracy", "r2"]);
  expect(showScore(accuracy, 0.8534)).toBe("85.3 %");
  expect(showScore(r2, 0.8534)).toBe("0.853");
  expect(showMean(accuracy, { mean: 0.8, high: 0.815 })).toBe("80.0 ± 1.5");
  expect(showMean(r2, { mean: -0.1, high: null })).toBe("-0.100");
  expect(showDifference(accuracy, 0.0123)).toBe("+1.23");
  expect(showDifference(r2, -0.0123)).toBe("-0.0123");
  expect(showDifference(r2, undefined)).toBe("");
  expect([0.01, 0.005].map((effect) => showEffect(accuracy, effect))).toEqual(["1 point", "0.5 points"]);
  expect(showEffect(r2, 0.01)).toBe("0.01");
});

test("balanced accuracy is named so, and written as accuracy is", () => {
  const balanced = measureOf({ measure: "balanced-accuracy" });
  expect([balanced.key, balanced.name, balanced.title]).toEqual([
    "balanced-accuracy",
    "balanced accuracy",
    "Balanced accuracy",
  ]);
  expect(balanced.chance).not.toBe(measureOf({ measure: "accuracy" }).chance);
  expect(showScore(balanced, 0.8534)).toBe("85.3 %");
});

test("errors keep four digits", () => {
  expect([58.9812, 123456.7, 0.012345, 3e-7, 4.2e9].map(showError)).toEqual([
    "58.98",
    "123500",
    "0.01235",
    "3.00e-7",
    "4.20e+9",
  ]);
});
