/**
 * Seeded random streams, addressed by (seed, purpose, index): the numbers of one purpose never depend on how many were
 * drawn for another, so a resumed run draws what an uninterrupted one would have drawn.
 */
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { RandomGenerator } from "pure-rand/types/RandomGenerator";

/** A stream of random numbers. Drawing advances it. */
export class RandomStream {
  readonly #generator: RandomGenerator;
  #spareNormal: number | undefined;

  /**
   * @param seed the user's seed, an integer
   * @param purpose what the numbers are for, such as "order" or "weights/conv1.weight"
   * @param index which of several streams of that purpose, such as the epoch or the step
   */
  constructor(seed: number, purpose: string, index = 0) {
    this.#generator = xoroshiro128plus(hash(`${seed}\u0000${purpose}\u0000${index}`));
    // The generator's first outputs after a 32-bit seeding are correlated between close seeds.
    for (let skipped = 0; skipped < 16; skipped++) this.#generator.next();
  }

  /** A whole number from 0 to 2³² − 1. */
  uint32(): number {
    return this.#generator.next() >>> 0;
  }

  /** A number from 0 (included) to 1 (excluded), with 32 random bits. */
  uniform(): number {
    return this.uint32() * 2 ** -32;
  }

  /** A whole number from 0 (included) to limit (excluded), without modulo bias; limit at most 2³². */
  below(limit: number): number {
    if (!Number.isInteger(limit) || limit < 1 || limit > 2 ** 32) {
      throw new RangeError(`a limit from 1 to 2^32 is required, got ${limit}`);
    }
    const largest = 2 ** 32 - (2 ** 32 % limit);
    for (;;) {
      const value = this.uint32();
      if (value < largest) return value % limit;
    }
  }

  /** A number from the standard normal distribution (Marsaglia's polar method). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spareNormal = v * factor;
      return u * factor;
    }
  }

  /** A random order of the whole numbers from 0 to count − 1 (Fisher and Yates). */
  permutation(count: number): Uint32Array {
    const order = new Uint32Array(count);
    for (let index = 0; index < count; index++) order[index] = index;
    for (let last = count - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    return order;
  }

  /**
   * Different whole numbers from 0 to count − 1 in random order, at most `most` of them: the beginning of a shuffle
   * (Fisher and Yates), in time and memory that do not grow with the count.
   */
  sample(count: number, most: number): Uint32Array {
    const drawn = new Uint32Array(Math.min(count, most));
    /** What stands at a place of the shuffle where that is not the place's own number. */
    const moved = new Map<number, number>();
    for (let place = 0; place < drawn.length; place++) {
      const other = place + this.below(count - place);
      drawn[place] = moved.get(other) ?? other;
      moved.set(other, moved.get(place) ?? place);
    }
    return drawn;
  }
}

/** FNV-1a over UTF-16 code units, finished with the mixer of MurmurHash3. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let position = 0; position < text.length; position++) {
    state = Math.imul(state ^ text.charCodeAt(position), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) | 0;
}
