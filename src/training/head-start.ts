/** What the head, the layer behind F, starts from where it is not drawn: nothing, or what a few labels say. */
import { counted } from "../counted.js";
import { shorten, wholeNumber } from "../data/classes.js";
import type { Dataset } from "../data/dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import { userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { Layer } from "../ops/network.js";
import { type FeatureExtractor, mainLayers } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { classMeansScores, withUnitDeviation } from "./class-means.js";
import type { EvaluateOptions } from "./evaluate.js";
import { LabelledFeatures } from "./labelled-features.js";
import {
  type DiscriminantAccount,
  discriminantScores,
  mostDiscriminantFeatures,
  requireWidth,
} from "./linear-discriminant.js";
import { classesOf, linearHead, scoresOfUnits, sizeOfHead } from "./linear-head.js";
import { type SelfTrainOptions, selfTrain, selfTrainingGraphOf } from "./self-training.js";

/**
 * zero: the last layer's weights are zero. class-means: its outputs tell the classes by the nearest mean of features.
 * linear-discriminant: by means and covariance of features, as probabilities. self-training: from there, F and head are
 * trained on the labels and on the network's own confident guesses.
 */
export const headStarts = ["zero", "class-means", "linear-discriminant", "self-training"] as const;

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
  /** Decides which samples are held out, and the order of samples in self-training and how they are changed. */
  readonly seed: number;
}

export interface HeadStartOptions extends EvaluateOptions, SelfTrainOptions {
  /** Told what was chosen for a head by linear discriminant, and how well that tells held-out samples. */
  readonly onDiscriminant?: (account: DiscriminantAccount) => void;
}

/**
 * What the network starts from where the head is not drawn: the head's tensors alone, or F's as well where self-training
 * changes them. See {@link classMeansScores}, {@link discriminantScores} and {@link selfTrain}.
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
  options: HeadStartOptions = {},
): Promise<Weights> {
  const layer = requireHeadStart(kind, features, labelled);
  if (kind === "zero" || !labelled) return zeroHead(layer);
  const first = kind === "self-training" ? selfTrainingHead(layer) : kind;
  const head = await headFromLabels(first, layer, features, weights, labelled, seed, options);
  if (kind !== "self-training") return head;
  return selfTrain(features, new Map([...weights, ...head]), unlabelled, labelled, seed, options);
}

/** All classes are equally likely at first, and no noise of a random head reaches F with the first gradients. */
function zeroHead({ weight, bias }: Layer): Weights {
  return new Map((bias ? [weight, bias] : [weight]).map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))]));
}

/** What self-training begins with: the discriminant's probabilities say better what is sure, where features allow them. */
function selfTrainingHead(layer: Layer): "class-means" | "linear-discriminant" {
  return sizeOfHead(layer).width <= mostDiscriminantFeatures ? "linear-discriminant" : "class-means";
}

/** A dense head whose scores tell the classes of labelled samples, by their means or by their covariance too. */
async function headFromLabels(
  kind: "class-means" | "linear-discriminant",
  layer: Layer,
  features: FeatureExtractor,
  weights: Weights,
  labelled: Dataset,
  seed: number,
  options: HeadStartOptions,
): Promise<Weights> {
  const { units, width } = sizeOfHead(layer);
  const classes = classesOf(units);
  const read = await LabelledFeatures.open(features, weights, labelled, width, options);
  try {
    if (kind === "linear-discriminant") {
      const { scores, account } = await discriminantScores(read, classes, seed, options);
      options.onDiscriminant?.(account);
      return linearHead(layer, scoresOfUnits(scores, units));
    }
    const scores = scoresOfUnits(await classMeansScores(read, classes), units);
    return linearHead(layer, await withUnitDeviation(read, scores));
  } finally {
    await read.release();
  }
}

/**
 * The layer that {@link headStart} gives values, after a look at whether it can.
 *
 * @throws UserError where the network's head is not such a layer, or the labels do not fit
 */
export function requireHeadStart(kind: HeadStart, features: FeatureExtractor, labelled: Dataset | undefined): Layer {
  const layer = requireHeadLayer(kind, features);
  if (!needsLabels(kind)) return layer;
  const indices = knownLabels(labelled?.labels);
  if (!labelled?.labels || indices.length === 0)
    throw userError({
      where: labelled?.where ?? "labels",
      required: `samples with class labels, for the head ${kind}`,
      got: labelled?.targets ? "numbers to predict" : "none",
      advice: "Give labelled samples (--labelled), or name what holds the labels (--labels), or take --head zero.",
    });
  const { labels } = labelled;
  const classes = classesOfHead(layer);
  const largest = indices.reduce((most, index) => Math.max(most, labels[index]), 0);
  if (largest >= classes)
    throw userError({
      where: labelled.where,
      required: `at most ${counted(classes, "class", "classes")}, as many as the model's last layer tells apart`,
      got: `${largest + 1}`,
      advice: "Give the labels that the model is made for.",
    });
  return layer;
}

/**
 * The layer that {@link headStart} gives values, as far as the network alone tells whether it can.
 *
 * @throws UserError where the network's head is not such a layer
 */
export function requireHeadLayer(kind: HeadStart, features: FeatureExtractor): Layer {
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
  if (!needsLabels(kind)) return layer;
  const { weight, bias, node } = layer;
  const others = network.parameters.size - parameters.length - (bias ? 2 : 1);
  if (weight.layout?.kind !== "matrix" || !bias || others > 0 || !node.inputs.includes(feature))
    throw userError({
      where: `${network.where}: head`,
      required: `one dense layer with a bias that reads the features "${feature}", for a start from labels`,
      got: `${features.head.join(", ") || "nothing"}${bias ? "" : ", without a bias"}${others > 0 ? `, and ${counted(others, "more tensor")} behind it` : ""}`,
      advice: "Take a head of zeros, or name what the last layer reads with --features.",
    });
  if (kind === "linear-discriminant") requireWidth(sizeOfHead(layer).width);
  // Complains of what it cannot differentiate.
  if (kind === "self-training") selfTrainingGraphOf(features);
  return layer;
}

/** How many classes a head's layer tells apart. */
export function classesOfHead(layer: Layer): number {
  return classesOf(sizeOfHead(layer).units);
}

/**
 * The samples with the numbers of the head's outputs as labels. They are the data's own class numbers, but for whole
 * numbers of fewer classes than outputs: such a class is the output of its number.
 *
 * @param layer from {@link requireHeadStart}, which has looked at the labels
 * @throws UserError where all samples are of one class, or where there are fewer classes than outputs and nothing tells
 *   which output a class is
 */
export function labelledByOutput(layer: Layer, labelled: Dataset): Dataset {
  const { labels, classNames, where } = labelled;
  const outputs = classesOfHead(layer);
  const [first, second] = new Set(labels?.filter((label) => label >= 0));
  if (first !== undefined && second === undefined)
    throw userError({
      where,
      required: "samples of two classes at least, for a head that tells them apart",
      got: `only samples of the class ${nameOfClass(labelled, first)}`,
      advice: "Give labelled samples of every class (--labelled), or take --head zero.",
    });
  if (!labels || !classNames || classNames.length >= outputs) return labelled;
  const numbers = classNames.map(wholeNumber);
  if (!numbers.every((number) => number !== undefined && number >= 0 && number < outputs))
    throw userError({
      where,
      required: `labels of all ${outputs} classes that the model's last layer tells apart, as their order is that of its outputs`,
      got: `${classNames.length}: ${shorten(classNames)}`,
      advice: `Name all classes in the order of the outputs with --class-names, give samples of the others too, or take as labels the numbers of the outputs, from 0 to ${outputs - 1}.`,
    });
  return {
    ...labelled,
    labels: labels.map((label) => (label < 0 ? label : numbers[label]!)),
    classNames: Array.from({ length: outputs }, (_, output) => String(output)),
    read: (indices, target) => labelled.read(indices, target),
  };
}

/** Says which class each output stands for, and which outputs have no samples to start from. */
export function outputsNote(layer: Layer, labelled: Dataset): string {
  const { units } = sizeOfHead(layer);
  if (units === 1)
    return `the head's output is negative for ${nameOfClass(labelled, 0)}, positive for ${nameOfClass(labelled, 1)}`;
  const there = new Set(labelled.labels);
  const outputs = Array.from({ length: units }, (_, output) => output);
  const named = outputs
    .filter((output) => there.has(output))
    .map((output) => `output ${output} = ${nameOfClass(labelled, output)}`);
  const missing = outputs.filter((output) => !there.has(output)).map(String);
  return `the head's classes: ${shorten(named, 12)}${missing.length === 0 ? "" : `; no labelled samples for output ${shorten(missing)}`}`;
}

function nameOfClass({ classNames }: Dataset, number: number): string {
  return classNames?.[number] ?? String(number);
}
