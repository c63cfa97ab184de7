import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { holdingSamples } from "../../src/data/held-samples.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";

/** Three samples of two values that count how often they are read, and which are prepared. */
function counted(slow: boolean): Dataset & { asked: number[][]; prepared: number[][] } {
  const dataset = memoryDataset(Float32Array.of(0, 1, 10, 11, 20, 21), [2]);
  const [asked, prepared]: number[][][] = [[], []];
  return {
    ...dataset,
    asked,
    prepared,
    async read(indices, target) {
      asked.push(Array.from(indices));
      await dataset.read(indices, target);
    },
    ...(slow ? { prepare: (indices: ArrayLike<number>) => void prepared.push(Array.from(indices)) } : {}),
  };
}

async function read(dataset: Dataset, ...indices: number[]): Promise<number[]> {
  const target = new Float32Array(indices.length * 2);
  await dataset.read(indices, target);
  return [...target];
}

test("samples that are held are read once, others as ever", async () => {
  const dataset = counted(true);
  const held = holdingSamples(dataset, [2, 0, 2]);
  expect(dataset.asked).toEqual([]);
  expect(await read(held, 0, 2, 2)).toEqual([0, 1, 20, 21, 20, 21]);
  expect(await read(held, 2)).toEqual([20, 21]);
  expect(dataset.asked).toEqual([[2, 0]]);
  expect(await read(held, 1, 2)).toEqual([10, 11, 20, 21]);
  expect(dataset.asked).toEqual([
    [2, 0],
    [1, 2],
  ]);
  held.prepare?.([0, 1]);
  held.prepare?.([0]);
  expect(dataset.prepared).toEqual([[1]]);
});

test("what is read at once needs no holding", () => {
  const dataset = counted(false);
  expect(holdingSamples(dataset, [0])).toBe(dataset);
});
