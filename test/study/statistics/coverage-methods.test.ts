import { describe, expect, test } from "vitest";
import type { RandomStream } from "../../../src/random/stream.js";
import { type IntervalMethod, measureCoverage } from "../../../src/study/statistics/coverage-methods.js";
import { holm } from "../../../src/study/statistics/holm.js";
import { pairedT } from "../../../src/study/statistics/paired-t.js";
import { signFlipP } from "../../../src/study/statistics/sign-flip-test.js";
import { simulateFalsePositives } from "../../../src/study/statistics/simulate-coverage.js";
import { coverageTable, measuredSeeds } from "../../../src/study/statistics/trustworthy.js";
import { verdict } from "../../../src/study/statistics/verdict.js";

const cases = ["usual", "hard"] as const;

describe("measureCoverage", () => {
  const quick: IntervalMethod[] = ["mean difference, paired t", "median steps to target", "rate"];
  test.each(quick.flatMap((method) => measuredSeeds.map((seeds) => [method, seeds] as const)))(
    "finds the tabled coverage of %s with %i seeds",
    (method, seeds) => {
      for (const testedCase of cases) {
        expect(measureCoverage(method, testedCase, seeds).coverage).toBeCloseTo(
          coverageTable[method][seeds][testedCase],
          3,
        );
      }
    },
  );

  // A smaller simulation than the table's, so equal to it up to the error of both.
  const bootstrapped: [IntervalMethod, 3 | 5 | 10][] = [
    ["interquartile mean, one setting", 3],
    ["interquartile mean, one setting", 5],
    ["interquartile mean, several settings", 5],
    ["interquartile mean, several settings", 10],
    ["interquartile mean, percentile ends", 5],
    ["probability of improvement", 5],
    ["probability of improvement", 10],
  ];
  test.each(bootstrapped)("finds the tabled coverage of %s with %i seeds, nearly", (method, seeds) => {
    for (const testedCase of cases) {
      const { coverage, error } = measureCoverage(method, testedCase, seeds, {
        studies: 500,
        resamples: 1000,
        seed: 1,
      });
      expect(Math.abs(coverage - coverageTable[method][seeds][testedCase])).toBeLessThan(4 * error);
    }
  });
});

describe("false positives among equal arms, at most 5 %", () => {
  const distributions: Record<string, (stream: RandomStream) => number> = {
    normal: (stream) => stream.normal(),
    skewed: (stream) => -Math.log(1 - stream.uniform()),
    // One trial in five stalls far below the others.
    stalling: (stream) => (stream.uniform() < 0.2 ? -10 : 0) + stream.normal(),
    // Every score is one of two: trains, or does not.
    binary: (stream) => (stream.uniform() < 0.5 ? 0 : 1),
  };
  const studies = 10_000;
  /** What a true rate of 5 % may show in this many studies. */
  const most = 0.05 + (2.5 * Math.sqrt(0.05 * 0.95)) / Math.sqrt(studies);

  const draw = (name: string, arms: number, seeds: number) => (stream: RandomStream) =>
    Array.from({ length: arms + 1 }, () => Array.from({ length: seeds }, () => 0.01 * distributions[name](stream)));
  const differences = ([baseline, ...arms]: number[][]) =>
    arms.map((arm) => arm.map((score, seed) => score - baseline[seed]));

  test.each(Object.keys(distributions).flatMap((name) => [3, 5, 10].map((seeds) => [name, seeds] as const)))(
    "with %s scores and %i seeds a verdict on one arm or nine is seldom wrong",
    (name, seeds) => {
      for (const arms of [1, 9]) {
        const rate = simulateFalsePositives(
          {
            draw: draw(name, arms, seeds),
            calls: (scores) => {
              const found = differences(scores);
              const tests = found.map((pairs) => pairedT(pairs, { resolution: name === "binary" ? 0.01 : 0 }));
              const adjusted = holm(tests.map((test) => test.p));
              return tests.some(({ p, interval }, arm) => {
                // Only these can be called; the others need not be asked.
                if (p > 0.05) return false;
                const word = verdict({ differences: found[arm], adjustedP: adjusted[arm], interval }).verdict;
                return word === "helps" || word === "hurts";
              });
            },
          },
          { studies },
        );
        // Scores of two values are the one known case above 5 %.
        expect(rate).toBeLessThanOrEqual(name === "binary" ? 0.065 : most);
      }
    },
  );

  test.each([5, 6, 8])("the sign-flip test with %i seeds is seldom wrong", (seeds) => {
    for (const name of Object.keys(distributions)) {
      const rate = simulateFalsePositives(
        { draw: draw(name, 1, seeds), calls: (scores, stream) => signFlipP(differences(scores)[0], stream) <= 0.05 },
        { studies },
      );
      expect(rate).toBeLessThanOrEqual(most);
      // 2/32 is above 5 %: five seeds can call nothing.
      if (seeds === 5) expect(rate).toBe(0);
    }
  });
});
