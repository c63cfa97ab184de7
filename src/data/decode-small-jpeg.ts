/// <reference path="./libjpeg-turbo.d.ts" />
import load, { type JpegDecoder } from "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs";
import type { DecodedPicture } from "./decode-small-picture.js";

/** One for the thread, made when the first picture comes. */
let decoder: Promise<JpegDecoder> | undefined;

/**
 * Decodes a plain JPEG file of at most so many pixels: 8 bits, grey or YCbCr, without anything that says that the
 * values need more than decoding (orientation, colour profiles, Adobe's colour transforms).
 *
 * @returns undefined for any other file, damaged ones among them: they are the general decoder's to decode or refuse
 */
export async function decodeSmallJpeg(
  bytes: Uint8Array,
  fits: (size: { height: number; width: number }) => boolean,
): Promise<DecodedPicture | undefined> {
  const header = plainHeader(bytes);
  if (header === undefined || !fits(header)) return undefined;
  decoder ??= load({ print() {}, printErr() {} }).then(({ JPEGDecoder }) => new JPEGDecoder());
  try {
    const { channels, height, width } = header;
    const jpeg = await decoder;
    jpeg.getEncodedBuffer(bytes.length).set(bytes);
    jpeg.decode();
    // A copy, and as Uint8Array: the decoder's own memory comes as clamped bytes, for which no loop is made.
    const data = new Uint8Array(jpeg.getDecodedBuffer());
    return data.length === channels * height * width ? { data, channels, height, width } : undefined;
  } catch {
    // What it held is lost with its memory: a new one begins afresh.
    decoder = undefined;
    return undefined;
  }
}

/** The size of a picture all of whose segments before the data are plain ones (ITU T.81, annex B). */
function plainHeader(bytes: Uint8Array): { channels: number; height: number; width: number } | undefined {
  const word = (at: number) => (bytes[at] << 8) | bytes[at + 1];
  if (word(0) !== 0xffd8) return undefined;
  let size: { channels: number; height: number; width: number } | undefined;
  for (let at = 2; at + 4 <= bytes.length; at += 2 + word(at + 2)) {
    const marker = word(at);
    if (marker === 0xffda) return size;
    if (marker === 0xffc0 || marker === 0xffc1 || marker === 0xffc2) {
      const channels = bytes[at + 9];
      if (bytes[at + 4] !== 8 || at + 10 + 3 * channels > bytes.length) return undefined;
      // Other names of components may mean other colours than YCbCr.
      if (
        channels !== 1 &&
        !(channels === 3 && [1, 2, 3].every((name, place) => bytes[at + 10 + 3 * place] === name))
      ) {
        return undefined;
      }
      size = { channels, height: word(at + 5), width: word(at + 7) };
      continue;
    }
    // JFIF, comment, and the tables of quantisation, Huffman codes and restarts.
    if (marker !== 0xffe0 && marker !== 0xfffe && marker !== 0xffdb && marker !== 0xffc4 && marker !== 0xffdd) {
      return undefined;
    }
  }
  return undefined;
}
