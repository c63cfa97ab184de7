import { userError } from "../errors.js";
import { arrayDataset, filedArrayDataset } from "./array-dataset.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { checkOptions } from "./check-options.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { type FileSegment, joinArrays, OpenFile } from "./file-samples.js";
import { checkInterrupted } from "./read-bytes.js";
import { defaultMemory, requireTypedArray, type SampleArray } from "./sample-array.js";

/** A sample of the caller's own source. */
export type StreamedSample = SampleArray | { readonly sample: SampleArray; readonly label: number };

export interface StreamOptions
  extends Pick<
    OpenOptions,
    "layout" | "normalise" | "fitted" | "limit" | "signal" | "onBad" | "memory" | "cache" | "onProgress"
  > {
  /** Names the source in messages. */
  readonly where?: string | undefined;
}

/** Samples are gathered until they are so many bytes, then joined or written. */
const pieceBytes = 1 << 22;

/**
 * A data set of samples that the caller gives one after another, such as a generator that reads a format of the
 * caller's own. The source is read once, from beginning to end; what does not fit in memory goes to the cache folder.
 *
 * @param source samples of one type and shape, each with a class number or each without
 * @param shape of one sample, as the model takes it: [C, H, W] (or [H, W, C] with the layout NHWC), [C, L], [features]
 * @param options as for files; the default normalisation is "none", because the caller's numbers are taken as meant
 * @throws UserError if a sample's length, type or label does not fit, or a value is NaN or infinite, naming the sample
 */
export async function streamDataset(
  source: AsyncIterable<StreamedSample> | Iterable<StreamedSample>,
  shape: readonly number[],
  options: StreamOptions = {},
): Promise<Dataset> {
  checkOptions(options);
  const where = options.where ?? "the caller's samples";
  const size = sizeOf(shape);
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const gathered = new GatheredSamples(options);
  const labels: number[] = [];
  let count = 0;
  let first: SampleArray | undefined;
  try {
    for await (const next of source) {
      if (count % 256 === 0) checkInterrupted(options.signal);
      const label = isLabelled(next) ? next.label : undefined;
      const sample = isLabelled(next) ? next.sample : next;
      requireTypedArray(sample, where, ` in sample ${count}`);
      first ??= sample;
      if (sample.length !== size || sample.constructor !== first.constructor) {
        throw userError({
          where,
          required: `samples of ${size} values, all ${first.constructor.name}`,
          got: `${sample.length} values as ${sample.constructor.name} in sample ${count}`,
          advice: "Check the source and the shape",
        });
      }
      if (label !== undefined) labels.push(label);
      count++;
      if (labels.length !== 0 && labels.length !== count) {
        throw userError({
          where,
          required: "a label for each sample or for none",
          // The first one that has a label comes behind others without.
          got: `none for sample ${label === undefined ? count - 1 : 0}`,
          advice: "Check the source",
        });
      }
      gathered.add(sample);
      if (count % 1024 === 0) options.onProgress?.(count, limit);
      if (count >= limit) break;
    }
    gathered.flush();
  } catch (error) {
    gathered.discard();
    throw error;
  }
  if (first === undefined) {
    throw userError({ where, required: "at least one sample", got: "none", advice: "Check the source" });
  }
  const dims = [count, ...shape];
  const labelled =
    labels.length === 0 ? undefined : { array: { data: Float64Array.from(labels), dims: [count] }, where };
  const opening = { normalise: "none", ...options, shape } as const;
  const whole = gathered.finish();
  if (!(whole instanceof OpenFile)) return arrayDataset({ data: whole, dims }, labelled, where, "stream", opening);
  const segments = [segmentOf(whole, count, first)];
  return filedArrayDataset({ dims, segments, like: first.slice(0, 0) }, labelled, where, "stream", opening);
}

/** Samples one after another: in memory as long as they fit there, else in a file. */
class GatheredSamples {
  readonly #memory: number;
  readonly #cache: string | undefined;
  /** Since the last piece. */
  #samples: SampleArray[] = [];
  #sampleBytes = 0;
  readonly #pieces: SampleArray[] = [];
  #bytes = 0;
  #file: GrowingFile | undefined;

  constructor({ memory = defaultMemory(), cache }: Pick<OpenOptions, "memory" | "cache">) {
    this.#memory = memory;
    this.#cache = cache;
  }

  /** Takes a copy: sources often fill the same array again and again. */
  add(sample: SampleArray): void {
    this.#samples.push(sample.slice());
    this.#sampleBytes += sample.byteLength;
    if (this.#sampleBytes >= Math.min(pieceBytes, this.#memory)) this.flush();
  }

  /** Makes a piece of the samples since the last one. */
  flush(): void {
    if (this.#samples.length === 0) return;
    const piece = joinArrays(this.#samples);
    this.#samples = [];
    this.#sampleBytes = 0;
    this.#bytes += piece.byteLength;
    if (this.#file === undefined && this.#bytes > this.#memory) {
      this.#file = new GrowingFile(this.#cache ?? defaultCacheFolder());
      for (const earlier of this.#pieces.splice(0)) this.#file.append(bytesOf(earlier));
    }
    if (this.#file === undefined) this.#pieces.push(piece);
    else this.#file.append(bytesOf(piece));
  }

  /** All that was flushed, which is at least one sample. */
  finish(): SampleArray | OpenFile {
    return this.#file?.keepWhileOpen() ?? joinArrays(this.#pieces);
  }

  discard(): void {
    this.#file?.discard();
  }
}

function segmentOf(file: OpenFile, count: number, like: SampleArray): FileSegment {
  const Kind = like.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => SampleArray;
  const valueBytes = like.BYTES_PER_ELEMENT;
  return {
    file,
    start: 0,
    count,
    valueBytes,
    decode: (bytes) => new Kind(bytes.buffer, bytes.byteOffset, bytes.length / valueBytes),
  };
}

function bytesOf(array: SampleArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function isLabelled(next: StreamedSample): next is Exclude<StreamedSample, SampleArray> {
  return typeof next === "object" && next !== null && "sample" in next;
}
