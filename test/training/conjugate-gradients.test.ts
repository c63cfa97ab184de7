import { expect, it } from "vitest";
import { RandomStream } from "../../src/random/stream.js";
import { solveTogether } from "../../src/training/conjugate-gradients.js";

const size = 12;
const columns = 3;
const stream = new RandomStream(0, "system");
const factor = Float64Array.from({ length: size * size }, () => stream.normal());

/** Mᵀ M + I of a random M, times a matrix of so many columns. */
async function multiply(directions: Float64Array): Promise<Float64Array> {
  const product = directions.slice();
  for (let column = 0; column < columns; column++)
    for (let k = 0; k < size; k++) {
      let sum = 0;
      for (let row = 0; row < size; row++) sum += factor[k * size + row] * directions[row * columns + column];
      for (let row = 0; row < size; row++) product[row * columns + column] += factor[k * size + row] * sum;
    }
  return product;
}

it("solves columns of different size to the same relative residual", async () => {
  const right = Float64Array.from({ length: size * columns }, (_, at) => 10 ** (3 * (at % columns)) * stream.normal());
  const back = await multiply(await solveTogether(multiply, right, columns));
  for (let column = 0; column < columns; column++) {
    let [error, whole] = [0, 0];
    for (let row = 0; row < size; row++) {
      error += (back[row * columns + column] - right[row * columns + column]) ** 2;
      whole += right[row * columns + column] ** 2;
    }
    expect(Math.sqrt(error / whole)).toBeLessThan(1.01e-3);
  }
});

it("takes a column of zeros, and begins where it is told", async () => {
  const right = new Float64Array(size * columns);
  for (let row = 0; row < size; row++) right[row * columns] = row;
  const solution = await solveTogether(multiply, right, columns);
  for (let row = 0; row < size; row++) expect(solution[row * columns + 1]).toBe(0);
  let products = 0;
  const counted = (directions: Float64Array): Promise<Float64Array> => {
    products++;
    return multiply(directions);
  };
  expect(await solveTogether(counted, right, columns, solution)).toEqual(solution);
  expect(products).toBe(1);
});
