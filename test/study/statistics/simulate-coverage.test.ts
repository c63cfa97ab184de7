import { describe, expect, test } from "vitest";
import { simulateCoverage, simulateFalsePositives } from "../../../src/study/statistics/simulate-coverage.js";

describe("simulateCoverage", () => {
  const known = {
    // Covers 0.5 when the draw is below 0.7 or at least 0.9.
    draw: (stream: { uniform: () => number }) => stream.uniform(),
    interval: (drawn: number) => {
      if (drawn < 0.7) return { low: 0, high: 0.5 };
      return drawn < 0.9 ? { low: 0.6, high: 1 } : { low: undefined, high: undefined };
    },
    truth: 0.5,
  };

  test("counts a known coverage, misses to both sides and open ends", () => {
    const found = simulateCoverage(known, { studies: 10_000, seed: 1 });
    expect(Math.abs(found.coverage - 0.8)).toBeLessThan(4 * 0.004);
    expect(found.above).toBeCloseTo(1 - found.coverage, 12);
    expect(found.below).toBe(0);
    expect(found.error).toBeCloseTo(0.004, 3);
    const below = simulateCoverage({ ...known, truth: 2 }, { studies: 1000 });
    expect(below.below).toBeGreaterThan(0.85);
    expect(below.above).toBe(0);
  });

  test("gives the same numbers for the same seed", () => {
    expect(simulateCoverage(known, { studies: 500, seed: 3 })).toEqual(
      simulateCoverage(known, { studies: 500, seed: 3 }),
    );
    expect(simulateCoverage(known, { studies: 500, seed: 3 })).not.toEqual(
      simulateCoverage(known, { studies: 500, seed: 4 }),
    );
  });

  test("counts false calls", () => {
    const rate = simulateFalsePositives({ draw: (stream) => stream.uniform(), calls: (drawn) => drawn < 0.1 });
    expect(Math.abs(rate - 0.1)).toBeLessThan(4 * 0.0048);
  });
});
