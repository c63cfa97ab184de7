import { createHash, type Hash } from "node:crypto";
import { totalmem } from "node:os";

/** The typed arrays that samples are kept in. 16-bit floats become Float32Array, 64-bit integers Float64Array. */
export type SampleArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

/** An array as a file holds it: axis 0 counts the samples, values in C order. */
export interface RawArray {
  readonly data: SampleArray;
  readonly dims: readonly number[];
  /** True for the type bool, whose values are 0 and 1 although they are kept as bytes. */
  readonly boolean?: boolean;
}

/**
 * More than this is not read into memory at once (8 GB, or what one buffer of this Node holds): the user is told
 * instead of the machine swapping.
 */
export const memoryLimit = 8e9;

/**
 * Samples of more bytes than this stay on disk unless the user allows more: 256 MB, or a quarter of a small machine. A
 * step hardly waits longer for them there (docs/log.md), because the system keeps what it has read in memory that is free.
 */
export function defaultMemory(): number {
  return Math.min(256e6, totalmem() / 4);
}

/** Starts the hash of a data set with what gives its bytes their meaning. */
export function startHash(...description: readonly unknown[]): Hash {
  return createHash("sha256").update(JSON.stringify(description));
}

/** Adds an array's bytes; in pieces, because one call takes at most 2 GiB. */
export function hashArray(hash: Hash, array: SampleArray): void {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const piece = 2 ** 28;
  for (let start = 0; start < bytes.length; start += piece) hash.update(bytes.subarray(start, start + piece));
}

/** Samples in order are looked at in pieces of about this many values; the same everywhere, so that sums agree. */
const valuesPerPiece = 2 ** 18;

/** How many samples of this many values make a piece. */
export function samplesPerPiece(sampleSize: number): number {
  return Math.max(1, Math.floor(valuesPerPiece / sampleSize));
}
