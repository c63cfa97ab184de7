import { brotliDecompressSync, gunzipSync, inflateRawSync } from "node:zlib";
import type { Compressors } from "hyparquet";
import { compressors as hyparquetCompressors } from "hyparquet-compressors";
import { unpackLz4, unpackLz4Block } from "./lz4-frame.js";
import { readVarint } from "./varint.js";
import { unpackZstd } from "./zstd-frames.js";

/** A byte packs at most so many, of what Snappy makes. */
const mostBySnappy = 22;

/** Unpacks the pages of a Parquet file; each codec refuses what does not come to the length that was said. */
export const pageCodecs: Compressors = {
  SNAPPY: (packed, length) => {
    // The decoder makes room for what it is told, which it keeps, and leaves in it what was there before.
    if (length > mostBySnappy * packed.length || length !== readVarint(packed, 0).value) {
      throw new RangeError("Snappy data of another length");
    }
    return hyparquetCompressors.SNAPPY!(packed, length);
  },
  GZIP: (packed, length) => {
    const unpack = packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync : inflateRawSync;
    return unpack(packed, limits(packed, length));
  },
  BROTLI: (packed, length) => brotliDecompressSync(packed, limits(packed, length)),
  ZSTD: unpackZstd,
  LZ4: unpackLz4,
  LZ4_RAW: unpackLz4Block,
};

/** One piece, as large as it will be, so that nothing has to be put together; as gzip packs 1032 bytes into one at most. */
function limits({ length: packed }: Uint8Array, length: number): { maxOutputLength: number; chunkSize: number } {
  return { maxOutputLength: Math.max(1, length), chunkSize: Math.max(64, Math.min(length, 1032 * packed)) };
}
