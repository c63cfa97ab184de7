import { userError } from "../errors.js";
import { type ChannelOrder, measureChannels } from "./channel-statistics.js";
import { type Dataset, type DatasetKind, type OpenOptions, sizeOf } from "./dataset.js";
import { readFitted } from "./fitted-record.js";
import { chooseNormalisation, deliveredRange, deliverSample } from "./normalisation.js";
import type { PictureTarget } from "./picture-shape.js";
import { hashArray, type SampleArray, startHash } from "./sample-array.js";

/** Samples in memory, in the order and shape in which they are delivered, not yet normalised. */
export interface StoredSamples {
  readonly where: string;
  readonly kind: DatasetKind;
  readonly data: SampleArray;
  readonly count: number;
  readonly shape: readonly number[];
  readonly order: ChannelOrder;
  readonly labels?: Int32Array | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** What the samples are as pictures, if they are. */
  readonly picture?: PictureTarget | undefined;
  /** The raw values' nominal range, for pictures. */
  readonly pictureRange?: readonly [number, number] | undefined;
  /** What else belongs into the record: the source, notes, what was skipped. */
  readonly record: Record<string, unknown>;
}

/** Measures samples in memory, fits or takes over their normalisation, and gives them as a {@link Dataset}. */
export function storedDataset(
  stored: StoredSamples,
  options: Pick<OpenOptions, "normalise" | "fitted" | "signal">,
): Dataset {
  const { where, kind, data, count, shape, order, labels, classNames, picture, pictureRange } = stored;
  if (count === 0) {
    throw userError({ where, required: "at least one sample", got: "none", advice: "Check the path" });
  }
  const size = sizeOf(shape);
  const statistics = measureChannels(data, size, order, where, options.signal);
  const fitted = readFitted(options.fitted)?.normalisation;
  if (fitted !== undefined && fitted.scale.length !== order.channels) {
    throw userError({
      where,
      required: `${fitted.scale.length} channel(s), as in the data that the normalisation was measured on`,
      got: `${order.channels}`,
      advice: "Give data of the same kind",
    });
  }
  const normalisation = fitted ?? chooseNormalisation(options.normalise ?? "standard", statistics, pictureRange, where);
  const hash = startHash(kind, shape, data.constructor.name, count);
  hashArray(hash, data);
  if (labels !== undefined) hashArray(hash, labels);
  return {
    where,
    kind,
    count,
    shape,
    ...(labels === undefined ? {} : { labels }),
    ...(classNames === undefined ? {} : { classNames }),
    record: {
      ...stored.record,
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
      normalisation,
      measured: statistics,
      ...(classNames === undefined ? {} : { classNames }),
    },
    hash: hash.digest("hex"),
    range: deliveredRange(normalisation, statistics, pictureRange !== undefined),
    read(indices, target) {
      for (let sample = 0; sample < indices.length; sample++) {
        deliverSample(data, indices[sample] * size, size, normalisation, order, target, sample * size);
      }
    },
  };
}
