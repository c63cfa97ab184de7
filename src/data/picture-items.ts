import { join } from "node:path";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import type { OpenOptions } from "./dataset.js";
import type { PicturePlace } from "./decode-picture.js";
import type { FoundPath } from "./expand-paths.js";
import type { OpenFile } from "./file-samples.js";
import { classFolders, commonFolder, listPictures } from "./picture-folder.js";
import { defaultMemory } from "./sample-array.js";

/** A picture that has not been decoded yet. */
export interface PictureItem {
  /** As it is called in the record, relative to the source. */
  readonly name: string;
  /** As it is called in error messages. */
  readonly where: string;
  readonly class?: string | undefined;
  readonly place: PicturePlace;
  /** Its mask, where pictures have masks: what it is called in messages, and where it is. */
  readonly mask?: { readonly where: string; readonly place: PicturePlace } | undefined;
}

/** The pictures of a source, in order. */
export interface PictureItems {
  readonly where: string;
  readonly items: readonly PictureItem[];
  /** Names of the classes that the items hold numbers of, where the source says them. */
  readonly classNames?: readonly string[] | undefined;
  readonly record: Record<string, unknown>;
  /** Held so that they stay open. */
  readonly files?: readonly OpenFile[];
}

/** The pictures of a folder and its subfolders; class folders give classes, unless the options say otherwise. */
export async function folderItems(
  folder: string,
  signal?: AbortSignal,
  options?: Parameters<typeof listPictures>[2],
): Promise<PictureItems> {
  const listing = await listPictures(folder, signal, options);
  const { notes } = listing;
  const root = listing.training === undefined ? folder : join(folder, listing.training);
  return {
    where: folder,
    items: listing.files.map((name, index) => ({
      name,
      where: join(root, name),
      class: listing.classes?.[index],
      place: { path: join(root, name) },
    })),
    record: {
      source: "folder of pictures",
      ...(listing.training === undefined ? {} : { subfolder: listing.training }),
      files: listing.files.length,
      skipped: listing.skipped,
      ...(notes.length > 0 ? { notes } : {}),
    },
  };
}

/** One list of several. */
export function joinItems(lists: readonly PictureItems[]): PictureItems {
  if (lists.length === 1) return lists[0];
  const [first] = lists;
  const notes = lists.flatMap(({ record }) => (record.notes as string[] | undefined) ?? []);
  return {
    where: `${first.where} and ${lists.length - 1} more`,
    items: lists.flatMap((list) => list.items.map((item) => ({ ...item, name: `${list.where}/${item.name}` }))),
    classNames: first.classNames,
    record: {
      source: first.record.source,
      parts: lists.map(({ record: { notes: _, ...record } }) => record),
      skipped: sumOf(lists.map(({ record }) => record.skipped as Record<string, number> | undefined)),
      ...(notes.length > 0 ? { notes } : {}),
    },
    files: lists.flatMap(({ files }) => files ?? []),
  };
}

function sumOf(counts: readonly (Record<string, number> | undefined)[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const [name, count] of counts.flatMap((one) => Object.entries(one ?? {}))) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Keeps the bytes of pictures that can be read in order only: in memory, and on disk as soon as they are too many. */
export class PictureBag {
  readonly items: PictureItem[] = [];
  readonly #options: Pick<OpenOptions, "memory" | "cache">;
  #pending: { index: number; bytes: Uint8Array }[] = [];
  #bytes = 0;
  #file: GrowingFile | undefined;
  readonly #starts: { index: number; start: number; length: number }[] = [];

  constructor(options: Pick<OpenOptions, "memory" | "cache">) {
    this.#options = options;
  }

  add(item: Omit<PictureItem, "place">, bytes: Uint8Array): void {
    const index = this.items.length;
    this.items.push({ ...item, place: { bytes } });
    this.#bytes += bytes.length;
    // A quarter: the decoded pictures need room beside.
    if (this.#file === undefined && this.#bytes <= (this.#options.memory ?? defaultMemory()) / 4) {
      this.#pending.push({ index, bytes });
      return;
    }
    this.#file ??= new GrowingFile(this.#options.cache ?? defaultCacheFolder());
    for (const waiting of [...this.#pending, { index, bytes }]) {
      this.#starts.push({ index: waiting.index, start: this.#file.length, length: waiting.bytes.length });
      this.#file.append(waiting.bytes);
      // Only the place is known from now on.
      this.items[waiting.index] = { ...this.items[waiting.index], place: { bytes: new Uint8Array(0) } };
    }
    this.#pending = [];
  }

  /** Ends the adding. */
  finish(): { items: readonly PictureItem[]; files: readonly OpenFile[] } {
    if (this.#file === undefined) return { items: this.items, files: [] };
    const file = this.#file.keepWhileOpen();
    for (const { index, start, length } of this.#starts) {
      this.items[index] = { ...this.items[index], place: { descriptor: file.descriptor, start, length } };
    }
    return { items: this.items, files: [file] };
  }

  discard(): void {
    this.#file?.discard();
  }
}

/**
 * Single pictures by their paths or addresses; where all lie in two or more folders below the one that they have in
 * common, these are their classes.
 */
export function fileItems(found: readonly FoundPath[]): PictureItems {
  const paths = found.map(({ path, address = path }) => address.replaceAll("\\", "/"));
  const common = commonFolder(paths);
  const names = paths.map((path) => path.slice(common.length));
  const classes = classFolders(names);
  return {
    where: found.length === 1 ? paths[0] : `${paths[0]} and ${found.length - 1} more`,
    items: found.map(({ path, address = path }, index) => ({
      name: names[index],
      where: address,
      class: classes?.[index],
      place: { path },
    })),
    record: { source: "pictures", files: found.length },
  };
}
