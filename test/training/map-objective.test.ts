import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { noClass } from "../../src/data/label-maps.js";
import type { OutputMaps } from "../../src/recipe/network-outputs.js";
import { ConfusionCounts, segmentation } from "../../src/training/map-objective.js";

/** Three maps of 1×2. */
const dataset = (values: readonly number[], rows = [0, 1, 2]) =>
  ({
    maps: { shape: [1, 2], values: Uint8Array.from(values), rows: Uint32Array.from(rows), objects: false },
  }) as unknown as Dataset;

const labels = [0, 1, 2, noClass, 1, 1];
const scores = { first: { logits: "", scores: 3, positions: [1, 2], axis: 1 } satisfies OutputMaps };

test("targets are class numbers, and none where there is no class", () => {
  const objective = segmentation(dataset(labels, [2, 1, 0]), dataset(labels), scores.first);
  const targets = new Float32Array(4);
  objective.fill(targets, [1, 2]);
  expect([...targets]).toEqual([2, -1, 0, 1]);
});

test("confusions give accuracy, that of the classes, and intersection over union", () => {
  const counts = new ConfusionCounts(4);
  for (const [label, named, times] of [
    [0, 0, 6],
    [0, 1, 2],
    [1, 1, 3],
    [1, 3, 1],
  ])
    for (let time = 0; time < times; time++) counts.add(label, named);
  const { accuracy, balanced, meanIou } = counts.scores();
  expect(accuracy).toBeCloseTo(9 / 12, 12);
  expect(balanced).toBeCloseTo((6 / 8 + 3 / 4) / 2, 12);
  // Of class 1: named five times, of which three are right, of four.
  expect(meanIou).toBeCloseTo((6 / 8 + 3 / 6) / 2, 12);
});

/** What a judge makes of scores by class of each position, in batches of two samples and one, however they lie. */
function judged(byPosition: readonly (readonly number[])[], outputs: OutputMaps) {
  const judge = segmentation(dataset(labels), dataset(labels), outputs).judge();
  for (const [first, count] of [
    [0, 2],
    [2, 1],
  ]) {
    const data = Array.from({ length: count }, (_, sample) => {
      const own = byPosition.slice(2 * (first + sample), 2 * (first + sample) + 2);
      return outputs.axis === 1 ? own[0].flatMap((_, score) => own.map((position) => position[score])) : own.flat();
    }).flat();
    judge.add({ data: Float32Array.from(data), shape: [count, ...outputs.positions, outputs.scores] }, first);
  }
  return judge.measurement();
}

test("scores of maps are judged wherever their axis is, position by position", () => {
  const byPosition = [
    [2, 0, 1],
    [0, 1, 3],
    [0, 0, 1],
    [9, 9, 9],
    [0, 4, 0],
    [1, 2, -1],
  ];
  let loss = 0;
  for (const [place, label] of labels.entries())
    if (label !== noClass)
      loss += Math.log(byPosition[place].reduce((sum, z) => sum + Math.exp(z), 0)) - byPosition[place][label];
  const first = judged(byPosition, scores.first);
  expect(first.loss).toBeCloseTo(loss / 5, 6);
  expect(first.score).toBeCloseTo(4 / 5, 12);
  expect(first.balancedAccuracy).toBeCloseTo((1 + 2 / 3 + 1) / 3, 12);
  expect(first.meanIou).toBeCloseTo((1 + 2 / 3 + 1 / 2) / 3, 12);
  expect(judged(byPosition, { ...scores.first, axis: 3 })).toEqual(first);
});

test("a single score is that of the second of two classes", () => {
  const binary = [0, 1, 1, noClass, 0, 1];
  const of = (value: number) => (value === 1 ? 1 : -1);
  const outputs: OutputMaps = { logits: "", scores: 1, positions: [1, 2], axis: undefined };
  const judge = segmentation(dataset(binary), dataset(binary), outputs).judge();
  judge.add({ data: Float32Array.from(binary, (value) => 2 * of(value)), shape: [3, 1, 2] }, 0);
  const { score, meanIou, loss } = judge.measurement();
  expect([score, meanIou]).toEqual([1, 1]);
  expect(loss).toBeCloseTo(Math.log1p(Math.exp(-2)), 6);
});

test("scores that are not finite judge nothing", () => {
  const broken = judged(
    labels.map(() => [Number.NaN, 0, 1]),
    scores.first,
  );
  expect([broken.score, broken.loss]).toEqual([Number.NaN, Number.NaN]);
});
