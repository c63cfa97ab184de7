import { expect, test } from "vitest";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import {
  drawDeltaOrthogonal,
  drawNormal,
  drawOrthogonal,
  drawTruncatedNormal,
  drawUniform,
  TRUNCATED_DEVIATION,
} from "../../src/initializers/distributions.js";
import { toUnitMatrices, unitMatrix } from "../../src/initializers/unit-matrices.js";
import { RandomStream } from "../../src/random/stream.js";

const stream = () => new RandomStream(7, "test/distributions");
const count = 100_000;

function moments(values: Float32Array): { mean: number; deviation: number; kurtosis: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const moment = (power: number) => values.reduce((sum, value) => sum + (value - mean) ** power, 0) / values.length;
  return { mean, deviation: Math.sqrt(moment(2)), kurtosis: moment(4) / moment(2) ** 2 };
}

// Five standard errors of each moment; the kurtosis tells the three shapes apart.
test.each([
  ["normal", drawNormal([count], 0.5, stream()), 0.5, 3],
  ["uniform", drawUniform([count], 0.5, stream()), 0.5 / Math.sqrt(3), 1.8],
  ["truncated", drawTruncatedNormal([count], 0.5, stream()), 0.5 * TRUNCATED_DEVIATION, 2.3655],
])("moments of %s", (_, values, deviation, kurtosis) => {
  const found = moments(values);
  expect(Math.abs(found.mean)).toBeLessThan((5 * deviation) / Math.sqrt(count));
  expect(Math.abs(found.deviation / deviation - 1)).toBeLessThan(5 / Math.sqrt(2 * count));
  expect(Math.abs(found.kurtosis - kurtosis)).toBeLessThan(0.08);
});

test("uniform and truncated stay in their bounds and use them", () => {
  const uniform = drawUniform([count], 0.25, stream()).map(Math.abs);
  const truncated = drawTruncatedNormal([count], 0.25, stream()).map(Math.abs);
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, value));
  expect(largest(uniform)).toBeLessThanOrEqual(0.25);
  expect(largest(uniform)).toBeGreaterThan(0.2499);
  expect(largest(truncated)).toBeLessThanOrEqual(0.5);
  expect(largest(truncated)).toBeGreaterThan(0.499);
});

test.each<[string, number[], WeightLayout]>([
  ["wide matrix", [12, 40], { kind: "matrix", inputAxis: 1 }],
  ["tall matrix", [40, 12], { kind: "matrix", inputAxis: 1 }],
  ["[in, out]", [40, 12], { kind: "matrix", inputAxis: 0 }],
  ["grouped convolution", [8, 3, 3, 3], { kind: "convolution", groups: 2, transposed: false }],
  ["transposed convolution", [4, 6, 2, 2], { kind: "convolution", groups: 2, transposed: true }],
])("orthogonal: %s", (_, shape, layout) => {
  const matrices = toUnitMatrices(drawOrthogonal(shape, layout, 2, stream()), shape, layout);
  const { groups, rows, cols } = matrices;
  for (let group = 0; group < groups; group++) {
    const matrix = unitMatrix(matrices, group);
    const few = Math.min(rows, cols);
    const element = (line: number, place: number) =>
      rows <= cols ? matrix[line * cols + place] : matrix[place * cols + line];
    for (let first = 0; first < few; first++) {
      for (let second = 0; second < few; second++) {
        let product = 0;
        for (let place = 0; place < Math.max(rows, cols); place++)
          product += element(first, place) * element(second, place);
        expect(product).toBeCloseTo(first === second ? 4 : 0, 5);
      }
    }
  }
});

test("orthogonal has no favoured sign or direction", () => {
  const drawing = stream();
  let diagonal = 0;
  let determinants = 0;
  for (let draw = 0; draw < 2000; draw++) {
    const [a, b, c, d] = drawOrthogonal([2, 2], { kind: "matrix", inputAxis: 1 }, 1, drawing);
    diagonal += a / 2000;
    determinants += (a * d - b * c) / 2000;
  }
  expect(Math.abs(diagonal)).toBeLessThan((5 * Math.SQRT1_2) / Math.sqrt(2000));
  expect(Math.abs(determinants)).toBeLessThan(5 / Math.sqrt(2000));
});

test("delta-orthogonal keeps the length of a signal through a circular convolution", () => {
  const [outputs, inputs, size, length] = [6, 4, 3, 10];
  const layout: WeightLayout = { kind: "convolution", groups: 1, transposed: false };
  const weight = drawDeltaOrthogonal([outputs, inputs, size], layout, 1, stream());
  const signal = drawNormal([inputs, length], 1, stream());
  const result = new Float64Array(outputs * length);
  for (let output = 0; output < outputs; output++) {
    for (let at = 0; at < length; at++) {
      for (let input = 0; input < inputs; input++) {
        for (let tap = 0; tap < size; tap++) {
          const from = (at + tap - 1 + length) % length;
          result[output * length + at] +=
            weight[(output * inputs + input) * size + tap] * signal[input * length + from];
        }
      }
    }
  }
  const energy = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value * value, 0);
  expect(energy(result)).toBeCloseTo(energy(signal), 4);
});

test("delta-orthogonal is zero but at the centre, per group", () => {
  const weight = drawDeltaOrthogonal([4, 2, 3, 4], { kind: "convolution", groups: 2, transposed: false }, 1, stream());
  const used = [...weight.keys()].filter((place) => weight[place] !== 0).map((place) => place % 12);
  expect(used).toEqual(new Array(8).fill(1 * 4 + 1));
});
