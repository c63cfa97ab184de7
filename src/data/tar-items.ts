import { userError } from "../errors.js";
import { defaultCacheFolder, defaultCacheLimit, GrowingFile } from "./cache-folder.js";
import type { OpenOptions } from "./dataset.js";
import { OpenFile } from "./file-samples.js";
import { isHidden, linkNotes, looksLikePicture } from "./picture-folder.js";
import type { PictureItem, PictureItems } from "./picture-items.js";
import { isGzip, readChunks } from "./read-bytes.js";
import { listTar, type TarMember } from "./tar.js";
import { type TarPicture, withoutTarMasks, withTarMasks } from "./tar-masks.js";

/** Files beside a picture that hold its class, as WebDataset names them. */
const classSuffixes = ["cls", "class", "label", "json"];
/** Keys of a JSON file that hold it. */
const classKeys = ["label", "cls", "class"];

/**
 * The pictures of tar archives in the manner of WebDataset: files of a sample share their name up to its first dot,
 * and a file `.cls` (or a label in a `.json`) holds its class; empty ones hold none. Without such files, the archives' folders are the
 * classes if there are several. Members are read where they lie; a gzipped archive is unpacked once.
 *
 * @throws UserError for archives that are damaged, lead out of themselves, or hold no picture
 */
export async function tarItems(paths: readonly string[], options: OpenOptions): Promise<PictureItems> {
  const found: TarPicture[] = [];
  const files: OpenFile[] = [];
  const notes: string[] = [];
  const skipped = { hidden: 0, otherFiles: 0, links: 0 };
  for (const path of paths) {
    const file = await openTar(path, options);
    files.push(file);
    const { members: listed, passedOver, ended } = await listTar(file, options.signal);
    if (!ended) notes.push(missingEnd(path, listed.length, options));
    const members = lastOfEach(listed);
    if (members.length < listed.length) notes.push(replacedNote(path, listed.length - members.length));
    skipped.links += passedOver;
    const besides = new Map<string, TarMember>();
    for (const member of members) {
      if (classSuffixes.includes(suffixOf(member.name))) besides.set(member.name, member);
    }
    for (const { name, start, length } of members) {
      if (!looksLikePicture(name)) {
        if (!besides.has(name)) skipped.otherFiles++;
        continue;
      }
      if (name.split("/").some(isHidden)) {
        skipped.hidden++;
        continue;
      }
      const item: PictureItem = {
        name: paths.length === 1 ? name : `${path}/${name}`,
        where: `${path}[${name}]`,
        class: await classOf(file, name, besides),
        place: { descriptor: file.descriptor, start, length },
      };
      found.push({ path, name, item });
    }
  }
  if (found.length === 0) {
    throw userError({
      where: paths[0],
      required: "pictures (PNG, JPEG, WebP, GIF, TIFF, AVIF) in the archive",
      got: `none among ${skipped.otherFiles} files`,
      advice: "Check the path; tables and arrays are read outside archives",
    });
  }
  // Labels that are named lie elsewhere.
  const areMasksWanted = options.task === "segmentation" && options.labels === undefined;
  const { pictures, masksWithoutPicture, ...parted } = areMasksWanted
    ? withTarMasks(found, options)
    : withoutTarMasks(found);
  notes.push(...linkNotes(skipped.links), ...parted.notes, ...severalPicturesNotes(pictures));
  return {
    where: paths.length === 1 ? paths[0] : `${paths[0]} and ${paths.length - 1} more`,
    items: withFolderClasses(pictures, paths),
    record: {
      source: "tar",
      shards: paths.length,
      files: pictures.length,
      skipped: { ...skipped, ...(masksWithoutPicture === 0 ? {} : { masksWithoutPicture }) },
      ...(notes.length > 0 ? { notes } : {}),
    },
    files,
  };
}

/** Members of which none has the name of a later one: what is added under a name takes its place when an archive is unpacked. */
function lastOfEach(members: readonly TarMember[]): readonly TarMember[] {
  const last = new Map(members.map((member) => [member.name, member]));
  return last.size === members.length ? members : members.filter((member) => last.get(member.name) === member);
}

/** Says where samples have several pictures each, such as two views: each picture counts as a sample. */
function severalPicturesNotes(pictures: readonly TarPicture[]): string[] {
  const suffixes = new Map<string, string[]>();
  for (const { path, name } of pictures) {
    const own = suffixesOf(name);
    const key = `${path}/${name.slice(0, name.length - own.length)}`;
    suffixes.set(key, [...(suffixes.get(key) ?? []), own]);
  }
  const counts = new Map<string, number>();
  for (const own of suffixes.values()) {
    const together = own.sort().join(", ");
    if (own.length > 1) counts.set(together, (counts.get(together) ?? 0) + 1);
  }
  // What has dots in its name for other reasons has others from picture to picture.
  return [...counts].flatMap(([together, count]) =>
    count < 2
      ? []
      : [
          `${count} samples have several pictures each (${together}), and every one of these is taken for a sample; leave out of the archive what is none, such as masks`,
        ],
  );
}

function replacedNote(path: string, count: number): string {
  const [what, are] = count === 1 ? ["member", "is"] : ["members", "are"];
  return `${path}: ${count} ${what} ${are} left out, in whose place later ones of the same name stand, as when the archive is unpacked`;
}

/** An archive without an end may be whole or half of one: nothing in it tells. */
function missingEnd(path: string, members: number, options: OpenOptions): string {
  const got = `one that ends after ${members} members without the mark of its end`;
  if (options.onBad === "skip") return `${path}: ${got}; it may be cut off`;
  throw userError({
    where: path,
    required: "a whole tar archive",
    got,
    advice: "Fetch it again if it is cut off, or have what is damaged skipped with --on-bad skip to take it as it is",
  });
}

async function openTar(path: string, options: OpenOptions): Promise<OpenFile> {
  if (!(await isGzip(path))) return new OpenFile(path);
  const limit = options.cacheLimit ?? defaultCacheLimit;
  const file = new GrowingFile(options.cache ?? defaultCacheFolder());
  try {
    for await (const chunk of readChunks(path, { gzip: true, signal: options.signal })) {
      if (file.length + chunk.length > limit) {
        throw userError({
          where: path,
          required: `at most ${limit} bytes when unpacked`,
          got: "more",
          advice: "Unpack it yourself if it is what you expect, or allow a larger cache (--cache-limit)",
        });
      }
      file.append(chunk);
    }
  } catch (error) {
    file.discard();
    throw error;
  }
  return file.keepWhileOpen();
}

async function classOf(
  file: OpenFile,
  name: string,
  besides: ReadonlyMap<string, TarMember>,
): Promise<string | undefined> {
  const key = name.slice(0, name.length - suffixesOf(name).length);
  for (const suffix of classSuffixes) {
    const member = besides.get(`${key}.${suffix}`);
    if (member === undefined || member.length > 2 ** 20) continue;
    const text = new TextDecoder().decode(await file.bytes(member.start, member.length)).trim();
    if (suffix !== "json") {
      if (text !== "") return text;
      continue;
    }
    try {
      const record = JSON.parse(text) as Record<string, unknown>;
      const found = classKeys.map((field) => record[field]).find((value) => value !== undefined);
      if ((typeof found === "string" && found.trim() !== "") || typeof found === "number") return String(found);
    } catch {
      throw userError({
        where: `${file.path}[${member.name}]`,
        required: "JSON",
        got: "another text",
        advice: "Correct or remove that file",
      });
    }
  }
  return undefined;
}

/** "a/b.seg.png" → ".seg.png": what stands from the first dot of the file's own name. */
function suffixesOf(name: string): string {
  const own = name.slice(name.lastIndexOf("/") + 1);
  const dot = own.indexOf(".");
  return dot < 0 ? "" : own.slice(dot);
}

function suffixOf(name: string): string {
  return suffixesOf(name).slice(1).toLowerCase();
}

function withFolderClasses(pictures: readonly TarPicture[], paths: readonly string[]): readonly PictureItem[] {
  const items = pictures.map(({ item }) => item);
  if (items.some((item) => item.class !== undefined || item.mask !== undefined)) return items;
  const folders = pictures.map(({ name }) => (name.split("/").at(-2) ?? "").normalize("NFC"));
  const distinct = new Set(folders);
  if (distinct.has("") || distinct.size < 2 || distinct.size > Math.max(items.length / 2, paths.length)) return items;
  return items.map((item, index) => ({ ...item, class: folders[index] }));
}
