/** Masks among the pictures of tar archives: of samples in the manner of WebDataset, and of folders that were packed. */
import { counted, plural } from "../counted.js";
import { userError } from "../errors.js";
import type { OpenOptions } from "./dataset.js";
import { isMaskFolder, isPictureFolder, mayBeMask } from "./mask-names.js";
import { pairMasks, partMasks } from "./pair-masks.js";
import type { PictureItem } from "./picture-items.js";

/** A picture of an archive. */
export interface TarPicture {
  /** The archive. */
  readonly path: string;
  /** Its name in it. */
  readonly name: string;
  readonly item: PictureItem;
}

/** Pictures without the masks among them. */
export interface PartedPictures {
  readonly pictures: readonly TarPicture[];
  /** What the user should know, in sentences. */
  readonly notes: readonly string[];
  /** Masks that are left out, as no picture is theirs. */
  readonly masksWithoutPicture: number;
}

/**
 * The pictures of archives with their masks, which lie in the same archive: in a folder that is called as those of masks are, or
 * under their picture's name with `.mask` or the like behind it, or with a lossless format's ending beside one in JPEG. Where
 * no archive has any, the pictures as they are.
 *
 * @throws UserError if two masks are one picture's, or (unless that may be skipped) one is none's
 */
export function withTarMasks(all: readonly TarPicture[], { onBad }: Pick<OpenOptions, "onBad">): PartedPictures {
  const left: string[] = [];
  const pictures = byArchive(all).flatMap((archive) => {
    const called = masksByName(archive);
    const masks = called.length > 0 ? called : losslessTwins(archive);
    if (masks.length === 0) return archive;
    const isMask = new Set(masks);
    const own = archive.filter((picture) => !isMask.has(picture));
    const maskNamed = new Map(masks.map((mask) => [plainName(mask), mask]));
    const paired = pairMasks(own.map(plainName), [...maskNamed.keys()], archive[0].path);
    left.push(...paired.left.map((name) => maskNamed.get(name)!.item.where));
    return own.map(({ item: { class: _, ...item }, ...place }, index) => {
      const mask = maskNamed.get(paired.masks[index] ?? "")?.item;
      return {
        ...place,
        item: mask === undefined ? item : { ...item, mask: { where: mask.where, place: mask.place } },
      };
    });
  });
  if (left.length > 0 && onBad !== "skip")
    throw userError({
      where: all[0].path,
      required: "a picture for each mask",
      got: `${counted(left.length, "mask")} without one, such as ${left[0]}`,
      advice: "Remove such masks, or have them left out with --on-bad skip",
    });
  const note = `${counted(left.length, "mask")} without a picture ${plural(left.length, "is", "are")} left out, such as ${left[0]}`;
  return { pictures, notes: left.length === 0 ? [] : [note], masksWithoutPicture: left.length };
}

/** The pictures without those that are called as masks of others, for whoever wants none. */
export function withoutTarMasks(all: readonly TarPicture[]): PartedPictures {
  const masks = new Set(byArchive(all).flatMap((archive) => (mayBeClasses(archive) ? [] : masksByName(archive))));
  const [first] = masks;
  const note = `${counted(masks.size, "picture")} ${plural(masks.size, "is", "are")} left out, as masks of others, such as ${first?.item.name}`;
  return {
    pictures: all.filter((picture) => !masks.has(picture)),
    notes: masks.size === 0 ? [] : [note],
    masksWithoutPicture: 0,
  };
}

function byArchive(pictures: readonly TarPicture[]): TarPicture[][] {
  const archives = new Map<string, TarPicture[]>();
  for (const picture of pictures) {
    const archive = archives.get(picture.path);
    if (archive) archive.push(picture);
    else archives.set(picture.path, [picture]);
  }
  return [...archives.values()];
}

/** Those in folders of masks, if others lie elsewhere; else those that are called as another one with `_mask` or the like. */
function masksByName(archive: readonly TarPicture[]): readonly TarPicture[] {
  const inFolders = archive.filter(({ name }) => name.split("/").slice(0, -1).some(isMaskFolder));
  if (inFolders.length > 0 && inFolders.length < archive.length) return inFolders;
  const masks = new Set(partMasks(archive.map(({ name }) => name)).masks);
  return archive.filter(({ name }) => masks.has(name));
}

/** Whether folders of masks may be classes, as gloves and masks are, or labels: else they lie beside folders of pictures. */
function mayBeClasses(archive: readonly TarPicture[]): boolean {
  const folders = archive.map(({ name }) => name.split("/").slice(0, -1));
  const isOfMasks = (folder: string[]): boolean =>
    folder.some((part) => isMaskFolder(part) && !/^(labels?|gt)$/i.test(part));
  return (
    folders.some((folder) => folder.some(isMaskFolder)) &&
    !folders.every((f) => isOfMasks(f) || f.some(isPictureFolder))
  );
}

/** Those in formats that keep values, beside one in JPEG or AVIF of the same name. */
function losslessTwins(archive: readonly TarPicture[]): readonly TarPicture[] {
  const stemOf = (name: string): string => name.replace(/\.[^./]*$/, "");
  const lossy = new Set(archive.filter(({ name }) => !mayBeMask(name)).map(({ name }) => stemOf(name)));
  return archive.filter(({ name }) => mayBeMask(name) && lossy.has(stemOf(name)));
}

/** A name without the folders that say what it is: train/1.png of train/masks/1.png. */
function plainName({ name }: TarPicture): string {
  const parts = name.split("/");
  return parts
    .filter((part, at) => at === parts.length - 1 || !(isMaskFolder(part) || isPictureFolder(part)))
    .join("/");
}
