import { InterruptedError, userError } from "../errors.js";
import { pictureOrder, requireNoLines } from "./channel-order.js";
import type { ChannelOrder } from "./channel-statistics.js";
import { convertPicture } from "./convert-picture.js";
import { type Dataset, type DatasetKind, type OpenOptions, type PictureLayout, sizeOf } from "./dataset.js";
import { withinLimit } from "./evenly-spaced.js";
import { FileSamples, type FileSegment } from "./file-samples.js";
import { objectsNote } from "./label-maps.js";
import { oneHotNote } from "./one-hot-labels.js";
import {
  choosePictureTarget,
  layoutOfShape,
  type PictureSize,
  type PictureTarget,
  wantedPicture,
} from "./picture-shape.js";
import { defaultMemory, type RawArray, type SampleArray } from "./sample-array.js";
import { labelsOfArray, pickLabels, type SampleLabels } from "./sample-labels.js";
import { filedDataset, type SamplePlace, type SignalAxes, storedDataset } from "./stored-dataset.js";
import { largestNumber } from "./table-cell.js";

/** An array in files, axis 0 counting the samples. */
export interface FiledArray {
  readonly dims: readonly number[];
  readonly segments: readonly FileSegment[];
  /** An empty array of the type that the values are delivered in. */
  readonly like: SampleArray;
  readonly boolean?: boolean;
}

/** How an array's samples are understood and what they become. */
interface Reading {
  readonly kind: DatasetKind;
  readonly shape: readonly number[];
  readonly order: ChannelOrder;
  /** Set when the samples are pictures: how they lie in the array. */
  readonly source?: PictureSize & { layout: PictureLayout };
  readonly target?: PictureTarget;
  /** Set when the samples are signals. */
  readonly signal?: SignalAxes;
}

/**
 * A data set of an array whose axis 0 counts the samples: [N, H, W], [N, C, H, W] and [N, H, W, C] are pictures,
 * [N, C, L] signals, [N, n] vectors; the model's input shape decides where both are possible. A limit takes samples at
 * even distances.
 *
 * @param source names the format in the record
 * @param place tells in which of several files a sample lies
 * @throws UserError if the samples do not fit the model's shape, or hold NaN or infinity
 */
export function arrayDataset(
  samples: RawArray,
  labels: { array: RawArray; where: string } | undefined,
  where: string,
  source: string,
  options: OpenOptions,
  place?: SamplePlace,
): Dataset {
  if (samples.dims.length === 0 || samples.data.length === 0) {
    throw userError({
      where,
      required: "an array of samples",
      got: `the shape [${samples.dims.join(", ")}]`,
      advice: "Axis 0 must count the samples",
    });
  }
  const taken = withinLimit(samples.dims[0], options.limit);
  const count = taken?.length ?? samples.dims[0];
  const sampleShape = samples.dims.length === 1 ? [1] : samples.dims.slice(1);
  const reading = understand(sampleShape, samples.data instanceof Uint8Array, where, options);
  const labelled = labels && labelsOfTaken(labels, samples.dims[0], taken, options);
  const raw = taken === undefined ? samples.data : pickSamples(samples.data, sizeOf(sampleShape), taken);
  return storedDataset(
    {
      where,
      kind: reading.kind,
      data: arrange(raw, count, reading, options),
      count,
      shape: reading.shape,
      order: reading.order,
      ...labelled,
      place: placeOfTaken(place, taken, where),
      picture: reading.target,
      signal: reading.signal,
      pictureRange:
        reading.target === undefined
          ? undefined
          : (pictureRange({ ...samples, data: raw }) ?? rangeOfFloats(extremesOf(raw, sizeOf(sampleShape)))),
      record: recordOf(source, samples.dims, labels, labelled),
    },
    options,
  );
}

/**
 * As {@link arrayDataset}, of an array in files that is larger than memory: samples are converted as they are read.
 */
export async function filedArrayDataset(
  samples: FiledArray,
  labels: { array: RawArray; where: string } | undefined,
  where: string,
  source: string,
  options: OpenOptions,
  place?: SamplePlace,
): Promise<Dataset> {
  const sampleShape = samples.dims.length === 1 ? [1] : samples.dims.slice(1);
  const taken = withinLimit(samples.dims[0], options.limit);
  const size = sizeOf(sampleShape);
  const reading = understand(sampleShape, samples.like instanceof Uint8Array, where, options);
  const labelled = labels && labelsOfTaken(labels, samples.dims[0], taken, options);
  const segments = taken === undefined ? samples.segments : pickFromSegments(samples.segments, taken);
  const file = new FileSamples(segments, size, options.memory ?? defaultMemory());
  let range: readonly [number, number] | undefined;
  if (reading.target !== undefined) {
    const known = pictureRange({ data: samples.like, boolean: samples.boolean === true });
    range = known ?? rangeOfFloats(await extremes(file.pieces(options.signal), size));
  }
  const { source: from, target } = reading;
  const arranged = from !== undefined && target !== undefined && !liesAsDelivered(from, target);
  return filedDataset(
    {
      where,
      kind: reading.kind,
      samples: file,
      arrange: arranged
        ? (data, start, put, to) => convertPicture({ ...from, data, start }, { ...target, data: put, start: to })
        : undefined,
      count: file.count,
      shape: reading.shape,
      order: reading.order,
      ...labelled,
      place: placeOfTaken(place, taken, where),
      picture: target,
      signal: reading.signal,
      pictureRange: range,
      record: recordOf(source, samples.dims, labels, labelled),
    },
    options,
  );
}

/** What the record says of an array and its labels. */
function recordOf(
  source: string,
  arrayShape: readonly number[],
  labels: { array: RawArray; where: string } | undefined,
  labelled: SampleLabels | undefined,
): Record<string, unknown> {
  const [, width = 1] = labels?.array.dims ?? [];
  return {
    source,
    arrayShape,
    ...(labels === undefined ? {} : { labelsFrom: labels.where }),
    // Nothing else makes classes of several columns.
    ...(labelled?.labels !== undefined && width > 1 ? { notes: [oneHotNote(width)] } : {}),
    ...(labelled?.maps?.objects ? { notes: [objectsNote] } : {}),
  };
}

/** Labels of the samples that are taken. All say what they are, so that a limit does not decide it. */
function labelsOfTaken(
  labels: { array: RawArray; where: string },
  of: number,
  taken: Uint32Array | undefined,
  options: OpenOptions,
): SampleLabels {
  const all = labelsOfArray(labels, of, options);
  return taken === undefined ? all : pickLabels(all, taken);
}

/** Where the samples that are taken lie among all. */
function placeOfTaken(
  place: SamplePlace = (sample) => ({ where, sample }),
  taken: Uint32Array | undefined,
  where: string,
): SamplePlace {
  return taken === undefined ? place : (sample) => place(taken[sample]);
}

function pickSamples(data: SampleArray, size: number, taken: Uint32Array): SampleArray {
  const Kind = data.constructor as new (length: number) => SampleArray;
  const picked = new Kind(taken.length * size);
  taken.forEach((index, place) => {
    picked.set(data.subarray(index * size, (index + 1) * size), place * size);
  });
  return picked;
}

/** @param taken in rising order, counted over all segments */
function pickFromSegments(segments: readonly FileSegment[], taken: Uint32Array): FileSegment[] {
  let [before, next] = [0, 0];
  return segments.flatMap((segment) => {
    const first = next;
    while (next < taken.length && taken[next] < before + segment.count) next++;
    const here = taken.subarray(first, next);
    const rows = before === 0 ? here : here.map((row) => row - before);
    before += segment.count;
    return rows.length === 0 ? [] : [{ ...segment, count: rows.length, rows }];
  });
}

async function extremes(
  pieces: AsyncIterable<{ data: SampleArray }>,
  size: number,
): Promise<{ min: number; max: number }> {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for await (const { data } of pieces) {
    const piece = extremesOf(data, size);
    min = Math.min(min, piece.min);
    max = Math.max(max, piece.max);
  }
  return { min, max };
}

function liesAsDelivered(source: PictureSize & { layout: PictureLayout }, target: PictureTarget): boolean {
  const same = source.channels === target.channels && source.height === target.height && source.width === target.width;
  return same && (source.layout === target.layout || source.channels === 1);
}

function understand(dims: readonly number[], bytes: boolean, where: string, options: OpenOptions): Reading {
  const wanted = options.shape;
  const layout = options.layout ?? layoutOfShape(wanted ?? []);
  const fits =
    wanted !== undefined &&
    dims.length === wanted.length &&
    dims.every((length, axis) => wanted[axis] === null || wanted[axis] === length);
  const asPicture = (source: PictureSize & { layout: PictureLayout }): Reading => {
    const target = choosePictureTarget(source, options, where);
    return { kind: "images", shape: target.shape, order: pictureOrder(target, options, where), source, target };
  };
  if (dims.length === 3 && (wanted === undefined || wanted.length === 3 || (wanted.length === 1 && !fits))) {
    return asPicture(pictureAxes(dims, wanted, layout));
  }
  const plane = { channels: 1, height: dims[0], width: dims[1], layout: "NCHW" } as const;
  // Planes of bytes are grey pictures whatever the model takes; planes of other numbers only where it takes pictures.
  if (dims.length === 2 && (bytes || wanted?.length === 3)) return asPicture(plane);
  const shape = wanted === undefined || fits ? dims : reshaped(dims, wanted);
  if (shape === undefined) {
    throw userError({
      where,
      required: `samples of the shape [${wanted?.map((length) => length ?? "?").join(", ")}], as the model takes`,
      got: `[${dims.join(", ")}]`,
      advice: "Reshape or transpose the array, or choose a model for this shape",
    });
  }
  if (shape.length === 3) {
    // Flat rows that are pictures: they lie as the model has its axes.
    const source = { ...pictureSize(shape, layout), layout };
    return asPicture(source);
  }
  requireNoLines(options, where, `samples of the shape [${shape.join(", ")}]`);
  if (shape.length === 1) return { kind: "vectors", shape, order: { channels: shape[0], inner: 1 } };
  if (shape.length === 2) {
    const [channels, length] = layout === "NHWC" ? [shape[1], shape[0]] : shape;
    const order = { channels, inner: layout === "NHWC" ? 1 : length };
    return { kind: "signals", shape, order, signal: { channels, length, layout } };
  }
  return { kind: "arrays", shape, order: { channels: 1, inner: sizeOf(shape) } };
}

/**
 * The wanted shape with its open axis filled, if a sample comes to it by joining or splitting axes: [9, 128] does not come to
 * [128, 9], though it has as many values.
 */
function reshaped(dims: readonly number[], wanted: readonly (number | null)[]): readonly number[] | undefined {
  const size = sizeOf(dims);
  const known = sizeOf(wanted.filter((length) => length !== null));
  const open = wanted.filter((length) => length === null).length;
  // Pictures of an unknown size cannot be told from their number of values, nor can two open axes.
  if (open > 1 || size % known !== 0 || (open === 0 && known !== size)) return undefined;
  const shape = wanted.map((length) => length ?? size / known);
  const [from, to] = [axisEnds(dims), axisEnds(shape)];
  return from.every((end) => to.includes(end)) || to.every((end) => from.includes(end)) ? shape : undefined;
}

/** How many of a sample's values the first axes have together, for the first, the first two and so on; axes of 1 do not count. */
function axisEnds(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(0, axis + 1))).filter((end) => end > 1);
}

/**
 * Which axes of [?, ?, ?] are the channels: as the model has them if the whole shape fits so, or fits with the axes the
 * other way round, or has as many channels; else the axis that is 1, 3 or 4 long.
 */
function pictureAxes(
  dims: readonly number[],
  wanted: readonly (number | null)[] | undefined,
  layout: PictureLayout,
): PictureSize & { layout: PictureLayout } {
  const other = layout === "NCHW" ? "NHWC" : "NCHW";
  const choices = [layout, other].map((choice) => ({ ...pictureSize(dims, choice as PictureLayout), layout: choice }));
  const target = wanted?.length === 3 ? wantedPicture(wanted, layout) : undefined;
  const agree = (length: number | null, own: number) => (length ?? own) === own;
  const fits = ({ channels, height, width }: PictureSize) =>
    channels === target?.channels && agree(target.height, height) && agree(target.width, width);
  const found =
    choices.find(fits) ??
    choices.find(({ channels }) => target?.channels === channels) ??
    choices.find(({ channels }) => channels === 1 || channels === 3 || channels === 4) ??
    choices[0];
  return found as PictureSize & { layout: PictureLayout };
}

function pictureSize(dims: readonly number[], layout: PictureLayout): PictureSize {
  const [channels, height, width] = layout === "NCHW" ? dims : [dims[2], dims[0], dims[1]];
  return { channels, height, width };
}

/** Pictures are brought into the delivered layout, size and channels once, here; everything else stays as it is. */
function arrange(raw: SampleArray, count: number, { source, target }: Reading, options: OpenOptions): SampleArray {
  if (source === undefined || target === undefined) return raw;
  if (liesAsDelivered(source, target)) return raw;
  const sourceSize = source.channels * source.height * source.width;
  const targetSize = target.channels * target.height * target.width;
  const Kind = raw.constructor as new (length: number) => SampleArray;
  const data = new Kind(count * targetSize);
  for (let sample = 0; sample < count; sample++) {
    if (options.signal?.aborted) throw new InterruptedError("interrupted while converting pictures");
    convertPicture(
      { ...source, data: raw, start: sample * sourceSize },
      { ...target, data, start: sample * targetSize },
    );
    if (sample % 1000 === 999) options.onProgress?.(sample + 1, count);
  }
  return data;
}

/** The nominal range of pictures' values by their type; undefined for types whose values must be looked at. */
function pictureRange({ data, boolean }: Pick<RawArray, "data" | "boolean">): readonly [number, number] | undefined {
  if (boolean === true) return [0, 1];
  if (data instanceof Uint8Array) return [0, 255];
  if (data instanceof Uint16Array) return [0, 65535];
  return undefined;
}

/** Floats are taken as 0 to 1 or 0 to 255 if they lie so. */
function rangeOfFloats({ min, max }: { min: number; max: number }): readonly [number, number] {
  if (min >= 0 && max <= 1) return [0, 1];
  if (min >= 0 && max > 16 && max <= 255) return [0, 255];
  return min < max ? [min, max] : [min, min + 1];
}

/**
 * The least and the largest value of the samples that can be used: one with a value that is NaN, or infinite as float32, says
 * nothing of the range of the others.
 *
 * @param size values of a sample
 */
function extremesOf(data: SampleArray, size: number): { min: number; max: number } {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let start = 0; start < data.length; start += size) {
    let [least, most, isUsable] = [min, max, true];
    for (let index = start; index < start + size; index++) {
      const value = data[index];
      if (value < least) least = value;
      if (value > most) most = value;
      if (!(Math.abs(value) <= largestNumber)) isUsable = false;
    }
    if (isUsable) [min, max] = [least, most];
  }
  return { min, max };
}
