import { readRleBitPackedHybrid } from "hyparquet/src/encoding.js";
import { expect, test } from "vitest";
import { checkRuns, countLargest } from "../../src/data/run-lengths.js";

const check = (bytes: number[], width: number, count: number, largest: number) =>
  checkRuns(Uint8Array.from(bytes), 0, bytes.length, width, count, largest);
const count = (bytes: number[], width: number, wanted: number, largest: number) =>
  countLargest(Uint8Array.from(bytes), 0, bytes.length, width, wanted, largest);

/** A run of a number of up to 8 bits; eight-packs. */
const run = (length: number, value: number) => [2 * length, value];
const packed = (...bytes: number[]) => [2 * bytes.length + 1, ...bytes];

test("the largest among levels are counted as the decoder finds them", () => {
  for (const [bytes, width, wanted] of [
    [[...run(5, 1), ...packed(0b10110010, 0xff), ...run(9, 0)], 1, 30],
    [packed(0b10110010, 0b01110111), 1, 11],
    [[...run(3, 2), 3, 0b11100100, 0b00011011, ...run(4, 3)], 2, 15],
    [[3, 0b10001000, 0b11000110, 0b11111010, ...run(2, 7)], 3, 10],
  ] as const) {
    const decoded = new Array<number>(wanted);
    readRleBitPackedHybrid(
      { view: new DataView(Uint8Array.from(bytes).buffer), offset: 0 },
      width,
      decoded,
      bytes.length,
    );
    const largest = 2 ** width - 1;
    expect(count([...bytes], width, wanted, largest)).toBe(decoded.filter((level) => level === largest).length);
  }
});

test.each<[string, number[], number, number, number]>([
  // The decoder would make a list of a quarter of 2^31 numbers.
  ["a run longer than what is wanted", [0xfe, 0xff, 0xff, 0xff, 0x03, 1], 1, 4, 1],
  ["packed bits beyond the end", packed(1, 2, 3).slice(0, 3), 1, 24, 1],
  // The decoder would go on for 2^31 numbers, or below zero for ever.
  ["packed numbers of no bits", [0xff, 0xff, 0xff, 0xff, 0x07], 0, 4, 0],
  ["a number that there is not", run(4, 9), 4, 4, 8],
  ["fewer numbers than wanted", run(3, 1), 1, 4, 1],
  ["a length that is cut off", [0x80], 1, 4, 1],
  ["numbers of too many bits", run(4, 0), 40, 4, 1],
])("%s are refused", (_, bytes, width, wanted, largest) => {
  expect(() => check(bytes, width, wanted, largest)).toThrow(RangeError);
  expect(() => count(bytes, width, wanted, largest)).toThrow(RangeError);
});

test("the last packed numbers may be more than are wanted", () => {
  expect(() => check(packed(0xff), 1, 3, 1)).not.toThrow();
  expect(count(packed(0xff), 1, 3, 1)).toBe(3);
  expect(() => check([3], 0, 3, 0)).not.toThrow();
});
