/** Pictures with the masks that lie in a folder of their own. */
import { readdir, stat } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { plural } from "../counted.js";
import { userError } from "../errors.js";
import { byCodeUnit } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { labelsOption } from "./labels-option.js";
import { isMaskFolder, isPictureFolder, mayBeMask, withoutOtherDrawings } from "./mask-names.js";
import { pairMasks, partMasks } from "./pair-masks.js";
import { findPictures, isHidden, linkNotes, trainingOf } from "./picture-folder.js";
import { folderItems, type PictureItems } from "./picture-items.js";
import { unreadable } from "./read-bytes.js";

type MaskOptions = Pick<OpenOptions, "labels" | "onBad" | "signal">;

/** Where pictures and their masks are. */
interface MaskedFolders {
  readonly pictures: string;
  readonly masks: string;
  readonly notes: readonly string[];
}

/**
 * The pictures of a folder with their masks: of the folder that is named as labels, else of the one beside or inside that
 * is called masks, labels or the like, if there is exactly one. Folders are no classes.
 *
 * @throws UserError if the pictures or the masks cannot be listed, or do not belong together, see {@link withMasks}
 */
export async function maskedFolder(folder: string, options: MaskOptions): Promise<PictureItems> {
  const { labels, signal } = options;
  const named = labels === undefined ? undefined : await namedFolder(labels);
  const folders: MaskedFolders | undefined =
    named === undefined ? await findMasks(folder, signal) : { pictures: folder, masks: named, notes: [] };
  if (folders === undefined) return folderItems(folder, signal, { classes: false });
  const { pictures, masks, notes } = folders;
  if (resolve(pictures) === resolve(masks)) {
    const source = await folderItems(pictures, signal, { classes: false });
    const parted = partMasks(source.items.map(({ name }) => name));
    const isPicture = new Set(parted.pictures);
    const items = source.items.filter(({ name }) => isPicture.has(name));
    const record = { ...source.record, files: items.length };
    const root = join(masks, String(source.record.subfolder ?? ""));
    return paired({ ...source, items, record }, root, parted.masks, options);
  }
  const listed = await folderItems(pictures, signal, { classes: false, without: masks });
  const { subfolder = "" } = listed.record as { subfolder?: string };
  const inside = join(masks, subfolder);
  const root = subfolder !== "" && (await isFolder(inside)) ? inside : masks;
  const read = relative(folder, join(pictures, subfolder));
  const source: PictureItems = {
    ...listed,
    where: folder,
    record: {
      ...listed.record,
      ...(read === "" || read.startsWith("..") ? {} : { subfolder: read.replaceAll("\\", "/") }),
      notes: [...((listed.record.notes as string[] | undefined) ?? []), ...notes],
    },
  };
  return withMasks(source, { ...options, labels: root });
}

/**
 * Pictures with the masks of the folder that is named as labels.
 *
 * @throws UserError if no mask is any picture's, two masks are one picture's, or (unless that may be skipped) one is none's
 */
export async function withMasks(source: PictureItems, options: MaskOptions): Promise<PictureItems> {
  const folder = await namedFolder(options.labels);
  const { files, others, skipped, passed } = await findPictures(folder, options.signal);
  if (files.length === 0) throw notMasks(folder, `none (${passed})`, others.advice && forMasks(others.advice));
  const notes = [...linkNotes(skipped.links), ...others.notes].map((note) => `in ${folder}, ${forMasks(note)}`);
  const noted = [...((source.record.notes as string[] | undefined) ?? []), ...notes];
  return paired(
    { ...source, record: { ...source.record, ...(noted.length > 0 ? { notes: noted } : {}) } },
    folder,
    files,
    options,
  );
}

function paired(
  source: PictureItems,
  folder: string,
  all: readonly string[],
  { onBad }: Pick<OpenOptions, "onBad">,
): PictureItems {
  const pictures = source.items.map(({ name }) => name);
  const files = withoutOtherDrawings(all);
  const { masks, left } = pairMasks(pictures, files, folder);
  if (masks.every((mask) => mask === undefined)) {
    throw userError({
      where: folder,
      required: "masks that are called as their pictures, or with _mask or the like behind that",
      got: files.length === 0 ? "none" : `${files[0]}, where pictures are called as ${pictures[0]}`,
      advice: `Name the folder of their masks (${labelsOption}), or rename the masks; where each object has a file of its own, bring those of a picture into one`,
    });
  }
  if (left.length > 0 && onBad !== "skip") {
    throw userError({
      where: folder,
      required: "a picture for each mask",
      got: `${left.length} of ${files.length} without one, such as ${left[0]}`,
      advice: `Give the folder that has all pictures, remove such masks, or have them left out with --on-bad skip`,
    });
  }
  const { notes, skipped, ...record } = source.record;
  const others = all.length - files.length;
  const drawn = `in ${folder}, ${others.toLocaleString("en")} ${plural(others, "picture")} of the same masks in colour or by instances ${others === 1 ? "is" : "are"} passed over`;
  const note = `${left.length.toLocaleString("en")} ${plural(left.length, "mask")} without a picture ${left.length === 1 ? "is" : "are"} left out, such as ${left[0]}`;
  const allNotes = [
    ...((notes as string[] | undefined) ?? []),
    ...(others === 0 ? [] : [drawn]),
    ...(left.length === 0 ? [] : [note]),
  ];
  return {
    ...source,
    items: source.items.map(({ class: _, ...item }, index) => {
      const mask = masks[index];
      if (mask === undefined) return item;
      const path = join(folder, mask);
      return { ...item, mask: { where: path, place: { path } } };
    }),
    record: {
      ...record,
      skipped: {
        ...(skipped as object | undefined),
        ...(left.length === 0 ? {} : { masksWithoutPicture: left.length }),
      },
      ...(allNotes.length > 0 ? { notes: allNotes } : {}),
    },
  };
}

/** The folder that is named as labels. @throws UserError if that is none */
async function namedFolder(labels: OpenOptions["labels"]): Promise<string> {
  if (typeof labels !== "string") throw notMasks("labels", String(labels));
  const status = await stat(labels).catch((error) => {
    throw unreadable(labels, error);
  });
  if (!status.isDirectory()) throw notMasks(labels, "a file");
  return labels;
}

function notMasks(where: string, got: string, advice = `Give its path (${labelsOption})`): Error {
  return userError({
    where,
    required: "a folder of masks (PNG, GIF, TIFF, lossless WebP), one for each picture",
    got,
    advice,
  });
}

/** What is advised for pictures, without the format that changes a mask's values. */
function forMasks(text: string): string {
  return text.replace("PNG or JPEG", "PNG");
}

/** The folders of pictures and masks, found by their usual names; undefined where there is not exactly one of masks. */
async function findMasks(folder: string, signal: AbortSignal | undefined): Promise<MaskedFolders | undefined> {
  const names = await foldersOf(folder);
  const pictures = names.filter(isPictureFolder);
  const inside = await holdingMasks(folder, names.filter(isMaskFolder), signal);
  if (inside.length > 0) {
    return inside.length > 1 || pictures.length > 1 ? undefined : found(join(folder, pictures[0] ?? ""), inside[0]);
  }
  const split = trainingOf(new Set(names));
  const below = split && (await findMasks(join(folder, split.training), signal));
  if (below !== undefined) return { ...below, notes: [...below.notes, split!.note] };
  const beside = await masksBeside(folder, signal);
  return beside.length === 1 ? found(folder, beside[0]) : undefined;
}

/** Folders of masks beside one of pictures: masks beside images, train_masks beside train, masks/train beside images/train. */
async function masksBeside(folder: string, signal: AbortSignal | undefined): Promise<string[]> {
  const [name, parent] = [basename(resolve(folder)), join(folder, "..")];
  const parentName = basename(resolve(parent));
  const siblings = await foldersOf(parent);
  const called = isPictureFolder(name)
    ? siblings.filter(isMaskFolder)
    : siblings.filter((sibling) => sibling.startsWith(`${name}_`) && isMaskFolder(sibling.slice(name.length + 1)));
  if (called.length > 0 || !isPictureFolder(parentName)) return holdingMasks(parent, called, signal);
  const above = join(parent, "..");
  const counterparts = (await foldersOf(above)).filter(isMaskFolder).map((masks) => `${masks}/${name}`);
  return holdingMasks(above, counterparts, signal);
}

function found(pictures: string, masks: string): MaskedFolders {
  return { pictures, masks, notes: [`the masks of ${masks} are the labels of the pictures of ${pictures}`] };
}

/** Those folders that hold pictures which may be masks: labels for detection are texts. */
async function holdingMasks(
  parent: string,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const holding: string[] = [];
  for (const name of names) {
    const path = join(parent, name);
    if (!(await isFolder(path))) continue;
    const { files } = await findPictures(path, signal);
    if (files.some(mayBeMask)) holding.push(path);
  }
  return holding;
}

/** The folders in a folder, but hidden ones and links; none where it cannot be read. */
async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && !isHidden(entry.name))
    .map(({ name }) => name)
    .sort(byCodeUnit);
}

/** Whether a path leads to a folder. */
export async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
