import { expect, test } from "vitest";
import { unpackLz4Frame } from "../../src/data/lz4-frame.js";

const word = (value: number) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

/** A frame of blocks of at most 64 KiB; with the length of what it holds where that is given. */
function frameOf(blocks: readonly { bytes: readonly number[]; packed: boolean }[], content?: number): Uint8Array {
  return Uint8Array.from([
    ...word(0x184d2204),
    ...[content === undefined ? 0x60 : 0x68, 0x40, ...(content === undefined ? [] : [...word(content), 0, 0, 0, 0]), 0],
    ...blocks.flatMap(({ bytes, packed }) => [...word(bytes.length | (packed ? 0 : 0x80000000)), ...bytes]),
    ...word(0),
  ]);
}

/** A number of a token, and what follows it where it is 15 or more. */
const nibble = (value: number) => Math.min(15, value);
function rest(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value - 15; left >= 0; left -= 255) bytes.push(Math.min(255, left));
  return bytes;
}

function sequence(literals: readonly number[], offset = 0, match = 4): number[] {
  const token = (nibble(literals.length) << 4) | (offset === 0 ? 0 : nibble(match - 4));
  const end = offset === 0 ? [] : [offset & 255, offset >> 8, ...rest(match - 4)];
  return [token, ...rest(literals.length), ...literals, ...end];
}

/** What the sequences stand for, byte by byte. */
function expand(sequences: readonly [readonly number[], number?, number?][], before: readonly number[] = []): number[] {
  const output = [...before];
  for (const [literals, offset = 0, match = 4] of sequences) {
    output.push(...literals);
    if (offset > 0) for (let count = 0; count < match; count++) output.push(output[output.length - offset]);
  }
  return output;
}

const some = (count: number) => Array.from({ length: count }, (_, index) => (index * 37) % 251);

test.each([undefined, 1088])("literals and matches, short, long and overlapping (length %s)", (content) => {
  const first: [number[], number?, number?][] = [
    [some(7), 3, 5],
    [some(300), 300, 270],
    [[1], 1, 100],
    [[], 200, 40],
    [some(15), 15, 19],
    [some(4)],
  ];
  const second: [number[], number?, number?][] = [[[9], 700, 33], [some(33), 20, 60], [some(60)]];
  const packed = (sequences: typeof first) => ({ bytes: sequences.flatMap((one) => sequence(...one)), packed: true });
  const plain = { bytes: some(140), packed: false };
  const expected = expand(second, [...expand(first), ...plain.bytes]);
  expect([...unpackLz4Frame(frameOf([packed(first), plain, packed(second)], content))]).toEqual(expected);
  if (content !== undefined) expect(expected).toHaveLength(content);
});

test("what is damaged is refused", () => {
  const block = (...bytes: number[]) => [{ bytes, packed: true }];
  expect(() => unpackLz4Frame(Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]))).toThrow(/no LZ4 frame/);
  expect(() => unpackLz4Frame(frameOf(block(0x50, 1, 2)))).toThrow(/cut off/);
  expect(() => unpackLz4Frame(frameOf(block(...sequence([1], 5, 8))))).toThrow(/refers to nothing/);
  expect(() => unpackLz4Frame(frameOf(block(...sequence([1], 1, 70_000))))).toThrow(/longer than it may be/);
  expect(() => unpackLz4Frame(frameOf(block(...sequence(some(10))), 4))).toThrow(/longer than it may be/);
  expect(() => unpackLz4Frame(frameOf(block(...sequence(some(10)))).subarray(0, 14))).toThrow(RangeError);
});
