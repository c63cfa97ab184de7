/** Pictures and masks as files, for tests. */
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";

type Values = readonly number[];

/** A grey PNG of 8 bits, row-major. */
export function greyPng(values: Values | Uint8Array, width: number): Promise<Buffer> {
  return sharp(Uint8Array.from(values), { raw: { width, height: values.length / width, channels: 1 } })
    .toColourspace("b-w")
    .png()
    .toBuffer();
}

/** A grey PNG of 16 bits. */
export function deepPng(values: Values, width: number): Promise<Buffer> {
  return sharp(Uint16Array.from(values), { raw: { width, height: values.length / width, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toBuffer();
}

/** A picture in colour (0xRRGGBB a position), without loss where the format has none; with alpha where it is given. */
export function colourPicture(
  colours: Values,
  width: number,
  format: "png" | "gif" | "tiff" | "webp" | "jpeg" = "png",
  alpha?: Values,
): Promise<Buffer> {
  const bytes = colours.flatMap((colour, at) => [
    colour >> 16,
    (colour >> 8) & 255,
    colour & 255,
    ...(alpha === undefined ? [] : [alpha[at]]),
  ]);
  const channels = alpha === undefined ? 3 : 4;
  return sharp(Uint8Array.from(bytes), { raw: { width, height: colours.length / width, channels } })
    .toFormat(format, format === "tiff" ? { compression: "none" } : { lossless: true })
    .toBuffer();
}

/** A PNG whose pixels are stored with this many bits: of a colour type 3 places in a palette, of 0 grey values. */
export function packedPng(
  values: Values,
  width: number,
  depth: 1 | 2 | 4 | 8,
  palette?: Values,
  extra: readonly (readonly [string, Buffer])[] = [],
): Buffer {
  const height = values.length / width;
  const rowLength = Math.ceil((width * depth) / 8);
  const rows = Buffer.alloc(height * (rowLength + 1));
  values.forEach((value, at) => {
    const bit = (at % width) * depth;
    rows[Math.floor(at / width) * (rowLength + 1) + 1 + (bit >> 3)] |= value << (8 - depth - (bit & 7));
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, palette === undefined ? 0 : 3], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    ...(palette === undefined
      ? []
      : [chunk("PLTE", Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255])))]),
    ...extra.map(([type, data]) => chunk(type, data)),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}
