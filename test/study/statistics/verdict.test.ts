import { describe, expect, test } from "vitest";
import { pairedT } from "../../../src/study/statistics/paired-t.js";
import { seedsFor, verdict } from "../../../src/study/statistics/verdict.js";

const judge = (differences: number[], adjustedP?: number, minimumEffect?: number, resolution = 0) => {
  const { p, interval } = pairedT(differences, { resolution });
  return verdict({
    differences,
    adjustedP: adjustedP ?? p,
    interval,
    ...(minimumEffect === undefined ? {} : { minimumEffect }),
  });
};

describe("verdict", () => {
  test("calls a clear gain and a clear loss by their sign", () => {
    const gain = [0.031, 0.028, 0.035, 0.03, 0.027];
    expect(judge(gain).verdict).toBe("helps");
    expect(judge(gain.map((difference) => -difference)).verdict).toBe("hurts");
    expect(judge(gain).reasons[0]).toMatch(
      /^mean difference 0.0302 over 5 pairs: the 95 % interval is 0\.0\d+ to 0\.0\d+, p = /,
    );
  });

  test("says so where a real difference is a small one", () => {
    const found = judge([0.0031, 0.0028, 0.0035, 0.003, 0.0027]);
    expect(found.verdict).toBe("helps");
    expect(found.reasons).toContain("the difference is smaller than 0.01");
    expect(found.grounds).toEqual([
      {
        kind: "difference",
        mean: expect.closeTo(0.00302),
        pairs: 5,
        low: expect.any(Number),
        high: expect.any(Number),
        level: 0.95,
        p: expect.any(Number),
      },
      { kind: "small", minimumEffect: 0.01 },
    ]);
  });

  test("finds no difference between an arm and itself", () => {
    expect(judge([0, 0, 0, 0, 0])).toEqual({
      verdict: "no difference shown",
      grounds: [{ kind: "all-zero", pairs: 5 }],
      reasons: ["all 5 differences are exactly zero"],
      seedsNeeded: undefined,
    });
  });

  test("is unclear where scores that move in coarse steps are equal", () => {
    const tenSamples = judge([0, 0, 0], undefined, 0.01, 1 / 10);
    expect(tenSamples.verdict).toBe("unclear");
    expect(tenSamples.reasons[0]).toMatch(/^too few trials: the 95 % interval is -0\.101 to 0\.101, wider than/);
    // As many as bring the interval of the steps to ± 0.01, though the differences have no spread at all.
    expect(tenSamples.seedsNeeded).toBe(seedsFor(0.01, 0.1 / Math.sqrt(6)));
    expect(tenSamples.seedsNeeded).toBeGreaterThan(50);
    expect(judge([0, 0, 0], undefined, 0.01, 1 / 1000).verdict).toBe("no difference shown");
  });

  test("finds no difference where the interval is narrow around zero", () => {
    const found = judge([0.002, -0.003, 0.001, -0.001, 0.002]);
    expect(found.verdict).toBe("no difference shown");
    expect(found.reasons[0]).toMatch(/^no difference at the 5 % level/);
  });

  test("is unclear where the interval is wide, and says how many seeds may do", () => {
    const noisy = [0.04, -0.05, 0.02, -0.03, 0.05];
    const found = judge(noisy);
    expect(found.verdict).toBe("unclear");
    expect(found.reasons[0]).toMatch(/^too few trials/);
    expect(found.seedsNeeded).toBeGreaterThan(50);
    expect(found.seedsNeeded).toBeLessThan(150);
    expect(found.grounds.map(({ kind }) => kind)).toEqual(["wide", "corrected", "seeds-needed"]);
    expect(found.reasons.length).toBe(3);
    expect(found.reasons[2]).toMatch(/^about \d+ seeds/);
    expect(judge(noisy.map((difference) => 100 * difference)).reasons[2]).toMatch(/^more than 10000 seeds/);
    // What is wide depends on what matters.
    expect(judge(noisy, undefined, 0.1).verdict).toBe("no difference shown");
  });

  test("is unclear where only the correction for several arms takes the difference away", () => {
    const found = judge([0.031, 0.028, 0.035, 0.03, 0.027], 0.2);
    expect(found.verdict).toBe("unclear");
    expect(found.reasons[0]).toMatch(/correction for several arms/);
    // Its interval excludes zero: nothing else may call that no difference.
    expect(found.reasons.join()).not.toMatch(/no difference/);
  });

  test.each([0, 1, 2])("is unclear with %i pairs, whatever they say", (pairs) => {
    const found = verdict({
      differences: new Array(pairs).fill(0),
      adjustedP: 0,
      interval: { low: 1, high: 2, level: 0.95 },
    });
    expect(found.verdict).toBe("unclear");
    expect(found.reasons[0]).toMatch(/3 or more are required/);
  });

  test("writes differences in the unit that they are shown in", () => {
    const shownAs = { factor: 100, unit: "points" };
    const interval = { low: -0.0166, high: 0.0133, level: 0.95 };
    const { reasons } = verdict({ differences: [-0.0166, 0.0133, 0], adjustedP: 0.5, interval, shownAs });
    expect(reasons[0]).toBe("too few trials: the 95 % interval is -1.66 to 1.33 points, wider than ± 1 point");
    expect(reasons[2]).toMatch(/would narrow it to ± 1 point$/);
  });

  test("refuses no smallest effect and no p-value", () => {
    expect(() => judge([1, 2, 3], undefined, 0)).toThrow(RangeError);
    expect(() => judge([1, 2, 3], Number.NaN)).toThrow(RangeError);
  });
});

describe("seedsFor", () => {
  test("is the least number whose interval is narrow enough", () => {
    const half = (seeds: number) => {
      const sample = Array.from({ length: seeds }, (_, index) => (index % 2 === 0 ? 1 : -1));
      const { interval, standardDeviation } = pairedT(sample);
      return (interval.high - interval.low) / 2 / standardDeviation;
    };
    const seeds = seedsFor(0.5, 1);
    expect(half(seeds)).toBeLessThanOrEqual(0.5);
    expect(half(seeds - 1)).toBeGreaterThan(0.5);
    expect(seedsFor(5, 1)).toBe(3);
  });

  test("stops counting at ten thousand", () => {
    expect(seedsFor(1e-6, 1)).toBe(10_000);
  });
});
