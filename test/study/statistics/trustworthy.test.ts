import { describe, expect, test } from "vitest";
import type { IntervalMethod } from "../../../src/study/statistics/coverage-methods.js";
import { coverageTable, measuredSeeds, trustworthy } from "../../../src/study/statistics/trustworthy.js";

describe("trustworthy", () => {
  test.each([
    ["mean difference, paired t", 3],
    ["interquartile mean, one setting", 5],
    ["interquartile mean, several settings", 10],
    ["interquartile mean, percentile ends", 10],
    ["probability of improvement", 10],
    ["median steps to target", 5],
    ["rate", 5],
  ] as [IntervalMethod, number][])("%s holds from %i seeds on", (method, from) => {
    expect(trustworthy(method, from)).toMatchObject({ holds: true, from });
    expect(trustworthy(method, from - 1)).toMatchObject({ holds: false, from });
    expect(trustworthy(method, 1000).holds).toBe(true);
  });

  test("judges a number that was not measured by the next smaller one", () => {
    expect(trustworthy("rate", 9).measured).toEqual(coverageTable.rate[5]);
    expect(trustworthy("rate", 2).measured).toBeUndefined();
  });

  test("says in words what can be relied on", () => {
    expect(trustworthy("interquartile mean, several settings", 5).note).toBe(
      "interquartile mean, several settings: 5 seeds are too few for its 95 % interval, which holds the true value only " +
        "about 92 % of the time (92 % in hard cases); 10 or more are required.",
    );
    expect(trustworthy("mean difference, paired t", 5).note).toMatch(/with 5 seeds .* about 95 % .*88 % in hard cases/);
    expect(trustworthy("rate", 1).note).toMatch(/^rate: 1 seed is too few for .* far less often; 5 or more/);
  });

  test("the paired t interval's 95 % is within 93 to 97 at every number of seeds", () => {
    for (const seeds of measuredSeeds) {
      expect(coverageTable["mean difference, paired t"][seeds].usual).toBeGreaterThanOrEqual(0.93);
      expect(coverageTable["mean difference, paired t"][seeds].usual).toBeLessThanOrEqual(0.97);
    }
  });
});
