/**
 * What every source of samples looks like to the rest of headstart: samples are asked for by index and are delivered
 * as float32, normalised, in the model's own shape.
 */

import type { ShuffleBlocks } from "./batches.js";
import type { ColumnChoice } from "./column-profile.js";
import type { LabelMaps } from "./label-maps.js";
import type { Targets } from "./sample-labels.js";

/** What the samples are, which decides the default discriminator and which corruptions make sense. */
export type DatasetKind = "images" | "signals" | "table" | "vectors" | "arrays";

/** The order of a picture's axes: channels first (PyTorch) or channels last (Keras). */
export type PictureLayout = "NCHW" | "NHWC";

/** Samples that can be read by index. */
export interface Dataset {
  /** The path as the user gave it; it begins every error message. */
  readonly where: string;
  readonly kind: DatasetKind;
  /** How many samples there are. */
  readonly count: number;
  /** Shape of one sample as delivered, without the batch axis: [C, H, W], [H, W, C], [C, L], [features], ... */
  readonly shape: readonly number[];
  /** The class number of each sample, from 0. */
  readonly labels?: Int32Array;
  /** What the class numbers stand for. */
  readonly classNames?: readonly string[];
  /** The numbers to predict, where the labels are numbers; beside {@link labels} where they may be either. */
  readonly targets?: Targets;
  /** The class of each position of the samples, where they are labelled so. */
  readonly maps?: LabelMaps;
  /** JSON: what was understood of the data and fitted on it. It goes into run.json and into {@link OpenOptions.fitted}. */
  readonly record: Record<string, unknown>;
  /** SHA-256, in hexadecimal, of the samples before normalisation, and of the labels. */
  readonly hash: string;
  /** Range of the delivered values: what the normalisation promises ([0, 1], [-1, 1]), or else what was observed. */
  readonly range: { readonly min: number; readonly max: number };
  /**
   * Set where the samples do not fit in memory and are read fastest in runs of neighbours: how to shuffle them, see
   * BatchOrder.
   */
  readonly blocks?: ShuffleBlocks;
  /** For tables: which delivered columns are the one-hot code of one categorical column; end is exclusive. */
  readonly oneHotGroups?: readonly { readonly start: number; readonly end: number }[];

  /**
   * Writes the samples with these indices, one after another, as float32.
   * Sources that hold their samples in memory write at once; await the result all the same.
   *
   * @param target of length indices.length × the product of {@link shape}
   */
  read(indices: ArrayLike<number>, target: Float32Array): void | Promise<void>;
  /** Begins to read or decode samples that will be asked for soon, where that takes time. Returns at once. */
  prepare?(indices: ArrayLike<number>): void;
  /** Ends the worker threads of a data set that has some. It cannot be read any more. */
  close?(): Promise<void>;
}

/**
 * How raw values become delivered ones, by name or by numbers:
 * - `none`: the raw values
 * - `unit`: to [0, 1] (8-bit pictures: divided by 255; columns: from their smallest to their largest value)
 * - `symmetric`: the same, to [-1, 1]
 * - `standard`: mean 0 and standard deviation 1 per channel or column, measured on this data
 * - `standard-rows`, `standard-columns`: the same per row or column of arrays of one channel, such as spectrograms
 * - `quantile`: for tables: a column's distribution becomes the standard normal one
 * - `imagenet`: ImageNet's mean and standard deviation after `unit`, for RGB pictures
 * - numbers: (value − mean) / std per channel or column; for pictures after `unit`, as torchvision's Normalize has it
 */
export type NormalisationChoice = string | { readonly mean: readonly number[]; readonly std: readonly number[] };

/** How {@link Dataset}s are opened. */
export interface OpenOptions {
  /** The model's input shape without the batch axis; null where the model takes any size. Absent: the data's own. */
  shape?: readonly (number | null)[] | undefined;
  /**
   * Where a picture's or a signal's channels are in {@link shape}: on the first axis (NCHW) or on the last (NHWC). Default: NHWC
   * for pictures whose last axis alone is 1, 3 or 4 long, else NCHW.
   */
  layout?: PictureLayout | undefined;
  /** Resize pictures that do not have the model's size (aspect ratio kept, overhang cut evenly). Default: an error. */
  resize?: boolean | undefined;
  /** Convert between grey and RGB, and drop transparency, where the model's channels need it. Default: an error. */
  convert?: boolean | undefined;
  /** Default: `standard`. */
  normalise?: NormalisationChoice | undefined;
  /** The record of another data set whose normalisation, column codes and class names are to be used here. */
  fitted?: Record<string, unknown> | undefined;
  /**
   * Where the labels are: an IDX or NPY file, an array's name in an NPZ file, or a table's column (name, or number from 1;
   * -1 is the last); several columns as a list, or with commas in between. For the segmentation of pictures the folder of
   * their masks; default: the one beside or inside their folder that is called masks, labels or the like.
   */
  labels?: string | number | readonly (string | number)[] | undefined;
  /**
   * What labels are: classes, numbers to predict, a class for each position of a sample, or nothing that is wanted (their
   * columns are left out all the same). Default: texts are classes, fractions are numbers, and whole numbers are given as both.
   */
  task?: "classification" | "regression" | "segmentation" | "none" | undefined;
  /**
   * Names of all classes in the order of their numbers. Labels are then these names, or their places from 0. Default: the
   * classes that there are, in their order.
   */
  classNames?: readonly string[] | undefined;
  /** Whether a table's first line is its header. Default: found out. */
  header?: boolean | "auto" | undefined;
  /** What to do about a picture that cannot be read, a sample that is not finite, a row that fits no table. Default: fail. */
  onBad?: "fail" | "skip" | undefined;
  /** What a table's columns are taken for, by name or number from 1. Default: found out. */
  columns?: Readonly<Record<string, ColumnChoice>> | undefined;
  /** How a table's categories are delivered. Default: one-hot. */
  categories?: "one-hot" | "embedding" | undefined;
  /** Bytes of memory for samples; larger data is read from disk as it is needed. Default: {@link defaultMemory}. */
  memory?: number | undefined;
  /** Folder for decoded samples and fetched files. Default: headstart's in the user's cache folder. */
  cache?: string | undefined;
  /** Most bytes of decoded samples to keep there. Default: 20 GB. */
  cacheLimit?: number | undefined;
  /** Worker threads that decode pictures ahead. Default: one per core, at most 8. */
  workers?: number | undefined;
  /** Use at most this many samples: evenly spaced ones, but the first of tables of text and of streams. */
  limit?: number | undefined;
  /** Milliseconds that a server may be silent before it is asked again, and then given up. Default: 60,000. */
  idleTimeout?: number | undefined;
  /** Ends the reading early with an InterruptedError. */
  signal?: AbortSignal | undefined;
  /**
   * Called now and then while data is fetched or read, with how many samples (or bytes of a file) are done. Of each of
   * the two the total may change, where another part of the work begins; it is infinite where nobody knows it.
   */
  onProgress?: DataProgress | undefined;
}

/** How far the opening of data is; `what` is "reading" where it is not given. */
export type DataProgress = (done: number, total: number, what?: "fetching" | "reading") => void;

/** The number of values in one sample of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
