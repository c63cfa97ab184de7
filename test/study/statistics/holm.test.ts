import { describe, expect, test } from "vitest";
import { holm } from "../../../src/study/statistics/holm.js";
import { reference } from "../../support/statistics-reference.js";

describe("holm", () => {
  test.each(reference.holm)("equals statsmodels' for $p", ({ p, adjusted }) => {
    const found = holm(p);
    found.forEach((value, index) => {
      expect(value).toBeCloseTo(adjusted[index], 14);
    });
  });

  test("takes no arms and refuses what is no p-value", () => {
    expect(holm([])).toEqual([]);
    expect(() => holm([0.5, Number.NaN])).toThrow(RangeError);
    expect(() => holm([1.5])).toThrow(RangeError);
  });
});
