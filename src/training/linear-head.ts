/** A dense layer that scores classes by linear functions of the features. */
import { sizeOf } from "../graph/tensor.js";
import { emptyUnitMatrices, fromUnitMatrices } from "../initializers/unit-matrices.js";
import type { Layer } from "../ops/network.js";
import type { Weights } from "../recipe/initial-values.js";
import type { LabelledPoints } from "./labelled-features.js";

/** A linear function of the features. */
export interface LinearScore {
  readonly slope: Float64Array;
  readonly offset: number;
}

/** What a dense layer with a bias consists of: units, and the features that each reads. */
export function sizeOfHead({ weight, bias }: Layer): { units: number; width: number } {
  if (!bias) throw new Error("the head has no bias");
  const units = sizeOf(bias.shape);
  return { units, width: sizeOf(weight.shape) / units };
}

/** One output stands for two classes: its sign tells them apart. */
export function classesOf(units: number): number {
  return Math.max(2, units);
}

/** What the units compute where each class has a score. */
export function scoresOfUnits(classes: readonly LinearScore[], units: number): readonly LinearScore[] {
  if (units > 1) return classes;
  const [no, yes] = classes;
  return [{ slope: difference(yes.slope, no.slope), offset: yes.offset - no.offset }];
}

/** a − b, element by element; both of one length. */
export function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, column) => value - b[column]);
}

/** All scores times a factor. */
export function scaledScores(scores: readonly LinearScore[], factor: number): readonly LinearScore[] {
  return scores.map(({ slope, offset }) => ({ slope: slope.map((value) => factor * value), offset: factor * offset }));
}

/** The layer's tensors whose units compute these scores. */
export function linearHead({ weight, bias }: Layer, scores: readonly LinearScore[]): Weights {
  if (!weight.layout || !bias) throw new Error("the head is no dense layer with a bias");
  const matrices = emptyUnitMatrices(weight.shape, weight.layout);
  scores.forEach(({ slope }, unit) => {
    matrices.values.set(slope, unit * slope.length);
  });
  return new Map([
    [weight.name, fromUnitMatrices(matrices, weight.shape, weight.layout)],
    [bias.name, Float32Array.from(scores, ({ offset }) => offset)],
  ]);
}

/** The scores of samples: [samples, scores], row-major. */
export function scoresOf({ points, labels }: LabelledPoints, scores: readonly LinearScore[]): Float64Array {
  const width = points.length / labels.length;
  const result = new Float64Array(labels.length * scores.length);
  for (let row = 0; row < labels.length; row++)
    scores.forEach(({ slope, offset }, unit) => {
      let score = offset;
      for (let column = 0; column < width; column++) score += slope[column] * points[row * width + column];
      result[row * scores.length + unit] = score;
    });
  return result;
}
