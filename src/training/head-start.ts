/** What the head, the layer behind F, starts from where it is not drawn: nothing, or what a few labels say. */
import type { Dataset } from "../data/dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import { userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import { emptyUnitMatrices, fromUnitMatrices } from "../initializers/unit-matrices.js";
import type { Layer } from "../ops/network.js";
import { type FeatureExtractor, mainLayers } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { type EvaluateOptions, evaluate } from "./evaluate.js";
import { type SelfTrainOptions, selfTrain, selfTrainingGraphOf } from "./self-training.js";

/**
 * zero: the last layer's weights are zero. class-means: its outputs tell the classes by the nearest mean of features.
 * self-training: from there, F and head are trained on the labels and on the network's own confident guesses.
 */
export const headStarts = ["zero", "class-means", "self-training"] as const;

export type HeadStart = (typeof headStarts)[number];

/** Whether such a head is made from labelled samples. */
export function needsLabels(kind: HeadStart | undefined): boolean {
  return kind !== undefined && kind !== "zero";
}

/** The samples that a head is made from. */
export interface HeadSamples {
  /** Samples with class labels; needed for all heads but that of zeros. */
  readonly labelled: Dataset | undefined;
  /** What self-training guesses about. */
  readonly unlabelled: Dataset;
  /** Decides the order of the samples, and how they are changed, in self-training. */
  readonly seed: number;
}

/**
 * What the network starts from where the head is not drawn: the head's tensors alone, or F's as well where self-training
 * changes them. See {@link classMeansHead} and {@link selfTrain}.
 *
 * @param weights the network's parameters, F's as the head will meet them; not changed
 * @returns the tensors that get values
 * @throws UserError as {@link requireHeadStart} does; DivergedError where self-training does
 */
export async function headStart(
  kind: HeadStart,
  features: FeatureExtractor,
  weights: Weights,
  { labelled, unlabelled, seed }: HeadSamples,
  options: EvaluateOptions & SelfTrainOptions = {},
): Promise<Weights> {
  const layer = requireHeadStart(kind, features, labelled);
  if (kind === "zero" || !labelled) return zeroHead(layer);
  const head = await classMeansHead(layer, features, weights, labelled, options);
  if (kind === "class-means") return head;
  return selfTrain(features, new Map([...weights, ...head]), unlabelled, labelled, seed, options);
}

/** All classes are equally likely at first, and no noise of a random head reaches F with the first gradients. */
function zeroHead({ weight, bias }: Layer): Weights {
  return new Map((bias ? [weight, bias] : [weight]).map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))]));
}

/**
 * With mc the mean of the features f of class c, and m that of all, the score of c is
 * k · ((mc − m) · (f − m) − ‖mc − m‖² / 2), so that the largest score is that of the nearest mean (linear discriminant
 * analysis with one variance for all features, Fisher 1936); k gives the scores a standard deviation of one on the
 * samples, which is what a random head gives calibrated features. A class without samples keeps zeros.
 */
async function classMeansHead(
  { weight, bias }: Layer,
  features: FeatureExtractor,
  weights: Weights,
  labelled: Dataset,
  options: EvaluateOptions,
): Promise<Weights> {
  if (!weight.layout || !bias || !labelled.labels) throw new Error("a head from class means was not asked for first");
  const { labels } = labelled;
  const indices = knownLabels(labels);
  const { data } = await evaluate(features.network, features.feature, weights, labelled, indices, options);
  const units = sizeOf(bias.shape);
  const width = sizeOf(weight.shape) / units;
  const known = Array.from(indices, (index) => labels[index]);
  const scores = nearestMeanScores(data, width, known, classesOf(units));
  const rows = units === 1 ? [difference(scores[1], scores[0])] : scores;
  const factor = 1 / (deviationOfScores(data, width, rows) || 1);
  const matrices = emptyUnitMatrices(weight.shape, weight.layout);
  const biases = new Float32Array(units);
  rows.forEach(({ slope, offset }, unit) => {
    biases[unit] = factor * offset;
    slope.forEach((value, input) => {
      matrices.values[unit * width + input] = factor * value;
    });
  });
  return new Map([
    [weight.name, fromUnitMatrices(matrices, weight.shape, weight.layout)],
    [bias.name, biases],
  ]);
}

/**
 * The layer that {@link headStart} gives values, after a look at whether it can.
 *
 * @throws UserError where the network's head is not such a layer, or the labels do not fit
 */
export function requireHeadStart(kind: HeadStart, features: FeatureExtractor, labelled: Dataset | undefined): Layer {
  const { network, feature, parameters } = features;
  if (!headStarts.includes(kind))
    throw userError({
      where: "head",
      required: `one of ${headStarts.join(", ")}`,
      got: `"${kind}"`,
      advice: "Correct the setting.",
    });
  const inF = new Set(parameters.map(({ name }) => name));
  const layer = mainLayers(network).findLast(({ weight }) => !inF.has(weight.name));
  if (!layer)
    throw userError({
      where: `${network.where}: head`,
      required: "a layer with weights behind the features, to give it start values",
      got: `none behind "${feature}"`,
      advice: "Name an earlier tensor with --features, or leave the head to your framework.",
    });
  if (kind === "zero") return layer;
  const { weight, bias, node } = layer;
  const others = network.parameters.size - parameters.length - (bias ? 2 : 1);
  if (weight.layout?.kind !== "matrix" || !bias || others > 0 || !node.inputs.includes(feature))
    throw userError({
      where: `${network.where}: head`,
      required: `one dense layer with a bias that reads the features "${feature}", for a start from labels`,
      got: `${features.head.join(", ") || "nothing"}${bias ? "" : ", without a bias"}${others > 0 ? `, and ${others} more tensors behind it` : ""}`,
      advice: "Take a head of zeros, or name what the last layer reads with --features.",
    });
  const indices = knownLabels(labelled?.labels);
  if (!labelled?.labels || indices.length === 0)
    throw userError({
      where: labelled?.where ?? "labels",
      required: `samples with class labels, for the head ${kind}`,
      got: labelled?.targets ? "numbers to predict" : "none",
      advice: "Give labelled samples, or take a head of zeros.",
    });
  const { labels } = labelled;
  const classes = classesOf(sizeOf(bias.shape));
  const largest = indices.reduce((most, index) => Math.max(most, labels[index]), 0);
  if (largest >= classes)
    throw userError({
      where: labelled.where,
      required: `at most ${classes} classes, as many as the model's last layer tells apart`,
      got: `${largest + 1}`,
      advice: "Give the labels that the model is made for.",
    });
  // Complains of what it cannot differentiate.
  if (kind === "self-training") selfTrainingGraphOf(features);
  return layer;
}

/** One output stands for two classes: its sign tells them apart. */
function classesOf(units: number): number {
  return Math.max(2, units);
}

/** A linear function of the features. */
interface LinearScore {
  readonly slope: Float64Array;
  readonly offset: number;
}

/** For each class its score before scaling, see {@link headStart}. */
function nearestMeanScores(
  data: Float32Array,
  width: number,
  labels: readonly number[],
  classes: number,
): LinearScore[] {
  const counts = new Float64Array(classes);
  const means = Array.from({ length: classes }, () => new Float64Array(width));
  const whole = new Float64Array(width);
  labels.forEach((label, row) => {
    counts[label]++;
    for (let column = 0; column < width; column++) means[label][column] += data[row * width + column];
  });
  for (let column = 0; column < width; column++)
    whole[column] = means.reduce((sum, mean) => sum + mean[column], 0) / labels.length;
  return means.map((sums, label) => {
    if (counts[label] === 0) return { slope: new Float64Array(width), offset: 0 };
    const slope = sums.map((sum, column) => sum / counts[label] - whole[column]);
    return {
      slope,
      offset: -slope.reduce((sum, value, column) => sum + value * (whole[column] + value / 2), 0),
    };
  });
}

function difference(a: LinearScore, b: LinearScore): LinearScore {
  return { slope: a.slope.map((value, column) => value - b.slope[column]), offset: a.offset - b.offset };
}

/** Standard deviation of all scores of all samples. */
function deviationOfScores(data: Float32Array, width: number, scores: readonly LinearScore[]): number {
  let [sum, squares, count] = [0, 0, 0];
  for (let row = 0; row < data.length / width; row++)
    for (const { slope, offset } of scores) {
      let score = offset;
      for (let column = 0; column < width; column++) score += slope[column] * data[row * width + column];
      sum += score;
      squares += score ** 2;
      count++;
    }
  return Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
}
