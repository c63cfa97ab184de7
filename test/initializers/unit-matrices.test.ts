import { expect, test } from "vitest";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import { forEachUnit, fromUnitMatrices, toUnitMatrices, unitMatrix } from "../../src/initializers/unit-matrices.js";

const counting = (count: number) => Float32Array.from({ length: count }, (_, index) => index);
const cases: [string, number[], WeightLayout][] = [
  ["[out, in]", [3, 5], { kind: "matrix", inputAxis: 1 }],
  ["[in, out]", [3, 5], { kind: "matrix", inputAxis: 0 }],
  ["grouped convolution", [6, 2, 3, 2], { kind: "convolution", groups: 3, transposed: false }],
  ["grouped transposed convolution", [6, 2, 3, 2], { kind: "convolution", groups: 3, transposed: true }],
];

test.each(cases)("%s goes to matrices and back", (_, shape, layout) => {
  const weight = counting(shape.reduce((product, size) => product * size));
  const matrices = toUnitMatrices(weight, shape, layout);
  expect([...matrices.values].sort((a, b) => a - b)).toEqual([...weight]);
  expect(fromUnitMatrices(matrices, shape, layout)).toEqual(weight);
  // Element by element, a unit is a row.
  const units = new Map<number, number>();
  forEachUnit(shape, layout, (element, unit) => units.set(element, unit));
  for (let place = 0; place < weight.length; place++) {
    expect(units.get(matrices.values[place])).toBe(Math.floor(place / matrices.cols));
  }
});

test("a row holds what one unit reads", () => {
  const [, shape, inOut] = cases[1];
  expect(toUnitMatrices(counting(15), shape, inOut).values.slice(0, 3)).toEqual(Float64Array.of(0, 5, 10));

  // Transposed, 3 groups of 2 inputs and 2 outputs: the second group's second output reads inputs 2 and 3.
  const [, kernels, transposed] = cases[3];
  const matrices = toUnitMatrices(counting(72), kernels, transposed);
  expect(matrices).toMatchObject({ groups: 3, rows: 2, cols: 12 });
  const at = (input: number, output: number) => (input * 2 + output) * 6;
  const row = [2, 3].flatMap((input) => [0, 1, 2, 3, 4, 5].map((position) => at(input, 1) + position));
  expect([...unitMatrix(matrices, 1).slice(12)]).toEqual(row);
});

test("refuses a weight of another size", () => {
  expect(() => toUnitMatrices(counting(14), [3, 5], { kind: "matrix", inputAxis: 1 })).toThrow("14 elements");
});
