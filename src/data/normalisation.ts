import { userError } from "../errors.js";
import { type ByteScaler, byteScaler } from "./byte-scaler.js";
import type { ChannelOrder, ChannelStatistics } from "./channel-statistics.js";
import type { NormalisationChoice } from "./dataset.js";
import type { SampleArray } from "./sample-array.js";

/** How raw values become delivered ones: delivered = raw · scale + offset, with one number of each per channel. */
export interface Normalisation {
  /** The name it was asked for by, or "numbers". */
  readonly name: string;
  readonly scale: number[];
  readonly offset: number[];
  /** The raw range that is shown as black to white, or that `unit` maps to [0, 1], per channel. */
  readonly low: number[];
  readonly high: number[];
}

/** The names that {@link chooseNormalisation} knows. */
export const normalisationNames = [
  "none",
  "unit",
  "symmetric",
  "standard",
  "standard-rows",
  "standard-columns",
  "imagenet",
  "quantile",
] as const;

/** Mean and standard deviation of ImageNet's RGB channels in [0, 1], as torchvision documents them. */
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Turns a choice into numbers.
 *
 * @param statistics what was measured on the data
 * @param pictureRange the raw values' nominal range if they are pictures (0 to 255, 0 to 65535, 0 to 1); without it
 *   `unit` goes by the range measured per channel, and numbers apply to raw values
 * @throws UserError for an unknown name or numbers that do not fit the channels
 */
export function chooseNormalisation(
  choice: NormalisationChoice,
  statistics: ChannelStatistics,
  pictureRange: readonly [number, number] | undefined,
  where: string,
): Normalisation {
  const low = statistics.min.map((min) => pictureRange?.[0] ?? min);
  const high = statistics.max.map((max) => pictureRange?.[1] ?? max);
  const measured: MeasuredData = { statistics, low, high, pictureRange, where };
  const { subtract, divide } =
    typeof choice === "string" ? namedScaling(choice, measured) : scalingOfNumbers(choice, measured);
  return {
    name: typeof choice === "string" ? choice : "numbers",
    // A constant channel has no deviation to divide by: it is only centred.
    scale: divide.map((divisor) => 1 / (divisor || 1)),
    offset: subtract.map((shift, channel) => 0 - shift / (divide[channel] || 1)),
    low,
    high,
  };
}

/** What is known of the data that a normalisation is chosen for. */
interface MeasuredData {
  readonly statistics: ChannelStatistics;
  readonly low: readonly number[];
  readonly high: readonly number[];
  readonly pictureRange: readonly [number, number] | undefined;
  readonly where: string;
}

/** delivered = (raw − subtract) / divide, by channel. */
interface Scaling {
  readonly subtract: readonly number[];
  readonly divide: readonly number[];
}

function namedScaling(name: string, measured: MeasuredData): Scaling {
  const { statistics, low, high, pictureRange, where } = measured;
  const { mean, std } = statistics;
  const span = low.map((from, channel) => high[channel] - from);
  const unfit = (required: string, got: string): Error =>
    userError({ where, required: `${required} for the normalisation ${name}`, got, advice: "Use standard instead" });
  switch (name) {
    case "none":
      return { subtract: low.map(() => 0), divide: low.map(() => 1) };
    case "unit":
      return { subtract: low, divide: span };
    case "symmetric":
      return {
        subtract: low.map((from, channel) => from + span[channel] / 2),
        divide: span.map((width) => width / 2),
      };
    case "standard-rows":
    case "standard-columns":
      // Whether arrays have such rows or columns is seen where it is decided what has one scale: see channel-order.ts.
      if (pictureRange === undefined) throw unfit("arrays of one channel", "samples of another kind");
      return { subtract: mean, divide: std };
    case "standard":
      return { subtract: mean, divide: std };
    case "imagenet":
      if (pictureRange === undefined) throw unfit("RGB pictures", "no pictures");
      if (mean.length !== 3) throw unfit("RGB pictures", `${mean.length} channel(s)`);
      return scalingOfNumbers(imagenet, measured);
    case "quantile":
      throw unfit("a table", "samples of another kind");
    default:
      throw userError({
        where: "normalise",
        required: `one of ${normalisationNames.join(", ")}, or numbers`,
        got: name,
        advice: "Choose one of these",
      });
  }
}

/** Means and deviations that were given, one of each or one a channel; of pictures they apply after `unit`. */
function scalingOfNumbers(
  { mean, std }: { readonly mean: readonly number[]; readonly std: readonly number[] },
  { low, pictureRange, where }: MeasuredData,
): Scaling {
  const channels = low.length;
  const usable = (numbers: readonly number[]) =>
    (numbers.length === channels || numbers.length === 1) && numbers.every(Number.isFinite);
  if (!usable(mean) || !usable(std) || std.some((value) => value <= 0)) {
    throw userError({
      where: "normalise",
      required: `one finite mean and one positive std, or ${channels} of each`,
      got: `mean [${mean.join(", ")}], std [${std.join(", ")}]`,
      advice: `Give a number per channel of ${where}`,
    });
  }
  const perChannel = (numbers: readonly number[]) =>
    low.map((_, channel) => (numbers.length === 1 ? numbers[0] : numbers[channel]));
  if (pictureRange === undefined) return { subtract: perChannel(mean), divide: perChannel(std) };
  // (raw − first) / span, and only then the numbers.
  const [first, last] = pictureRange;
  const span = last - first;
  return {
    subtract: perChannel(mean).map((value) => first + value * span),
    divide: perChannel(std).map((value) => value * span),
  };
}

/** The range of delivered values: what `unit` and `symmetric` promise, or what the measured range becomes. */
export function deliveredRange(
  normalisation: Normalisation,
  statistics: ChannelStatistics,
  pictures: boolean,
): { min: number; max: number } {
  if (normalisation.name === "unit") return { min: 0, max: 1 };
  if (normalisation.name === "symmetric") return { min: -1, max: 1 };
  const nominal = normalisation.name === "none" && pictures;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  normalisation.scale.forEach((scale, channel) => {
    const shift = normalisation.offset[channel];
    min = Math.min(min, (nominal ? normalisation.low : statistics.min)[channel] * scale + shift);
    max = Math.max(max, (nominal ? normalisation.high : statistics.max)[channel] * scale + shift);
  });
  return { min, max };
}

/** Copies a sample, which begins at `from` in `data`, and normalises it on the way; it goes to `to` in `target`. */
export type SampleDelivery = (data: SampleArray, from: number, target: Float32Array, to: number) => void;

/**
 * How samples are delivered.
 *
 * @param size values of one sample
 */
export function sampleDelivery(normalisation: Normalisation, order: ChannelOrder, size: number): SampleDelivery {
  let scaleBytes: ByteScaler | undefined;
  let isTried = false;
  return (data, from, target, to) => {
    if (data instanceof Uint8Array) {
      if (!isTried) scaleBytes = byteScaler(normalisation, order, size);
      isTried = true;
      if (scaleBytes !== undefined) {
        scaleBytes(data, from, target, to);
        return;
      }
    }
    deliver(data, from, size, normalisation, order, target, to);
  };
}

function deliver(
  data: SampleArray,
  from: number,
  size: number,
  { scale, offset }: Normalisation,
  { channels, inner }: ChannelOrder,
  target: Float32Array,
  to: number,
): void {
  if (inner === 1) {
    for (let at = 0, channel = 0; at < size; at++) {
      target[to + at] = data[from + at] * scale[channel] + offset[channel];
      if (++channel === channels) channel = 0;
    }
    return;
  }
  for (let start = 0, channel = 0; start < size; start += inner) {
    const [factor, shift] = [scale[channel], offset[channel]];
    for (let at = start; at < start + inner; at++) target[to + at] = data[from + at] * factor + shift;
    if (++channel === channels) channel = 0;
  }
}
