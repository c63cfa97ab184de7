import { createHash, type Hash } from "node:crypto";
import { totalmem } from "node:os";
import { userError } from "../errors.js";

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

/**
 * What a caller without types may have given in place of a typed array.
 *
 * @param place where among the samples, with a space before
 */
export function requireTypedArray(samples: unknown, where: string, place = ""): void {
  if (ArrayBuffer.isView(samples) && !(samples instanceof DataView)) return;
  const got = Array.isArray(samples) ? "an array" : samples === null ? "null" : typeof samples;
  throw userError({
    where,
    required: "numbers in a typed array",
    got: `${got === "object" || got === "undefined" ? "something else" : got}${place}`,
    advice: "Float32Array.from(numbers) makes one, with numbers.flat(Infinity) of nested arrays.",
  });
}

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
