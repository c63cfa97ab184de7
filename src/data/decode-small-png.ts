import { crc32, inflateSync } from "node:zlib";
import type { DecodedPicture } from "./decode-small-picture.js";

/** Chunks that change nothing in the values: text, time, resolution, and how a screen should show them. */
const harmless = new Set(["tEXt", "zTXt", "iTXt", "tIME", "pHYs", "sRGB", "bKGD", "IEND", "IDAT"]);
const channelsByType: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/**
 * Decodes a plain PNG file of at most so many pixels: 8 bits, grey or RGB, with or without transparency, not
 * interlaced (PNG specification, third edition, sections 5, 7.2 and 9).
 *
 * @returns undefined for any other file, damaged ones among them: they are the general decoder's to decode or refuse
 */
export function decodeSmallPng(
  bytes: Uint8Array,
  fits: (size: { height: number; width: number }) => boolean,
): DecodedPicture | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 45 || file.readBigUInt64BE(0) !== 0x89504e470d0a1a0an) return undefined;
  if (file.readUInt32BE(8) !== 13 || file.toString("latin1", 12, 16) !== "IHDR" || !sumHolds(file, 8, 13)) {
    return undefined;
  }
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  const channels = channelsByType[file[25]];
  const plain = file[24] === 8 && channels !== undefined && file[26] === 0 && file[27] === 0 && file[28] === 0;
  if (!plain || height === 0 || width === 0 || !fits({ height, width })) return undefined;
  const packed: Buffer[] = [];
  let ended = false;
  for (let at = 33; !ended; ) {
    if (at + 12 > file.length) return undefined;
    const length = file.readUInt32BE(at);
    const type = file.toString("latin1", at + 4, at + 8);
    if (!harmless.has(type) || at + 12 + length > file.length || !sumHolds(file, at, length)) return undefined;
    if (type === "IDAT") packed.push(file.subarray(at + 8, at + 8 + length));
    ended = type === "IEND";
    at += 12 + length;
  }
  const rowLength = channels * width;
  const unpackedLength = height * (rowLength + 1);
  try {
    const filtered = inflateSync(packed.length === 1 ? packed[0] : Buffer.concat(packed), {
      // One more, so that too much data shows.
      maxOutputLength: unpackedLength + 1,
    });
    if (filtered.length !== unpackedLength) return undefined;
    const data = unfilter(filtered, channels, height, rowLength);
    return data && { data, channels, height, width };
  } catch {
    return undefined;
  }
}

function sumHolds(file: Buffer, at: number, length: number): boolean {
  return crc32(file.subarray(at + 4, at + 8 + length)) === file.readUInt32BE(at + 8 + length);
}

/** Undoes what each row's filter did (section 9.2): adds what the pixels to the left and above let expect. */
function unfilter(filtered: Uint8Array, channels: number, height: number, rowLength: number): Uint8Array | undefined {
  const data = new Uint8Array(height * rowLength);
  for (let row = 0; row < height; row++) {
    const from = row * (rowLength + 1) + 1;
    const to = row * rowLength;
    const filter = filtered[from - 1];
    if (filter > 4) return undefined;
    for (let at = 0; at < rowLength; at++) {
      const left = at < channels || filter === 0 ? 0 : data[to + at - channels];
      const above = row === 0 || filter < 2 ? 0 : data[to + at - rowLength];
      let expected = 0;
      if (filter === 1) expected = left;
      else if (filter === 2) expected = above;
      else if (filter === 3) expected = (left + above) >> 1;
      else if (filter === 4) {
        expected = paeth(left, above, at < channels || row === 0 ? 0 : data[to + at - rowLength - channels]);
      }
      data[to + at] = filtered[from + at] + expected;
    }
  }
  return data;
}

function paeth(left: number, above: number, corner: number): number {
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
