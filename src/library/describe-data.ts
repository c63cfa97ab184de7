/** What headstart understands of data, without a model. */
import { createHash } from "node:crypto";
import { linesOf } from "../data/channel-order.js";
import type { ColumnChoice } from "../data/column-profile.js";
import type {
  DataProgress,
  Dataset,
  DatasetKind,
  NormalisationChoice,
  OpenOptions,
  PictureLayout,
} from "../data/dataset.js";
import { type LabelMaps, positionsByClass } from "../data/label-maps.js";
import { openDataset } from "../data/open-dataset.js";
import { pictureGrid } from "../data/picture-grid.js";
import type { PictureSize } from "../data/picture-shape.js";
import { areHardlyClasses, type Targets } from "../data/sample-labels.js";
import { type PictureSurvey, surveyPictures } from "../data/survey-pictures.js";
import { unevenLines, unevenPositionsNote } from "../data/uneven-lines.js";
import { unusableSamples } from "../data/unusable-samples.js";
import { InterruptedError } from "../errors.js";
import { meansOf, variancesOf } from "../training/objective.js";
import { requireGiven, requireOneReading } from "./run-settings.js";

export interface DescribeDataOptions {
  /** Path, pattern or address of the data, or several. */
  readonly data: string | readonly string[];
  readonly labels?: string | number;
  /** Names of all classes, in their order; default: the labels' own order. */
  readonly classNames?: readonly string[];
  readonly normalise?: NormalisationChoice;
  readonly columns?: Readonly<Record<string, ColumnChoice>>;
  readonly categories?: "one-hot" | "embedding";
  readonly header?: boolean | "auto";
  readonly layout?: "NCHW" | "NHWC";
  /** Default: skip, so that everything that is wrong can be told at once. */
  readonly onBad?: "fail" | "skip";
  readonly limit?: number;
  readonly memory?: number;
  readonly cache?: string;
  readonly cacheLimit?: number;
  readonly dataWorkers?: number;
  readonly fitted?: Record<string, unknown>;
  readonly signal?: AbortSignal;
  readonly onProgress?: DataProgress;
}

/** A feature or channel as delivered values have it before normalisation. */
export interface ChannelDescription {
  readonly name: string;
  readonly type: string;
  readonly mean?: number;
  readonly std?: number;
  readonly min?: number;
  readonly max?: number;
  readonly categories?: number;
}

export interface DataDescription {
  readonly where: string;
  readonly source: string;
  readonly kind: DatasetKind;
  readonly count: number;
  /** Shape of one sample as a model would get it. */
  readonly shape: readonly number[];
  /** Sizes and kinds of the pictures, the most frequent first. */
  readonly pictures?: PictureSurvey;
  readonly channels: readonly ChannelDescription[];
  /** None of labels that are numbers of so many values that these are hardly classes. */
  readonly classes?: readonly { readonly name: string; readonly count: number }[];
  /** Classes of positions, with how many positions are of each. */
  readonly maps?: {
    readonly shape: readonly number[];
    readonly classes: readonly { readonly name: string; readonly count: number }[];
  };
  /** Numbers that the labels may be taken for, in the data's own units. */
  readonly targets?: readonly { readonly name: string; readonly mean: number; readonly std: number }[];
  /** Samples that are equal to an earlier one once delivered, and the first pairs. */
  readonly duplicates: { readonly count: number; readonly pairs: readonly (readonly [number, number])[] };
  /** What could not be read or used, by name. */
  readonly unusable: readonly string[];
  /** How many could not be. */
  readonly unusableCount: number;
  readonly notes: readonly string[];
  readonly suggestion: { readonly normalise: string; readonly because: string };
  /** Larger than the memory allowed: read from disk. */
  readonly onDisk: boolean;
  readonly record: Record<string, unknown>;
  /** A grid of some pictures as PNG. */
  readonly grid?: Uint8Array;
}

/** How many pictures the grid shows. */
const gridPictures = 64;
/** Pictures of more pixels are looked at shrunk to about this many: whole photos take gigabytes, and say no more. */
const mostPixels = 2 ** 20;
const shrunkPixels = 2 ** 16;

/**
 * Opens data without a model and says what was understood: how many samples of which shape and range, classes,
 * duplicates, what is unusable, and which normalisation suits it. Pictures of several sizes are looked at in the most
 * frequent one, large ones shrunk.
 *
 * @throws UserError as {@link openDataset} does, where nothing at all can be understood
 */
export async function describeData(options: DescribeDataOptions): Promise<DataDescription> {
  const { data, dataWorkers, ...others } = options;
  requireGiven({ data });
  requireOneReading(options);
  const given: OpenOptions = {
    onBad: "skip",
    ...others,
    ...(dataWorkers === undefined ? {} : { workers: dataWorkers }),
  };
  // Of pictures in files, labels that are named are masks.
  const masked = { ...given, ...(options.labels === undefined ? {} : { task: "segmentation" as const }) };
  const pictures = await surveyPictures(data, masked);
  const layout = options.layout ?? "NCHW";
  const [size] = pictures?.sizes ?? [];
  const shrunk = size === undefined ? undefined : shrunkSize(size);
  const reading: OpenOptions =
    size === undefined ? given : { ...masked, ...looked(shrunk ?? size, pictures?.sizes.length, layout, shrunk) };
  const dataset = await openDataset(data, reading);
  try {
    const duplicates = await findDuplicates(dataset, options.signal);
    const { record } = dataset;
    const unusable = unusableSamples(record);
    const uneven = await unevenPositionsNote(dataset);
    return {
      where: dataset.where,
      source: String(record.source),
      kind: dataset.kind,
      count: dataset.count,
      shape: dataset.shape,
      ...(pictures === undefined ? {} : { pictures }),
      channels: channelsOf(dataset),
      ...(dataset.labels === undefined || areHardlyClasses(dataset) ? {} : { classes: classesOf(dataset) }),
      ...(dataset.maps === undefined ? {} : { maps: mapsOf(dataset.maps, dataset.classNames) }),
      ...(dataset.targets === undefined ? {} : { targets: targetsOf(dataset.targets) }),
      duplicates,
      unusable: unusable.names,
      unusableCount: unusable.count,
      notes: [
        ...((record.notes as string[] | undefined) ?? []),
        ...(uneven === undefined ? [] : [uneven]),
        ...(shrunk === undefined
          ? []
          : [`the pictures are large: what is said of their values is of ${shrunk.height}x${shrunk.width}`]),
      ],
      suggestion: await suggest(dataset),
      onDisk: "blocks" in record || dataset.prepare !== undefined,
      record,
      ...(dataset.kind === "images" ? { grid: await gridOf(dataset) } : {}),
    };
  } finally {
    await dataset.close?.();
  }
}

/** How pictures are read to be looked at: rare sizes and channels as the most frequent ones, without transparency. */
function looked(
  { channels, height, width }: PictureSize,
  kinds: number | undefined,
  layout: PictureLayout,
  shrunk: PictureSize | undefined,
): OpenOptions {
  const several = kinds !== undefined && kinds > 1;
  const kept = several ? ({ 2: 1, 4: 3 }[channels] ?? channels) : channels;
  return {
    shape: layout === "NCHW" ? [kept, height, width] : [height, width, kept],
    ...(several || shrunk ? { resize: true } : {}),
    ...(several ? { convert: kept === 1 || kept === 3 } : {}),
  };
}

/** The size that large pictures are looked at in; undefined for smaller ones. */
function shrunkSize({ channels, height, width }: PictureSize): PictureSize | undefined {
  if (height * width <= mostPixels) return undefined;
  const scale = Math.sqrt(shrunkPixels / (height * width));
  const side = (length: number) => Math.max(1, Math.round(length * scale));
  return { channels, height: side(height), width: side(width) };
}

/** Reads all samples in order, a bounded number at once. */
async function* inOrder(dataset: Dataset, signal?: AbortSignal) {
  const size = dataset.shape.reduce((product, length) => product * length, 1);
  const step = Math.max(1, Math.min(1024, Math.floor(2 ** 22 / size)));
  const target = new Float32Array(step * size);
  for (let first = 0; first < dataset.count; first += step) {
    if (signal?.aborted) throw new InterruptedError("interrupted while looking for duplicates");
    const count = Math.min(step, dataset.count - first);
    const next = Array.from({ length: Math.min(step, dataset.count - first - count) }, (_, at) => first + count + at);
    const reading = dataset.read(
      Array.from({ length: count }, (_, at) => first + at),
      target,
    );
    dataset.prepare?.(next);
    await reading;
    for (let at = 0; at < count; at++) yield { index: first + at, sample: target.subarray(at * size, (at + 1) * size) };
  }
}

/** Duplicates are told by 8 bytes of a SHA-256 each, so that 100 million samples need under two gigabytes. */
async function findDuplicates(dataset: Dataset, signal?: AbortSignal): Promise<DataDescription["duplicates"]> {
  const digests = new BigUint64Array(dataset.count);
  for await (const { index, sample } of inOrder(dataset, signal)) {
    const bytes = new Uint8Array(sample.buffer, sample.byteOffset, sample.byteLength);
    digests[index] = createHash("sha256").update(bytes).digest().readBigUInt64LE();
  }
  const sorted = digests.slice().sort();
  const repeated = new Map<bigint, number | undefined>();
  let count = 0;
  for (let place = 1; place < sorted.length; place++) {
    if (sorted[place] !== sorted[place - 1]) continue;
    count++;
    repeated.set(sorted[place], undefined);
  }
  const pairs: [number, number][] = [];
  for (let index = 0; index < digests.length && count > 0 && pairs.length < 10; index++) {
    if (!repeated.has(digests[index])) continue;
    const earlier = repeated.get(digests[index]);
    if (earlier === undefined) repeated.set(digests[index], index);
    else pairs.push([earlier, index]);
  }
  return { count, pairs };
}

function channelsOf({ record, kind }: Dataset): ChannelDescription[] {
  const { table, measured, normalisation } = record as {
    table?: { columns: (ChannelDescription & { categories?: unknown })[] };
    measured?: { mean: number[]; std: number[]; min: number[]; max: number[] };
    normalisation?: { name: string };
  };
  if (table !== undefined) {
    return table.columns.map(({ name, type, mean, std, min, max, categories }) =>
      Array.isArray(categories)
        ? { name, type, categories: categories.length }
        : { name, type, mean: mean!, std: std!, min: min!, max: max! },
    );
  }
  const lines = linesOf(normalisation?.name);
  const { mean, std, min, max } = measured ?? { mean: [], std: [], min: [], max: [] };
  const colours = [[], ["grey"], ["grey", "alpha"], ["red", "green", "blue"], ["red", "green", "blue", "alpha"]];
  return mean.map((value, channel) => ({
    name:
      lines === undefined
        ? ((kind === "images" ? colours[mean.length]?.[channel] : undefined) ?? `channel ${channel}`)
        : `${lines === "rows" ? "row" : "column"} ${channel}`,
    type: "numeric",
    mean: value,
    std: std[channel],
    min: min[channel],
    max: max[channel],
  }));
}

function targetsOf(targets: Targets): NonNullable<DataDescription["targets"]> {
  const [means, variances] = [meansOf(targets), variancesOf(targets)];
  return targets.names.map((name, at) => ({ name, mean: means[at], std: Math.sqrt(variances[at]) }));
}

function classesOf({ labels, classNames }: Dataset): { name: string; count: number }[] {
  const counts = new Map<number, number>();
  for (const label of labels!) counts.set(label, (counts.get(label) ?? 0) + 1);
  const known = classNames?.map((name, number) => ({ name, count: counts.get(number) ?? 0 }));
  return known ?? [...counts].sort(([a], [b]) => a - b).map(([number, count]) => ({ name: String(number), count }));
}

function mapsOf(maps: LabelMaps, names: readonly string[] = []): NonNullable<DataDescription["maps"]> {
  const classes = positionsByClass(maps).map((count, number) => ({ name: names[number] ?? String(number), count }));
  return { shape: maps.shape, classes };
}

async function suggest(dataset: Dataset): Promise<DataDescription["suggestion"]> {
  const { record, kind } = dataset;
  const { table, normalisation, measured } = record as {
    table?: { columns: { name: string; type: string; mean?: number; std?: number; min?: number; max?: number }[] };
    normalisation?: { name: string; low: number[]; high: number[] };
    measured?: { mean: number[]; std: number[] };
  };
  if (table !== undefined) {
    const heavy = table.columns.find(
      ({ mean, std, min, max }) => std !== undefined && std > 0 && Math.max(max! - mean!, mean! - min!) > 12 * std,
    );
    if (heavy !== undefined) {
      return { normalise: "quantile", because: `${heavy.name} has values more than 12 deviations from its mean` };
    }
    return { normalise: "standard", because: "columns have units of their own" };
  }
  const uneven = await unevenLines(dataset);
  if (uneven) return uneven;
  if (linesOf(normalisation?.name))
    return { normalise: normalisation!.name, because: "each line has a scale of its own" };
  if (kind === "images" && normalisation !== undefined && measured !== undefined) {
    const unit = (values: number[], shift: boolean) =>
      values
        .map((value, channel) => {
          const low = normalisation.low[channel];
          return ((value - (shift ? low : 0)) / (normalisation.high[channel] - low)).toFixed(3);
        })
        .join(",");
    if (measured.std.some((std) => std === 0)) {
      return { normalise: "unit", because: "a channel has one value only" };
    }
    return {
      normalise: `${unit(measured.mean, true)}/${unit(measured.std, false)}`,
      because: "these are its channels' mean and deviation, which standard measures anew for each data set",
    };
  }
  return { normalise: "standard", because: "it gives every channel mean 0 and deviation 1" };
}

async function gridOf(dataset: Dataset): Promise<Uint8Array> {
  const count = Math.min(gridPictures, dataset.count);
  const size = dataset.shape.reduce((product, length) => product * length, 1);
  const samples = new Float32Array(count * size);
  const spread = Array.from({ length: count }, (_, index) => Math.floor((index * dataset.count) / count));
  await dataset.read(spread, samples);
  return pictureGrid(samples, undefined, dataset.record);
}
