import { describe, expect, test } from "vitest";
import { parseNpy } from "../../src/data/npy.js";
import { UserError } from "../../src/errors.js";
import { npyFile } from "./array-files.js";

const swapped = (values: ArrayBufferView, bytes: number) => {
  const copy = new Uint8Array(values.buffer.slice(0));
  for (let at = 0; at < copy.length; at += bytes) copy.subarray(at, at + bytes).reverse();
  return copy;
};

describe("parseNpy", () => {
  test.each([
    ["|b1", new Uint8Array([1, 0]), [1, 0]],
    ["|u1", new Uint8Array([255, 0]), [255, 0]],
    ["|i1", new Int8Array([-5, 3]), [-5, 3]],
    ["<u2", new Uint16Array([60000, 1]), [60000, 1]],
    ["<i2", new Int16Array([-300, 1]), [-300, 1]],
    ["<u4", new Uint32Array([4e9, 1]), [4e9, 1]],
    ["<i4", new Int32Array([-70000, 1]), [-70000, 1]],
    ["<u8", new BigUint64Array([2n ** 40n, 1n]), [2 ** 40, 1]],
    ["<i8", new BigInt64Array([-(2n ** 40n), 1n]), [-(2 ** 40), 1]],
    ["<f2", new Uint16Array([0x3c00, 0xc100]), [1, -2.5]],
    ["<f4", new Float32Array([0.5, -1e10]), [0.5, -1e10]],
    ["<f8", new Float64Array([0.1, -1e300]), [0.1, -1e300]],
  ])("reads %s in both byte orders", (descr, values, expected) => {
    const numbers = expected.map((value) => (descr === "<f4" ? Math.fround(value) : value));
    expect([...parseNpy(npyFile(descr, [2], values), "file").data]).toEqual(numbers);
    const big = swapped(values, values.BYTES_PER_ELEMENT);
    expect([...parseNpy(npyFile(descr.replace("<", ">"), [2], big), "file").data]).toEqual(numbers);
  });

  test.each([1, 2, 3])("reads version %i", (version) => {
    const file = npyFile("<f4", [1, 2], new Float32Array([1, 2]), { version });
    expect(parseNpy(file, "file")).toEqual({ data: new Float32Array([1, 2]), dims: [1, 2] });
  });

  test("half floats: subnormal, infinite, not a number", () => {
    const { data } = parseNpy(npyFile("<f2", [3], new Uint16Array([1, 0xfc00, 0x7e00])), "file");
    expect([...data]).toEqual([2 ** -24, Number.NEGATIVE_INFINITY, Number.NaN]);
  });

  test("brings Fortran order into C order", () => {
    // Value at (i, j, k) is 100 i + 10 j + k; the first axis runs fastest in the file.
    const values: number[] = [];
    for (let k = 0; k < 4; k++)
      for (let j = 0; j < 3; j++) for (let i = 0; i < 2; i++) values.push(100 * i + 10 * j + k);
    const { data } = parseNpy(npyFile("<i2", [2, 3, 4], new Int16Array(values), { fortran: true }), "file");
    const expected: number[] = [];
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 3; j++) for (let k = 0; k < 4; k++) expected.push(100 * i + 10 * j + k);
    expect([...data]).toEqual(expected);
  });

  test("copies values that do not lie at a multiple of their size", () => {
    const file = npyFile("<f4", [2], new Float32Array([1, 2]));
    const moved = new Uint8Array(file.length + 1);
    moved.set(file, 1);
    expect([...parseNpy(moved.subarray(1), "file").data]).toEqual([1, 2]);
  });

  test.each([
    ["truncated", npyFile("<f4", [2], new Float32Array(1))],
    ["cut in its header", npyFile("<f4", [2], new Float32Array(2)).subarray(0, 40)],
    ["of Python objects", npyFile("|O", [2], new Float32Array(2))],
    ["of text", npyFile("<U10", [2], new Float32Array(2))],
    ["another file", new TextEncoder().encode("something else, long enough")],
  ])("refuses a file that is %s", (_, bytes) => {
    expect(() => parseNpy(bytes, "file")).toThrow(UserError);
  });

  test("says how texts become numbers, which astype does not do", () => {
    const bytes = npyFile("<U10", [2], new Float32Array(2));
    expect(() => parseNpy(bytes, "file")).toThrow(/numpy\.unique\(array, return_inverse=True\)/);
  });
});
