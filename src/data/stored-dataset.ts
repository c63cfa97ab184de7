import { userError } from "../errors.js";
import { ChannelMeter, type ChannelOrder, type ChannelStatistics, notFinite } from "./channel-statistics.js";
import { type Dataset, type DatasetKind, type OpenOptions, type PictureLayout, sizeOf } from "./dataset.js";
import type { FileSamples } from "./file-samples.js";
import { readFitted } from "./fitted-record.js";
import type { LabelMaps } from "./label-maps.js";
import { chooseNormalisation, deliveredRange, type Normalisation, sampleDelivery } from "./normalisation.js";
import type { PictureTarget } from "./picture-shape.js";
import { checkInterrupted } from "./read-bytes.js";
import { hashArray, type SampleArray, samplesPerPiece, startHash } from "./sample-array.js";
import { hashLabels, pickLabels, type Targets } from "./sample-labels.js";

/** Tells where a sample lies. */
export type SamplePlace = (sample: number) => { readonly where: string; readonly sample: number };

/** How the values of a signal lie: channels are the first axis (NCHW) or the last (NHWC). */
export interface SignalAxes {
  readonly channels: number;
  readonly length: number;
  readonly layout: PictureLayout;
}

/** What is known of samples before they are measured. */
export interface SampleDescription {
  readonly where: string;
  readonly kind: DatasetKind;
  readonly count: number;
  readonly shape: readonly number[];
  readonly order: ChannelOrder;
  readonly labels?: Int32Array | undefined;
  readonly classNames?: readonly string[] | undefined;
  readonly targets?: Targets | undefined;
  readonly maps?: LabelMaps | undefined;
  /** What the samples are as pictures, if they are. */
  readonly picture?: PictureTarget | undefined;
  /** How they lie as signals, if they are. */
  readonly signal?: SignalAxes | undefined;
  /** The raw values' nominal range, for pictures. */
  readonly pictureRange?: readonly [number, number] | undefined;
  /** The file and the sample in it (from 0) of a sample counted over all files; absent: there is one file. */
  readonly place?: SamplePlace | undefined;
  /** What else belongs into the record: the source, notes, what was skipped. */
  readonly record: Record<string, unknown>;
}

/** Samples in memory, in the order and shape in which they are delivered, not yet normalised. */
export interface StoredSamples extends SampleDescription {
  readonly data: SampleArray;
}

type MeasureOptions = Pick<OpenOptions, "normalise" | "fitted" | "signal" | "onBad" | "onProgress">;

/** Measures samples in memory, fits or takes over their normalisation, and gives them as a {@link Dataset}. */
export function storedDataset(stored: StoredSamples, options: MeasureOptions): Dataset {
  const { data, order } = stored;
  const size = sizeOf(stored.shape);
  const survey = new Survey(stored, data, options);
  const step = samplesPerPiece(size);
  for (let first = 0; first < stored.count; first += step) {
    checkInterrupted(options.signal);
    survey.add(data.subarray(first * size, Math.min(first + step, stored.count) * size), first);
  }
  const { description, normalisation, kept, ...measured } = survey.finish();
  const deliver = sampleDelivery(normalisation, order, size);
  return assembleDataset(description, normalisation, measured, (indices, target) => {
    for (let sample = 0; sample < indices.length; sample++) {
      const index = kept === undefined ? indices[sample] : kept[indices[sample]];
      deliver(data, index * size, target, sample * size);
    }
  });
}

/** Samples in files that are larger than memory: measured in one pass, then read as they are asked for. */
export interface FiledSamples extends SampleDescription {
  readonly samples: FileSamples;
  /** Brings a sample as the file has it into the delivered order and shape; absent: it lies so already. */
  readonly arrange?: ((data: SampleArray, from: number, target: SampleArray, to: number) => void) | undefined;
}

/** As {@link storedDataset}, for samples in files. */
export async function filedDataset(filed: FiledSamples, options: MeasureOptions): Promise<Dataset> {
  const { samples, order, arrange } = filed;
  const size = sizeOf(filed.shape);
  let survey: Survey | undefined;
  for await (const { first, data } of samples.pieces(options.signal)) {
    const count = data.length / samples.size;
    const piece = arrange === undefined ? data : sameKind(data, count * size);
    for (let sample = 0; arrange !== undefined && sample < count; sample++) {
      arrange(data, sample * samples.size, piece, sample * size);
    }
    survey ??= new Survey(filed, piece, options);
    survey.add(piece, first);
    options.onProgress?.(first + count, filed.count);
  }
  if (survey === undefined) throw nothing(filed.where);
  const { description, normalisation, kept, ...measured } = survey.finish();
  const original = (indices: ArrayLike<number>) =>
    kept === undefined ? indices : Uint32Array.from(indices, (index) => kept[index]);
  const deliver = sampleDelivery(normalisation, order, size);
  let sample: SampleArray | undefined;
  const dataset = assembleDataset(description, normalisation, measured, (indices, target) =>
    samples.read(original(indices), (data, from, place) => {
      if (arrange === undefined) {
        deliver(data, from, target, place * size);
        return;
      }
      sample ??= sameKind(data, size);
      arrange(data, from, sample, 0);
      deliver(sample, 0, target, place * size);
    }),
  );
  return {
    ...dataset,
    record: { ...dataset.record, blocks: samples.blocks ?? null },
    ...(samples.blocks === undefined ? {} : { blocks: samples.blocks }),
    prepare: (indices) => samples.prepare(original(indices)),
  };
}

/** What a pass over samples found out. */
export interface Measured {
  readonly statistics: ChannelStatistics;
  readonly hash: string;
}

/** One pass over samples in order: statistics, hash, and which samples hold no finite numbers. */
class Survey {
  readonly #description: SampleDescription;
  readonly #options: MeasureOptions;
  readonly #size: number;
  readonly #meter: ChannelMeter;
  readonly #hash;
  readonly #bad: number[] = [];

  constructor(description: SampleDescription, like: SampleArray, options: MeasureOptions) {
    const { kind, shape, count, order } = description;
    this.#description = description;
    this.#options = options;
    this.#size = sizeOf(shape);
    this.#meter = new ChannelMeter(order, like instanceof Uint8Array);
    this.#hash = startHash(kind, shape, like.constructor.name, count);
  }

  add(piece: SampleArray, first: number): void {
    hashArray(this.#hash, piece);
    const size = this.#size;
    let rest = piece;
    let start = first;
    for (
      let bad = this.#meter.add(rest);
      bad !== undefined;
      bad = rest.length > 0 ? this.#meter.add(rest) : undefined
    ) {
      const sample = Math.floor(bad / size);
      if (this.#options.onBad !== "skip") {
        const at = this.#place(start + sample);
        throw notFinite(rest[bad], at.sample, bad - sample * size, at.where);
      }
      this.#bad.push(start + sample);
      if (sample > 0) this.#meter.add(rest.subarray(0, sample * size));
      rest = rest.subarray((sample + 1) * size);
      start += sample + 1;
    }
  }

  #place(sample: number): ReturnType<SamplePlace> {
    return this.#description.place?.(sample) ?? { where: this.#description.where, sample };
  }

  finish(): Measured & { description: SampleDescription; normalisation: Normalisation; kept?: Uint32Array } {
    const { where } = this.#description;
    const bad = new Set(this.#bad);
    const count = this.#description.count - bad.size;
    if (count === 0) throw nothing(where);
    const statistics = this.#meter.statistics();
    hashLabels(this.#hash, this.#description);
    const normalisation = normalisationFor(this.#description, statistics, this.#options);
    const measured = { statistics, hash: this.#hash.digest("hex"), normalisation };
    if (bad.size === 0) return { ...measured, description: this.#description };
    const kept = new Uint32Array(count);
    for (let index = 0, put = 0; index < this.#description.count; index++) if (!bad.has(index)) kept[put++] = index;
    const places = this.#bad.slice(0, 100).map((index) => this.#place(index));
    const samples = places.map(({ where: file, sample }) => `${file}, sample ${sample}`);
    const record = { ...this.#description.record, notFinite: { skipped: bad.size, samples } };
    const description = {
      ...this.#description,
      count,
      record,
      ...pickLabels(this.#description, kept),
    };
    return { ...measured, description, kept };
  }
}

/**
 * The normalisation fitted on other data, or the one that is asked for.
 *
 * @throws UserError where the other data are samples of another kind, or pictures of another range
 */
export function normalisationFor(
  { where, kind, order, pictureRange }: SampleDescription,
  statistics: ChannelStatistics,
  options: Pick<OpenOptions, "normalise" | "fitted">,
): Normalisation {
  const record = readFitted(options.fitted);
  const fitted = record?.normalisation;
  if (fitted === undefined && record?.table !== undefined) {
    throw userError({
      where,
      required: "a table, as the data that the record was fitted on",
      got: "data of another kind",
      advice: "Give a table with the same columns, or the record of data of this kind",
    });
  }
  if (fitted === undefined)
    return chooseNormalisation(options.normalise ?? "standard", statistics, pictureRange, where);
  if (record?.kind !== undefined && record.kind !== kind) {
    throw userError({
      where,
      required: `${record.kind}, as the data that the normalisation was measured on`,
      got: kind,
      advice: "Give data of the same kind",
    });
  }
  const range = [fitted.low[0], fitted.high[0]];
  if (record?.picture !== undefined && pictureRange !== undefined && areOtherUnits(range, pictureRange)) {
    throw userError({
      where,
      required: `pictures with values from ${range.join(" to ")}, as those that the normalisation was measured on`,
      got: `values from ${pictureRange.join(" to ")}`,
      advice: "Give both in the same units",
    });
  }
  if (fitted.scale.length === order.channels) return fitted;
  throw userError({
    where,
    required: `${fitted.scale.length} channel(s), as in the data that the normalisation was measured on`,
    got: `${order.channels}`,
    advice: "Give data of the same kind",
  });
}

/** Whether of two ranges of pictures both are one that types and units have, and not the same: floats may have any other. */
function areOtherUnits(own: readonly number[], other: readonly number[]): boolean {
  const isNominal = ([low, high]: readonly number[]) => low === 0 && [1, 255, 65535].includes(high);
  return isNominal(own) && isNominal(other) && own[1] !== other[1];
}

/** Puts a data set together from what is known of it and the way to read it. */
export function assembleDataset(
  description: SampleDescription,
  normalisation: Normalisation,
  { statistics, hash }: Measured,
  read: Dataset["read"],
): Dataset {
  const { where, kind, count, shape, labels, classNames, targets, maps, picture, signal, pictureRange } = description;
  return {
    where,
    kind,
    count,
    shape,
    ...(labels === undefined ? {} : { labels }),
    ...(classNames === undefined ? {} : { classNames }),
    ...(targets === undefined ? {} : { targets }),
    ...(maps === undefined ? {} : { maps }),
    record: {
      ...description.record,
      kind,
      count,
      shape,
      ...(picture === undefined
        ? {}
        : {
            picture: {
              channels: picture.channels,
              height: picture.height,
              width: picture.width,
              layout: picture.layout,
            },
          }),
      ...(signal === undefined ? {} : { signal }),
      normalisation,
      measured: statistics,
      ...(classNames === undefined ? {} : { classNames }),
      ...(maps === undefined ? {} : { maps: recordOfMaps(maps) }),
    },
    hash,
    range: deliveredRange(normalisation, statistics, pictureRange !== undefined),
    read,
  };
}

/** How maps were understood, for the record. */
function recordOfMaps({ shape, objects, colours }: LabelMaps) {
  return { shape, objects, ...(colours === undefined ? {} : { colours }) };
}

function sameKind(like: SampleArray, length: number): SampleArray {
  return new (like.constructor as new (length: number) => SampleArray)(length);
}

function nothing(where: string): Error {
  return userError({ where, required: "at least one sample", got: "none", advice: "Check the path" });
}
