import { describe, expect, test } from "vitest";
import { RandomStream } from "../../../src/random/stream.js";
import { signFlipP, smallestSignFlipP } from "../../../src/study/statistics/sign-flip-test.js";
import { reference } from "../../support/statistics-reference.js";

const stream = () => new RandomStream(1, "test");

describe("signFlipP", () => {
  test.each(reference.samples.filter((sample) => sample.signFlip !== null))(
    "equals SciPy's permutation test for $values.length differences",
    ({ values, signFlip }) => {
      expect(signFlipP(values, stream())).toBeCloseTo(signFlip!, 12);
    },
  );

  test.each([1, 2, 5, 6, 16])("reaches its least value, 2/2^n, for %i differences of one sign", (count) => {
    const differences = Array.from({ length: count }, (_, index) => 0.1 * (index + 1));
    expect(signFlipP(differences, stream())).toBe(2 / 2 ** count);
    expect(smallestSignFlipP(count)).toBe(2 / 2 ** count);
  });

  test("counts sums that are equal but for rounding", () => {
    expect(signFlipP([0.1, 0.2, 0.3], stream())).toBe(0.25);
    expect(signFlipP([0.1, 0.2, -0.3], stream())).toBe(1);
  });

  test("is one for differences that are all zero", () => {
    expect(signFlipP([0, 0, 0, 0], stream())).toBe(1);
    expect(signFlipP(new Array(20).fill(0), stream())).toBe(1);
  });

  test("samples patterns of many differences, near the exact value and never at zero", () => {
    const small = Array.from({ length: 16 }, (_, index) => ((index * 7) % 16) - 6.5);
    const exact = signFlipP(small, stream());
    // Four zeros do not change the exact value, but make it sampled.
    expect(Math.abs(signFlipP([...small, 0, 0, 0, 0], stream()) - exact)).toBeLessThan(0.015);
    expect(signFlipP(new Array(40).fill(1), stream(), 1000)).toBe(1 / 1001);
  });
});
