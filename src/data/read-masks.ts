/** Masks of pictures as maps of classes, in the pictures' delivered size. */
import { totalmem } from "node:os";
import { UserError, userError } from "../errors.js";
import type { OpenOptions } from "./dataset.js";
import { type DecodedMask, decodeMask, type MaskValue } from "./decode-mask.js";
import { type PicturePlace, pictureBytes, pixelLimit } from "./decode-picture.js";
import type { LabelMaps } from "./label-maps.js";
import { classesOfMasks } from "./mask-classes.js";
import type { PictureItem, PictureItems } from "./picture-items.js";
import type { PictureSize } from "./picture-shape.js";
import { checkInterrupted } from "./read-bytes.js";
import { sharp } from "./sharp.js";

type Size = Omit<PictureSize, "channels">;

/** A picture that is left out, and why. */
export interface LeftPicture {
  readonly file: string;
  readonly reason: string;
}

/** What masks were read. */
export interface ReadMasks {
  /** The places of the pictures whose mask could be read; each has its map, in this order. */
  readonly kept: readonly number[];
  readonly maps: LabelMaps;
  /** Pictures whose mask could not be read. */
  readonly left: readonly LeftPicture[];
}

/**
 * The pictures of a source that have a mask: all, where none has one.
 *
 * @throws UserError where some have one and others not, unless that may be skipped
 */
export function withMasksOnly(
  { items, where }: PictureItems,
  { onBad }: Pick<OpenOptions, "onBad">,
): { readonly items: readonly PictureItem[]; readonly left: readonly LeftPicture[] } {
  const without = items.filter(({ mask }) => mask === undefined);
  if (without.length === 0 || without.length === items.length) return { items, left: [] };
  if (onBad !== "skip") {
    throw userError({
      where,
      required: "a mask for each picture",
      got: `${without.length} of ${items.length} pictures without one, such as ${without[0].name}`,
      advice: "A mask has its picture's path and name; have pictures without one left out with --on-bad skip",
    });
  }
  return {
    items: items.filter(({ mask }) => mask !== undefined),
    left: without.map(({ name }) => ({ file: name, reason: "it has no mask" })),
  };
}

/** Masks that are read at once: each is in memory as a whole, whatever size it becomes. */
const together = 4;

/**
 * Reads the masks of pictures, brought to a size exactly as the pictures are: what is cut off of these is cut off of their
 * masks, and each position has the class that lies nearest.
 *
 * @param items pictures that all have a mask
 * @param size what the pictures become
 * @throws UserError naming the mask that is damaged (unless it may be skipped), is none, or has not its picture's size
 */
export async function readMasks(
  items: readonly PictureItem[],
  size: Size,
  options: Pick<OpenOptions, "resize" | "onBad" | "fitted" | "signal" | "onProgress">,
): Promise<ReadMasks> {
  const { height, width } = size;
  requireRoom(items.length * height * width, items[0].mask!.where);
  const maps = new Uint8Array(items.length * height * width);
  const kept: number[] = [];
  const left: LeftPicture[] = [];
  const masks: { where: string; values: readonly MaskValue[] }[] = [];
  for (let first = 0; first < items.length; first += together) {
    checkInterrupted(options.signal);
    const wave = items.slice(first, first + together);
    const decoded = await Promise.all(wave.map((item) => readMask(item, size, options)));
    decoded.forEach((mask, place) => {
      if ("reason" in mask) {
        left.push({ file: wave[place].name, reason: mask.reason });
        return;
      }
      maps.set(mask.codes, kept.length * height * width);
      kept.push(first + place);
      masks.push({ where: wave[place].mask!.where, values: mask.values });
    });
    options.onProgress?.(Math.min(first + together, items.length), items.length);
  }
  const { classes, ...understood } = classesOfMasks(masks, options);
  const values = maps.subarray(0, kept.length * height * width);
  classes.forEach((numbers, place) => {
    for (let at = place * height * width; at < (place + 1) * height * width; at++) values[at] = numbers[values[at]];
  });
  return { kept, maps: { shape: [height, width], values, rows: Uint32Array.from(kept.keys()), ...understood }, left };
}

/** @throws UserError where maps take more memory than there should be for them */
function requireRoom(bytes: number, where: string): void {
  const most = Math.min(1e9, totalmem() / 4);
  if (bytes <= most) return;
  throw userError({
    where,
    required: `masks that take at most ${Math.floor(most).toLocaleString("en")} bytes in memory, a byte a position`,
    got: `${bytes.toLocaleString("en")} bytes`,
    advice: "Take fewer pictures (--limit), or a network of smaller ones",
  });
}

type CodedMask = Pick<DecodedMask, "codes" | "values">;

async function readMask(
  { mask, place, where }: PictureItem,
  size: Size,
  { resize, onBad }: Pick<OpenOptions, "resize" | "onBad">,
): Promise<CodedMask | { readonly reason: string }> {
  const { where: called } = mask!;
  const decoded = await decodeMask(mask!.place, called).catch((error: unknown) => badMask(called, error, onBad));
  if ("reason" in decoded) return decoded;
  const { height, width, values } = decoded;
  const picture = await orientedSize(place).catch(() => undefined);
  const differs = picture?.height !== size.height || picture.width !== size.width;
  // Pictures that cannot be read, or do not fit, are refused when they are decoded.
  if (picture === undefined || (differs && resize !== true))
    return { values, codes: new Uint8Array(size.height * size.width) };
  if (picture.height !== height || picture.width !== width) {
    throw userError({
      where: called,
      required: `a mask of its picture's size, ${picture.height}×${picture.width} (${where})`,
      got: `${height}×${width}`,
      advice: "Save the mask in the size of the picture, after this is turned as its EXIF orientation says",
    });
  }
  return { values, codes: nearestPart(decoded, size) };
}

/** @throws UserError unless damaged masks may be skipped, or it says what is wrong already */
function badMask(where: string, error: unknown, onBad: OpenOptions["onBad"]): { reason: string } {
  if (error instanceof UserError) throw error;
  const reason = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").trim();
  if (onBad === "skip") return { reason: `its mask ${where} cannot be read: ${reason}` };
  throw userError({
    where,
    required: "a mask that can be read",
    got: reason,
    advice: "Remove or replace it, or have pictures with unreadable masks skipped with --on-bad skip",
  });
}

/** A picture's size after it is turned as its EXIF orientation says. */
async function orientedSize(place: PicturePlace): Promise<Size> {
  return (await sharp(pictureBytes(place), { limitInputPixels: pixelLimit }).metadata()).autoOrient;
}

/**
 * The part of a map that sharp's `cover` keeps of a picture of its size, in another size: aspect ratio kept, overhang cut as
 * sharp cuts it, each position from the nearest one.
 */
function nearestPart({ codes, ...from }: Size & { readonly codes: Uint8Array }, to: Size): Uint8Array {
  if (from.height === to.height && from.width === to.width) return codes;
  const shrink = Math.min(from.height / to.height, from.width / to.width);
  const rows = nearestPlaces(from.height, to.height, shrink);
  const columns = nearestPlaces(from.width, to.width, shrink);
  const part = new Uint8Array(to.height * to.width);
  for (let y = 0, put = 0; y < to.height; y++)
    for (let x = 0; x < to.width; x++) part[put++] = codes[rows[y] * from.width + columns[x]];
  return part;
}

/** Along one axis, the place in the map that each position comes from. */
function nearestPlaces(available: number, wanted: number, shrink: number): Uint32Array {
  // Resized as a whole, then cut, with a pixel more at the front where the overhang is odd.
  const whole = Math.max(wanted, Math.round(available / shrink));
  const cut = Math.floor((whole - wanted + 1) / 2);
  // Shrinking lays centre on centre; enlarging lays the first pixels' edges on each other, and takes what lies at the edges.
  const placeOf = (at: number): number => (shrink > 1 ? (at + 0.5 - whole / 2) * shrink + available / 2 : at * shrink);
  return Uint32Array.from({ length: wanted }, (_, at) => {
    return Math.min(Math.max(Math.floor(placeOf(at + cut)), 0), available - 1);
  });
}
