import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { classesOfMaps, coarserMaps, mapOf, noClass, positionsByClass } from "../../src/data/label-maps.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { subset } from "../../src/data/subset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";

/** Three pictures of 2×3 in one channel, and maps of them. */
function pictures(maps: readonly number[], dims: readonly number[] = [3, 2, 3], type = "<i8") {
  const folder = temporaryFolder({});
  const [samples, labels] = [join(folder, "x.npy"), join(folder, "maps.npy")];
  writeFileSync(
    samples,
    npyFile(
      "|u1",
      [3, 1, 2, 3],
      Uint8Array.from({ length: 18 }, (_, index) => 9 * index),
    ),
  );
  const values = type === "|u1" ? Uint8Array.from(maps) : BigInt64Array.from(maps, BigInt);
  writeFileSync(labels, npyFile(type, dims, values));
  return { samples, labels };
}

const mixed = [0, 1, 2, 0, 1, 2, 2, 2, 2, -1, 255, 0, 3, 3, 3, 3, 3, 3];

describe("maps in arrays", () => {
  test("are read as classes of positions, -1 and 255 as none", async () => {
    const { samples, labels } = pictures(mixed);
    const dataset = await openDataset(samples, { labels, task: "segmentation" });
    const { maps } = dataset;
    expect(maps?.shape).toEqual([2, 3]);
    expect([...mapOf(maps!, 1)]).toEqual([2, 2, 2, noClass, noClass, 0]);
    expect(positionsByClass(maps!)).toEqual([3, 2, 5, 6]);
    expect(dataset.labels ?? dataset.targets).toBeUndefined();
    expect(dataset.record.maps).toEqual({ shape: [2, 3], objects: false });
    const part = subset(dataset, [2, 1]);
    expect([...mapOf(part.maps!, 1)]).toEqual([2, 2, 2, noClass, noClass, 0]);
    expect(positionsByClass(part.maps!)).toEqual([1, 0, 3, 6]);
  });

  test("belong to the data's hash", async () => {
    const hashes = await Promise.all(
      [mixed, [...mixed.slice(0, 17), 2]].map(async (maps) => {
        const { samples, labels } = pictures(maps);
        return (await openDataset(samples, { labels, task: "segmentation" })).hash;
      }),
    );
    expect(new Set(hashes).size).toBe(2);
  });

  test("of a single object have 255 as class 1, if the training data's have", async () => {
    const of = async (maps: number[], fitted?: Record<string, unknown>) => {
      const { samples, labels } = pictures(maps, [3, 1, 2, 3], "|u1");
      return openDataset(samples, { labels, task: "segmentation", ...(fitted ? { fitted } : {}) });
    };
    const object = [0, 255, 255, 0, 0, 0, ...new Array(12).fill(255)];
    const train = await of(object);
    expect(positionsByClass(train.maps!)).toEqual([4, 14]);
    expect(train.record.notes).toEqual(["the values of the masks are 0 and 255: 255 is class 1"]);
    const classes = await of(object.map((value, at) => (at === 0 ? 1 : value)));
    expect(positionsByClass(classes.maps!)).toEqual([3, 1]);
    // Test data that happens to lack class 1 is read as the training data is.
    expect(positionsByClass((await of(object, classes.record)).maps!)).toEqual([4]);
    expect(positionsByClass((await of(new Array(18).fill(255), train.record)).maps!)).toEqual([0, 18]);
  });

  test("are taken for maps where nobody says, but not where they are fractions or have one axis", async () => {
    const { samples, labels } = pictures(mixed);
    expect((await openDataset(samples, { labels })).maps?.shape).toEqual([2, 3]);
    const far = pictures([...mixed.slice(0, 17), 300]);
    expect((await openDataset(far.samples, { labels: far.labels })).targets?.names).toHaveLength(6);
    expect((await openDataset(samples, { labels, task: "regression" })).targets?.names).toHaveLength(6);
    const flat = pictures(mixed, [3, 6]);
    expect((await openDataset(flat.samples, { labels: flat.labels })).targets?.names).toHaveLength(6);
  });

  test("that are none are refused", async () => {
    const opened = (maps: readonly number[], dims?: readonly number[]) => {
      const { samples, labels } = pictures(maps, dims);
      return openDataset(samples, { labels, task: "segmentation" });
    };
    await expect(opened([0, 1, 2], [3])).rejects.toThrow(
      /maps\.npy: required a class number for each position of 3 samples.*got an array of the shape \[3\]/,
    );
    await expect(opened(mixed, [2, 3, 3])).rejects.toThrow(/for each position of 3 samples.*\[2, 3, 3\]/);
    await expect(opened([...mixed.slice(0, 17), 256])).rejects.toThrow(
      /maps\.npy, sample 2: required class numbers from 0 to 254.*got 256/,
    );
    expect(() => classesOfMaps([0, 0.5], undefined, (place) => `place ${place}`)).toThrow(/^place 1: .*got 0\.5/);
  });
});

test("coarser maps have at each position the class nearest to its middle", () => {
  const values = Uint8Array.from({ length: 2 * 4 * 6 }, (_, at) => at);
  const maps = { shape: [4, 6], values, rows: Uint32Array.of(1, 0, 1), objects: false };
  const coarser = coarserMaps(maps, [2, 2]);
  expect(coarser).toMatchObject({ shape: [2, 2], rows: maps.rows, objects: false });
  // Of rows 0 to 3 the second and the last, of columns 0 to 5 the second and the fifth.
  expect([...mapOf(coarser, 1)]).toEqual([7, 10, 19, 22]);
  expect([...mapOf(coarser, 0)]).toEqual([31, 34, 43, 46]);
  expect([...mapOf(coarserMaps(maps, [3, 6]), 1)]).toEqual([
    0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
  ]);
});
