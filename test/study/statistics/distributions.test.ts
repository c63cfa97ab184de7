import { describe, expect, test } from "vitest";
import {
  normalCdf,
  normalQuantile,
  studentQuantile,
  studentWithin,
} from "../../../src/study/statistics/distributions.js";
import { reference } from "../../support/statistics-reference.js";

describe("distributions", () => {
  test.each(reference.student)("P(|T| ≤ $t) with $degrees degrees of freedom is SciPy's", ({ degrees, t, within }) => {
    expect(studentWithin(t, degrees)).toBeCloseTo(within, 13);
    expect(studentWithin(-t, degrees)).toBe(studentWithin(t, degrees));
  });

  test.each(reference.studentQuantiles)("t($probability, $degrees) is SciPy's", ({ degrees, probability, t }) => {
    expect(studentQuantile(probability, degrees) / t).toBeCloseTo(1, 10);
  });

  test("a t beyond all bounds is within certainty", () => {
    expect(studentWithin(Infinity, 4)).toBe(1);
    expect(studentQuantile(0.5, 4)).toBe(0);
  });

  test.each(reference.normal)("Φ($x) is SciPy's", ({ x, cdf }) => {
    expect(normalCdf(x)).toBeCloseTo(cdf, 14);
  });

  test("Φ far out is 0 and 1", () => {
    expect(normalCdf(-40)).toBe(0);
    expect(normalCdf(Infinity)).toBe(1);
  });

  test.each(reference.normalQuantiles)("the normal quantile at $probability is SciPy's", ({ probability, x }) => {
    expect(normalQuantile(probability)).toBeCloseTo(x, 11);
  });

  test("refuse what no distribution has", () => {
    expect(() => normalQuantile(0)).toThrow(RangeError);
    expect(() => studentQuantile(1, 3)).toThrow(RangeError);
    expect(() => studentWithin(1, 2.5)).toThrow(/whole number/);
    expect(() => studentWithin(1, 0)).toThrow(RangeError);
  });
});
