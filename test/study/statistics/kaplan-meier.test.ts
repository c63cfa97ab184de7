import { describe, expect, test } from "vitest";
import { kaplanMeier } from "../../../src/study/statistics/kaplan-meier.js";
import { reference } from "../../support/statistics-reference.js";

describe("kaplanMeier", () => {
  test.each(reference.kaplanMeier)("equals lifelines for $steps", ({ steps, reached, ...expected }) => {
    const curve = kaplanMeier(steps.map((step, index) => ({ steps: step, reached: reached[index] })));
    expect(curve.median ?? null).toBe(expected.median);
    expect(curve.medianInterval.low ?? null).toBe(expected.medianInterval[0]);
    expect(curve.medianInterval.high ?? null).toBe(expected.medianInterval[1]);
    expect(curve.points.map((point) => point.steps)).toEqual(expected.points.map((point) => point.steps));
    curve.points.forEach(({ share, interval }, index) => {
      const point = expected.points[index];
      expect(share).toBeCloseTo(point.share, 12);
      expect(interval.low).toBeCloseTo(point.low, 9);
      expect(interval.high).toBeCloseTo(point.high, 9);
    });
  });

  test("has no median where no trial reached the target", () => {
    const never = { steps: 500, reached: false };
    const curve = kaplanMeier([never, never, never]);
    expect(curve).toEqual({
      points: [],
      median: undefined,
      medianInterval: { low: undefined, high: undefined, level: 0.95 },
    });
    expect(kaplanMeier([]).median).toBeUndefined();
  });

  test("has a median where exactly half reached the target", () => {
    const curve = kaplanMeier([
      { steps: 100, reached: true },
      { steps: 200, reached: true },
      { steps: 300, reached: false },
      { steps: 300, reached: false },
    ]);
    expect(curve.median).toBe(200);
    expect(curve.medianInterval.high).toBeUndefined();
  });

  test("does not read a trial that was stopped early as one that failed", () => {
    const trials = [
      { steps: 50, reached: false },
      { steps: 100, reached: true },
      { steps: 200, reached: true },
    ];
    expect(kaplanMeier(trials).points.map((point) => point.share)).toEqual([0.5, 0]);
  });

  test("refuses steps that are none", () => {
    expect(() => kaplanMeier([{ steps: Number.NaN, reached: true }])).toThrow(RangeError);
    expect(() => kaplanMeier([{ steps: -1, reached: true }])).toThrow(RangeError);
  });
});
