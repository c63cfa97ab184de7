import { expect, it } from "vitest";
import { InterruptedError } from "../../src/errors.js";
import { MatrixProducts } from "../../src/training/matrix-products.js";

it("adds products of rows that come some at a time, forgets them, and multiplies", async () => {
  const products = await MatrixProducts.open(2, 3, { threads: 1 });
  products.begin();
  await products.add(Float32Array.of(1, 2, 3, 4));
  await products.add(Float32Array.of(5, 6));
  // The columns are 1, 3, 5 and 2, 4, 6.
  expect([...products.sum()]).toEqual([35, 44, 44, 56]);
  products.begin();
  await products.add(Float32Array.of(1, -1));
  expect([...products.sum()]).toEqual([1, -1, -1, 1]);
  const product = await products.times(Float32Array.of(1, 2, 3, 4), Float64Array.of(1, 0, 2, 0, 1, 3));
  expect([...product]).toEqual([1, 2, 8, 3, 4, 18]);
  await products.release();
});

it("stops where it is told to", async () => {
  const stop = new AbortController();
  const products = await MatrixProducts.open(2, 3, { threads: 1, signal: stop.signal });
  await products.add(Float32Array.of(1, 2));
  stop.abort();
  await expect(products.add(Float32Array.of(1, 2))).rejects.toThrow(InterruptedError);
  await expect(products.times(new Float32Array(4), new Float64Array(6))).rejects.toThrow(InterruptedError);
  await products.release();
});
