import { expect, test } from "vitest";
import { checkFlatBuffer, type FlatTable } from "../../src/data/flatbuffer-check.js";

/** A number, a text, tables of the same kind, places of 16 bytes each, and a union whose kind 1 is a text. */
const node: FlatTable = [
  { kind: "scalar", bytes: 4 },
  { kind: "string" },
  { kind: "tables", table: () => node },
  { kind: "vector", bytes: 16 },
  { kind: "scalar", bytes: 1 },
  { kind: "union", tables: { 1: [{ kind: "string" }] } },
];

/**
 * A buffer of 32-bit words: its first is where the table begins. The table has its places (vtable) before it; a word that
 * is an offset counts from itself.
 */
function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}
const pair = (low: number, high: number) => low | (high << 16);

/** A table whose given field holds a word; what follows it begins 4 bytes behind. */
function tableWith(field: number, word: number, ...rest: number[]): Uint8Array {
  const places = new Array(8).fill(0);
  places[field] = 4;
  const vtable = [pair(20, 8), ...[0, 2, 4, 6].map((at) => pair(places[at], places[at + 1]))];
  return words(24, ...vtable, 20, word, ...rest);
}

test("whatever lies inside passes", () => {
  expect(() => checkFlatBuffer(tableWith(0, 77), node)).not.toThrow();
  expect(() => checkFlatBuffer(tableWith(1, 4, 3, 0x616161), node)).not.toThrow();
  expect(() => checkFlatBuffer(tableWith(2, 4, 0), node)).not.toThrow();
  expect(() => checkFlatBuffer(tableWith(3, 4, 1, 1, 2, 3, 4), node)).not.toThrow();
  expect(() => checkFlatBuffer(tableWith(6, 1_000_000), node)).not.toThrow();
});

test.each([
  ["a table outside", words(1000)],
  ["places outside", words(4, 100)],
  ["a buffer that ends at once", words()],
  ["a text beyond the end", tableWith(1, 4, 9, 0x616161)],
  ["a text whose length is a negative number", tableWith(1, 4, -1, 0x616161)],
  ["a field beyond the end", words(16, pair(6, 8), pair(200, 0), 0, 12)],
  // The reader would go through two thousand million of them.
  ["tables that are not there", tableWith(2, 4, 0x7fffffff, 0)],
  ["numbers that are not there", tableWith(3, 4, 2, 1, 2, 3, 4)],
  // The only child of the table is the table.
  ["a table in itself", tableWith(2, 4, 1, -12)],
])("%s is refused", (_, bytes) => {
  expect(() => checkFlatBuffer(bytes, node)).toThrow(RangeError);
});

test("tables that are named over and over are refused", () => {
  // Each of thirty tables has the next one twice: two to the thirtieth.
  const each = 11;
  const bytes = new Int32Array(1 + 30 * each + 3);
  bytes[0] = 4 + 20;
  for (let at = 0; at < 30; at++) {
    const start = 1 + at * each;
    const isLast = at === 29;
    bytes.set([pair(20, 8), 0, pair(isLast ? 0 : 4, 0), 0, 0, 20, 4, 2], start);
    const next = start + each + 5;
    bytes.set([4 * (next - (start + 8)), 4 * (next - (start + 9))], start + 8);
  }
  expect(() => checkFlatBuffer(new Uint8Array(bytes.buffer), node)).toThrow(/round in circles/);
});
