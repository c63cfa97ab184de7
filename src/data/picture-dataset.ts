import { constants } from "node:buffer";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { userError } from "../errors.js";
import { pictureOrder } from "./array-dataset.js";
import { numberClasses } from "./classes.js";
import { convertPicture } from "./convert-picture.js";
import type { Dataset, OpenOptions } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import { listPictures } from "./picture-folder.js";
import {
  checkPictureFits,
  choosePictureTarget,
  describeSize,
  type PictureSize,
  type PictureTarget,
} from "./picture-shape.js";
import { checkInterrupted } from "./read-bytes.js";
import { memoryLimit } from "./sample-array.js";
import { storedDataset } from "./stored-dataset.js";

/** More pixels than this in one picture (a picture bomb unpacks to more) are refused before they are decoded. */
const pixelLimit = 1e8;

/** A decoded picture: 8-bit values, channels last. */
interface Decoded extends PictureSize {
  readonly data: Uint8Array;
}

/**
 * Opens a folder of pictures: decodes all of them, with a bounded number at once, into one buffer of 8-bit values.
 * The order is that of the names; class folders give labels. Of moving pictures the first is taken; pictures are
 * turned as their EXIF orientation says; 16-bit values are reduced to 8; transparency that is nowhere used is dropped.
 *
 * @throws UserError naming the file if a picture is corrupt, or does not fit and may not be resized or converted
 */
export async function openPictureFolder(folder: string, options: OpenOptions): Promise<Dataset> {
  const listing = await listPictures(folder, options.signal);
  const root = listing.training === undefined ? folder : join(folder, listing.training);
  const chosen = evenlySpaced(listing.files.length, options.limit ?? listing.files.length);
  const files = Array.from(chosen, (index) => listing.files[index]);
  const unreadable: { file: string; reason: string }[] = [];
  const decode = (file: string, target?: PictureTarget) =>
    decodePicture(join(root, file), options.resize === true ? target : undefined).catch((error) => {
      if (options.onBad !== "skip") throw badPicture(join(root, file), error);
      unreadable.push({ file, reason: reasonOf(error) });
      return undefined;
    });

  const first = await firstReadable(files, decode);
  if (first === undefined) throw badPicture(folder, new Error("none of its pictures can be read"));
  unreadable.length = 0;
  const target = choosePictureTarget(first.picture, options, join(root, files[first.index]));
  const size = target.channels * target.height * target.width;
  checkMemory(folder, files.length, size);
  const data = new Uint8Array(files.length * size);
  const readable = new Uint8Array(files.length);
  await inParallel(files.length, 2 * availableParallelism(), async (index) => {
    checkInterrupted(options.signal);
    const picture = await decode(files[index], target);
    if (picture !== undefined) {
      checkAgainstFirst(picture, target, options, root, files[index], { file: files[first.index], ...first.picture });
      convertPicture({ ...picture, start: 0, layout: "NHWC" }, { ...target, data, start: index * size });
      readable[index] = 1;
    }
    if (index % 256 === 255 || index + 1 === files.length) options.onProgress?.(index + 1, files.length);
  });

  const kept = files.map((_, index) => index).filter((index) => readable[index] === 1);
  // Close the gaps that skipped pictures left.
  if (kept.length < files.length) {
    kept.forEach((from, to) => {
      data.copyWithin(to * size, from * size, (from + 1) * size);
    });
  }
  const classes =
    listing.classes && numberClasses(new Set(listing.classes), readFitted(options.fitted)?.classNames, folder);
  return storedDataset(
    {
      where: folder,
      kind: "images",
      data: data.subarray(0, kept.length * size),
      count: kept.length,
      shape: target.shape,
      order: pictureOrder(target),
      labels: classes && Int32Array.from(kept, (index) => classes.numberOf.get(listing.classes![chosen[index]])!),
      classNames: classes?.classNames,
      picture: target,
      pictureRange: [0, 255],
      record: {
        source: "folder of pictures",
        ...(listing.training === undefined ? {} : { subfolder: listing.training }),
        files: listing.files.length,
        skipped: { ...listing.skipped, unreadable: unreadable.length },
        ...(unreadable.length === 0 ? {} : { unreadable: unreadable.slice(0, 100) }),
        resized: options.resize === true,
        converted: options.convert === true,
      },
    },
    options,
  );
}

/** Decodes one picture to 8-bit grey or RGB, with an alpha channel where it matters; resized if a size is given. */
async function decodePicture(path: string, size: { height: number; width: number } | undefined): Promise<Decoded> {
  // The bytes are read here so that a path is never taken for something else by the decoder.
  const image = sharp(await readFile(path), { limitInputPixels: pixelLimit }).autoOrient();
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

function looksGrey({ data, channels }: Decoded): boolean {
  for (let at = 0; at < data.length; at += channels) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

/** Transparency that is nowhere used says nothing: many writers add it to every picture. */
function isOpaque({ data, channels }: Decoded): boolean {
  if (channels === 4) for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

function keepChannels(picture: Decoded, kept: readonly number[]): Decoded {
  const pixels = picture.height * picture.width;
  const data = new Uint8Array(pixels * kept.length);
  for (let pixel = 0, put = 0; pixel < pixels; pixel++) {
    for (const channel of kept) data[put++] = picture.data[pixel * picture.channels + channel];
  }
  return { ...picture, channels: kept.length, data };
}

async function firstReadable(files: readonly string[], decode: (file: string) => Promise<Decoded | undefined>) {
  for (let index = 0; index < files.length; index++) {
    const picture = await decode(files[index]);
    if (picture !== undefined) return { index, picture };
  }
  return undefined;
}

/** As {@link checkPictureFits}, but where the model takes any size the message names the two sizes that were found. */
function checkAgainstFirst(
  picture: PictureSize,
  target: PictureTarget,
  options: OpenOptions,
  root: string,
  file: string,
  first: PictureSize & { file: string },
): void {
  const matchesFirst =
    picture.channels === first.channels && picture.height === first.height && picture.width === first.width;
  const needsResize = options.resize !== true && (picture.height !== target.height || picture.width !== target.width);
  const needsConvert = options.convert !== true && picture.channels !== target.channels;
  if (!matchesFirst && (needsResize || needsConvert)) {
    const flags = [...(needsResize ? ["--resize"] : []), ...(needsConvert ? ["--convert"] : [])];
    throw userError({
      where: join(root, file),
      required: `pictures of one kind (${describeSize(first)}, as ${first.file})`,
      got: describeSize(picture),
      advice: `Pass ${flags.join(" and ")} to have all made the same`,
    });
  }
  checkPictureFits(picture, target, options, join(root, file));
}

/** Runs a task for every index, with a bounded number under way at once; the first error ends it. */
async function inParallel(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  let failed = false;
  const work = async () => {
    while (next < count && !failed) {
      try {
        await task(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, work));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** `most` of `count` indices, evenly spaced: a part of a folder of class folders still holds every class. */
function evenlySpaced(count: number, most: number): Uint32Array {
  const wanted = Math.min(count, most);
  return Uint32Array.from({ length: wanted }, (_, index) => Math.floor((index * count) / wanted));
}

function checkMemory(folder: string, count: number, size: number): void {
  const limit = Math.min(memoryLimit, constants.MAX_LENGTH);
  if (count * size <= limit) return;
  throw userError({
    where: folder,
    required: `at most ${(limit / 1e9).toFixed(1)} GB of decoded pictures`,
    got: `${count} pictures of ${size} bytes, ${((count * size) / 1e9).toFixed(1)} GB`,
    advice: "Resize the pictures, or limit their number",
  });
}

function badPicture(path: string, error: unknown): Error {
  return userError({
    where: path,
    required: "a picture that can be read",
    got: reasonOf(error),
    advice: "Remove or replace it, or have unreadable pictures skipped",
  });
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replaceAll(/\s+/g, " ").trim();
}
