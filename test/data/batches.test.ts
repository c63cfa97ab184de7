import { expect, test } from "vitest";
import { BatchOrder, batchIndices } from "../../src/data/batches.js";

test("an epoch's batches hold no sample twice, and the next epoch another order", () => {
  const order = new BatchOrder(10, 3, 7);
  const epoch = (number: number) => [0, 1, 2].flatMap((batch) => [...order.indices(3 * number + batch)]);
  expect(new Set(epoch(0)).size).toBe(9);
  expect(new Set(epoch(1)).size).toBe(9);
  expect(epoch(0)).not.toEqual(epoch(1));
  expect(Math.max(...epoch(0), ...epoch(1))).toBe(9);
});

test("a step's batch depends on seed and step alone, however one got there", () => {
  const order = new BatchOrder(50, 8, 1);
  for (const step of [0, 11, 3, 100]) expect(order.indices(step)).toEqual(batchIndices(50, 8, 1, step));
  expect(batchIndices(50, 8, 1, 4)).not.toEqual(batchIndices(50, 8, 2, 4));
});

test("with fewer samples than a batch, batches run through permutations without a gap", () => {
  const drawn = [0, 1, 2].flatMap((step) => [...batchIndices(3, 4, 5, step)]);
  for (let start = 0; start < 12; start += 3)
    expect(new Set(drawn.slice(start, start + 3))).toEqual(new Set([0, 1, 2]));
});

test("refuses an order of nothing", () => {
  expect(() => new BatchOrder(0, 4, 1)).toThrow(RangeError);
});
