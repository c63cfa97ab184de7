import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bfloat16ToNumber,
  dataTypes,
  float16ToNumber,
  floatTensor,
  intTensor,
  isFloating,
  numbersOf,
  numberToBfloat16,
  numberToFloat16,
  sizeOf,
} from "../../src/graph/tensor.js";

const options = { seed: 1, numRuns: 2000 };

describe.each([
  { type: "float16", decode: float16ToNumber, encode: numberToFloat16, infinity: 0x7c00, fractionBits: 10 },
  { type: "bfloat16", decode: bfloat16ToNumber, encode: numberToBfloat16, infinity: 0x7f80, fractionBits: 7 },
])("$type", ({ decode, encode, infinity }) => {
  it("encodes what it decodes", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const number = decode(bits);
      if (Number.isNaN(number)) expect(decode(encode(number))).toBeNaN();
      else if (encode(number) !== bits)
        throw new Error(`${bits} decodes to ${number}, which encodes to ${encode(number)}`);
    }
  });

  it("decodes bits in ascending order", () => {
    for (let bits = 0; bits < infinity; bits++)
      if (!(decode(bits + 1) > decode(bits) && decode(0x8000 | bits) === -decode(bits))) throw new Error(`${bits}`);
    expect(decode(infinity)).toBe(Number.POSITIVE_INFINITY);
    expect(decode(0x8000 | infinity)).toBe(Number.NEGATIVE_INFINITY);
    expect(decode(infinity + 1)).toBeNaN();
  });

  it("rounds to the nearest, ties to even", () => {
    const largest = decode(infinity - 1);
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: Math.fround(-largest), max: Math.fround(largest) }), (number) => {
        const bits = encode(number);
        const distance = Math.abs(decode(bits) - number);
        const magnitude = bits & 0x7fff;
        const neighbours = [magnitude - 1, magnitude + 1].filter((each) => each >= 0 && each < infinity);
        for (const each of neighbours) {
          const other = Math.abs(decode((bits & 0x8000) | each) - number);
          expect(distance).toBeLessThanOrEqual(other);
          if (distance === other) expect(bits % 2).toBe(0);
        }
      }),
      options,
    );
  });

  it("rounds ties between all neighbours to even", () => {
    for (let bits = 0; bits < infinity - 1; bits++) {
      // The middle of two neighbours has one more bit, which float32 has.
      const middle = (decode(bits) + decode(bits + 1)) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      // Among bfloat16's smallest numbers too: their middles are float32 numbers.
      if (encode(middle) !== even || encode(-middle) !== (0x8000 | even))
        throw new Error(`${middle} became ${encode(middle)}`);
    }
  });

  it("rounds what is too large to infinity", () => {
    const largest = decode(infinity - 1);
    const step = largest - decode(infinity - 2);
    expect(encode(largest + step / 2)).toBe(infinity);
    expect(encode(-largest - step / 2)).toBe(0x8000 | infinity);
    expect(encode(largest + step / 4)).toBe(infinity - 1);
  });
});

describe("known encodings", () => {
  it.each([
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [2 ** -24, 1],
    [2 ** -14, 0x0400],
    [1 / 3, 0x3555],
  ])("of %d as float16", (number, bits) => {
    expect(numberToFloat16(number)).toBe(bits);
    expect(Object.is(float16ToNumber(bits), number) || number === 1 / 3).toBe(true);
  });

  it.each([
    [0, 0],
    [-0, 0x8000],
    [1, 0x3f80],
    [-2, 0xc000],
    [3.140625, 0x4049],
  ])("of %d as bfloat16", (number, bits) => {
    expect(numberToBfloat16(number)).toBe(bits);
    expect(bfloat16ToNumber(bits)).toBe(number);
  });
});

describe("tensors", () => {
  it("count elements", () => {
    expect([[], [3], [2, 3, 4], [2, 0]].map(sizeOf)).toEqual([1, 3, 24, 0]);
  });

  it("are made of numbers", () => {
    const data = Float32Array.of(1, 2);
    expect(floatTensor(data).data).toBe(data);
    expect(floatTensor([1, 2], [2, 1])).toEqual({ type: "float32", shape: [2, 1], data });
    expect(intTensor([-1, 2])).toEqual({ type: "int64", shape: [2], data: BigInt64Array.of(-1n, 2n) });
  });

  it("give their numbers", () => {
    expect(numbersOf({ type: "float16", shape: [1], data: Uint16Array.of(0x3c00) })).toEqual([1]);
    expect(numbersOf({ type: "bfloat16", shape: [1], data: Uint16Array.of(0x3f80) })).toEqual([1]);
    expect(numbersOf({ type: "uint64", shape: [1], data: BigUint64Array.of(7n) })).toEqual([7]);
    expect(numbersOf({ type: "bool", shape: [2], data: Uint8Array.of(1, 0) })).toEqual([1, 0]);
    expect(() => numbersOf({ type: "string", shape: [1], data: ["1"] })).toThrow(TypeError);
  });

  it("of real numbers are four types", () => {
    expect(dataTypes.filter(isFloating)).toEqual(["float32", "float16", "float64", "bfloat16"]);
  });

  it("have types in the order of ONNX's numbers", () => {
    // TensorProto.DataType: FLOAT = 1, INT64 = 7, STRING = 8, BFLOAT16 = 16, INT4 = 22.
    const names = [1, 7, 8, 16, 22].map((number) => dataTypes[number - 1]);
    expect(names).toEqual(["float32", "int64", "string", "bfloat16", "int4"]);
  });
});
