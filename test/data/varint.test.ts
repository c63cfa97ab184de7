import { expect, it } from "vitest";
import { readVarint } from "../../src/data/varint.js";

it("reads numbers of one byte and of several, and says where they end", () => {
  const bytes = Uint8Array.of(9, 0x7f, 0xac, 0x02, 1);
  expect(readVarint(bytes, 1)).toEqual({ value: 127, end: 2 });
  expect(readVarint(bytes, 2)).toEqual({ value: 300, end: 4 });
  expect(readVarint(Uint8Array.of(...new Array(9).fill(0x80), 1), 0)).toEqual({ value: 2 ** 63, end: 10 });
});

it("refuses numbers that are cut off or longer than 64 bits", () => {
  expect(() => readVarint(Uint8Array.of(0x80, 0x80), 0)).toThrow(RangeError);
  expect(() => readVarint(Uint8Array.of(1), 1)).toThrow(RangeError);
  expect(() => readVarint(Uint8Array.of(...new Array(10).fill(0x80), 1), 0)).toThrow(RangeError);
});
