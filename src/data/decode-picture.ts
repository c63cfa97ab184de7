import { readFileSync, readSync } from "node:fs";
import { convertPicture } from "./convert-picture.js";
import { type DecodedPicture, decodeSmallPicture } from "./decode-small-picture.js";
import type { PictureSize, PictureTarget } from "./picture-shape.js";
import { sharp } from "./sharp.js";

/** More pixels than this in one picture (a picture bomb unpacks to more) are refused before they are decoded. */
export const pixelLimit = 1e8;

/** Where a picture's bytes are: a file, a part of an open one, or memory. */
export type PicturePlace =
  | { readonly path: string }
  | { readonly descriptor: number; readonly start: number; readonly length: number }
  | { readonly bytes: Uint8Array };

/** What pictures are to become. */
export interface PictureRequest {
  /** Absent: the picture's size is asked for only. */
  readonly target?: PictureTarget | undefined;
  readonly resize: boolean;
  readonly convert: boolean;
  /** What the bytes at the place are already, where they were decoded before. */
  readonly decoded?: PictureSize | undefined;
}

/** A decoded picture: its size after any resizing, and its values in the target's layout if it fits the target. */
export interface DecodedSample extends PictureSize {
  readonly sample?: Uint8Array;
}

/**
 * The bytes of a picture's file. Reading at once costs a small file a fifth of what a promise does; what must go on
 * meanwhile asks in threads.
 */
export function pictureBytes(place: PicturePlace): Uint8Array {
  if ("bytes" in place) return place.bytes;
  // The bytes are read here so that a path is never taken for something else by the decoder.
  if ("path" in place) return readFileSync(place.path);
  const bytes = new Uint8Array(place.length);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(place.descriptor, bytes, done, place.length - done, place.start + done);
    if (count === 0) throw new Error("the archive ends within it");
    done += count;
  }
  return bytes;
}

/**
 * Decodes one picture to 8-bit grey or RGB, with an alpha channel where it matters, and brings it into the target's
 * size, channels and layout as far as the request allows. Of moving pictures the first is taken; pictures are turned
 * as their EXIF orientation says; 16-bit values are reduced to 8; transparency that is nowhere used is dropped. What is
 * decoded already is only read.
 */
export async function decodeSample(place: PicturePlace, request: PictureRequest): Promise<DecodedSample> {
  const { target, resize, convert, decoded } = request;
  if (decoded !== undefined) return { ...decoded, sample: pictureBytes(place) };
  const picture = await decode(pictureBytes(place), resize ? target : undefined);
  const { channels, height, width } = picture;
  const size = { channels, height, width };
  if (target === undefined || height !== target.height || width !== target.width) return size;
  const convertible = convert && channels <= 4 && (target.channels === 1 || target.channels === 3);
  if (channels !== target.channels && !convertible) return size;
  if (channels === target.channels && (target.layout === "NHWC" || channels === 1)) {
    return { ...size, sample: picture.data };
  }
  const sample = new Uint8Array(target.channels * height * width);
  convertPicture({ ...picture, start: 0, layout: "NHWC" }, { ...target, data: sample, start: 0 });
  return { ...size, sample };
}

async function decode(bytes: Uint8Array, size: { height: number; width: number } | undefined): Promise<DecodedPicture> {
  const small = await decodeSmallPicture(bytes, size);
  if (small !== undefined) {
    return isOpaque(small) && small.channels % 2 === 0
      ? keepChannels(small, small.channels === 2 ? [0] : [0, 1, 2])
      : small;
  }
  const image = sharp(bytes, { limitInputPixels: pixelLimit }).autoOrient();
  await checkDepth(bytes);
  if (size !== undefined) image.resize(size.width, size.height, { fit: "cover", position: "centre" });
  const { data, info } = await image
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const picture = { data, channels: info.channels, height: info.height, width: info.width };
  // The decoder gives grey pictures as RGB. Asking each for its channels costs a third of the time: only those that
  // look grey are asked.
  const grey = looksGrey(picture) && (await image.metadata()).channels < 3;
  const opaque = isOpaque(picture);
  if (grey) return keepChannels(picture, opaque ? [0] : [0, 3]);
  return opaque && picture.channels === 4 ? keepChannels(picture, [0, 1, 2]) : picture;
}

/** @throws Error for values that are not of 8 or 16 bits, which only TIFF has: the decoder would cut them off at 255 */
async function checkDepth(bytes: Uint8Array): Promise<void> {
  const [first, second] = bytes;
  if (first !== second || (first !== 0x49 && first !== 0x4d)) return;
  const { depth } = await sharp(bytes, { limitInputPixels: pixelLimit }).metadata();
  if (depth === "uchar" || depth === "ushort") return;
  throw new Error(`values of the type ${depth}, where pictures have 8 or 16 bits without a sign (save them as NPY)`);
}

function looksGrey({ data, channels }: DecodedPicture): boolean {
  for (let at = 0; at < data.length; at += channels) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

/** Transparency that is nowhere used says nothing: many writers add it to every picture. */
function isOpaque({ data, channels }: DecodedPicture): boolean {
  if (channels % 2 === 0)
    for (let at = channels - 1; at < data.length; at += channels) if (data[at] !== 255) return false;
  return true;
}

function keepChannels(picture: DecodedPicture, kept: readonly number[]): DecodedPicture {
  const pixels = picture.height * picture.width;
  const data = new Uint8Array(pixels * kept.length);
  for (let pixel = 0, put = 0; pixel < pixels; pixel++) {
    for (const channel of kept) data[put++] = picture.data[pixel * picture.channels + channel];
  }
  return { ...picture, channels: kept.length, data };
}
