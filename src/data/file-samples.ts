import { closeSync, fstatSync, openSync, read } from "node:fs";
import { promisify } from "node:util";
import { userError } from "../errors.js";
import type { ShuffleBlocks } from "./batches.js";
import { checkInterrupted, unreadable } from "./read-bytes.js";
import { type SampleArray, samplesPerPiece } from "./sample-array.js";

const readPromise = promisify(read);

/** Descriptors are closed when nobody holds their file any more. */
const descriptors = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/** A file that stays open for reading at any place, also when its name is gone. */
export class OpenFile {
  readonly path: string;
  readonly descriptor: number;
  readonly length: number;

  constructor(path: string) {
    this.path = path;
    try {
      this.descriptor = openSync(path, "r");
    } catch (error) {
      throw unreadable(path, error);
    }
    this.length = fstatSync(this.descriptor).size;
    descriptors.register(this, this.descriptor);
  }

  /**
   * Reads bytes at a place.
   *
   * @param into where to put them, if it is long enough; absent: a new array
   * @throws UserError if the file ends before
   */
  async bytes(start: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
    const bytes = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await readPromise(this.descriptor, bytes, done, length - done, start + done);
      if (bytesRead === 0) {
        throw userError({
          where: this.path,
          required: `${start + length} bytes`,
          got: `${start + done}`,
          advice: "The file was changed or is damaged: fetch it again",
        });
      }
      done += bytesRead;
    }
    return bytes;
  }
}

/** Samples of one shape that lie one after another in a file. */
export interface FileSegment {
  readonly file: OpenFile;
  /** Where the first sample begins. */
  readonly start: number;
  /** How many samples are taken. */
  readonly count: number;
  /** Which ones, in rising order; absent: all from the first on. */
  readonly rows?: Uint32Array | undefined;
  /** Bytes of one value in the file. */
  readonly valueBytes: number;
  /** Turns bytes of the file into numbers. */
  readonly decode: (bytes: Uint8Array) => SampleArray;
}

interface KeptBlock {
  readonly data: Promise<SampleArray>;
  readonly bytes: Uint8Array;
  /** The data, once they have come. */
  settled: SampleArray | undefined;
}

/** Samples of more bytes are read one by one; smaller ones in blocks. */
const aloneFrom = 32 * 1024;
const usualBlock = 256 * 1024;
/** Bytes between two samples that are read with them, because a reading of its own takes longer. */
const mostBetween = 8 * 1024;
/** Samples are read together with what is between them as long as all are no more bytes. */
const mostSpanned = 64 * 1024;

/**
 * Samples of one shape in one or more files, read at any place. Blocks that were read lately are kept, up to half of
 * the memory allowed.
 */
export class FileSamples {
  readonly count: number;
  /** Values of one sample. */
  readonly size: number;
  /** How to shuffle so that each block is read once an epoch; undefined where samples are read one by one. */
  readonly blocks: ShuffleBlocks | undefined;
  readonly #segments: readonly FileSegment[];
  readonly #blockSize: number;
  readonly #valueBytes: number;
  readonly #mostBlocks: number;
  /** Oldest use first. */
  readonly #kept = new Map<number, KeptBlock>();
  /** Arrays of blocks that are not kept any more. */
  readonly #free: Uint8Array[] = [];
  /** The same, while a reading that may have asked for them is under way. */
  readonly #retired: Uint8Array[] = [];
  /** Arrays for samples and what is between them, which no reading uses now. */
  readonly #spans: Uint8Array[] = [];
  /** Readings under way. */
  #readers = 0;

  /** @param memory bytes that may be used */
  constructor(segments: readonly FileSegment[], size: number, memory: number) {
    this.#segments = segments;
    this.size = size;
    this.count = segments.reduce((sum, segment) => sum + segment.count, 0);
    this.#valueBytes = Math.max(...segments.map(({ valueBytes }) => valueBytes));
    const sampleBytes = size * this.#valueBytes;
    const alone = sampleBytes >= aloneFrom;
    this.#blockSize = alone ? 1 : Math.max(1, Math.floor(Math.min(usualBlock, memory / 16) / sampleBytes));
    this.#mostBlocks = Math.max(4, Math.floor(memory / 2 / (this.#blockSize * sampleBytes)));
    this.blocks = alone
      ? undefined
      : { size: this.#blockSize, perBuffer: Math.max(1, Math.floor((this.#mostBlocks - 2) / 2)) };
  }

  /** All samples in order, in pieces; each is valid until the next is asked for. */
  async *pieces(signal?: AbortSignal): AsyncGenerator<{ first: number; data: SampleArray }> {
    const step = samplesPerPiece(this.size);
    // One array for all pieces: new ones would pile up until they are collected.
    const scratch = new Uint8Array(Math.min(step, this.count) * this.size * this.#valueBytes);
    for (let first = 0; first < this.count; first += step) {
      checkInterrupted(signal);
      yield { first, data: await this.#range(first, Math.min(step, this.count - first), scratch) };
    }
  }

  /** Begins to read samples that will be asked for. */
  prepare(indices: ArrayLike<number>): void {
    for (let place = 0; place < indices.length; place++) {
      // What goes wrong is told to whoever asks for the sample.
      this.#block(Math.floor(indices[place] / this.#blockSize)).data.catch(() => {});
    }
  }

  /** Hands the samples with these indices on: where each begins, and as which one it was asked for. */
  async read(
    indices: ArrayLike<number>,
    take: (data: SampleArray, from: number, place: number) => void,
  ): Promise<void> {
    const needed = new Map<number, SampleArray | undefined>();
    for (let place = 0; place < indices.length; place++) {
      needed.set(Math.floor(indices[place] / this.#blockSize), undefined);
    }
    // Not more at once than are kept: a reading of everything must not hold everything.
    if (needed.size > this.#mostBlocks && indices.length > 1) {
      const half = indices.length >> 1;
      const list = Array.from(indices);
      await this.read(list.slice(0, half), take);
      await this.read(list.slice(half), (data, from, place) => take(data, from, half + place));
      return;
    }
    this.#readers++;
    try {
      const missing: Promise<unknown>[] = [];
      for (const block of needed.keys()) {
        const { settled, data } = this.#block(block);
        // What has come is taken at once: a promise for each block of a batch would be a good part of the reading.
        if (settled) needed.set(block, settled);
        else missing.push(data.then((samples) => needed.set(block, samples)));
      }
      if (missing.length > 0) await Promise.all(missing);
      for (let place = 0; place < indices.length; place++) {
        const block = Math.floor(indices[place] / this.#blockSize);
        take(needed.get(block)!, (indices[place] - block * this.#blockSize) * this.size, place);
      }
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#free.push(...this.#retired.splice(0));
    }
  }

  #block(block: number): KeptBlock {
    let found = this.#kept.get(block);
    if (found === undefined) {
      const first = block * this.#blockSize;
      const bytes = this.#free.pop() ?? new Uint8Array(this.#blockSize * this.size * this.#valueBytes);
      const made: KeptBlock = {
        bytes,
        settled: undefined,
        data: this.#range(first, Math.min(this.#blockSize, this.count - first), bytes),
      };
      made.data.then(
        (samples) => {
          made.settled = samples;
        },
        () => this.#kept.delete(block),
      );
      found = made;
    }
    this.#kept.delete(block);
    this.#kept.set(block, found);
    if (this.#kept.size > this.#mostBlocks) {
      const [oldest, { bytes, settled }] = this.#kept.entries().next().value!;
      this.#kept.delete(oldest);
      // Its array is used again, once nobody can be looking at it: new ones would pile up until they are collected.
      if (settled) (this.#readers === 0 ? this.#free : this.#retired).push(bytes);
    }
    return found;
  }

  async #range(first: number, count: number, scratch?: Uint8Array): Promise<SampleArray> {
    const parts: SampleArray[] = [];
    let skip = first;
    let left = count;
    for (const segment of this.#segments) {
      const { count: available, valueBytes, decode } = segment;
      if (left > 0 && skip < available) {
        const taken = Math.min(left, available - skip);
        const into = taken === count ? scratch : undefined;
        parts.push(decode(await this.#bytes(segment, this.size * valueBytes, skip, taken, into)));
        left -= taken;
      }
      skip = Math.max(0, skip - available);
      if (left === 0) break;
    }
    return parts.length === 1 ? parts[0] : joinArrays(parts);
  }

  /**
   * The bytes of neighbours among the samples that are taken of a file.
   *
   * @param into where to put them, if it is long enough
   */
  async #bytes(
    { file, start, rows }: FileSegment,
    sampleBytes: number,
    first: number,
    count: number,
    into?: Uint8Array,
  ): Promise<Uint8Array> {
    const length = count * sampleBytes;
    if (rows === undefined) return file.bytes(start + first * sampleBytes, length, into);
    const put = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
    let between: Uint8Array | undefined;
    for (let from = first, to: number; from < first + count; from = to) {
      to = endOfSpan(rows, from, first + count, sampleBytes);
      const place = start + rows[from] * sampleBytes;
      const target = put.subarray((from - first) * sampleBytes, (to - first) * sampleBytes);
      if (to === from + 1) await file.bytes(place, sampleBytes, target);
      else {
        between ??= this.#spans.pop() ?? new Uint8Array(mostSpanned);
        const span = await file.bytes(place, (rows[to - 1] - rows[from] + 1) * sampleBytes, between);
        for (let at = from; at < to; at++) {
          const here = (rows[at] - rows[from]) * sampleBytes;
          target.set(span.subarray(here, here + sampleBytes), (at - from) * sampleBytes);
        }
      }
    }
    if (between !== undefined) this.#spans.push(between);
    return put;
  }
}

/** Behind the last of the rows from one on that are near enough to be read at once. */
function endOfSpan(rows: Uint32Array, from: number, end: number, sampleBytes: number): number {
  let to = from + 1;
  while (
    to < end &&
    (rows[to] - rows[to - 1] - 1) * sampleBytes <= mostBetween &&
    (rows[to] - rows[from] + 1) * sampleBytes <= mostSpanned
  ) {
    to++;
  }
  return to;
}

/** One array of several of the same type. */
export function joinArrays(parts: readonly SampleArray[]): SampleArray {
  const Kind = parts[0].constructor as new (length: number) => SampleArray;
  const whole = new Kind(parts.reduce((sum, part) => sum + part.length, 0));
  let put = 0;
  for (const part of parts) {
    whole.set(part, put);
    put += part.length;
  }
  return whole;
}
