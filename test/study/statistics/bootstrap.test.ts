import { describe, expect, test } from "vitest";
import { RandomStream } from "../../../src/random/stream.js";
import {
  bootstrapInterval,
  meanOfStrata,
  medianOfStrata,
  pooledInterquartileMean,
} from "../../../src/study/statistics/bootstrap.js";
import { probabilityOfImprovement } from "../../../src/study/statistics/probability-of-improvement.js";
import { reference } from "../../support/statistics-reference.js";

const stream = () => new RandomStream(5, "test");

describe("bootstrapInterval", () => {
  const statistics = {
    mean: meanOfStrata,
    median: medianOfStrata,
    interquartileMean: pooledInterquartileMean,
    probabilityOfImprovement,
  };

  for (const { x, y, estimates, intervals } of reference.strata) {
    test.each(Object.keys(statistics) as (keyof typeof statistics)[])(
      `equals rliable's %s of ${x.length} strata by ${x[0].length} seeds`,
      (name) => {
        const arms = name === "probabilityOfImprovement" ? [x, y] : [x];
        const found = bootstrapInterval(arms, statistics[name], {
          stream: stream(),
          unit: "score",
          ends: "percentile",
        });
        expect(found.estimate).toBeCloseTo(estimates[name], 12);
        // Both ends of both programs carry Monte Carlo error: a few hundredths of the interval's width, or one step of a
        // statistic that can only move in steps.
        const step = name === "probabilityOfImprovement" ? 1.001 / (x.length * x[0].length ** 2) : 0;
        const tolerance = Math.max(step, 0.05 * (intervals[name][1] - intervals[name][0]));
        expect(Math.abs(found.low - intervals[name][0])).toBeLessThan(tolerance);
        expect(Math.abs(found.high - intervals[name][1])).toBeLessThan(tolerance);
      },
    );
  }

  test("draws whole seeds through strata and arms", () => {
    // The arm is ahead by its seed's number in both strata, so that a drawn seed must keep its partners.
    const baseline = [
      [10, 20, 30],
      [100, 200, 300],
    ];
    const arm = [
      [11, 22, 33],
      [101, 202, 303],
    ];
    const seen = new Set<string>();
    bootstrapInterval(
      [arm, baseline],
      (left, right) => {
        for (let seed = 0; seed < 3; seed++) {
          seen.add([0, 1].map((stratum) => `${left[stratum][seed]}-${right[stratum][seed]}`).join(" "));
        }
        return 0;
      },
      { stream: stream(), resamples: 200 },
    );
    expect([...seen].sort()).toEqual(["11-10 101-100", "22-20 202-200", "33-30 303-300"]);
  });

  test("draws pairs within strata, and scores by themselves", () => {
    const arms = [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [1, 2],
        [3, 4],
      ],
    ];
    const seen = { pair: new Set<string>(), score: new Set<string>() };
    for (const unit of ["pair", "score"] as const) {
      bootstrapInterval(
        arms,
        (left, right) => {
          seen[unit].add(`${left[0][0]}${right[0][0]} ${left[1][0]}${right[1][0]}`);
          return 0;
        },
        { stream: stream(), resamples: 500, unit },
      );
    }
    expect([...seen.pair].sort()).toEqual(["11 33", "11 44", "22 33", "22 44"]);
    expect(seen.score.size).toBe(16);
  });

  test("gives the same interval from the same seed, a wider one with expanded ends and a point for equal scores", () => {
    const x = [[1, 2, 4, 8, 9]];
    const first = bootstrapInterval([x], meanOfStrata, { stream: stream(), resamples: 2000 });
    expect(bootstrapInterval([x], meanOfStrata, { stream: stream(), resamples: 2000 })).toEqual(first);
    const percentile = bootstrapInterval([x], meanOfStrata, { stream: stream(), resamples: 2000, ends: "percentile" });
    expect(first.low).toBeLessThan(percentile.low);
    expect(first.high).toBeGreaterThan(percentile.high);
    const flat = bootstrapInterval([[[7, 7, 7]]], meanOfStrata, { stream: stream(), resamples: 50 });
    expect(flat).toEqual({ estimate: 7, low: 7, high: 7, level: 0.95 });
    expect(bootstrapInterval([[[7]]], meanOfStrata, { stream: stream(), resamples: 50 }).low).toBe(7);
  });

  test.each([
    ["no arms", []],
    ["no strata", [[]]],
    ["no seeds", [[[]]]],
    ["a score that is not finite", [[[1, Number.NaN]]]],
    ["arms with other strata", [[[1, 2]], [[1, 2], [3]]]],
    ["strata with other seeds", [[[1, 2], [1]]]],
  ])("refuses %s", (_, arms) => {
    expect(() => bootstrapInterval(arms, () => 0, { stream: stream(), resamples: 10 })).toThrow(RangeError);
  });

  test("refuses a level in percent and no resamples", () => {
    expect(() => bootstrapInterval([[[1]]], meanOfStrata, { stream: stream(), level: 95 })).toThrow(/level/);
    expect(() => bootstrapInterval([[[1]]], meanOfStrata, { stream: stream(), resamples: 0 })).toThrow(/resamples/);
  });
});
