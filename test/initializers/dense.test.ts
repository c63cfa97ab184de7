import { expect, test } from "vitest";
import { gram, multiply, orthonormalizeRows, transpose } from "../../src/initializers/dense.js";
import { RandomStream } from "../../src/random/stream.js";

const stream = new RandomStream(5, "test/dense");
const random = (count: number) => Float64Array.from({ length: count }, () => stream.normal());

function plainProduct(left: Float64Array, right: Float64Array, rows: number, inner: number, cols: number): number[] {
  return Array.from({ length: rows * cols }, (_, place) => {
    const row = Math.floor(place / cols);
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += left[row * inner + k] * right[k * cols + (place % cols)];
    return sum;
  });
}

function expectClose(actual: Float64Array, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let index = 0; index < actual.length; index++) expect(actual[index]).toBeCloseTo(expected[index], 10);
}

// Sizes on both sides of the unrolling by 2 and 4 and of the strip of 256.
test.each([
  [1, 1, 1],
  [2, 3, 5],
  [5, 4, 300],
  [7, 9, 256],
])("products of %i × %i × %i", (rows, inner, cols) => {
  const left = random(rows * inner);
  const right = random(inner * cols);
  expectClose(multiply(left, right, rows, inner, cols), plainProduct(left, right, rows, inner, cols));
  expectClose(gram(left, rows, inner), plainProduct(left, transpose(left, rows, inner), rows, inner, rows));
});

test("orthonormal rows, also of dependent, zero and nearly dependent ones", () => {
  const [rows, cols] = [9, 11];
  const matrix = random(rows * cols);
  matrix.copyWithin(2 * cols, 0, cols);
  matrix.fill(0, 5 * cols, 6 * cols);
  for (let column = 0; column < cols; column++) matrix[7 * cols + column] = matrix[column] + 1e-9 * stream.normal();
  orthonormalizeRows(matrix, rows, cols, () => stream.normal());
  const identity = Array.from({ length: rows * rows }, (_, place) => (place % (rows + 1) === 0 ? 1 : 0));
  expectClose(gram(matrix, rows, cols), identity);
});

test("orthonormalising keeps the direction of the first row and the sign of the others", () => {
  const matrix = Float64Array.of(3, 4, 1, 0);
  orthonormalizeRows(matrix, 2, 2, () => 0);
  expectClose(matrix, [0.6, 0.8, 0.8, -0.6]);
});
