/** Systems of linear equations with one symmetric positive definite matrix, of which only products are needed. */

/** Residuals at most so large, relative to the right side. */
const tolerance = 1e-3;
const mostRounds = 1000;

/**
 * Solves A X = B, each column by conjugate gradients (Hestenes and Stiefel 1952), to a relative residual of 1e-3; all
 * columns share the products with A.
 *
 * @param multiply A times a matrix like B
 * @param right B: [rows, columns], row-major
 * @param near where to begin; default: zeros
 * @returns X
 */
export async function solveTogether(
  multiply: (directions: Float64Array) => Promise<Float64Array>,
  right: Float64Array,
  columns: number,
  near: Float64Array = new Float64Array(right.length),
): Promise<Float64Array> {
  const inner = (a: Float64Array, b: Float64Array): Float64Array => {
    const sums = new Float64Array(columns);
    for (let at = 0; at < a.length; at++) sums[at % columns] += a[at] * b[at];
    return sums;
  };
  const solution = near.slice();
  const first = await multiply(solution);
  const residual = right.map((value, at) => value - first[at]);
  const direction = residual.slice();
  const goal = inner(right, right).map((square) => tolerance ** 2 * square);
  let squares = inner(residual, residual);
  for (let round = 0; round < mostRounds && squares.some((square, column) => square > goal[column]); round++) {
    const product = await multiply(direction);
    const curvature = inner(direction, product);
    // A column that is solved rests.
    const step = squares.map((square, column) => (square > goal[column] ? square / curvature[column] : 0));
    for (let at = 0; at < right.length; at++) {
      solution[at] += step[at % columns] * direction[at];
      residual[at] -= step[at % columns] * product[at];
    }
    const next = inner(residual, residual);
    for (let at = 0; at < right.length; at++) {
      const column = at % columns;
      if (step[column] !== 0) direction[at] = residual[at] + (next[column] / squares[column]) * direction[at];
    }
    squares = next;
  }
  return solution;
}
