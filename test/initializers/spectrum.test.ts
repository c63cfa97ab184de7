import fc from "fast-check";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { expect, test } from "vitest";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import { drawNormal, drawOrthogonal } from "../../src/initializers/distributions.js";
import {
  effectiveRank,
  flattenSpectrum,
  flattenSpectrumOf,
  singularValues,
  spectrumSummary,
} from "../../src/initializers/spectrum.js";
import { fromUnitMatrices, toUnitMatrices, unitMatrix } from "../../src/initializers/unit-matrices.js";
import { RandomStream } from "../../src/random/stream.js";

/** An independent way to the singular values: one-sided, by ml-matrix. */
function reference(values: ArrayLike<number>, rows: number, cols: number): SingularValueDecomposition {
  return new SingularValueDecomposition(Matrix.from1DArray(rows, cols, Array.from(values)), { autoTranspose: true });
}

function randomMatrix(rows: number, cols: number, seed: number, scale = 1): Float32Array {
  return drawNormal([rows, cols], scale, new RandomStream(seed, "test/spectrum"));
}

/** A matrix of at most the given rank. */
function lowRank(rows: number, cols: number, rank: number, seed: number): Float32Array {
  const left = Matrix.from1DArray(rows, rank, [...randomMatrix(rows, rank, seed)]);
  const right = Matrix.from1DArray(rank, cols, [...randomMatrix(rank, cols, seed + 1)]);
  return Float32Array.from(left.mmul(right).to1DArray());
}

const sizes = { rows: fc.integer({ min: 1, max: 9 }), cols: fc.integer({ min: 1, max: 9 }), seed: fc.nat(1e6) };

test("singular values become (s / max s)^α along the same directions", () => {
  const property = fc.property(
    fc.record({ ...sizes, alpha: fc.constantFrom(0, 0.25, 0.5, 1), exponent: fc.integer({ min: -20, max: 15 }) }),
    ({ rows, cols, seed, alpha, exponent }) => {
      const weight = randomMatrix(rows, cols, seed, 10 ** exponent);
      const before = reference(weight, rows, cols);
      const largest = before.diagonal[0];
      const wanted = before.leftSingularVectors
        .mmul(Matrix.diag(before.diagonal.map((value) => (value / largest) ** alpha)))
        .mmul(before.rightSingularVectors.transpose())
        .to1DArray();
      const flat = flattenSpectrum(weight, rows, cols, alpha);
      // A nearly singular draw turns its last direction by the rounding of the weight over that singular value.
      const slack = 1e-5 + (1e-7 * largest) / before.diagonal[before.diagonal.length - 1];
      for (let index = 0; index < flat.length; index++)
        expect(Math.abs(flat[index] - wanted[index])).toBeLessThan(slack);
    },
  );
  fc.assert(property, { numRuns: 200, seed: 1 });
});

test("α = 0 makes every matrix orthogonal, whatever its rank", () => {
  const property = fc.property(
    fc.record({ ...sizes, rank: fc.integer({ min: 1, max: 9 }) }),
    ({ rows, cols, rank, seed }) => {
      const flat = flattenSpectrum(lowRank(rows, cols, rank, seed), rows, cols, 0);
      for (const value of reference(flat, rows, cols).diagonal) expect(Math.abs(value - 1)).toBeLessThan(1e-5);
    },
  );
  fc.assert(property, { numRuns: 200, seed: 2 });
});

test("α = 0 keeps the directions that a matrix of low rank has, and is the same every time", () => {
  const weight = Float32Array.of(3, 0, 0, 0, 0, 0, 0, 4, 0);
  const flat = flattenSpectrum(weight, 3, 3, 0);
  expect(flat[0]).toBeCloseTo(1, 6);
  expect(flat[7]).toBeCloseTo(1, 6);
  expect(Math.abs(flat[5])).toBeCloseTo(1, 6);
  expect(flattenSpectrum(weight, 3, 3, 0)).toEqual(flat);
});

test("α > 0 leaves singular values of zero at zero, in float32's precision", () => {
  const flat = flattenSpectrum(lowRank(20, 30, 4, 3), 20, 30, 0.25);
  const { diagonal } = reference(flat, 20, 30);
  expect(diagonal[0]).toBeCloseTo(1, 5);
  expect(diagonal[3]).toBeGreaterThan(0.5);
  expect(diagonal[4]).toBeLessThan(1e-6);
});

test("zeros stay zeros, what is not finite and exponents out of range are refused", () => {
  expect(flattenSpectrum(new Float32Array(6), 2, 3, 0)).toEqual(new Float32Array(6));
  expect(flattenSpectrum(new Float32Array(0), 0, 3, 0)).toHaveLength(0);
  expect(() => flattenSpectrum(Float32Array.of(1, Number.NaN, 0, 0), 2, 2, 0)).toThrow("not finite");
  expect(() => flattenSpectrum(Float32Array.of(1, Number.POSITIVE_INFINITY), 1, 2, 0)).toThrow("not finite");
  expect(() => flattenSpectrum(Float32Array.of(1), 1, 1, 1.5)).toThrow("exponent");
  expect(() => flattenSpectrum(Float32Array.of(1), 1, 1, Number.NaN)).toThrow("exponent");
});

test.each<[string, number[], WeightLayout]>([
  ["[in, out]", [7, 4], { kind: "matrix", inputAxis: 0 }],
  ["grouped convolution", [6, 2, 3, 3], { kind: "convolution", groups: 3, transposed: false }],
  ["depthwise convolution", [5, 1, 3], { kind: "convolution", groups: 5, transposed: false }],
  ["transposed convolution", [6, 2, 3, 3], { kind: "convolution", groups: 3, transposed: true }],
])("%s: each group is flattened as a matrix of its own", (_, shape, layout) => {
  const weight = drawNormal(shape, 3, new RandomStream(4, "test/spectrum"));
  const flat = flattenSpectrumOf(weight, shape, layout, 0.5);
  const [before, after] = [weight, flat].map((values) => toUnitMatrices(values, shape, layout));
  for (let group = 0; group < before.groups; group++) {
    const { rows, cols } = before;
    const expected = flattenSpectrum(Float32Array.from(unitMatrix(before, group)), rows, cols, 0.5);
    expect(Float32Array.from(unitMatrix(after, group))).toEqual(expected);
  }
});

test("a larger matrix", () => {
  const weight = randomMatrix(64, 800, 5);
  const flat = flattenSpectrum(weight, 64, 800, 0);
  for (const value of singularValues(Float64Array.from(flat), 64, 800)) expect(value).toBeCloseTo(1, 6);
});

test("singular values agree with another algorithm, largest first", () => {
  for (const [rows, cols] of [
    [5, 9],
    [9, 5],
  ]) {
    const matrix = Float64Array.from(randomMatrix(rows, cols, 6));
    const found = singularValues(matrix, rows, cols);
    const expected = reference(matrix, rows, cols).diagonal;
    expect(found).toHaveLength(5);
    for (let index = 0; index < 5; index++) expect(found[index]).toBeCloseTo(expected[index], 10);
  }
});

test("a summary of a weight's spectrum, over groups", () => {
  const layout: WeightLayout = { kind: "convolution", groups: 2, transposed: false };
  const shape = [4, 1, 2];
  // One group with singular values 4 and 2, one with 6 and 0.
  const matrices = { groups: 2, rows: 2, cols: 2, values: Float64Array.of(0, 4, 2, 0, 6, 0, 0, 0) };
  const summary = spectrumSummary(fromUnitMatrices(matrices, shape, layout), shape, layout);
  const entropy = (2 / 3) * Math.log(3 / 2) + (1 / 3) * Math.log(3);
  expect(summary.max).toBeCloseTo(6, 10);
  expect(summary.median).toBeCloseTo(3, 10);
  expect(summary.effectiveRank).toBeCloseTo((Math.exp(entropy) + 1) / 2, 6);
  expect(summary.fullRank).toBe(2);
});

test("effective rank: from 1 for one direction to all for orthogonal features", () => {
  const orthogonal = drawOrthogonal([50, 8], { kind: "matrix", inputAxis: 1 }, 3, new RandomStream(8, "test/spectrum"));
  expect(effectiveRank(orthogonal, 50, 8)).toBeCloseTo(8, 4);
  const collapsed = Float32Array.from({ length: 400 }, (_, index) => ((index % 8) + 1) * (Math.floor(index / 8) + 1));
  expect(effectiveRank(collapsed, 50, 8)).toBeCloseTo(1, 4);
  expect(effectiveRank(new Float32Array(400), 50, 8)).toBe(0);
  const alike = Float32Array.from({ length: 200 * 512 }, (_, at) =>
    Math.max(0, (Math.sin((at % 512) * 12.9898) * 43758) % 1),
  );
  expect(effectiveRank(alike, 200, 512)).toBeCloseTo(1, 4);
  const three = effectiveRank(lowRank(50, 8, 3, 9), 50, 8);
  expect(three).toBeGreaterThan(2);
  expect(three).toBeLessThan(3.001);
});
