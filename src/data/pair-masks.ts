/** Which mask belongs to which picture, by their names. */
import { userError } from "../errors.js";
import { mayBeMask, withoutMaskWord, withoutOtherDrawings, withoutPictureWord } from "./mask-names.js";
import { commonFolder } from "./picture-folder.js";

/** Masks by the pictures that they belong to. */
export interface MaskPairs {
  /** By picture, its mask's name; undefined where it has none. */
  readonly masks: readonly (string | undefined)[];
  /** Masks without a picture. */
  readonly left: readonly string[];
}

/**
 * Pairs masks with pictures: a mask has its picture's path and name, with any ending, or with `_mask` or the like at the
 * name's end or beginning, where the picture's may have `image`. Of both, the folders that all have in common do not count where more pairs are found so.
 *
 * @param pictures paths with "/" between their parts
 * @param masks likewise; JPEG and AVIF files, which hold no masks, are taken where nothing else is there, to be refused
 * @param where the folder of the masks, for messages
 * @throws UserError if two masks are one picture's, or two pictures have one mask
 */
export function pairMasks(pictures: readonly string[], masks: readonly string[], where: string): MaskPairs {
  const tries = [
    [pictures, masks],
    [withoutCommon(pictures), masks],
    [withoutCommon(pictures), withoutCommon(masks)],
  ].map(([from, to]) => match(from, to));
  const countOf = (matches: Matches): number => matches.filter((of) => of.length > 0).length;
  const best = tries.reduce((a, b) => (countOf(b) > countOf(a) ? b : a));
  const found = new Map<number, string>();
  const left: string[] = [];
  const place = (mask: number): void => {
    const [picture, other] = best[mask];
    if (picture === undefined) {
      left.push(masks[mask]);
      return;
    }
    if (other !== undefined) throw ambiguous(`${where}/${masks[mask]}`, "picture", pictures[picture], pictures[other]);
    const first = found.get(picture);
    if (first !== undefined) throw ambiguous(pictures[picture], "mask", first, masks[mask]);
    found.set(picture, masks[mask]);
  };
  for (const mask of masks.keys()) if (mayBeMask(masks[mask])) place(mask);
  // Pictures often lie beside masks, as overlays or copies.
  for (const mask of masks.keys()) {
    if (!mayBeMask(masks[mask]) && best[mask].length > 0 && !found.has(best[mask][0])) place(mask);
  }
  return { masks: pictures.map((_, index) => found.get(index)), left };
}

/**
 * Which files of a folder of both are masks: those that are called as another one with `_mask` or the like.
 *
 * @param all paths with "/" between their parts
 */
export function partMasks(all: readonly string[]): { pictures: string[]; masks: string[] } {
  const files = withoutOtherDrawings(all);
  const named = new Set(files.flatMap((file) => [...namesOf(file), withoutPictureWord(stemOf(file)) ?? ""]));
  named.delete("");
  const isMask = (file: string): boolean => named.has(withoutMaskWord(stemOf(file)) ?? "");
  return { pictures: files.filter((file) => !isMask(file)), masks: files.filter(isMask) };
}

/** By mask, the places of the pictures that it may belong to. */
type Matches = readonly (readonly number[])[];

function match(pictures: readonly string[], masks: readonly string[]): Matches {
  const whole = byName(pictures, namesOf);
  const plain = byName(pictures, (picture) => [withoutPictureWord(stemOf(picture)) ?? ""]);
  return masks.map((mask) => {
    const [stem, name = ""] = [stemOf(mask), withoutMaskWord(stemOf(mask))];
    return whole.get(stem) ?? whole.get(name) ?? plain.get(stem) ?? plain.get(name) ?? [];
  });
}

/** The places of pictures by their names. */
function byName(pictures: readonly string[], names: (picture: string) => Iterable<string>): Map<string, number[]> {
  const places = new Map<string, number[]>();
  pictures.forEach((picture, index) => {
    for (const name of names(picture)) if (name !== "") places.set(name, [...(places.get(name) ?? []), index]);
  });
  return places;
}

/** What a mask of a picture is called, but for its ending and its own word; some programs hang its ending on the whole name: a.jpg.png. */
function namesOf(picture: string): Set<string> {
  return new Set([stemOf(picture), picture.normalize("NFC")]);
}

/** A path without its ending, composed as Unicode's NFC, as some systems take letters apart. */
function stemOf(path: string): string {
  return path.replace(/\.[^./]*$/, "").normalize("NFC");
}

function withoutCommon(paths: readonly string[]): string[] {
  const common = paths.length === 0 ? "" : commonFolder(paths);
  return paths.map((path) => path.slice(common.length));
}

function ambiguous(where: string, what: string, first: string, second: string): Error {
  return userError({
    where,
    required: `one ${what} of its name`,
    got: `${first} and ${second}`,
    advice: "Rename one, or move what does not belong there",
  });
}
