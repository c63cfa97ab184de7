import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { classification, type Objective, regression, scalingOf, variancesOf } from "../../src/training/objective.js";

/** In two batches, as a network's outputs come. */
function measured(objective: Objective, { data, shape: [samples, width] }: { data: Float32Array; shape: number[] }) {
  const judge = objective.judge();
  judge.add({ data: data.slice(0, width), shape: [1, width] }, 0);
  judge.add({ data: data.slice(width), shape: [samples - 1, width] }, 1);
  return judge.measurement();
}

const labelled = (labels: Pick<Dataset, "labels" | "targets">) => labels as Dataset;
const numbers = (width: number, ...values: number[]) => ({
  names: Array.from({ length: width }, (_, index) => `n${index}`),
  values: Float64Array.from(values),
});

test("numbers are scaled for training, and judged in their own units", () => {
  const targets = numbers(2, 1, 100, 3, 300, 5, 200);
  const test = numbers(2, 2, 100, 4, 300);
  const scaling = scalingOf(targets, true);
  expect(scaling.mean).toEqual([3, 200]);
  scaling.deviation.forEach((deviation, column) => {
    expect(deviation).toBeCloseTo([Math.sqrt(8 / 3), Math.sqrt(20000 / 3)][column], 12);
  });
  const objective = regression(labelled({ targets }), labelled({ targets: test }), scaling);
  const filled = new Float32Array(4);
  objective.fill(filled, [2, 0]);
  const expected = [2 / Math.sqrt(8 / 3), 0, -2 / Math.sqrt(8 / 3), -100 / Math.sqrt(20000 / 3)];
  expected.forEach((value, place) => {
    expect(filled[place]).toBeCloseTo(value, 6);
  });
  // Predictions of 3 and 200 for all: errors 1 and 100, R² 1 − 1/1 and 1 − 10,000/10,000.
  const constant = measured(objective, { data: new Float32Array(4), shape: [2, 2] });
  expect(constant.rmse).toEqual([1, 100]);
  expect(constant.score).toBeCloseTo(0, 12);
  expect(constant.loss).toBeCloseTo((1 / (8 / 3) + 10000 / (20000 / 3)) / 2, 12);
  // Half of the way to the first number's values, all of the way to the second's: R² 0.75 and 1.
  const [a, b] = scaling.deviation;
  const better = measured(objective, { data: Float32Array.of(-0.5 / a, -100 / b, 0.5 / a, 100 / b), shape: [2, 2] });
  expect(better.score).toBeCloseTo(0.875, 6);
  expect(better.rmse?.[0]).toBeCloseTo(0.5, 5);
  expect(better.rmse?.[1]).toBeCloseTo(0, 4);
});

test("numbers may be left as they are, and equal ones are not divided by nothing", () => {
  const targets = numbers(1, 7, 7);
  expect(scalingOf(targets, false)).toEqual({ mean: [0], deviation: [1] });
  expect(scalingOf(targets, true)).toEqual({ mean: [7], deviation: [1] });
  expect(variancesOf(targets)).toEqual([0]);
});

test("a single output is judged as two classes", () => {
  const labels = Int32Array.of(0, 1, 1);
  const objective = classification(labelled({ labels }), labelled({ labels }), 2);
  const filled = new Float32Array(4).fill(9);
  objective.fill(filled, [1, 0]);
  expect([...filled]).toEqual([0, 1, 1, 0]);
  const { score, balancedAccuracy, loss } = measured(objective, { data: Float32Array.of(-1, 2, -3), shape: [3, 1] });
  expect(score).toBeCloseTo(2 / 3, 12);
  expect(balancedAccuracy).toBeCloseTo((1 + 1 / 2) / 2, 12);
  const softplus = (value: number): number => Math.log1p(Math.exp(value));
  expect(loss).toBeCloseTo((softplus(-1) + softplus(-2) + softplus(3)) / 3, 12);
});
