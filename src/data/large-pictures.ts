import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { userError } from "../errors.js";
import { defaultCacheFolder, defaultCacheLimit, GrowingFile } from "./cache-folder.js";
import { ChannelMeter } from "./channel-statistics.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { type PicturePlace, pictureBytes } from "./decode-picture.js";
import { FileSamples, OpenFile } from "./file-samples.js";
import { sampleDelivery } from "./normalisation.js";
import type { CheckedDecoder } from "./picture-dataset.js";
import type { PictureItem, PictureItems } from "./picture-items.js";
import type { PicturePool } from "./picture-pool.js";
import { checkInterrupted } from "./read-bytes.js";
import { defaultMemory, startHash } from "./sample-array.js";
import { hashLabels } from "./sample-labels.js";
import { assembleDataset, normalisationFor, type SampleDescription } from "./stored-dataset.js";
import { writeWhole } from "./write-whole.js";

/** What a pass over all pictures found, kept beside the decoded ones. */
const cacheIndex = z.object({
  count: z.number().int(),
  /** Pictures that are in the cache: the first ones. */
  cached: z.number().int(),
  hash: z.string(),
  statistics: z.object({
    mean: z.array(z.number()),
    std: z.array(z.number()),
    min: z.array(z.number()),
    max: z.array(z.number()),
  }),
  /** Numbers of the pictures that could not be read. */
  left: z.array(z.number().int()),
  unreadable: z.array(z.object({ file: z.string(), reason: z.string() })),
});
type CacheIndex = z.infer<typeof cacheIndex>;

/** The index's file: a hash beside what it is of, so that damage shows. */
const indexFile = z.object({ index: z.string(), sha256: z.string() });

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");

interface LargePictures {
  readonly source: PictureItems;
  readonly items: readonly PictureItem[];
  readonly decoder: CheckedDecoder;
  readonly pool: PicturePool;
  readonly describe: (kept: readonly number[]) => SampleDescription;
  readonly options: OpenOptions;
}

/**
 * Opens pictures that do not fit in memory once decoded. The first opening decodes all of them once: to measure them,
 * and to write as many as the cache may hold, decoded, into one file. Later openings of the same pictures (by their
 * bytes) with the same settings find that file. What it does not hold is decoded again whenever it is asked for; since
 * an epoch asks for every picture once, it does not matter which ones are kept.
 */
export async function openLargePictures(large: LargePictures): Promise<Dataset> {
  const { source, items, decoder, pool, options } = large;
  const folder = join(options.cache ?? defaultCacheFolder(), `pictures-${await contentKey(large)}`);
  const index = readIndex(folder, sizeOf(large.describe([]).shape)) ?? (await decodeOnce(large, folder));
  decoder.unreadable.splice(0, decoder.unreadable.length, ...index.unreadable);
  const left = new Set(index.left);
  const kept = items.map((_, place) => place).filter((place) => !left.has(place));
  const description = large.describe(kept);
  const { order } = description;
  const size = sizeOf(description.shape);
  const { statistics } = index;
  const normalisation = normalisationFor(description, statistics, options);
  // Labels count for the hash as they do for pictures in memory.
  const hash = createHash("sha256").update(index.hash);
  hashLabels(hash, description);
  const measured = { statistics, hash: hash.digest("hex") };

  const memory = options.memory ?? defaultMemory();
  const file = new OpenFile(join(folder, "samples"));
  const deliver = sampleDelivery(normalisation, order, size);
  if (index.cached > 0 && index.cached === index.count) {
    await pool.close();
    const segment = { file, start: 0, count: index.cached, valueBytes: 1, decode: (bytes: Uint8Array) => bytes };
    const cached = new FileSamples([segment], size, memory);
    const dataset = assembleDataset(description, normalisation, measured, (indices, target) =>
      cached.read(indices, (data, from, place) => deliver(data, from, target, place * size)),
    );
    return {
      ...dataset,
      record: { ...dataset.record, blocks: cached.blocks ?? null },
      ...(cached.blocks === undefined ? {} : { blocks: cached.blocks }),
      prepare: (indices) => cached.prepare(indices),
    };
  }
  const { channels, height, width } = decoder.target;
  const inCache = { resize: false, convert: false, decoded: { channels, height, width } };
  const decode = async (sample: number): Promise<Uint8Array> => {
    // The threads read what is in the cache, too: reading one sample after another here costs a step milliseconds.
    if (sample < index.cached) {
      const place = { descriptor: file.descriptor, start: sample * size, length: size };
      return (await pool.decode(place, inCache)).sample!;
    }
    const decoded = await decoder.decode(kept[sample]);
    if (decoded === undefined)
      throw userError({
        where: items[kept[sample]].where,
        required: "the picture as it was when the data set was opened",
        got: "one that cannot be read any more",
        advice: "Leave the data as they are while they are used",
      });
    return decoded;
  };
  const ahead = new AheadDecoder(decode, Math.max(pool.width, Math.floor(memory / 4 / size)));
  const dataset = assembleDataset(description, normalisation, measured, (indices, target) =>
    inWaves(indices, 512, async (sample, place) => deliver(await ahead.get(sample), 0, target, place * size)),
  );
  return {
    ...dataset,
    prepare: (indices) => ahead.prepare(indices),
    close: () => {
      // Keeps archives and the cache's file open as long as the data set is used.
      void [source.files, file];
      return pool.close();
    },
  };
}

/** Runs a task for every index, a bounded number at once. */
async function inWaves(
  indices: ArrayLike<number>,
  width: number,
  task: (index: number, place: number) => Promise<void>,
): Promise<void> {
  for (let first = 0; first < indices.length; first += width) {
    const wave = Array.from({ length: Math.min(width, indices.length - first) }, (_, at) => first + at);
    await Promise.all(wave.map((place) => task(indices[place], place)));
  }
}

/** Calls after which what was prepared and not asked for is taken for forgotten. */
const forgottenAfter = 64;

/** Pictures that are being decoded before they are asked for. */
class AheadDecoder {
  readonly #decode: (sample: number) => Promise<Uint8Array>;
  readonly #most: number;
  /** Oldest first. */
  readonly #waiting = new Map<number, { readonly sample: Promise<Uint8Array>; call: number }>();
  #calls = 0;

  /** @param most samples that are kept at most until they are asked for */
  constructor(decode: (sample: number) => Promise<Uint8Array>, most: number) {
    this.#decode = decode;
    this.#most = most;
  }

  prepare(indices: ArrayLike<number>): void {
    this.#calls++;
    for (let place = 0; place < indices.length; place++) {
      const index = indices[place];
      const known = this.#waiting.get(index);
      if (known !== undefined) {
        known.call = this.#calls;
        continue;
      }
      if (this.#waiting.size >= this.#most) {
        // What is waited for sooner keeps its place; only what was never asked for makes room.
        const [oldest, { call }] = this.#waiting.entries().next().value!;
        if (this.#calls - call < forgottenAfter) return;
        this.#waiting.delete(oldest);
      }
      const sample = this.#decode(index);
      sample.catch(() => {});
      this.#waiting.set(index, { sample, call: this.#calls });
    }
  }

  get(index: number): Promise<Uint8Array> {
    const waiting = this.#waiting.get(index);
    this.#waiting.delete(index);
    return waiting?.sample ?? this.#decode(index);
  }
}

/** What the cached pictures depend on: the pictures' bytes and names, and everything that decides what becomes of them. */
async function contentKey({ items, decoder, options }: LargePictures): Promise<string> {
  const { target } = decoder;
  const { resize, convert, onBad } = options;
  const key = startHash("pictures", 1, target, resize === true, convert === true, onBad === "skip");
  for (const [index, { name, place }] of items.entries()) {
    if (index % 16 === 0) {
      checkInterrupted(options.signal);
      await setImmediate();
    }
    key.update(`${name}\0`).update(createHash("sha256").update(bytesIfReadable(place)).digest());
  }
  return key.digest("hex").slice(0, 32);
}

/** What cannot be read is told when it is decoded. */
function bytesIfReadable(place: PicturePlace): Uint8Array {
  try {
    return pictureBytes(place);
  } catch {
    return new Uint8Array(0);
  }
}

/** @param size bytes of a decoded picture */
function readIndex(folder: string, size: number): CacheIndex | undefined {
  try {
    const path = join(folder, "index.json");
    const { index: text, sha256 } = indexFile.parse(JSON.parse(readFileSync(path, "utf8")));
    if (sha256 !== hashOf(text)) return undefined;
    const index = cacheIndex.parse(JSON.parse(text));
    if (statSync(join(folder, "samples")).size !== index.cached * size) return undefined;
    // The time of use, by which room is made.
    utimesSync(path, new Date(), new Date());
    return index;
  } catch {
    // Absent or damaged: it is made anew.
    return undefined;
  }
}

async function decodeOnce(large: LargePictures, folder: string): Promise<CacheIndex> {
  const { items, decoder, describe, options } = large;
  const parent = options.cache ?? defaultCacheFolder();
  const limit = options.cacheLimit ?? defaultCacheLimit;
  const { order, shape, kind } = describe([]);
  const size = sizeOf(shape);
  const wanted = Math.min(items.length, Math.floor(limit / size));
  makeRoom(parent, limit - wanted * size);
  const meter = new ChannelMeter(order, true);
  const hash = startHash(kind, shape, "Uint8Array");
  const file = new GrowingFile(parent);
  const left = new Set(items.keys());
  let cached = 0;
  try {
    await decoder.decodeAll((index, sample) => {
      meter.add(sample);
      hash.update(sample);
      left.delete(index);
      if (cached < wanted) {
        file.append(sample);
        cached++;
      }
    });
    const index: CacheIndex = {
      count: items.length - left.size,
      cached,
      hash: hash.digest("hex"),
      statistics: meter.statistics(),
      left: [...left],
      unreadable: decoder.unreadable,
    };
    mkdirSync(folder, { recursive: true });
    const samples = join(folder, "samples");
    await file.keep(samples).catch((error: unknown) => {
      // Another process has decoded the same pictures meanwhile, and reads them, which keeps Windows from replacing them.
      if (statSync(samples, { throwIfNoEntry: false })?.size !== file.length) throw error;
      file.discard();
    });
    const text = JSON.stringify(index);
    await writeWhole(join(folder, "index.json"), JSON.stringify({ index: text, sha256: hashOf(text) }));
    return index;
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Removes cached pictures, those first that were not used for longest, until they take at most so many bytes. */
function makeRoom(parent: string, most: number): void {
  if (!existsSync(parent)) return;
  const entries = readdirSync(parent)
    .filter((name) => name.startsWith("pictures-"))
    .flatMap((name) => {
      const folder = join(parent, name);
      const samples = statSync(join(folder, "samples"), { throwIfNoEntry: false });
      if (samples === undefined) return [];
      // Without an index whoever wrote it was ended at once, or is about to write one.
      const { mtimeMs: used } = statSync(join(folder, "index.json"), { throwIfNoEntry: false }) ?? samples;
      return [{ folder, bytes: samples.size, used }];
    })
    .sort((a, b) => b.used - a.used);
  let total = 0;
  for (const { folder, bytes } of entries) {
    total += bytes;
    if (total <= most) continue;
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Another process reads it, which keeps Windows from removing it.
    }
  }
}
