import sharp from "sharp";
import { expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** A grey picture of 4x4 whose values rise from 0 to the largest. */
function rising(largest: number, bits: 8 | 16): Promise<Buffer> {
  const values = Array.from({ length: 16 }, (_, place) => Math.round((place * largest) / 15));
  const pixels = bits === 16 ? Uint16Array.from(values) : Uint8Array.from(values);
  const image = sharp(pixels, { raw: { width: 4, height: 4, channels: 1 } });
  return image
    .toColourspace(bits === 16 ? "grey16" : "b-w")
    .png()
    .toBuffer();
}

async function notesOf(...pictures: readonly Buffer[]): Promise<unknown> {
  const files = Object.fromEntries(pictures.map((picture, place) => [`${place}.png`, picture]));
  return (await openDataset(temporaryFolder(files), {})).record.notes;
}

test("a note tells of pictures of 16 bits that use few of 256 values, as those of 12 bits do", async () => {
  expect(await notesOf(await rising(4095, 16), await rising(3000, 16))).toEqual([
    expect.stringMatching(/^the pictures' files have 16 bits, .* no value is above 15, .* save the pictures as NPY/),
  ]);
  expect(await notesOf(await rising(65535, 16), await rising(3000, 16))).toBeUndefined();
  expect(await notesOf(await rising(8192, 16), await rising(3000, 16))).toBeUndefined();
});

test("nothing is said of dark pictures of 8 bits, and of black ones", async () => {
  expect(await notesOf(await rising(2, 8), await rising(1, 8))).toBeUndefined();
  expect(await notesOf(await rising(0, 16), await rising(0, 16))).toEqual([expect.stringMatching(/^every value/)]);
});
