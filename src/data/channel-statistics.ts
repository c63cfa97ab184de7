import { userError } from "../errors.js";
import { checkInterrupted } from "./read-bytes.js";
import type { SampleArray } from "./sample-array.js";

/**
 * Which channel each value of a sample belongs to: value e to channel floor(e / inner) mod channels. Pictures as
 * [C, H, W] have inner = H·W, as [H, W, C] inner = 1; a table's columns are channels with inner = 1.
 */
export interface ChannelOrder {
  readonly channels: number;
  readonly inner: number;
}

/** What was measured per channel, in the data's own units. */
export interface ChannelStatistics {
  readonly mean: number[];
  /** Standard deviation (of the population). */
  readonly std: number[];
  readonly min: number[];
  readonly max: number[];
}

/**
 * Mean, standard deviation and range per channel over all samples, in double precision.
 *
 * @throws UserError naming sample and position if a value is NaN or infinite
 */
export function measureChannels(
  data: SampleArray,
  sampleSize: number,
  order: ChannelOrder,
  where: string,
  signal?: AbortSignal,
): ChannelStatistics {
  return data instanceof Uint8Array
    ? measureBytes(data, order, signal)
    : measureNumbers(data, sampleSize, order, where, signal);
}

/** Bytes are counted, which is exact and needs one pass. */
function measureBytes(data: Uint8Array, { channels, inner }: ChannelOrder, signal?: AbortSignal): ChannelStatistics {
  const counts = Array.from({ length: channels }, () => new Float64Array(256));
  let channel = 0;
  for (let start = 0; start < data.length; start += inner) {
    const count = counts[channel];
    for (let at = start; at < start + inner; at++) count[data[at]]++;
    if (++channel === channels) {
      channel = 0;
      checkInterrupted(signal);
    }
  }
  const statistics: ChannelStatistics = { mean: [], std: [], min: [], max: [] };
  for (const count of counts) {
    const total = count.reduce((sum, next) => sum + next, 0);
    const mean = count.reduce((sum, next, value) => sum + next * value, 0) / total;
    const variance = count.reduce((sum, next, value) => sum + next * (value - mean) ** 2, 0) / total;
    statistics.mean.push(mean);
    statistics.std.push(Math.sqrt(variance));
    statistics.min.push(count.findIndex((next) => next > 0));
    statistics.max.push(count.findLastIndex((next) => next > 0));
  }
  return statistics;
}

/** Two passes: sums of squares of deviations from the known mean do not cancel. */
function measureNumbers(
  data: Exclude<SampleArray, Uint8Array>,
  sampleSize: number,
  { channels, inner }: ChannelOrder,
  where: string,
  signal?: AbortSignal,
): ChannelStatistics {
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const min = new Float64Array(channels).fill(Number.POSITIVE_INFINITY);
  const max = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY);
  const forEachRun = (visit: (channel: number, start: number) => void) => {
    let channel = 0;
    for (let start = 0; start < data.length; start += inner) {
      visit(channel, start);
      if (++channel === channels) {
        channel = 0;
        checkInterrupted(signal);
      }
    }
  };
  forEachRun((channel, start) => {
    for (let at = start; at < start + inner; at++) {
      const value = data[at];
      if (!Number.isFinite(value)) throw notFinite(value, at, sampleSize, where);
      sums[channel] += value;
      if (value < min[channel]) min[channel] = value;
      if (value > max[channel]) max[channel] = value;
    }
  });
  const perChannel = data.length / channels;
  const mean = sums.map((sum) => sum / perChannel);
  forEachRun((channel, start) => {
    for (let at = start; at < start + inner; at++) squares[channel] += (data[at] - mean[channel]) ** 2;
  });
  return {
    mean: [...mean],
    std: [...squares.map((square) => Math.sqrt(square / perChannel))],
    min: [...min],
    max: [...max],
  };
}

function notFinite(value: number, at: number, sampleSize: number, where: string): Error {
  return userError({
    where,
    required: "finite numbers",
    got: `${value} in sample ${Math.floor(at / sampleSize)}, value ${at % sampleSize} (both from 0)`,
    advice: "Remove or replace such values",
  });
}
