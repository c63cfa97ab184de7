/** What an entry of a zip archive unpacks to. */
import { createReadStream } from "node:fs";
import { crc32, createInflateRaw, constants as zlibConstants } from "node:zlib";
import { userError } from "../errors.js";
import { requireChecksum, type ZipEntry } from "../zip-directory.js";
import type { OpenFile } from "./file-samples.js";
import { checkInterrupted } from "./read-bytes.js";

/** Bytes of an entry that is not packed which are read at a time. */
const pieceBytes = 2 ** 20;

/**
 * Unpacks an entry piece by piece; a piece is valid until the next is asked for.
 *
 * @param where the entry, for messages
 * @throws UserError where it cannot be unpacked, or, behind the last piece, where it is not what was packed
 */
export async function* unpackedBytes(
  file: OpenFile,
  entry: ZipEntry,
  where: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let checksum = 0;
  for await (const piece of entry.deflated ? inflated(file, entry, where) : stored(file, entry)) {
    checkInterrupted(signal);
    checksum = crc32(piece, checksum);
    yield piece;
  }
  requireChecksum(entry, checksum, where);
}

async function* stored(file: OpenFile, entry: ZipEntry): AsyncGenerator<Uint8Array> {
  const piece = new Uint8Array(Math.min(pieceBytes, entry.length));
  for (let done = 0; done < entry.length; done += piece.length)
    yield await file.bytes(entry.start + done, Math.min(piece.length, entry.length - done), piece);
}

async function* inflated(file: OpenFile, entry: ZipEntry, where: string): AsyncGenerator<Uint8Array> {
  const packed = createReadStream(file.path, { start: entry.start, end: entry.start + entry.packed - 1 });
  const inflate = createInflateRaw();
  packed.on("error", (error) => inflate.destroy(error));
  try {
    for await (const chunk of packed.pipe(inflate)) yield chunk as Uint8Array;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))) throw error;
    throw damagedEntry(where, "values", error);
  } finally {
    packed.destroy();
  }
}

/**
 * What the first bytes of an entry unpack to, as far as it comes in one piece: nothing where it is empty.
 *
 * @param where the entry, for messages
 * @throws UserError where they cannot be unpacked
 */
export async function unpackedHead(file: OpenFile, entry: ZipEntry, where: string): Promise<Uint8Array> {
  const packed = await file.bytes(entry.start, Math.min(entry.packed, 1 << 16));
  if (!entry.deflated) return packed;
  const inflate = createInflateRaw({ finishFlush: zlibConstants.Z_SYNC_FLUSH });
  return new Promise((resolve, reject) => {
    inflate.on("error", (error) => reject(damagedEntry(where, "first bytes", error)));
    inflate.once("data", (chunk: Uint8Array) => {
      resolve(chunk);
      inflate.destroy();
    });
    inflate.once("end", () => resolve(new Uint8Array(0)));
    inflate.end(packed);
  });
}

function damagedEntry(where: string, what: string, error: Error): Error {
  return userError({
    where,
    required: "a whole NPZ archive",
    got: `${what} that cannot be unpacked (${error.message})`,
    advice: "Save it again with numpy.savez",
  });
}
