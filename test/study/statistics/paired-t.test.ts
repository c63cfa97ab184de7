import { describe, expect, test } from "vitest";
import { pairedT } from "../../../src/study/statistics/paired-t.js";
import { reference } from "../../support/statistics-reference.js";

describe("pairedT", () => {
  test.each(reference.samples)("equals SciPy's for $values.length differences", (sample) => {
    const { t, p, interval } = pairedT(sample.values);
    expect(t).toBeCloseTo(sample.t, 10);
    expect(p).toBeCloseTo(sample.p, 12);
    expect(interval.low).toBeCloseTo(sample.interval[0], 9);
    expect(interval.high).toBeCloseTo(sample.interval[1], 9);
  });

  test("finds nothing in differences that are all zero", () => {
    expect(pairedT([0, 0, 0])).toEqual({
      mean: 0,
      standardDeviation: 0,
      t: 0,
      p: 1,
      interval: { low: 0, high: 0, level: 0.95 },
    });
    // Equal by rounding: what they differ by may be as much as a step.
    const { p, interval } = pairedT([0, 0, 0], { resolution: 0.1 });
    expect(p).toBe(1);
    expect(interval.high).toBeCloseTo((4.302653 * 0.1) / Math.sqrt(6 * 3), 6);
    expect(interval.low).toBe(-interval.high);
  });

  test("is certain of equal differences unless their scores move in steps", () => {
    expect(pairedT([0.25, 0.25, 0.25]).p).toBe(0);
    // One step in each of three pairs is no proof.
    const { p, interval } = pairedT([0.25, 0.25, 0.25], { resolution: 0.25 });
    expect(p).toBeCloseTo(0.0513, 3);
    expect(interval.low).toBeLessThan(0);
    expect(pairedT([0.25, 0.25, 0.25], { resolution: 0.001 }).p).toBeLessThan(1e-4);
  });

  test("a higher level gives a wider interval", () => {
    const narrow = pairedT([1, 2, 4], { level: 0.8 }).interval;
    const wide = pairedT([1, 2, 4], { level: 0.99 }).interval;
    expect(wide.low).toBeLessThan(narrow.low);
    expect(wide.high).toBeGreaterThan(narrow.high);
    expect(() => pairedT([1, 2], { level: 95 })).toThrow(/level/);
  });

  test("requires two finite differences", () => {
    expect(() => pairedT([1])).toThrow(RangeError);
    expect(() => pairedT([1, Number.NaN])).toThrow(RangeError);
  });
});
