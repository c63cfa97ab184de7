import sharp, { type Sharp } from "sharp";
import { expect, test } from "vitest";
import { decodeSmallPicture } from "../../src/data/decode-small-picture.js";

/** Smooth colours with noise, so that every filter and Huffman code is used. */
function drawn(width: number, height: number, channels: 1 | 2 | 3 | 4): Sharp {
  const pixels = new Uint8Array(width * height * channels);
  let state = 7;
  for (let at = 0; at < pixels.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const pixel = Math.floor(at / channels);
    pixels[at] = 3 * (pixel % width) + 2 * Math.floor(pixel / width) + 20 * (at % channels) + (state >>> 27);
  }
  return sharp(pixels, { raw: { width, height, channels } });
}

async function bySharp(bytes: Uint8Array, channels: number): Promise<number[]> {
  const { data, info } = await sharp(bytes).toColourspace("srgb").raw().toBuffer({ resolveWithObject: true });
  const kept =
    channels === 1 ? [0] : channels === 2 ? [0, info.channels - 1] : Array.from({ length: channels }, (_, c) => c);
  return Array.from({ length: info.width * info.height * channels }, (_, at) => {
    const pixel = Math.floor(at / channels);
    return data[pixel * info.channels + kept[at % channels]];
  });
}

test("gives the values that sharp gives", async () => {
  const files: [string, number, Buffer][] = [];
  for (const channels of [1, 3] as const) {
    const picture = drawn(37, 23, channels).toColourspace(channels === 1 ? "b-w" : "srgb");
    for (const settings of [{}, { chromaSubsampling: "4:4:4" }, { progressive: true }, { quality: 40 }]) {
      files.push([
        `jpeg ${channels} ${JSON.stringify(settings)}`,
        channels,
        await picture.clone().jpeg(settings).toBuffer(),
      ]);
    }
  }
  for (const channels of [1, 2, 3, 4] as const) {
    const picture = drawn(37, 23, channels).toColourspace(channels < 3 ? "b-w" : "srgb");
    for (const settings of [{}, { adaptiveFiltering: true }, { compressionLevel: 0 }]) {
      files.push([
        `png ${channels} ${JSON.stringify(settings)}`,
        channels,
        await picture.clone().png(settings).toBuffer(),
      ]);
    }
  }
  for (const [name, channels, bytes] of files) {
    const found = await decodeSmallPicture(bytes);
    expect(found, name).toMatchObject({ channels, height: 23, width: 37 });
    // Of any other type, clamped bytes among them, the loops behind take several times as long.
    expect(found!.data, name).toBeInstanceOf(Uint8Array);
    expect(Array.from(found!.data), name).toEqual(await bySharp(bytes, channels));
  }
});

test("leaves to sharp what needs more than decoding", async () => {
  const rgb = () => drawn(16, 16, 3);
  const others = {
    "a turned picture": await rgb().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    "a colour profile": await rgb().withIccProfile("p3").jpeg().toBuffer(),
    "a colour profile in PNG": await rgb().withIccProfile("p3").png().toBuffer(),
    CMYK: await rgb().toColourspace("cmyk").jpeg().toBuffer(),
    "16 bits": await rgb().toColourspace("rgb16").png().toBuffer(),
    "a palette": await rgb().png({ palette: true }).toBuffer(),
    interlacing: await rgb().png({ progressive: true }).toBuffer(),
    WebP: await rgb().webp().toBuffer(),
    "many pixels": await drawn(300, 300, 3).png().toBuffer(),
  };
  for (const [name, bytes] of Object.entries(others)) expect(await decodeSmallPicture(bytes), name).toBeUndefined();
  const plain = await rgb().jpeg().toBuffer();
  expect(await decodeSmallPicture(plain, { height: 8, width: 16 })).toBeUndefined();
  expect(await decodeSmallPicture(plain, { height: 16, width: 16 })).toBeDefined();
});

test("accepts no damaged file, and decodes the next whole one", async () => {
  for (const whole of [await drawn(24, 24, 3).jpeg().toBuffer(), await drawn(24, 24, 3).png().toBuffer()]) {
    for (const share of [0, 0.1, 0.5, 0.9]) {
      expect(await decodeSmallPicture(whole.subarray(0, Math.floor(share * whole.length)))).toBeUndefined();
    }
    const changed = Buffer.from(whole);
    for (let at = changed.length - 90; at < changed.length - 50; at++) changed[at] ^= 0x5a;
    expect(await decodeSmallPicture(changed)).toBeUndefined();
    expect(await decodeSmallPicture(whole)).toBeDefined();
  }
});

test("unpacks no more than the header says", async () => {
  const bomb = await sharp({ create: { width: 250, height: 250, channels: 3, background: "#000" } })
    .png()
    .toBuffer();
  // The header is made to say one row.
  const { crc32 } = await import("node:zlib");
  bomb.writeUInt32BE(1, 20);
  bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
  expect(await decodeSmallPicture(bomb)).toBeUndefined();
});
