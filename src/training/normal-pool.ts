/** Gaussian noise by the million: drawn once, then taken from random places. */
import { RandomStream } from "../random/stream.js";

const poolSize = 1 << 18;

/** Standard normal numbers, addressed by (seed, purpose, step) so that a resumed run sees the same noise. */
export class NormalPool {
  readonly #numbers = new Float32Array(poolSize);
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
    const stream = new RandomStream(seed, "noise-pool");
    for (let index = 0; index < poolSize; index++) this.#numbers[index] = stream.normal();
  }

  /** Fills the target with noise of this standard deviation. Runs of up to 4,096 numbers come from one place. */
  fill(target: Float32Array, deviation: number, purpose: string, step: number): void {
    const stream = new RandomStream(this.#seed, purpose, step);
    const run = 4096;
    for (let start = 0; start < target.length; start += run) {
      const end = Math.min(start + run, target.length);
      const place = stream.below(poolSize - run);
      const sign = stream.below(2) === 0 ? deviation : -deviation;
      for (let index = start; index < end; index++) target[index] = sign * this.#numbers[place + index - start];
    }
  }
}
