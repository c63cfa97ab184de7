import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { counted } from "../counted.js";
import { userError } from "../errors.js";
import { byCodeUnit, shorten } from "./classes.js";
import {
  isMaskFolder,
  isPictureFolder,
  withoutMaskWord,
  withoutOtherDrawings,
  withoutPictureWord,
} from "./mask-names.js";
import { OtherFiles } from "./other-files.js";
import { checkInterrupted, unreadable } from "./read-bytes.js";

/** The pictures of a folder, in the order of their names. */
export interface PictureFolder {
  /** Paths relative to the folder, with "/" between their parts. */
  readonly files: readonly string[];
  /** The class of each picture, if the folder is one of class folders. */
  readonly classes?: readonly string[];
  /** What was passed over. */
  readonly skipped: { readonly hidden: number; readonly links: number; readonly otherFiles: number };
  /** The subfolder that was taken because it holds the training data, if so. */
  readonly training?: string;
  /** What the user should know of the folder, in sentences. */
  readonly notes: readonly string[];
}

const pictureName = /\.(png|jpe?g|jfif|webp|gif|tiff?|avif)$/i;
const splitName = /^(train|training|test|testing|val|valid|validation|dev|eval)$/i;

/** Whether a file's name says that it is a picture that can be read. */
export function looksLikePicture(name: string): boolean {
  return pictureName.test(name);
}

/** Whether a file or folder is one of the system's own, such as what macOS keeps beside every file of an archive. */
export function isHidden(name: string): boolean {
  return name.startsWith(".") || name === "__MACOSX";
}

/** How {@link listPictures} lists. */
interface ListOptions {
  /** A folder that is passed over. */
  readonly without?: string | undefined;
  /** False: folders are no classes. */
  readonly classes?: boolean;
}

/**
 * Lists the pictures in a folder and its subfolders. If all of them lie in two or more subfolders of one folder, these
 * are classes; if these are called train, test or the like, only the training folder is read. Links are not followed:
 * they could lead out of the folder, or in circles.
 *
 * @throws UserError if the folder cannot be read or holds no picture
 */
export async function listPictures(
  folder: string,
  signal?: AbortSignal,
  options: ListOptions = {},
): Promise<PictureFolder> {
  const { files: all, skipped, others, passed } = await findPictures(folder, signal, options.without);
  const among = options.classes === false || all.length === 0 ? undefined : masksAmong(all);
  const files = among?.areMasks ? all.filter((file) => !among.files.has(file)) : all;
  if (files.length === 0) {
    throw userError({
      where: folder,
      required: "a folder of pictures (PNG, JPEG, WebP, GIF, TIFF, AVIF)",
      got: `no picture (${passed})`,
      advice: others.advice ?? "Check the path; for a table or an array, name the file itself",
    });
  }
  const shared = commonFolder(files);
  const inner = files.map((file) => file.slice(shared.length));
  const split = trainingOf(new Set(inner.map(topFolder)), shared);
  if (split !== undefined) {
    const listed = await listPictures(join(folder, shared, split.training), signal, options);
    return { ...listed, training: `${shared}${split.training}`, notes: [...listed.notes, split.note] };
  }
  const classes = options.classes === false ? undefined : classFolders(inner);
  const notes = [
    ...linkNotes(skipped.links),
    ...others.notes,
    ...(options.classes === false ? [] : looseNotes(inner)),
    ...(among ? [maskNote(among)] : []),
  ];
  return { files, ...(classes === undefined ? {} : { classes }), skipped, notes };
}

/** What was found in a folder: there may be no picture. */
interface FoundPictures extends Pick<PictureFolder, "files" | "skipped"> {
  readonly others: OtherFiles;
  /** What lies there but pictures, in words. */
  readonly passed: string;
}

/**
 * The pictures in a folder and its subfolders, in the order of their names.
 *
 * @param without a folder that is passed over
 * @throws UserError if the folder cannot be read
 */
export async function findPictures(folder: string, signal?: AbortSignal, without?: string): Promise<FoundPictures> {
  const skipped = { hidden: 0, links: 0, otherFiles: 0 };
  const left = without === undefined ? undefined : resolve(without);
  const others = new OtherFiles();
  const files: string[] = [];
  const visit = async (relative: string): Promise<void> => {
    checkInterrupted(signal);
    const path = join(folder, relative);
    const entries = await readdir(path, { withFileTypes: true }).catch((error) => {
      throw unreadable(path, error);
    });
    entries.sort((a, b) => byCodeUnit(a.name, b.name));
    for (const entry of entries) {
      const inside = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (isHidden(entry.name)) skipped.hidden++;
      else if (entry.isSymbolicLink()) skipped.links++;
      else if (entry.isDirectory()) {
        if (resolve(folder, inside) !== left) await visit(inside);
      } else if (entry.isFile() && looksLikePicture(entry.name)) files.push(inside);
      else others.add(entry.name);
    }
  };
  await visit("");
  skipped.otherFiles = others.count;
  const links = skipped.links > 0 ? [`${skipped.links} links, which are not followed`] : [];
  return { files, skipped, others, passed: [others.description, ...links].join("; ") };
}

/**
 * Which of several folders holds the training data, where they are called train, test or the like, and what to say of the others.
 *
 * @param shared the path of the folder that they lie in, with "/" at its end, for the note
 */
export function trainingOf(folders: ReadonlySet<string>, shared = ""): { training: string; note: string } | undefined {
  const training = [...folders].find((name) => /^train(ing)?$/i.test(name));
  if (folders.size < 2 || training === undefined || ![...folders].every((name) => splitName.test(name)))
    return undefined;
  const others = [...folders].filter((name) => name !== training).sort();
  const note = `only its folder ${shared}${training} is read, not ${others.join(", ")}: what is to be read can be named itself`;
  return { training, note };
}

/** Pictures beside what would be class folders keep these from being classes, which nobody would guess. */
function looseNotes(files: readonly string[]): string[] {
  const loose = files.filter((file) => !file.includes("/"));
  const folders = [...new Set(files.map(topFolder))].filter((name) => name !== "");
  if (loose.length === 0 || folders.length < 2) return [];
  const [what, lie] = loose.length === 1 ? ["a picture", "lies"] : [`${loose.length} pictures`, "lie"];
  return [
    `the folders ${shorten(folders, 3)} are not taken for classes, as ${what} ${lie} beside them (${shorten(loose, 2)}); ` +
      "move what has a class into its folder",
  ];
}

/** A folder that is called as one of masks is, beside one of pictures. */
interface MasksAmong {
  readonly folder: string;
  readonly pictures: string;
  readonly files: ReadonlySet<string>;
  /** Whether most of its files are called as pictures are. Folders called labels may be a class of their own. */
  readonly areMasks: boolean;
}

function masksAmong(files: readonly string[]): MasksAmong | undefined {
  const shared = commonFolder(files);
  const topOf = (file: string): string => topFolder(file.slice(shared.length));
  const folders = [...new Set(files.map(topOf))];
  const [pictures, folder] = [folders.find(isPictureFolder), folders.find(isMaskFolder)];
  if (pictures === undefined || folder === undefined) return undefined;
  const namesIn = (top: string): string[] =>
    withoutOtherDrawings(files.filter((file) => topOf(file) === top)).map((file) =>
      file.slice(shared.length + top.length).replace(/\.[^.]+$/, ""),
    );
  const known = new Set(namesIn(pictures).flatMap((name) => [name, withoutPictureWord(name) ?? name]));
  const masks = namesIn(folder);
  const paired = masks.filter((name) => known.has(name) || known.has(withoutMaskWord(name) ?? name));
  return {
    folder: `${shared}${folder}`,
    pictures: `${shared}${pictures}`,
    files: new Set(files.filter((file) => topOf(file) === folder)),
    areMasks: !/^(labels?|gt)$/i.test(folder) && 2 * paired.length > masks.length,
  };
}

/** Masks are no pictures to learn from. */
function maskNote({ folder, pictures, files, areMasks }: MasksAmong): string {
  if (!areMasks)
    return `the folder ${folder} is read as ${pictures} is; if it holds their masks, name ${pictures} alone as the data`;
  return (
    `${counted(files.size, "picture")} of ${folder} ${files.size === 1 ? "is" : "are"} left out, as masks of those ` +
    `of ${pictures} by their names; to read them, name ${folder} itself`
  );
}

/** The longest beginning that all paths share, up to a "/". */
export function commonFolder(paths: readonly string[]): string {
  let common = paths[0].slice(0, paths[0].lastIndexOf("/") + 1);
  for (const path of paths) {
    while (!path.startsWith(common)) common = common.slice(0, common.lastIndexOf("/", common.length - 2) + 1);
  }
  return common;
}

/** Says in a sentence, where there are some, how many links were passed over. */
export function linkNotes(links: number): string[] {
  if (links === 0) return [];
  const [what, they] = links === 1 ? ["link was", "it leads to"] : ["links were", "they lead to"];
  return [
    `${links.toLocaleString("en")} ${what} passed over, as links are not followed; copy what ${they} where it belongs to the data`,
  ];
}

/**
 * The classes of pictures by the folders that they lie in: the immediate ones, or those below where these are called
 * train, test or the like. Their names are composed (Unicode's NFC): some systems, such as macOS' older disks, take the
 * letters of a name apart, so that the same folder would be another class there.
 *
 * @param files paths with "/" between their parts
 * @returns undefined where some lie in no folder, or all in one
 */
export function classFolders(files: readonly string[]): string[] | undefined {
  const classes = files.map((file) => topFolder(file).normalize("NFC"));
  const tops = new Set(classes);
  if (tops.has("") || tops.size < 2) return undefined;
  if (![...tops].every((name) => splitName.test(name))) return classes;
  const below = files.map((file) => file.slice(file.indexOf("/") + 1));
  return below.every((file) => file.includes("/")) ? classFolders(below) : classes;
}

function topFolder(file: string): string {
  return file.slice(0, Math.max(0, file.indexOf("/")));
}
