import { expect, test } from "vitest";
import { endOfThriftStruct } from "../../src/data/thrift-check.js";

const end = (...bytes: number[]) => endOfThriftStruct(Uint8Array.from(bytes), 0);

test("the end of a struct of all kinds of fields is found", () => {
  // A boolean; a byte; numbers; a float of 64 bits; a text; a field far on; a list of booleans; a list of structs.
  const fields = [
    [0x11],
    [0x13, 7],
    [0x15, 0x80, 0x01],
    [0x16, ...new Array(9).fill(0xff), 1],
    [0x17, ...new Array(8).fill(0)],
    [0x18, 3, 97, 98, 99],
    [0x05, 0x90, 0x03, 2],
    [0x19, 0x21, 1, 2],
    [0x19, 0xfc, 2, 0x15, 2, 0, 0],
  ].flat();
  expect(end(...fields, 0)).toBe(fields.length + 1);
  expect(endOfThriftStruct(Uint8Array.from([9, 9, ...fields, 0, 9]), 2)).toBe(fields.length + 3);
});

test.each([
  ["a struct without an end", [0x15, 2]],
  ["a text longer than what is left", [0x18, 100, 97, 0]],
  ["a list of more elements than there are bytes", [0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 0]],
  // The reader takes time that grows with the square of its length.
  ["a number that goes on and on", [0x16, ...new Array(1000).fill(0x80), 0, 0]],
  ["structs without end in one another", new Array(100).fill(0x1c)],
  ["lists without end in one another", [0x19, ...new Array(100).fill(0x19)]],
  ["a kind that there is not", [0x1e, 0, 0]],
])("%s is refused", (_, bytes) => {
  expect(() => end(...bytes)).toThrow(RangeError);
});
