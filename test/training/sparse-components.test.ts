import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { expect, test } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { RandomStream } from "../../src/random/stream.js";
import { type SparseRows, sparseComponents } from "../../src/training/sparse-components.js";

/** Rows of which every third number is none, and the last row has nothing; and the same in full. */
function someRows(rows: number, size: number): { sparse: SparseRows; full: number[][] } {
  const stream = new RandomStream(0, "rows");
  const full = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: size }, (_, place) =>
      row < rows - 1 && stream.below(3) === 0 ? stream.normal() * (1 + 30 / (1 + place)) : 0,
    ),
  );
  const entries = full.map((row) => row.flatMap((value, place) => (value === 0 ? [] : [{ value, place }])));
  const starts = new Uint32Array(rows + 1);
  entries.forEach((entry, row) => {
    starts[row + 1] = starts[row] + entry.length;
  });
  const all = entries.flat();
  return {
    full,
    sparse: {
      size,
      starts,
      places: Uint32Array.from(all, ({ place }) => place),
      values: Float32Array.from(all, ({ value }) => value),
    },
  };
}

test("are the right singular vectors of the matrix of rows, with the squares of the singular values", async () => {
  const { sparse, full } = someRows(60, 40);
  const { variances, directions } = await sparseComponents(sparse, 5, 0);
  const whole = new SingularValueDecomposition(new Matrix(full), { autoTranspose: true });
  expect(directions.length).toBe(5);
  for (let component = 0; component < 5; component++) {
    expect(variances[component] / whole.diagonal[component] ** 2).toBeCloseTo(1, 3);
    const wanted = whole.rightSingularVectors.getColumn(component);
    const cosine = directions[component].reduce((sum, value, place) => sum + value * wanted[place], 0);
    expect(Math.abs(cosine)).toBeCloseTo(1, 3);
  }
});

test("are no more than there are rows", async () => {
  const { directions } = await sparseComponents(someRows(3, 40).sparse, 5, 0);
  expect(directions.length).toBe(3);
});

test("stop where the signal aborts", async () => {
  const { sparse } = someRows(60, 40);
  await expect(sparseComponents(sparse, 5, 0, { signal: AbortSignal.abort() })).rejects.toThrow(InterruptedError);
});
