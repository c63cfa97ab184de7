import {
  Binary,
  Bool,
  type Data,
  Dictionary,
  Field,
  FixedSizeList,
  Float64,
  Int32,
  LargeUtf8,
  List,
  makeData,
  makeVector,
  Null,
  Struct,
  Utf8,
  Utf8View,
  vectorFromArray,
} from "apache-arrow";
import { describe, expect, test } from "vitest";
import { checkArrowColumns } from "../../src/data/arrow-column-check.js";

const check =
  (data: Data, rows = data.length) =>
  () =>
    checkArrowColumns([data], rows);
const bytes = (length: number) => new Uint8Array(length);
const ints = (...values: number[]) => Int32Array.from(values);
const numbers = (length: number, rows = length) =>
  makeData({ type: new Float64(), length: rows, data: new Float64Array(length) });
const field = <T extends Float64 | Null>(type: T) => new Field("item", type, true);

test.each<[string, Data]>([
  ["numbers", numbers(3)],
  ["numbers with padding", numbers(8, 3)],
  [
    "nulls",
    makeData({
      type: new Int32(),
      length: 10,
      nullCount: 8,
      nullBitmap: Uint8Array.of(1, 2),
      data: ints(...bytes(10)),
    }),
  ],
  ["booleans", makeData({ type: new Bool(), length: 9, data: bytes(2) })],
  ["texts", makeData({ type: new Utf8(), length: 2, valueOffsets: ints(0, 1, 3), data: bytes(3) })],
  ["no texts", makeData({ type: new Utf8(), length: 0, valueOffsets: ints(), data: bytes(0) })],
  [
    "long texts",
    makeData({ type: new LargeUtf8(), length: 2, valueOffsets: BigInt64Array.of(0n, 1n, 3n), data: bytes(3) }),
  ],
  [
    "lists",
    makeData({ type: new List(field(new Float64())), length: 2, valueOffsets: ints(0, 1, 3), child: numbers(3) }),
  ],
  ["a dictionary", vectorFromArray(["a", "b", "a", null], new Dictionary(new Utf8(), new Int32())).data[0]],
  ["structs", makeData({ type: new Struct([field(new Float64())]), length: 2, children: [numbers(2)] })],
])("%s that are whole pass", (_, data) => {
  expect(check(data)).not.toThrow();
});

const dictionary = makeVector(makeData({ type: new Utf8(), length: 2, valueOffsets: ints(0, 1, 2), data: bytes(2) }));
const coded = (...places: number[]) =>
  makeData({ type: new Dictionary(new Utf8(), new Int32()), length: places.length, data: ints(...places), dictionary });
const viewOf = (size: number, buffer: number, start: number) => new Uint8Array(ints(size, 0, buffer, start).buffer);
const texts = (...offsets: number[]) =>
  makeData({ type: new Binary(), length: 2, valueOffsets: ints(...offsets), data: bytes(3) });

describe("what is damaged is refused", () => {
  test.each<[string, Data]>([
    ["numbers that are cut off", numbers(2, 3)],
    ["booleans that are cut off", makeData({ type: new Bool(), length: 9, data: bytes(1) })],
    [
      "another number of nulls",
      makeData({ type: new Int32(), length: 3, nullCount: 2, nullBitmap: bytes(8), data: ints(1, 2, 3) }),
    ],
    [
      "nulls that are cut off",
      makeData({ type: new Int32(), length: 9, nullCount: 9, nullBitmap: bytes(1), data: ints(...bytes(9)) }),
    ],
    ["texts that go back", texts(0, 2, 1)],
    ["texts outside", texts(0, 2, 4)],
    ["texts before the beginning", texts(-1, 2, 3)],
    ["texts without all of their places", texts(0, 2)],
    [
      "long texts far outside",
      makeData({ type: new LargeUtf8(), length: 1, valueOffsets: BigInt64Array.of(0n, 2n ** 33n), data: bytes(3) }),
    ],
    [
      "lists outside",
      makeData({ type: new List(field(new Float64())), length: 2, valueOffsets: ints(0, 1, 4), child: numbers(3) }),
    ],
    [
      "lists of numbers that are cut off",
      makeData({ type: new List(field(new Float64())), length: 1, valueOffsets: ints(0, 3), child: numbers(2, 3) }),
    ],
    [
      "lists of two that are cut off",
      makeData({ type: new FixedSizeList(2, field(new Float64())), length: 2, child: numbers(3) }),
    ],
    ["a value behind a dictionary", coded(0, 2)],
    ["a value before a dictionary", coded(0, -1)],
    [
      "structs whose parts have other lengths",
      makeData({ type: new Struct([field(new Float64())]), length: 2, children: [numbers(3)] }),
    ],
    [
      "a text in a buffer that is not there",
      makeData({ type: new Utf8View(), length: 1, views: viewOf(20, 1, 0), variadicBuffers: [bytes(30)] }),
    ],
    [
      "a text beyond the end of its buffer",
      makeData({ type: new Utf8View(), length: 1, views: viewOf(20, 0, 11), variadicBuffers: [bytes(30)] }),
    ],
  ])("%s", (_, data) => {
    expect(check(data)).toThrow(RangeError);
  });

  test("another number of rows", () => {
    expect(check(numbers(3), 2)).toThrow(RangeError);
  });

  test("two thousand million nulls that take no bytes, but not as many as another column has values", () => {
    const nulls = (length: number) => makeData({ type: new Null(), length });
    expect(check(nulls(2 ** 31 - 1))).toThrow(RangeError);
    const many = 2 ** 20 + 8;
    expect(check(nulls(many))).toThrow(RangeError);
    const backed = makeData({ type: new Bool(), length: many, data: bytes(many / 8) });
    expect(() => checkArrowColumns([nulls(many), backed], many)).not.toThrow();
    const lists = makeData({
      type: new List(field(new Null())),
      length: 1,
      valueOffsets: ints(0, 2 ** 30),
      child: nulls(2 ** 30),
    });
    expect(check(lists)).toThrow(RangeError);
  });
});
