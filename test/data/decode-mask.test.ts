import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { decodeMask } from "../../src/data/decode-mask.js";
import { paletteIndices } from "../../src/data/palette-indices.js";
import { colourPicture, deepPng, greyPng, packedPng } from "./mask-files.js";

const palette = [0x000000, 0x800000, 0x008000, 0x808000, 0x000080];

/** Numbers and colours at the positions of a mask. */
async function decoded(bytes: Uint8Array) {
  const { height, width, codes, values } = await decodeMask({ bytes }, "the mask");
  return {
    size: [height, width],
    numbers: [...codes].map((code) => values[code].number),
    colours: [...codes].map((code) => values[code].colour),
  };
}

describe("the numbers of a mask", () => {
  test("are grey values, of 8 and of 16 bits", async () => {
    const numbers = [0, 1, 2, 254, 255, 3];
    expect(await decoded(await greyPng(numbers, 3))).toMatchObject({ size: [2, 3], numbers });
    expect(await decoded(await deepPng(numbers, 3))).toMatchObject({ size: [2, 3], numbers });
    await expect(decoded(await deepPng([0, 1, 2, 26001], 2))).rejects.toThrow(
      /^the mask: required class numbers from 0 to 254, or 255 where there is no class, got 26001\. /,
    );
    const tiff = await sharp(await greyPng(numbers, 3))
      .toColourspace("b-w")
      .tiff({ compression: "lzw" })
      .toBuffer();
    expect((await decoded(tiff)).numbers).toEqual(numbers);
  });

  test.each([1, 2, 4, 8] as const)("are places in a palette of %i bits, and its colours are known", async (depth) => {
    const numbers = [0, 1, 1, 0, 1, ...(depth === 1 ? [0] : [2]), ...(depth < 4 ? [1] : [4]), 0, 1, 0];
    const bytes = packedPng(numbers, 5, depth, palette.slice(0, 2 ** depth));
    expect(await decoded(bytes)).toEqual({
      size: [2, 5],
      numbers,
      colours: numbers.map((number) => palette[number]),
    });
    // Which of its entries are transparent changes no place.
    const transparent = packedPng(numbers, 5, depth, palette.slice(0, 2 ** depth), [["tRNS", Buffer.from([0])]]);
    expect((await decoded(transparent)).numbers).toEqual(numbers);
  });

  test.each([false, true])(
    "are places in a palette as another program writes it, interlaced: %s",
    async (progressive) => {
      const colours = Array.from({ length: 19 * 13 }, (_, at) => [0x102030, 0xff0000, 0x00ff7f][(at + (at >> 2)) % 3]);
      const bytes = await sharp(await colourPicture(colours, 19))
        .png({ palette: true, progressive, dither: 0 })
        .toBuffer();
      expect(bytes[28]).toBe(Number(progressive));
      const mask = await decoded(bytes);
      const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
      const expanded = mask.colours.map((_, at) => (data[3 * at] << 16) | (data[3 * at + 1] << 8) | data[3 * at + 2]);
      expect(mask.colours).toEqual(expanded);
      expect(new Set(mask.numbers).size).toBe(3);
      expect(Math.max(...mask.numbers.map(Number))).toBeLessThan(paletteIndices(bytes)!.palette.length);
    },
  );

  test("are grey values as they are stored, where they have fewer than 8 bits", async () => {
    expect((await decoded(packedPng([0, 1, 2, 3], 2, 2))).numbers).toEqual([0, 1, 2, 3]);
    expect((await decoded(packedPng([0, 7, 15, 3], 2, 4))).numbers).toEqual([0, 7, 15, 3]);
    const { values } = await decodeMask({ bytes: packedPng([0, 1, 1, 0], 2, 1) }, "the mask");
    expect(values).toEqual([
      { number: 0, colour: 0, binary: true },
      { number: 255, colour: 0xffffff, binary: true },
    ]);
  });

  test.each(["png", "gif", "tiff", "webp"] as const)(
    "are missing in colour, where colours are exact: %s",
    async (format) => {
      const colours = [0x000000, 0xff0000, 0x010101, 0x00ff7f];
      expect(await decoded(await colourPicture(colours, 2, format))).toEqual({
        size: [2, 2],
        numbers: [0, undefined, 1, undefined],
        colours,
      });
    },
  );
});

test("a mask's colours are those that are stored, whatever profile says how they look", async () => {
  const bytes = await sharp(await colourPicture([0xff0000, 0x00ff00], 2))
    .withIccProfile("p3")
    .png()
    .toBuffer();
  const read = async (ignoreIcc: boolean) => [...(await sharp(bytes, { ignoreIcc }).raw().toBuffer())];
  const [[red, green, blue], shown] = [await read(true), await read(false)];
  expect([red, green, blue]).not.toEqual(shown.slice(0, 3));
  expect((await decoded(bytes)).colours[0]).toBe((red << 16) | (green << 8) | blue);
});

describe("what is no mask", () => {
  const noise = Array.from({ length: 400 }, (_, at) => (at * 7919) % 0xffffff);

  test("is refused: formats that change values, too many colours, parts that are transparent", async () => {
    const [red, black] = [0xff0000, 0];
    await expect(decoded(await colourPicture([red, black, red, black], 2, "jpeg"))).rejects.toThrow(
      /^the mask: required masks in a format that keeps their values, got JPEG, whose compression changes them\. Save/,
    );
    const webp = await sharp(await colourPicture(noise, 20))
      .webp()
      .toBuffer();
    await expect(decoded(webp)).rejects.toThrow(/got WEBP, whose/);
    await expect(decoded(await colourPicture(noise, 20))).rejects.toThrow(
      /required a mask that is a map of classes, got over 256 different colours/,
    );
    await expect(decoded(await colourPicture([red, black], 2, "png", [255, 0]))).rejects.toThrow(
      /required a mask without transparency, got one that is transparent in part/,
    );
    expect((await decoded(await colourPicture([red, black], 2, "png", [0, 0]))).colours).toEqual([red, black]);
  });

  test("is refused: deep colours, a mask that is to be turned, several pages", async () => {
    const deep = await sharp(await colourPicture([0xff0000, 0], 2))
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    await expect(decoded(deep)).rejects.toThrow(/required a mask of 8 or 16 grey bits.*got 16 bits/);
    const turned = await sharp(await greyPng([0, 1], 2))
      .withMetadata({ orientation: 6 })
      .tiff()
      .toBuffer();
    await expect(decoded(turned)).rejects.toThrow(/got the EXIF orientation 6\. Save it turned/);
    const frames = await sharp(
      Uint8Array.from({ length: 48 }, (_, at) => at),
      {
        raw: { width: 2, height: 8, channels: 3, pageHeight: 4 },
      },
    )
      .gif()
      .toBuffer();
    await expect(decoded(frames)).rejects.toThrow(/required a mask of one picture, got one of 2/);
  });

  test("is an error of the decoder where the file is damaged, with a palette too", async () => {
    const bytes = packedPng([0, 1, 2, 3], 2, 2, palette);
    const cut = bytes.subarray(0, bytes.length - 20);
    await expect(decoded(cut)).rejects.toThrow(/ends within a chunk/);
    // Its colours could still be decoded, but not its indices.
    const [overlong, end] = [Buffer.from(bytes), bytes.length - 12];
    overlong[end + 3] = 1;
    await expect(decoded(overlong)).rejects.toThrow(/ends within a chunk/);
    const wrong = Buffer.from(bytes);
    wrong[19] ^= 4;
    await expect(decoded(wrong)).rejects.toThrow();
    await expect(decoded(new Uint8Array(100))).rejects.toThrow(/unsupported image format/);
  });
});
