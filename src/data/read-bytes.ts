import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { InterruptedError, userError } from "../errors.js";
import { memoryLimit } from "./sample-array.js";

/** Throws an {@link InterruptedError} if the signal has been given. */
export function checkInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError("interrupted while reading data");
}

/** The size of a file in bytes, or a {@link UserError} if it cannot be read. */
export async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The pieces of a file, unpacked when it is gzipped. */
export async function* readChunks(
  path: string,
  options: { gzip: boolean; signal?: AbortSignal | undefined; onBytes?: ((done: number) => void) | undefined },
): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 18 });
  let stream: NodeJS.ReadableStream = file;
  if (options.gzip) {
    // Each piece is a turn of another thread: with the usual 16 KiB most of the time is waiting for turns.
    const gunzip = createGunzip({ chunkSize: 1 << 18 });
    // An error of the file would otherwise go unheard: pipe does not hand errors on.
    file.on("error", (error) => gunzip.destroy(error));
    stream = file.pipe(gunzip);
  }
  try {
    for await (const chunk of stream) {
      checkInterrupted(options.signal);
      options.onBytes?.(file.bytesRead);
      yield chunk as unknown as Uint8Array;
    }
  } catch (error) {
    if (error instanceof Error && "code" in error) {
      if (String(error.code).startsWith("Z_")) {
        throw userError({
          where: path,
          required: "whole gzip data",
          got: `data that cannot be unpacked (${error.message})`,
          advice: "The file is truncated or damaged: fetch it again",
        });
      }
      throw unreadable(path, error);
    }
    throw error;
  } finally {
    file.destroy();
  }
}

/**
 * A whole file in memory, unpacked when its first bytes say gzip.
 *
 * @param expectedLength says from the first bytes (of the unpacked data) how long the whole is, or undefined while
 *   there are too few: reading stops with an error as soon as more comes, so that a gzip bomb is never unpacked
 */
export async function readBytes(
  path: string,
  options: {
    expectedLength?: (head: Uint8Array) => number | undefined;
    signal?: AbortSignal | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
  } = {},
): Promise<Uint8Array> {
  const size = await fileSize(path);
  const gzip = await isGzip(path);
  let whole = new Uint8Array(gzip ? Math.min(Math.max(4 * size, 1024), 2 ** 26) : size);
  let length = 0;
  let expected: number | undefined;
  for await (const chunk of readChunks(path, {
    gzip,
    signal: options.signal,
    onBytes: (done) => options.onProgress?.(done, size),
  })) {
    const needed = length + chunk.length;
    if (needed > (expected ?? memoryLimit)) throw tooLong(path, expected);
    if (needed > whole.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(expected ?? 2 * whole.length, memoryLimit)));
      grown.set(whole.subarray(0, length));
      whole = grown;
    }
    whole.set(chunk, length);
    length = needed;
    if (expected === undefined && options.expectedLength !== undefined) {
      expected = options.expectedLength(whole.subarray(0, length));
      if (expected !== undefined && (expected > memoryLimit || length > expected)) throw tooLong(path, expected);
      // A lying header must not make us allocate: deflate packs at most about 1,032 bytes into one.
      if (expected !== undefined && expected > size * (gzip ? 1032 : 1)) {
        throw userError({
          where: path,
          required: `${expected} bytes, as its header says`,
          got: `a file of ${size} bytes`,
          advice: "The file is truncated or damaged: fetch it again",
        });
      }
    }
  }
  return whole.subarray(0, length);
}

/** The first bytes of a file, unpacked when it is gzipped. */
export async function readHead(path: string, length: number): Promise<Uint8Array> {
  const gzip = await isGzip(path);
  for await (const chunk of readChunks(path, { gzip })) return chunk.subarray(0, length);
  return new Uint8Array(0);
}

/** Whether the file begins with gzip's two bytes. */
export async function isGzip(path: string): Promise<boolean> {
  for await (const chunk of readChunks(path, { gzip: false })) return chunk[0] === 0x1f && chunk[1] === 0x8b;
  return false;
}

function tooLong(path: string, expected: number | undefined): Error {
  return userError({
    where: path,
    required: expected === undefined ? `at most ${memoryLimit} bytes` : `${expected} bytes, as its header says`,
    got: "more",
    advice:
      expected === undefined || expected > memoryLimit
        ? "Use a part of the data that fits in memory"
        : "The file is damaged: fetch it again",
  });
}

/** The {@link UserError} for a path that the system refuses. */
export function unreadable(path: string, error: unknown): Error {
  const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
  const reasons: Record<string, string> = {
    ENOENT: "nothing there",
    EACCES: "no permission to read it",
    EISDIR: "a folder",
    ENOTDIR: "nothing there",
  };
  return userError({
    where: path,
    required: "a file or folder that can be read",
    got: reasons[code] ?? code,
    advice: "Check the path",
  });
}
