import { expect, test } from "vitest";
import { constantNote } from "../../src/data/constant-samples.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** Samples of three values. */
const note = (samples: readonly (readonly number[])[]) =>
  constantNote(memoryDataset(Float32Array.from(samples.flat()), [3]));

test("samples that are all the same are told, and the value where there is only one", async () => {
  const many = (sample: readonly number[]) => new Array<readonly number[]>(1500).fill(sample);
  expect(await note(many([1, 2, 3]))).toMatch(/^all 1,500 samples are the same: there is nothing to learn/);
  expect(await note(many([7, 7, 7]))).toMatch(/^every value of all 1,500 samples is 7: /);
  for (const odd of [0, 1, 2, 1499]) {
    const samples = many([1, 2, 3]);
    samples[odd] = [1, 2, 4];
    expect(await note(samples)).toBeUndefined();
  }
  expect(await note([[1, 2, 3]])).toBeUndefined();
});

test("a few samples are read where they differ", async () => {
  const dataset = memoryDataset(
    Float32Array.from({ length: 3000 }, (_, at) => at),
    [3],
  );
  const read: number[] = [];
  const watched = {
    ...dataset,
    read: (indices: ArrayLike<number>, target: Float32Array) => {
      read.push(...Array.from(indices));
      return dataset.read(indices, target);
    },
  };
  expect(await constantNote(watched)).toBeUndefined();
  expect(read).toEqual([0, 1, 2]);
});

test("a table's constant columns, which a model may count on, are told too", async () => {
  const folder = temporaryFolder({ "t.csv": `a,b\n${"1,2\n".repeat(9)}` });
  const { record } = await openDataset(`${folder}/t.csv`, { shape: [2] });
  expect(record.notes).toEqual([expect.stringMatching(/^all 9 samples are the same/)]);
});
