import { describe, expect, test } from "vitest";
import {
  pairedDifferences,
  pairedDifferencesOverSettings,
  scoresOfSeeds,
} from "../../../src/study/statistics/paired-differences.js";

const scores = (...entries: [number, number][]) => new Map(entries);

describe("paired differences", () => {
  test("pair by seed, whatever the order, and count what has no partner", () => {
    const found = pairedDifferences(scores([3, 0.5], [1, 0.75], [9, 1]), scores([1, 0.25], [3, 0.25], [4, 0]));
    expect(found).toEqual({ seeds: [1, 3], differences: [0.5, 0.25], unpaired: 2 });
  });

  test("refuse a score that is not finite, naming its seed", () => {
    expect(() => pairedDifferences(scores([7, Number.NaN]), scores([7, 1]))).toThrow(/seed 7/);
  });

  test("average a seed's differences over settings, for seeds that have all of them", () => {
    const arm = [scores([1, 4], [2, 6], [3, 1]), scores([1, 10], [2, 20])];
    const baseline = [scores([1, 1], [2, 2], [3, 3]), scores([1, 9], [2, 20])];
    expect(pairedDifferencesOverSettings(arm, baseline)).toEqual({
      seeds: [1, 2],
      differences: [2, 2],
      unpaired: 2,
    });
  });

  test("refuse arms with other settings", () => {
    expect(() => pairedDifferencesOverSettings([scores()], [])).toThrow(RangeError);
    expect(() => pairedDifferencesOverSettings([], [])).toThrow(RangeError);
  });

  test("list scores in the order of the seeds", () => {
    expect([...scoresOfSeeds(scores([1, 4], [2, 6]), [2, 1])]).toEqual([6, 4]);
    expect(() => scoresOfSeeds(scores([1, 4]), [2])).toThrow(/seed 2/);
  });
});
