import { expect, test } from "vitest";
import { unpackZstd } from "../../src/data/zstd-frames.js";

const magic = [0x28, 0xb5, 0x2f, 0xfd];
/** The head of a block: whether it is the last, its kind (0: as it is, 1: one byte repeated), and its length. */
const block = (kind: number, length: number, isLast = true) => {
  const head = (length << 3) | (kind << 1) | Number(isLast);
  return [head & 255, (head >> 8) & 255, head >> 16];
};
/** A frame in one piece that says its length in four bytes. */
const frame = (length: number, ...blocks: number[]) => [
  ...magic,
  0xa0,
  ...[length & 255, (length >> 8) & 255, (length >> 16) & 255, length >>> 24],
  ...blocks,
];
const unpack = (bytes: number[], length: number) => unpackZstd(Uint8Array.from(bytes), length);

test("frames one after another, with what is to be skipped between, become one array that begins at its buffer's start", () => {
  const skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2];
  const bytes = [...frame(3, ...block(0, 3), 1, 2, 3), ...skipped, ...frame(4, ...block(1, 4), 9)];
  const unpacked = unpack(bytes, 7);
  expect([...unpacked]).toEqual([1, 2, 3, 9, 9, 9, 9]);
  expect([unpacked.byteOffset, unpacked.buffer.byteLength]).toEqual([0, 7]);
});

test.each<[string, number[], number]>([
  ["no frame", [1, 2, 3, 4, 5], 3],
  ["another length than is wanted", frame(3, ...block(0, 3), 1, 2, 3), 4],
  // Room for two thousand million bytes would be made.
  ["a length that its blocks cannot come to", frame(0x7f000000, ...block(0, 3), 1, 2, 3), 0x7f000000],
  ["a block that is cut off", frame(30, ...block(0, 30), 1, 2, 3), 30],
  ["a block longer than there are", frame(200_000, ...block(1, 200_000), 9), 200_000],
  ["a window of two thousand million bytes", [...magic, 0, 21 << 3, ...block(0, 3), 1, 2, 3], 3],
  ["no last block", frame(3, ...block(0, 3, false), 1, 2, 3), 3],
])("%s is refused", (_, bytes, length) => {
  expect(() => unpack(bytes, length)).toThrow(RangeError);
});
