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
  const channels = statistics.mean.length;
  const low = statistics.min.map((min) => pictureRange?.[0] ?? min);
  const high = statistics.max.map((max) => pictureRange?.[1] ?? max);
  const build = (name: string, subtract: readonly number[], divide: readonly number[]): Normalisation => ({
    name,
    // A constant channel has no deviation to divide by: it is only centred.
    scale: divide.map((divisor) => 1 / (divisor || 1)),
    offset: subtract.map((shift, channel) => 0 - shift / (divide[channel] || 1)),
    low,
    high,
  });
  const span = low.map((from, channel) => high[channel] - from);
  if (typeof choice === "string") {
    switch (choice) {
      case "none":
        return build(choice, new Array(channels).fill(0), new Array(channels).fill(1));
      case "unit":
        return build(choice, low, span);
      case "symmetric":
        return build(
          choice,
          low.map((from, channel) => from + span[channel] / 2),
          span.map((width) => width / 2),
        );
      case "standard-rows":
      case "standard-columns":
        // Whether arrays have such rows or columns is seen where it is decided what has one scale: see channel-order.ts.
        if (pictureRange === undefined) {
          throw userError({
            where,
            required: `arrays of one channel for the normalisation ${choice}`,
            got: "samples of another kind",
            advice: "Use standard instead",
          });
        }
        return build(choice, statistics.mean, statistics.std);
      case "standard":
        return build(choice, statistics.mean, statistics.std);
      case "imagenet":
        if (pictureRange === undefined || channels !== 3) {
          throw userError({
            where,
            required: "RGB pictures for the normalisation imagenet",
            got: pictureRange === undefined ? "no pictures" : `${channels} channel(s)`,
            advice: "Use standard instead",
          });
        }
        break;
      case "quantile":
        throw userError({
          where,
          required: "a table for the normalisation quantile",
          got: "samples of another kind",
          advice: "Use standard instead",
        });
      default:
        throw userError({
          where: "normalise",
          required: `one of ${normalisationNames.join(", ")}, or numbers`,
          got: choice,
          advice: "Choose one of these",
        });
    }
  }
  const { mean, std } = typeof choice === "string" ? imagenet : choice;
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
  // After `unit`: (raw − low) / span, and only then the numbers.
  const unit =
    pictureRange === undefined ? undefined : { low: pictureRange[0], span: pictureRange[1] - pictureRange[0] };
  const perChannel = (numbers: readonly number[]) =>
    low.map((_, channel) => (numbers.length === 1 ? numbers[0] : numbers[channel]));
  const subtract = perChannel(mean).map((value) => (unit === undefined ? value : unit.low + value * unit.span));
  const divide = perChannel(std).map((value) => (unit === undefined ? value : value * unit.span));
  return build(typeof choice === "string" ? choice : "numbers", subtract, divide);
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
