import { describe, expect, test } from "vitest";
import { wilsonInterval } from "../../../src/study/statistics/wilson.js";
import { reference } from "../../support/statistics-reference.js";

describe("wilsonInterval", () => {
  test.each(reference.wilson)("equals SciPy's for $hits of $trials at $level", ({ hits, trials, level, low, high }) => {
    const interval = wilsonInterval(hits, trials, level);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
    expect(interval.level).toBe(level);
  });

  test("ends at 0 and 1 exactly", () => {
    expect(wilsonInterval(0, 7).low).toBe(0);
    expect(wilsonInterval(7, 7).high).toBe(1);
  });

  test.each([
    [1, 0],
    [-1, 5],
    [6, 5],
    [0.5, 5],
  ])("refuses %d hits of %d", (hits, trials) => {
    expect(() => wilsonInterval(hits, trials)).toThrow(RangeError);
  });
});
