import { brotliCompressSync, deflateRawSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { pageCodecs } from "../../src/data/page-codecs.js";

const content = Uint8Array.from({ length: 4000 }, (_, index) => (index * index) % 7);
/** Literals alone: a token for 15 and more, how many more, and the bytes. */
const lz4 = Uint8Array.from([0xf0, ...new Array(15).fill(255), 4000 - 15 - 15 * 255, ...content]);
const big = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
const hadoop = Uint8Array.from([...big(4000), ...big(lz4.length), ...lz4]);
/** The length, and a literal whose length takes two bytes. */
const snappy = Uint8Array.from([0xa0, 0x1f, 61 << 2, 3999 & 255, 3999 >> 8, ...content]);

const packed = [
  ["GZIP", gzipSync(content)],
  ["GZIP", deflateRawSync(content)],
  ["GZIP", Buffer.concat([gzipSync(content.subarray(0, 1000)), gzipSync(content.subarray(1000))])],
  ["BROTLI", brotliCompressSync(content)],
  ["SNAPPY", snappy],
  ["LZ4_RAW", lz4],
  ["LZ4", lz4],
  ["LZ4", hadoop],
] as const;

test.each(packed)("%s: unpacks what it has packed, and refuses another length", (codec, bytes) => {
  const unpack = pageCodecs[codec]!;
  expect([...unpack(bytes, content.length)]).toEqual([...content]);
  const outcome = (length: number, from: Uint8Array = bytes) => {
    try {
      return unpack(from, length).length;
    } catch {
      return undefined;
    }
  };
  // Gzip and Brotli give what there is: the page's reader compares the lengths.
  expect([undefined, 4000]).toContain(outcome(4001));
  expect([undefined, 4000]).toContain(outcome(2 ** 31 - 1));
  expect(outcome(3999)).toBeUndefined();
  expect(outcome(4000, bytes.subarray(0, bytes.length - 20))).toBeUndefined();
});
