import { expect, it } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { savedTransform } from "../../src/data/saved-transform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";

/** Two samples of three rows and two columns. */
const values = Float32Array.of(0, 10, 100, 110, -5, 5, 20, 30, 300, 310, -15, 15);

const deviationsOf = (numbers: Float32Array, lines: number, lineOf: (place: number) => number): [number, number][] =>
  Array.from({ length: lines }, (_, line) => {
    const own = [...numbers].filter((__, place) => lineOf(place) === line);
    const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
    return [mean, Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / own.length)];
  });

it.each([
  ["standard-rows", 3, (place: number) => Math.floor((place % 6) / 2)],
  ["standard-columns", 2, (place: number) => place % 2],
] as const)(
  "%s gives each of them mean 0 and deviation 1, wherever the channel's axis is",
  async (normalise, lines, lineOf) => {
    for (const [shape, layout] of [
      [[1, 3, 2], "NCHW"],
      [[3, 2, 1], "NHWC"],
    ] as const) {
      const dataset = memoryDataset(values, shape, undefined, { normalise, layout });
      expect((dataset.record.normalisation as { scale: number[] }).scale).toHaveLength(lines);
      for (const [mean, deviation] of deviationsOf(await readAll(dataset), lines, lineOf)) {
        expect(mean).toBeCloseTo(0, 5);
        expect(deviation).toBeCloseTo(1, 5);
      }
    }
  },
);

it("is done to other data as it was to the first, by the transform that was saved", async () => {
  const { record } = memoryDataset(values, [1, 3, 2], undefined, { normalise: "standard-columns" });
  const other = values.map((value) => value + 1);
  const fitted = savedTransform(record);
  const { scale, offset } = record.normalisation as { scale: number[]; offset: number[] };
  const given = await readAll(memoryDataset(other, [1, 3, 2], undefined, { fitted }));
  const expected = other.map((value, place) => value * scale[place % 2] + offset[place % 2]);
  for (const [place, value] of given.entries()) expect(value).toBeCloseTo(expected[place], 5);
});

it("takes arrays of planes for a network of one channel, from a file as well", async () => {
  const path = temporaryFolder({ "mfcc.npy": npyFile("<f4", [2, 3, 2], values) });
  const { record } = await openDataset(`${path}/mfcc.npy`, { shape: [1, 3, 2], normalise: "standard-rows" });
  expect(record).toMatchObject({ kind: "images", normalisation: { name: "standard-rows" } });
  expect((record.measured as { mean: number[] }).mean).toEqual([15, 205, 0]);
});

it("refuses samples without one channel of rows and columns", async () => {
  const normalise = "standard-rows";
  const message = /required arrays of one channel with rows and columns, .* for the normalisation standard-rows, got /;
  expect(() => memoryDataset(values, [2, 3, 1], undefined, { normalise, layout: "NCHW" })).toThrow(message);
  expect(() => memoryDataset(values, [3, 2], undefined, { normalise })).toThrow(/got samples of the shape \[3, 2\]/);
  const pictures = temporaryFolder({ "1.png": await solidPicture([10]), "2.png": await solidPicture([20]) });
  await expect(openDataset(pictures, { normalise })).rejects.toThrow(/got picture files/);
  const table = temporaryFolder({ "t.csv": "a,b\n1,2\n2,4\n" });
  await expect(openDataset(`${table}/t.csv`, { normalise })).rejects.toThrow(
    /required arrays of one channel for the normalisation standard-rows, got samples of another kind/,
  );
});
