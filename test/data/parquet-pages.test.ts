import { crc32 } from "node:zlib";
import type { ColumnMetaData, SchemaElement, SchemaTree } from "hyparquet";
import { describe, expect, test } from "vitest";
import { columnDecoder, parquetPages } from "../../src/data/parquet-pages.js";
import { thriftStruct } from "./thrift-struct.js";

const [plain, rleDictionary, rle, delta] = [0, 8, 3, 5];
/** A page of the first kind with levels and values. */
const page = (count: number, encoding: number, content: readonly number[], crc?: number) => [
  ...thriftStruct([0, content.length, content.length, crc, [count, encoding, rle, rle]]),
  ...content,
];
/** A page of the second kind, of levels of so many bytes. */
const second = (count: number, nulls: number, encoding: number, levels: number[], values: number[], lying = 0) => [
  ...thriftStruct([
    3,
    levels.length + values.length,
    levels.length + values.length,
    undefined,
    undefined,
    undefined,
    undefined,
    [count, nulls, count, encoding, levels.length + lying, 0],
  ]),
  ...levels,
  ...values,
];
const dictionary = (count: number, content: readonly number[]) => [
  ...thriftStruct([2, content.length, content.length, undefined, undefined, undefined, [count, plain]]),
  ...content,
];
/** Levels or values of the first kind of page: their length in four bytes, and they. */
const levels = (...bytes: number[]) => [bytes.length, 0, 0, 0, ...bytes];
const ints = (...values: number[]) => [...new Uint8Array(Int32Array.from(values).buffer)];

/** The values of a column of 32-bit numbers, nulls left out, page by page. */
function read(bytes: readonly number[], wanted: number, { optional = true, type = "INT32" } = {}): unknown[][] {
  const root = { name: "root", num_children: 1 } as SchemaElement;
  const element = { name: "x", type, repetition_type: optional ? "OPTIONAL" : "REQUIRED" } as SchemaElement;
  const leaf: SchemaTree = { count: 1, element, children: [], path: ["x"] };
  const path: SchemaTree[] = [{ count: 2, element: root, children: [leaf], path: [] }, leaf];
  const meta = {
    type,
    codec: "UNCOMPRESSED",
    path_in_schema: ["x"],
    num_values: BigInt(wanted),
    total_uncompressed_size: BigInt(bytes.length),
  } as unknown as ColumnMetaData;
  return Array.from(parquetPages(Uint8Array.from(bytes), meta, columnDecoder(meta, path)), (found) =>
    Array.from(found.values, (value) => (found.dictionary ? found.dictionary[Number(value)] : value)),
  );
}

const allThere = levels(6, 1);

test("pages of both kinds, with and without nulls and dictionaries", () => {
  expect(read(page(3, plain, [...allThere, ...ints(7, 8, 9)]), 3)).toEqual([[7, 8, 9]]);
  expect(read(page(3, plain, ints(7, 8, 9)), 3, { optional: false })).toEqual([[7, 8, 9]]);
  const gap = [...levels(3, 0b101), ...ints(7, 9)];
  expect(read([...page(3, plain, [...allThere, ...ints(7, 8, 9)]), ...page(3, plain, gap)], 6)).toEqual([
    [7, 8, 9],
    [7, 9],
  ]);
  const coded = [...allThere, 2, 3, 0b000110];
  expect(read([...dictionary(3, ints(5, 6, 7)), ...page(3, rleDictionary, [...coded, 0])], 3)).toEqual([[7, 6, 5]]);
  expect(read(second(3, 1, plain, [3, 0b101], ints(7, 9)), 3)).toEqual([[7, 9]]);
  expect(read(second(3, 0, plain, [6, 1], ints(7, 8, 9)), 3)).toEqual([[7, 8, 9]]);
  expect(read([...dictionary(1, ints(5)), ...second(3, 0, rleDictionary, [6, 1], [0, 6])], 3)).toEqual([[5, 5, 5]]);
  const content = [...allThere, ...ints(7, 8, 9)];
  // Checksums are numbers with a sign.
  expect(read(page(3, plain, content, crc32(Uint8Array.from(content)) | 0), 3)).toEqual([[7, 8, 9]]);
});

describe("what is damaged is refused", () => {
  const huge = [0xfe, 0xff, 0xff, 0xff, 0x0f];
  test.each<[string, number[], number]>([
    ["fewer values than the column has", page(3, plain, [...allThere, ...ints(7, 8, 9)]), 4],
    ["more values than the column has", page(3, plain, [...allThere, ...ints(7, 8, 9)]), 2],
    // The reader would fill the memory with levels.
    ["a run of levels of two thousand million", page(3, plain, [...levels(...huge, 1), ...ints(7, 8, 9)]), 3],
    ["levels beyond their page", page(3, plain, [200, 0, 0, 0, 6, 1, ...ints(7, 8, 9)]), 3],
    // The reader would take what follows for values.
    ["values beyond their page", [...page(3, plain, [...allThere, ...ints(7, 8)]), ...new Array(64).fill(0)], 3],
    ["a page beyond its column", page(3, plain, [...allThere, ...ints(7, 8, 9)]).slice(0, -1), 3],
    ["places without a dictionary", page(3, rleDictionary, [...allThere, 1, 6, 0]), 3],
    [
      "a run of a place behind the dictionary",
      [...dictionary(1, ints(5)), ...page(3, rleDictionary, [...allThere, 1, 6, 1])],
      3,
    ],
    ["a dictionary that is cut off", [...dictionary(9, ints(5)), ...page(3, rleDictionary, [...allThere, 1, 6, 0])], 3],
    // The reader would go on for two thousand million places, or for ever.
    [
      "packed places of no bits",
      [...dictionary(1, ints(5)), ...second(3, 0, rleDictionary, [6, 1], [0, 0xff, 0xff, 0xff, 0xff, 0x0f])],
      3,
    ],
    ["another number of nulls", second(3, 0, plain, [3, 0b101], ints(7, 9)), 3],
    ["levels longer than their page", second(3, 0, plain, [6, 1], ints(7, 8, 9), 100), 3],
    ["differences for other values", page(3, delta, [...allThere, 8, 1, 2, 4, 0, 0]), 3],
    ["another checksum", page(3, plain, [...allThere, ...ints(7, 8, 9)], 77), 3],
    ["a kind that there is not", thriftStruct([9, 0, 0]), 3],
  ])("%s", (_, bytes, wanted) => {
    expect(() => read(bytes, wanted)).toThrow(Error);
  });
});
