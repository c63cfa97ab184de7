import sharp from "sharp";
import { expect, test } from "vitest";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { pictureGrid } from "../../src/data/picture-grid.js";
import { readAll } from "./read-all.js";

test.each(["none", "symmetric", "standard"])("draws pairs with the normalisation %s undone", async (normalise) => {
  const x = new Float32Array([0, 1, 0.6, 0.2, 1, 1, 0, 0]);
  const dataset = memoryDataset(x, [1, 2, 2], undefined, { normalise });
  const real = await readAll(dataset);
  const generated = real.slice().reverse();
  const png = await pictureGrid(real, generated, dataset.record, { pairsPerRow: 1, enlarge: 3 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([8 + 6 + 2 + 6 + 8, 8 + 6 + 8 + 6 + 8]);
  const pixel = (x: number, y: number) => data[(y * info.width + x) * info.channels];
  // The first picture's four pixels, in their middles; then the first pixel of what was generated beside it.
  expect([pixel(9, 9), pixel(12, 9), pixel(9, 12), pixel(12, 12)]).toEqual([0, 255, 153, 51]);
  expect([pixel(17, 9), pixel(17, 12), pixel(20, 12)]).toEqual([0, 255, 255]);
});

test.each([
  ["standard-rows", [1, 2, 2], "NCHW"],
  ["standard-columns", [2, 2, 1], "NHWC"],
] as const)("undoes %s", async (normalise, shape, layout) => {
  const dataset = memoryDataset(Float32Array.of(0, 1, 0.6, 0.2, 1, 1, 0, 0), shape, undefined, { normalise, layout });
  const png = await pictureGrid(await readAll(dataset), undefined, dataset.record, { pairsPerRow: 1, enlarge: 1 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const pixel = (x: number, y: number) => data[(y * info.width + x) * info.channels];
  expect([pixel(8, 8), pixel(9, 8), pixel(8, 9), pixel(9, 9)]).toEqual([0, 255, 153, 51]);
});

test("colours, channels last", async () => {
  const dataset = memoryDataset(new Float32Array([1, 0.2, 0]), [1, 1, 3], undefined, { layout: "NHWC" });
  const png = await pictureGrid(await readAll(dataset), undefined, dataset.record, { enlarge: 1 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const at = (8 * info.width + 8) * info.channels;
  expect([...data.subarray(at, at + 3)]).toEqual([255, 51, 0]);
});

test("large pictures are drawn small enough to be seen at once", async () => {
  const values = Float32Array.from({ length: 100 * 1000 }, (_, at) => (at % 1000 < 500 ? 0 : 1));
  const dataset = memoryDataset(values, [1, 100, 1000]);
  const png = await pictureGrid(await readAll(dataset), undefined, dataset.record);
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([8 + 256 + 8, 8 + 26 + 8]);
  const row = Array.from({ length: 256 }, (_, x) => data[(9 * info.width + 8 + x) * info.channels]);
  expect(row).toEqual(Array.from({ length: 256 }, (_, x) => (x < 128 ? 0 : 255)));
});

test("refuses a record that is not one of pictures", async () => {
  const vectors = memoryDataset(new Float32Array([1, 2]), [2]);
  await expect(pictureGrid(new Float32Array(2), undefined, vectors.record)).rejects.toThrow(RangeError);
});
