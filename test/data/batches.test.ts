import { expect, test } from "vitest";
import { BatchOrder, batchIndices, prepareAhead } from "../../src/data/batches.js";

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

test.each([
  [100, 7, { size: 8, perBuffer: 3 }],
  [97, 10, { size: 10, perBuffer: 1 }],
  [64, 64, { size: 5, perBuffer: 100 }],
  [1000, 3, { size: 1, perBuffer: 10 }],
])("%i samples in batches of %i and blocks of %o: every sample once an epoch", (count, batchSize, blocks) => {
  const order = new BatchOrder(count, batchSize, 3, blocks);
  const epoch = (number: number) =>
    Array.from({ length: order.batchesPerEpoch }, (_, batch) => [
      ...order.indices(number * order.batchesPerEpoch + batch),
    ]).flat();
  for (const number of [0, 1, 5]) {
    const seen = epoch(number);
    expect(new Set(seen).size).toBe(order.batchesPerEpoch * batchSize);
    expect(Math.max(...seen)).toBeLessThan(count);
  }
  expect(epoch(0)).not.toEqual(epoch(1));
  const again = new BatchOrder(count, batchSize, 3, blocks);
  for (const step of [2 * order.batchesPerEpoch, 3, 0]) {
    again.ahead(step);
    expect(again.indices(step)).toEqual(order.indices(step));
  }
});

test("with blocks, few blocks are needed at a time, and those of the next buffer are asked for before", () => {
  const blocks = { size: 10, perBuffer: 4 };
  const order = new BatchOrder(1000, 20, 9, blocks);
  const blocksOf = (indices: Uint32Array) => new Set([...indices].map((index) => Math.floor(index / 10)));
  const asked = blocksOf(order.indices(0));
  for (let step = 0; step < order.batchesPerEpoch; step++) {
    const needed = blocksOf(order.indices(step));
    expect(needed.size).toBeLessThanOrEqual(2 * blocks.perBuffer);
    // The first buffer's blocks nobody could have asked for before.
    if (step >= 2) for (const block of needed) expect(asked).toContain(block);
    for (const block of blocksOf(order.ahead(step))) asked.add(block);
  }
});

test("prepares the next batches, without blocks several and never past the end", () => {
  const asked: number[][] = [];
  const data = { prepare: (indices: ArrayLike<number>) => void asked.push(Array.from(indices)) };
  const order = new BatchOrder(100, 10, 3);
  prepareAhead(data, order, 0, 100);
  expect(asked).toEqual([1, 2, 3, 4].map((step) => Array.from(order.indices(step))));
  asked.length = 0;
  prepareAhead(data, order, 6, 8);
  expect(asked).toEqual([Array.from(order.indices(7))]);
  asked.length = 0;
  const blocked = new BatchOrder(100, 10, 3, { size: 5, perBuffer: 4 });
  prepareAhead(data, blocked, 0, 100);
  expect(asked).toEqual([Array.from(blocked.ahead(1))]);
});

test("orders of two purposes are two, with blocks too", () => {
  const order = (purpose?: string, blocks?: { size: number; perBuffer: number }) =>
    Array.from(new BatchOrder(100, 100, 3, blocks, purpose).indices(0));
  const blocks = { size: 5, perBuffer: 1 };
  expect(order("labelled")).not.toEqual(order());
  expect(order("labelled")).toEqual(order("labelled"));
  const firstOf = (drawn: number[]) =>
    drawn.filter((_, place) => place % 5 === 0).map((index) => Math.floor(index / 5));
  expect(firstOf(order("labelled", blocks))).not.toEqual(firstOf(order(undefined, blocks)));
});
