import { userError } from "../errors.js";
import type { SampleArray } from "./sample-array.js";
import { largestNumber } from "./table-cell.js";

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
 * Measures mean, standard deviation and range per channel in one pass, in double precision. Bytes are counted, which
 * is exact; of other numbers each piece's mean and sum of squared deviations are merged into the whole's (Chan, Golub
 * and LeVeque 1979), which does not cancel as sums of squares do.
 */
export class ChannelMeter {
  readonly #order: ChannelOrder;
  readonly #counts: Float64Array[] | undefined;
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  #perChannel = 0;

  /** @param bytes whether the values are bytes */
  constructor(order: ChannelOrder, bytes: boolean) {
    this.#order = order;
    this.#counts = bytes ? Array.from({ length: order.channels }, () => new Float64Array(256)) : undefined;
    this.#mean = new Float64Array(order.channels);
    this.#squares = new Float64Array(order.channels);
    this.#min = new Float64Array(order.channels).fill(Number.POSITIVE_INFINITY);
    this.#max = new Float64Array(order.channels).fill(Number.NEGATIVE_INFINITY);
  }

  /**
   * Takes in whole samples. The result is the same, to the last bit, only for the same pieces in the same order.
   *
   * @returns where in the piece the first value stands that is NaN, or infinite as float32; the piece is not counted then
   */
  add(data: SampleArray): number | undefined {
    const { channels, inner } = this.#order;
    if (this.#counts !== undefined) {
      // Four counts a value in turn: a count that the value before has just raised is not there yet.
      const turns = this.#counts.map(() => new Uint32Array(4 * 256));
      for (let start = 0, channel = 0; start < data.length; start += inner) {
        const count = turns[channel];
        const end = start + inner;
        let at = start;
        for (; at + 4 <= end; at += 4) {
          count[data[at]]++;
          count[256 + data[at + 1]]++;
          count[512 + data[at + 2]]++;
          count[768 + data[at + 3]]++;
        }
        for (; at < end; at++) count[data[at]]++;
        if (++channel === channels) channel = 0;
      }
      this.#counts.forEach((count, channel) => {
        turns[channel].forEach((found, place) => {
          count[place % 256] += found;
        });
      });
      return undefined;
    }
    const sums = new Float64Array(channels);
    for (let start = 0, channel = 0; start < data.length; start += inner) {
      let sum = 0;
      for (let at = start; at < start + inner; at++) sum += data[at];
      sums[channel] += sum;
      if (++channel === channels) channel = 0;
    }
    // A sum is finite only where every value is; it may also overflow, which the search for the value tells apart.
    // Values in double precision may each be too large.
    if (data instanceof Float64Array || !sums.every(Number.isFinite)) {
      const bad = data.findIndex((value) => !(Math.abs(value) <= largestNumber));
      if (bad >= 0) return bad;
    }
    const count = data.length / channels;
    const mean = sums.map((sum) => sum / count);
    const squares = new Float64Array(channels);
    for (let start = 0, channel = 0; start < data.length; start += inner) {
      const centre = mean[channel];
      let [sum, min, max] = [0, this.#min[channel], this.#max[channel]];
      for (let at = start; at < start + inner; at++) {
        const value = data[at];
        sum += (value - centre) ** 2;
        if (value < min) min = value;
        if (value > max) max = value;
      }
      squares[channel] += sum;
      this.#min[channel] = min;
      this.#max[channel] = max;
      if (++channel === channels) channel = 0;
    }
    const total = this.#perChannel + count;
    for (let channel = 0; channel < channels; channel++) {
      const shift = mean[channel] - this.#mean[channel];
      this.#squares[channel] += squares[channel] + (shift ** 2 * this.#perChannel * count) / total;
      this.#mean[channel] += (shift * count) / total;
    }
    this.#perChannel = total;
    return undefined;
  }

  /** What was measured so far. */
  statistics(): ChannelStatistics {
    if (this.#counts !== undefined) return statisticsOfCounts(this.#counts);
    return {
      mean: [...this.#mean],
      std: [...this.#squares.map((sum) => Math.sqrt(sum / this.#perChannel))],
      min: [...this.#min],
      max: [...this.#max],
    };
  }
}

function statisticsOfCounts(counts: readonly Float64Array[]): ChannelStatistics {
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

/** The error for a value that is NaN or infinite, with its place. */
export function notFinite(value: number, sample: number, place: number, where: string): Error {
  return userError({
    where,
    required: "finite numbers of at most 3.4e38",
    got: `${value} in sample ${sample}, value ${place} (both from 0)`,
    advice: "Remove or replace such values, or have such samples skipped with --on-bad skip",
  });
}
