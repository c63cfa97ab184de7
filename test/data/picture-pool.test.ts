import sharp from "sharp";
import { expect, test } from "vitest";
import { PicturePool } from "../../src/data/picture-pool.js";
import { solidPicture } from "./solid-picture.js";

test("decodes, rejects with a reason, and leaves the decoder's threads as they were", async () => {
  const before = sharp.concurrency();
  const pools = [new PicturePool(), new PicturePool()];
  const bytes = await solidPicture([1, 2, 3]);
  const request = { resize: false, convert: false };
  for (const pool of pools) {
    expect(await pool.decode({ bytes }, request)).toEqual({ channels: 3, height: 4, width: 4 });
    await expect(pool.decode({ bytes: new Uint8Array(9) }, request)).rejects.toThrow();
  }
  expect(sharp.concurrency()).toBe(1);
  for (const pool of [...pools, ...pools]) await pool.close();
  expect(sharp.concurrency()).toBe(before);
});

test("a picture bomb is refused before it is decoded", async () => {
  // A header that promises 60,000 × 60,000 pixels.
  const png = await solidPicture([0]);
  const bomb = Buffer.from(png);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  bomb.writeInt32BE(crc(bomb.subarray(12, 29)), 29);
  const pool = new PicturePool();
  await expect(pool.decode({ bytes: bomb }, { resize: false, convert: false })).rejects.toThrow(/pixel limit/);
  await pool.close();
});

/** CRC-32 as PNG has it. */
function crc(bytes: Uint8Array): number {
  let state = -1;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0xedb88320 : 0);
  }
  return ~state;
}
