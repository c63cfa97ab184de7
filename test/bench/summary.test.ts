import { describe, expect, test } from "vitest";
import { largestDifference, median, type Row, ratios, tableLine } from "../../bench/step/summary.js";

test("the median of an even and an odd number of rounds", () => {
  expect(median([3, 1, 10])).toBe(3);
  expect(median([4, 1, 2, 10])).toBe(3);
});

describe("agreement of losses", () => {
  test("is relative to the reference, over the steps that both have", () => {
    const { difference, steps } = largestDifference([[2.002], [1]], [[2], [1], [5]]);
    expect(difference).toBeCloseTo(0.001, 6);
    expect(steps).toBe(2);
  });

  test("near zero, differences count against a tenth", () => {
    expect(largestDifference([[0.001]], [[0]]).difference).toBeCloseTo(0.01, 6);
  });

  test("a loss that is missing, no number, or never computed agrees with nothing", () => {
    expect(largestDifference([[Number.NaN]], [[1]]).difference).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference([[1]], [[1, 2]]).difference).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference([], [[1]]).difference).toBe(Number.POSITIVE_INFINITY);
  });
});

const row = (peer: string, threads: number, milliseconds: number[]): Row => ({
  network: "mlp",
  step: "gan",
  peer,
  threads,
  milliseconds,
});

test("the best of headstart is set against the best of each rival, whatever its variant", () => {
  const rows = [
    row("headstart", 1, [8]),
    row("headstart", 2, [4, 5, 40]),
    row("pytorch", 1, [20]),
    row("pytorch-compile", 2, [10]),
    { network: "mlp", step: "gan", peer: "jax", threads: 1, skipped: "not there" },
  ];
  expect(ratios(rows)).toEqual([{ network: "mlp", step: "gan", rival: "pytorch", ratio: 2 }]);
});

test("a row says what it measured, or why it did not", () => {
  const measured = { ...row("jax", 2, [1, 2, 4]), samplesPerSecond: 64000, peakBytes: 5e8, share: 0.25 };
  expect(tableLine({ ...measured, difference: 0.5, comparedSteps: 5, agrees: false })).toBe(
    "| mlp | gan | jax | 2 | 2.00 (1.00 to 4.00) | 64,000 | 500 | 25 % | disagrees: 5e-1 over 5 |",
  );
  expect(tableLine({ network: "mlp", step: "gan", peer: "jax", threads: 1, skipped: "no JAX" })).toContain(
    "skipped: no JAX",
  );
});
