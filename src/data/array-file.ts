import { userError } from "../errors.js";
import { looksLikeZip, type ZipEntry, zipDirectory } from "../zip-directory.js";
import type { FiledArray } from "./array-dataset.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { chooseArrays, isLabelsName, isSamplesName } from "./choose-arrays.js";
import type { OpenOptions } from "./dataset.js";
import { type FileSegment, joinArrays, OpenFile } from "./file-samples.js";
import { writeInCOrder } from "./fortran-order.js";
import { decodeIdx, idxHeader, looksLikeIdx, parseIdx } from "./idx.js";
import { decodeNpy, looksLikeNpy, npyHeader, npyValueBytes, parseNpy } from "./npy.js";
import { isGzip, readBytes, readChunks, readHead } from "./read-bytes.js";
import { looksLikeSafetensors, safetensorsDirectory } from "./safetensors-array.js";
import { defaultMemory, type RawArray, type SampleArray } from "./sample-array.js";
import { unpackedBytes, unpackedHead } from "./zip-entry.js";

/** What is known of an array in a file before its values are read. */
export interface ArrayFile {
  readonly where: string;
  readonly format: "npy" | "idx" | "npz" | "safetensors";
  readonly dims: readonly number[];
  readonly boolean: boolean;
  readonly bytes: number;
  /** Reads the whole into memory. */
  readonly load: () => Promise<RawArray>;
  /** Makes it readable in parts; what is packed is unpacked to a file in the cache folder. */
  readonly file: () => Promise<{ segment: FileSegment; like: SampleArray }>;
  /** The labels that the same file holds, if any. */
  readonly labels?: ArrayFile;
}

interface Layout {
  readonly dims: readonly number[];
  readonly boolean: boolean;
  readonly start: number;
  readonly valueBytes: number;
  readonly decode: (bytes: Uint8Array) => SampleArray;
  /** Set where the first axis runs fastest: samples do not lie together. */
  readonly fortran: boolean;
}

type Reading = Pick<OpenOptions, "signal" | "onProgress" | "cache" | "cacheLimit" | "memory" | "task">;

/**
 * Looks at a file of arrays: NPY, IDX (both plain or gzipped), NPZ or safetensors.
 *
 * @param labels the name of the array of labels, for files of several
 * @returns undefined if it is none of these
 */
export async function describeArrayFile(
  path: string,
  options: Reading & { labels?: string | undefined },
): Promise<ArrayFile | undefined> {
  const head = await readHead(path, 1 << 20);
  if (looksLikeIdx(head) || looksLikeNpy(head)) return describePlain(path, head, options);
  if (looksLikeZip(head)) return describeZip(path, options);
  if (looksLikeSafetensors(head, path)) return describeSafetensors(path, options);
  return undefined;
}

async function describePlain(path: string, head: Uint8Array, options: Reading): Promise<ArrayFile> {
  const idx = looksLikeIdx(head);
  const layout = idx ? idxLayout(head) : npyLayout(head, path);
  if (layout === undefined) {
    // Too short even for a header: reading it says what is wrong.
    const bytes = await readBytes(path, options);
    const parsed = idx ? parseIdx(bytes, path) : parseNpy(bytes, path);
    throw new Error(`${path} has no header, but ${parsed.dims.length} axes`);
  }
  const bytes = product(layout.dims) * layout.valueBytes;
  return {
    where: path,
    format: idx ? "idx" : "npy",
    dims: layout.dims,
    boolean: layout.boolean,
    bytes,
    load: async () => {
      const whole = await readBytes(path, { ...options, expectedLength: () => layout.start + bytes });
      return idx ? parseIdx(whole, path) : parseNpy(whole, path);
    },
    file: async () => {
      const file = (await isGzip(path))
        ? await unpack(readChunks(path, { gzip: true, signal: options.signal }), path, layout.start + bytes, options)
        : new OpenFile(path);
      if (file.length !== layout.start + bytes) {
        throw userError({
          where: path,
          required: `${layout.start + bytes} bytes, as its header says`,
          got: `${file.length}`,
          advice: "The file is truncated or damaged: fetch it again",
        });
      }
      return segmentOf(file, layout, layout.start, options);
    },
  };
}

function idxLayout(head: Uint8Array): Layout | undefined {
  const header = idxHeader(head);
  if (header === undefined) return undefined;
  return { ...header, boolean: false, fortran: false, decode: (bytes) => decodeIdx(bytes, header.type) };
}

function npyLayout(head: Uint8Array, where: string): Layout | undefined {
  const header = npyHeader(head, where);
  if (header === undefined) return undefined;
  return {
    dims: header.dims,
    start: header.start,
    boolean: header.type === "b1",
    valueBytes: npyValueBytes(header.type),
    decode: (bytes) => decodeNpy(bytes, header),
    fortran: header.fortran && header.dims.length > 1,
  };
}

/** @returns undefined for an archive of other things than arrays */
async function describeZip(
  path: string,
  options: Reading & { labels?: string | undefined },
): Promise<ArrayFile | undefined> {
  const file = new OpenFile(path);
  const entries = new Map<string, ZipEntry>();
  for (const entry of await zipDirectory(file)) {
    if (entry.name.endsWith(".npy")) entries.set(entry.name.replace(/\.npy$/, ""), entry);
  }
  if (entries.size === 0) return undefined;
  const layouts = await zipLayouts(file, entries, options);
  const shapes = new Map([...layouts].map(([name, { dims }]) => [name, dims]));
  const chosen = chooseArrays(shapes, path, options.labels, options.task === "none");
  const describe = (name: string): ArrayFile => {
    const entry = entries.get(name)!;
    const layout = layouts.get(name)!;
    const where = `${path}[${name}]`;
    const bytes = product(layout.dims) * layout.valueBytes;
    const check = () => {
      if (entry.length === layout.start + bytes) return;
      throw userError({
        where,
        required: `${bytes} bytes of values, as its header says`,
        got: `${entry.length - layout.start}`,
        advice: "The file is truncated or damaged: save it again with numpy.savez",
      });
    };
    const content = () => unpackedBytes(file, entry, where, options.signal);
    return {
      where: path,
      format: "npz",
      dims: layout.dims,
      boolean: layout.boolean,
      bytes,
      load: async () => {
        check();
        return parseNpy(await collect(content(), where, entry.length), where);
      },
      file: async () => {
        check();
        if (entry.deflated)
          return segmentOf(await unpack(content(), where, entry.length, options), layout, layout.start, options);
        // What is stored as it is is read where it lies, once it is known to be whole.
        for await (const _ of content());
        return segmentOf(file, layout, entry.start + layout.start, options);
      },
    };
  };
  return { ...describe(chosen.samples), ...(chosen.labels === undefined ? {} : { labels: describe(chosen.labels) }) };
}

/**
 * The layouts of an archive's arrays by name. Those of texts or objects, such as the names of the classes that many archives
 * hold beside the samples, are passed over where they are not what is to be read.
 *
 * @throws UserError where samples or labels are of such a type
 */
async function zipLayouts(
  file: OpenFile,
  entries: ReadonlyMap<string, ZipEntry>,
  options: Reading & { labels?: string | undefined },
): Promise<Map<string, Layout>> {
  const layouts = new Map<string, Layout>();
  const isWanted = (name: string): boolean =>
    isSamplesName(name) || (options.task !== "none" && (options.labels === name || isLabelsName(name)));
  let passedOver: unknown;
  for (const [name, entry] of entries) {
    const where = `${file.path}[${name}]`;
    const head = await unpackedHead(file, entry, where);
    if (!looksLikeNpy(head)) continue;
    try {
      const layout = npyLayout(head, where);
      if (layout !== undefined) layouts.set(name, layout);
    } catch (error) {
      if (isWanted(name)) throw error;
      passedOver ??= error;
    }
  }
  const mayBeSamples = [...layouts.values()].some(({ dims }) => dims.length >= 2);
  if (passedOver !== undefined && !mayBeSamples) throw passedOver;
  return layouts;
}

async function describeSafetensors(
  path: string,
  options: Reading & { labels?: string | undefined },
): Promise<ArrayFile> {
  const file = new OpenFile(path);
  const tensors = await safetensorsDirectory(file);
  const shapes = new Map([...tensors].map(([name, { dims }]) => [name, dims]));
  const chosen = chooseArrays(shapes, path, options.labels, options.task === "none");
  const describe = (name: string): ArrayFile => {
    const layout = { ...tensors.get(name)!, fortran: false };
    const bytes = product(layout.dims) * layout.valueBytes;
    return {
      where: path,
      format: "safetensors",
      dims: layout.dims,
      boolean: layout.boolean,
      bytes,
      load: async () => ({
        data: layout.decode(await file.bytes(layout.start, bytes)),
        dims: layout.dims,
        ...(layout.boolean ? { boolean: true } : {}),
      }),
      file: async () => segmentOf(file, layout, layout.start, options),
    };
  };
  return { ...describe(chosen.samples), ...(chosen.labels === undefined ? {} : { labels: describe(chosen.labels) }) };
}

/**
 * One array of those in several files, one after another along axis 0; in memory if all fit there.
 *
 * @throws UserError if their shapes or types differ
 */
export async function gatherArrays(
  files: readonly ArrayFile[],
  options: Pick<OpenOptions, "memory">,
): Promise<{ raw: RawArray } | { filed: FiledArray }> {
  const [first] = files;
  for (const { where, dims } of files) {
    if (dims.slice(1).join() === first.dims.slice(1).join()) continue;
    throw userError({
      where,
      required: `samples of the shape [${first.dims.slice(1).join(", ")}], as in ${first.where}`,
      got: `[${dims.slice(1).join(", ")}]`,
      advice: "Give files of one kind",
    });
  }
  const dims =
    files.length === 1 ? first.dims : [files.reduce((sum, file) => sum + file.dims[0], 0), ...first.dims.slice(1)];
  const sameType = (like: SampleArray, where: string, wanted: SampleArray) => {
    if (like.constructor === wanted.constructor) return;
    throw userError({
      where,
      required: `values of one type in all files (${wanted.constructor.name})`,
      got: like.constructor.name,
      advice: "Save them with one type",
    });
  };
  const boolean = first.boolean ? { boolean: true } : {};
  if (files.reduce((sum, { bytes }) => sum + bytes, 0) <= (options.memory ?? defaultMemory())) {
    const arrays: SampleArray[] = [];
    for (const file of files) {
      arrays.push((await file.load()).data);
      sameType(arrays.at(-1)!, file.where, arrays[0]);
    }
    return { raw: { data: arrays.length === 1 ? arrays[0] : joinArrays(arrays), dims, ...boolean } };
  }
  const segments: FileSegment[] = [];
  let like: SampleArray | undefined;
  for (const file of files) {
    const opened = await file.file();
    like ??= opened.like;
    sameType(opened.like, file.where, like);
    segments.push(opened.segment);
  }
  return { filed: { dims, segments, like: like!, ...boolean } };
}

async function segmentOf(file: OpenFile, layout: Layout, start: number, options: Reading) {
  const { dims, valueBytes, decode } = layout;
  const segment = { file, start, count: dims[0], valueBytes, decode };
  const like = decode(new Uint8Array(0));
  if (!layout.fortran) return { segment, like };
  const folder = options.cache ?? defaultCacheFolder();
  const memory = (options.memory ?? defaultMemory()) / 2;
  const ordered = await writeInCOrder({ file, start, dims, valueBytes }, folder, memory, options.signal);
  return { segment: { ...segment, file: ordered, start: 0 }, like };
}

/** Writes packed data, unpacked, to a file; no more than it is said to be. */
async function unpack(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  expected: number,
  options: Reading,
): Promise<OpenFile> {
  const file = new GrowingFile(options.cache ?? defaultCacheFolder());
  try {
    for await (const chunk of chunks) {
      if (file.length + chunk.length > expected) throw tooLong(where, expected);
      file.append(chunk);
    }
  } catch (error) {
    file.discard();
    throw error;
  }
  return file.keepWhileOpen();
}

async function collect(chunks: AsyncIterable<Uint8Array>, where: string, expected: number): Promise<Uint8Array> {
  const whole = new Uint8Array(expected);
  let length = 0;
  for await (const chunk of chunks) {
    if (length + chunk.length > expected) throw tooLong(where, expected);
    whole.set(chunk, length);
    length += chunk.length;
  }
  return whole.subarray(0, length);
}

function tooLong(where: string, expected: number): Error {
  return userError({
    where,
    required: `${expected} bytes, as its header says`,
    got: "more",
    advice: "The file is damaged: fetch it again",
  });
}

function product(dims: readonly number[]): number {
  return dims.reduce((result, length) => result * length, 1);
}
