/** What samples are labelled with: classes, numbers to predict, or maps of classes. */
import type { Hash } from "node:crypto";
import { userError } from "../errors.js";
import {
  classesOfArray,
  type KnownClasses,
  knownClassNames,
  noNumberOfName,
  numberByKnown,
  numberNamedClasses,
} from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { areMaps, type LabelMaps, mapOf, mapsOfArray, pickMaps } from "./label-maps.js";
import { labelsOption } from "./labels-option.js";
import { classesOfOneHot } from "./one-hot-labels.js";
import { hashArray, type RawArray } from "./sample-array.js";

/** Numbers to predict, one or several a sample, in the data's own units. */
export interface Targets {
  /** What the numbers are: the names of their columns. */
  readonly names: readonly string[];
  /** [samples, names], row-major. */
  readonly values: Float64Array;
}

/** Labels as a data set has them; both where whole numbers may be meant either way, see {@link OpenOptions.task}. */
export interface SampleLabels {
  readonly labels?: Int32Array;
  readonly classNames?: readonly string[];
  readonly targets?: Targets;
  readonly maps?: LabelMaps;
}

/** {@link SampleLabels} of which some may be undefined. */
type AnyLabels = { readonly [Key in keyof SampleLabels]?: SampleLabels[Key] | undefined };

/**
 * The labels in an array: [N] or [N, 1] as classes or as numbers, [N, k] as k numbers a sample, or as classes where every
 * row is a one-hot code; for segmentation, or where they can be nothing else, maps, see {@link mapsOfArray}.
 *
 * @param of samples that the data has
 * @throws UserError if the array has another length, or holds what the task cannot use
 */
export function labelsOfArray(
  { array, where }: { readonly array: RawArray; readonly where: string },
  of: number,
  { task, ...known }: Pick<OpenOptions, "task"> & KnownClasses,
): SampleLabels {
  if (task === "none") return {};
  if (task === "segmentation" || (task === undefined && areMaps(array)))
    return mapsOfArray({ array, where }, of, known);
  const { dims, data } = array;
  if (dims.length === 0 || dims[0] !== of) {
    throw userError({
      where,
      required: `one label for each of ${of} samples`,
      got: `an array of the shape [${dims.join(", ")}]`,
      advice: `Give labels in the order of the samples, or name the file that belongs to them (${labelsOption})`,
    });
  }
  const width = dims.slice(1).reduce((product, length) => product * length, 1);
  const numbers = (): SampleLabels => {
    const names = width === 1 ? ["label"] : Array.from({ length: width }, (_, index) => `label ${index + 1}`);
    return { targets: { names, values: finite(Float64Array.from(data), width, where) } };
  };
  if (task === "regression") return numbers();
  const oneHot = classesOfOneHot(array, known, where);
  if (oneHot !== undefined) return oneHot;
  const whole = data.every((value) => Number.isInteger(value));
  const asClasses = task === "classification" || (width === 1 && whole);
  if (!asClasses) return numbers();
  const classes = classesOfArray(array, known, where);
  return task === "classification" ? classes : { ...classes, ...numbers() };
}

/** @throws UserError naming the first sample whose number is NaN or infinite */
function finite(values: Float64Array, width: number, where: string): Float64Array {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return values;
  throw userError({
    where,
    required: "finite numbers as labels",
    got: `${values[bad]} for sample ${Math.floor(bad / width)}`,
    advice: "Correct it, or leave the sample out",
  });
}

/**
 * The labels in texts, such as the names of class folders: classes, and numbers where all of them are numbers.
 *
 * @param texts undefined for samples without a label
 * @param found all classes of the data, of samples that are left out too, so that numbers do not depend on these
 * @param knownNames what the classes are called where the data says so; then the texts are their numbers
 * @param placeOf where a sample is, for messages
 * @throws UserError where numbers are asked for and a text is none, or where a text is no number of a known name
 */
export function labelsOfTexts(
  texts: readonly (string | undefined)[],
  found: ReadonlySet<string>,
  knownNames: readonly string[] | undefined,
  where: string,
  { task, ...known }: Pick<OpenOptions, "task"> & KnownClasses,
  placeOf: (index: number) => string = (index) => `${where}, sample ${index + 1}`,
): SampleLabels {
  if (task === "none" || task === "segmentation") return {};
  const without = texts.indexOf(undefined);
  const isNumber = (text: string): boolean => text.trim() !== "" && Number.isFinite(Number(text));
  const odd = [...found].find((text) => !isNumber(text));
  const asNumbers =
    task === "regression" || (task === undefined && odd === undefined && without < 0 && knownNames === undefined);
  if (task === "regression" && odd !== undefined) {
    throw userError({
      where,
      required: "numbers as labels, to predict them",
      got: `"${odd}"`,
      advice: `Name another column (${labelsOption}), or take a network for classes`,
    });
  }
  if (task === "regression" && without >= 0) {
    throw userError({
      where: placeOf(without),
      required: "a number as label, to predict it",
      got: "none",
      advice: "Give it one, or leave the sample out",
    });
  }
  const targets = asNumbers
    ? { targets: { names: ["label"], values: Float64Array.from(texts, (text) => Number(text)) } }
    : {};
  const fractions = [...found].some((text) => isNumber(text) && !Number.isInteger(Number(text)));
  if (task === "regression" || (asNumbers && fractions)) return targets;
  const { numberOf, classNames } =
    knownNames === undefined
      ? numberByKnown(found, known, where)
      : numberNamedClasses(found, knownNames, knownClassNames(known), where);
  const labels = Int32Array.from(texts, (text, index) => {
    const number = text === undefined ? -1 : numberOf.get(text);
    if (number !== undefined) return number;
    throw noNumberOfName(text!, knownNames ?? [], placeOf(index));
  });
  return { labels, classNames, ...targets };
}

/** Labels of some samples only. */
export function pickLabels({ labels, classNames, targets, maps }: AnyLabels, kept: ArrayLike<number>): SampleLabels {
  return {
    ...(labels === undefined ? {} : { labels: Int32Array.from(kept, (index) => labels[index]) }),
    ...(classNames === undefined ? {} : { classNames }),
    ...(targets === undefined ? {} : { targets: { names: targets.names, values: pickRows(targets, kept) } }),
    ...(maps === undefined ? {} : { maps: pickMaps(maps, kept) }),
  };
}

/** Makes labels, where there are any, a part of a data set's hash. */
export function hashLabels(hash: Hash, { labels, targets, maps }: AnyLabels): void {
  const hashed = labels ?? targets?.values;
  if (hashed !== undefined) hashArray(hash, hashed);
  for (let sample = 0; sample < (maps?.rows.length ?? 0); sample++) hash.update(mapOf(maps!, sample));
}

function pickRows({ names, values }: Targets, kept: ArrayLike<number>): Float64Array {
  const width = names.length;
  const picked = new Float64Array(kept.length * width);
  for (let place = 0; place < kept.length; place++)
    picked.set(values.subarray(kept[place] * width, (kept[place] + 1) * width), place * width);
  return picked;
}

/** Whether labels that may be meant either way are so many different numbers (over 20, and over a tenth) that they are hardly classes. */
export function areHardlyClasses({ labels, targets }: SampleLabels): boolean {
  if (!labels || !targets) return false;
  const values = new Set(labels).size - (labels.includes(-1) ? 1 : 0);
  return values > Math.max(20, labels.length / 10);
}

/** The samples whose class is known: those with a label from 0 on. */
export function knownLabels(labels: Int32Array = new Int32Array()): Uint32Array {
  return Uint32Array.from(labels.keys()).filter((index) => labels[index] >= 0);
}
