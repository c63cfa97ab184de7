import { describe, expect, test } from "vitest";
import { agree, median, type Row, ratios, relativeDifferences, tableLine } from "../../bench/step/summary.js";

test("the median of an even and an odd number of rounds", () => {
  expect(median([3, 1, 10])).toBe(3);
  expect(median([4, 1, 2, 10])).toBe(3);
});

describe("differences of losses", () => {
  test("are relative to the reference, at the steps that both have", () => {
    const differences = relativeDifferences([[2.002], [1]], [[2], [1], [5]]);
    expect(differences).toHaveLength(2);
    expect(differences[0]).toBeCloseTo(0.001, 6);
    expect(differences[1]).toBe(0);
  });

  test("near zero count against a tenth", () => {
    expect(relativeDifferences([[0.001]], [[0]])[0]).toBeCloseTo(0.01, 6);
  });

  test("a loss that is missing or no number agrees with nothing, and neither does nothing", () => {
    expect(relativeDifferences([[Number.NaN]], [[1]])).toEqual([Number.POSITIVE_INFINITY]);
    expect(relativeDifferences([[1]], [[1, 2]])).toEqual([Number.POSITIVE_INFINITY]);
    expect(agree([Number.POSITIVE_INFINITY], 1e-3, true)).toBe(false);
    expect(agree([], 1e-3, true)).toBe(false);
  });

  test("may be ten times as large behind batch normalisation, after the first step", () => {
    expect(agree([9e-4, 9e-4, 9e-4], 1e-3, false)).toBe(true);
    expect(agree([9e-4, 2e-3], 1e-3, false)).toBe(false);
    expect(agree([9e-4, 9e-3], 1e-3, true)).toBe(true);
    expect(agree([9e-4, 2e-2], 1e-3, true)).toBe(false);
    expect(agree([2e-3, 9e-4], 1e-3, true)).toBe(false);
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
  expect(tableLine({ ...measured, differences: [1e-6, 0.5], agrees: false })).toBe(
    "| mlp | gan | jax | 2 | 2.00 (1.00 to 4.00) | 64,000 | 500 | 25 % | disagrees: 1e-6 to 5e-1 in 2 |",
  );
  expect(tableLine({ network: "mlp", step: "gan", peer: "jax", threads: 1, skipped: "no JAX" })).toContain(
    "skipped: no JAX",
  );
});
