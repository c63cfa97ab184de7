import { expect, test } from "vitest";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import { fans } from "../../src/initializers/fans.js";

const convolution = (groups: number, transposed = false): WeightLayout => ({ kind: "convolution", groups, transposed });

test.each<[string, number[], WeightLayout, number, number]>([
  ["[out, in] of Gemm with transB", [10, 784], { kind: "matrix", inputAxis: 1 }, 784, 10],
  ["[in, out] of MatMul", [784, 10], { kind: "matrix", inputAxis: 0 }, 784, 10],
  ["2-D convolution", [64, 32, 3, 5], convolution(1), 32 * 15, 64 * 15],
  ["1-D convolution", [8, 2, 7], convolution(1), 14, 56],
  ["grouped convolution", [64, 8, 3, 3], convolution(4), 72, 16 * 9],
  ["depthwise convolution", [32, 1, 3, 3], convolution(32), 9, 9],
  ["transposed convolution", [64, 32, 4, 4], convolution(1, true), 64 * 16, 32 * 16],
  ["grouped transposed convolution", [64, 8, 4, 4], convolution(2, true), 32 * 16, 8 * 16],
])("%s", (_, shape, layout, fanIn, fanOut) => {
  expect(fans(shape, layout)).toEqual({ fanIn, fanOut });
});

test("refuses a shape that cannot have the layout", () => {
  expect(() => fans([3, 4, 5], { kind: "matrix", inputAxis: 1 })).toThrow("2 axes");
  expect(() => fans([3, 4], convolution(1))).toThrow("shape [3, 4]");
  expect(() => fans([10, 4, 3], convolution(3))).toThrow("3 groups");
});
