import { expect, test } from "vitest";
import { checkDeltaValues } from "../../src/data/delta-check.js";

/** Differences of a first number and blocks of 8 in one part, all of the same width in bits. */
const deltas = (total: number, first: number, width: number, packed: readonly number[]) => [
  ...[8, 1, total, 2 * first],
  ...(total > 1 ? [0, width, ...packed] : []),
];
/** Numbers that all are the same. */
const same = (total: number, value: number) => deltas(total, value, 0, []);

const check = (encoding: string, bytes: readonly number[], count: number) => () =>
  checkDeltaValues(encoding, Uint8Array.from(bytes), 0, count);

test("what fits passes", () => {
  expect(check("DELTA_BINARY_PACKED", deltas(9, 5, 2, [1, 2]), 9)).not.toThrow();
  expect(check("DELTA_LENGTH_BYTE_ARRAY", [...same(3, 2), 97, 98, 99, 100, 101, 102], 3)).not.toThrow();
  // Shared lengths 0 and 1, own ones 2 and 2.
  const texts = [...deltas(2, 0, 1, [1]), ...same(2, 2), 97, 98, 99, 100];
  expect(check("DELTA_BYTE_ARRAY", texts, 2)).not.toThrow();
});

test.each<[string, string, number[], number]>([
  ["another number of values", "DELTA_BINARY_PACKED", deltas(9, 5, 2, [1, 2]), 8],
  ["blocks of nothing", "DELTA_BINARY_PACKED", [0, 1, 9, 10, 0, 0], 9],
  ["parts of nothing", "DELTA_BINARY_PACKED", [8, 0, 9, 10, 0, 0], 9],
  ["differences of too many bits", "DELTA_BINARY_PACKED", deltas(9, 5, 80, new Array(80).fill(0)), 9],
  ["differences that are cut off", "DELTA_BINARY_PACKED", deltas(9, 5, 16, [1, 2]), 9],
  ["a number that goes on and on", "DELTA_BINARY_PACKED", [8, 1, 9, ...new Array(1000).fill(0x80), 0], 9],
  ["texts beyond the end", "DELTA_LENGTH_BYTE_ARRAY", [...same(3, 2), 97, 98], 3],
  ["texts of less than nothing", "DELTA_LENGTH_BYTE_ARRAY", [8, 1, 1, 1], 1],
  // The reader would make each as long as it says it is, filled with zeros.
  ["a text that shares more than there was", "DELTA_BYTE_ARRAY", [...same(2, 60), ...same(2, 1), 97, 98], 2],
  ["a text that shares less than nothing", "DELTA_BYTE_ARRAY", [8, 1, 1, 1, ...same(1, 1), 97], 1],
])("%s are refused", (_, encoding, bytes, count) => {
  expect(check(encoding, bytes, count)).toThrow(RangeError);
});
