import { expect, test } from "vitest";
import { streamDataset } from "../../src/data/stream-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

async function* numbers(count: number) {
  // One array, filled again and again, as many readers do.
  const sample = new Float32Array(3);
  for (let index = 0; index < count; index++) {
    sample.fill(index);
    sample[2] = -index;
    yield { sample, label: index % 3 };
  }
}

test.each([1e6, 300, 7])("an async source, with %i bytes of memory", async (memory) => {
  const dataset = await streamDataset(numbers(100), [3], { memory, cache: temporaryFolder() });
  expect(dataset.count).toBe(100);
  expect(dataset.kind).toBe("vectors");
  expect([...(await readAll(dataset)).slice(-6)]).toEqual([98, 98, -98, 99, 99, -99]);
  expect([...dataset.labels!.slice(0, 4)]).toEqual([0, 1, 2, 0]);
});

test("the same samples have the same hash wherever they are kept; bytes stay bytes", async () => {
  const bytes = () => Array.from({ length: 40 }, (_, index) => new Uint8Array(12).fill(index));
  const memory = await streamDataset(bytes(), [3, 2, 2], { normalise: "unit" });
  const disk = await streamDataset(bytes(), [3, 2, 2], { normalise: "unit", memory: 100, cache: temporaryFolder() });
  expect(memory.kind).toBe("images");
  expect(disk.hash).toBe(memory.hash);
  expect(await readAll(disk)).toEqual(await readAll(memory));
});

test("refuses what does not fit, naming the sample", async () => {
  await expect(streamDataset([], [3])).rejects.toThrow(/at least one sample/);
  await expect(streamDataset([new Float32Array(3), new Float32Array(4)], [3])).rejects.toThrow(/in sample 1/);
  await expect(streamDataset([new Float32Array(3), new Float64Array(3)], [3])).rejects.toThrow(/in sample 1/);
  await expect(streamDataset([new Float32Array(3).fill(Number.NaN)], [3])).rejects.toThrow(/NaN in sample 0/);
  const mixed = [{ sample: new Float32Array(3), label: 1 }, new Float32Array(3)];
  await expect(streamDataset(mixed, [3])).rejects.toThrow(/none for sample 1/);
  await expect(streamDataset(mixed.toReversed(), [3])).rejects.toThrow(/none for sample 0/);
  for (const options of [{ limit: 0 }, { memory: Number.NaN }])
    await expect(streamDataset([new Float32Array(3)], [3], options)).rejects.toThrow(/required a whole number above 0/);
  const plain: unknown[] = [[1, 2, 3], 7, undefined, { sample: [1, 2, 3], label: 0 }];
  for (const sample of plain)
    await expect(streamDataset([sample as Float32Array], [3])).rejects.toThrow(
      /typed array.* in sample 0\. Float32Array/,
    );
});

test("tells how many samples have come of how many that nobody knows", async () => {
  const told: [number, number][] = [];
  const onProgress = (done: number, total: number) => told.push([done, total]);
  await streamDataset(numbers(1024), [3], { onProgress });
  expect(told).toEqual([[1024, Number.POSITIVE_INFINITY]]);
  await streamDataset(numbers(3000), [3], { onProgress, limit: 2048 });
  expect(told.slice(1)).toEqual([
    [1024, 2048],
    [2048, 2048],
  ]);
});
