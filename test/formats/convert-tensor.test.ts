import { describe, expect, it } from "vitest";
import { convertTensor } from "../../src/formats/convert-tensor.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";

describe("convertTensor", () => {
  const tensor = floatTensor([0, -1.5, 65504, 1e-7, Number.POSITIVE_INFINITY, 1 / 3], [2, 3]);

  it("rounds to the type's own numbers", () => {
    expect(numbersOf(convertTensor(tensor, "float16"))).toEqual([
      0,
      -1.5,
      65504,
      2 ** -23,
      Number.POSITIVE_INFINITY,
      0.333251953125,
    ]);
    expect(numbersOf(convertTensor(tensor, "bfloat16"))).toEqual([
      0,
      -1.5,
      65536,
      1.0011717677116394e-7,
      Number.POSITIVE_INFINITY,
      0.333984375,
    ]);
    expect(numbersOf(convertTensor(tensor, "float64"))).toEqual(Array.from(tensor.data));
    expect(convertTensor(tensor, "float32")).toBe(tensor);
  });

  it("keeps the shape", () => {
    for (const type of ["float16", "bfloat16", "float64"] as const)
      expect(convertTensor(tensor, type)).toMatchObject({ type, shape: [2, 3] });
  });

  it("has no other types", () => {
    expect(() => convertTensor(tensor, "int8")).toThrow(/int8/);
  });
});
