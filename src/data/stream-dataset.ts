import { userError } from "../errors.js";
import { arrayDataset, filedArrayDataset } from "./array-dataset.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { checkOptions } from "./check-options.js";
import { type Dataset, type OpenOptions, sizeOf } from "./dataset.js";
import { joinArrays } from "./file-samples.js";
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
  const memory = options.memory ?? defaultMemory();
  const labels: number[] = [];
  const pieces: SampleArray[] = [];
  let gathered: SampleArray[] = [];
  let [gatheredBytes, keptBytes, count] = [0, 0, 0];
  let file: GrowingFile | undefined;
  let first: SampleArray | undefined;
  const flush = () => {
    if (gathered.length === 0) return;
    const piece = joinArrays(gathered);
    gathered = [];
    gatheredBytes = 0;
    keptBytes += piece.byteLength;
    if (file === undefined) pieces.push(piece);
    if (file === undefined && keptBytes > memory) {
      file = new GrowingFile(options.cache ?? defaultCacheFolder());
      for (const earlier of pieces.splice(0)) file.append(bytesOf(earlier));
    } else file?.append(bytesOf(piece));
  };
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
      // A copy: sources often fill the same array again and again.
      gathered.push(sample.slice());
      gatheredBytes += sample.byteLength;
      if (gatheredBytes >= Math.min(pieceBytes, memory)) flush();
      if (count % 1024 === 0) options.onProgress?.(count, limit);
      if (count >= limit) break;
    }
    flush();
  } catch (error) {
    file?.discard();
    throw error;
  }
  if (first === undefined) {
    throw userError({ where, required: "at least one sample", got: "none", advice: "Check the source" });
  }
  const dims = [count, ...shape];
  const labelled =
    labels.length === 0 ? undefined : { array: { data: Float64Array.from(labels), dims: [count] }, where };
  const opening = { normalise: "none", ...options, shape } as const;
  if (file === undefined) return arrayDataset({ data: joinArrays(pieces), dims }, labelled, where, "stream", opening);
  const Kind = first.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => SampleArray;
  const valueBytes = first.BYTES_PER_ELEMENT;
  const segment = {
    file: file.keepWhileOpen(),
    start: 0,
    count,
    valueBytes,
    decode: (bytes: Uint8Array) => new Kind(bytes.buffer, bytes.byteOffset, bytes.length / valueBytes),
  };
  return filedArrayDataset({ dims, segments: [segment], like: first.slice(0, 0) }, labelled, where, "stream", opening);
}

function bytesOf(array: SampleArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function isLabelled(next: StreamedSample): next is Exclude<StreamedSample, SampleArray> {
  return typeof next === "object" && next !== null && "sample" in next;
}
