import { describe, expect, test } from "vitest";
import { probabilityOfImprovement } from "../../../src/study/statistics/probability-of-improvement.js";
import { reference } from "../../support/statistics-reference.js";

describe("probabilityOfImprovement", () => {
  test.each(reference.strata)("equals rliable's for $x.length strata", ({ x, y, estimates }) => {
    expect(probabilityOfImprovement(x, y)).toBeCloseTo(estimates.probabilityOfImprovement, 12);
    expect(probabilityOfImprovement(y, x)).toBeCloseTo(1 - estimates.probabilityOfImprovement, 12);
  });

  test("counts ties half and takes arms with unequal numbers of trials", () => {
    expect(probabilityOfImprovement([[1, 2]], [[1, 2]])).toBe(0.5);
    expect(probabilityOfImprovement([[1]], [[0, 1, 2, 2]])).toBe(0.375);
  });

  test("refuses other strata", () => {
    expect(() => probabilityOfImprovement([[1]], [])).toThrow(RangeError);
    expect(() => probabilityOfImprovement([], [])).toThrow(RangeError);
  });
});
