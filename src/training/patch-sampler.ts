/** What a convolution reads, at random positions of its samples. */
import { sizeOf } from "../graph/tensor.js";
import type { Layer } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import type { Evaluation } from "./evaluate.js";

/** Reads patches as a convolution does at random positions where no padding is in them, as many of each sample. */
export class PatchSampler {
  readonly #kernel: readonly number[];
  readonly #channels: number;
  readonly #strides: readonly number[];
  readonly #dilations: readonly number[];
  readonly #each: number;
  readonly #stream: RandomStream;
  readonly #patches: Float32Array;
  #filled = 0;

  /**
   * @param channels of what the convolution reads
   * @param samples most that are looked at
   * @param each patches of a sample
   */
  constructor({ weight, node }: Layer, channels: number, samples: number, each: number, seed: number) {
    this.#channels = channels;
    this.#kernel = weight.shape.slice(2);
    const along = (name: string): readonly number[] => {
      const found = node.attributes[name];
      return found?.kind === "ints" && found.value.length > 0 ? found.value : this.#kernel.map(() => 1);
    };
    this.#strides = along("strides");
    this.#dilations = along("dilations");
    this.#each = each;
    this.#stream = new RandomStream(seed, "principal-components/positions");
    this.#patches = new Float32Array(samples * each * this.size);
  }

  /** How many values a patch has. */
  get size(): number {
    return this.#channels * sizeOf(this.#kernel);
  }

  /** How many patches have been read. */
  get count(): number {
    return this.#filled / this.size;
  }

  /** @param values [samples, channels, ...positions] */
  add({ data, shape: [samples, , ...sizes] }: Evaluation): void {
    const places = sizes.map((size, axis) =>
      Math.floor((size - (this.#kernel[axis] - 1) * this.#dilations[axis] - 1) / this.#strides[axis] + 1),
    );
    if (places.some((count) => count < 1)) return;
    const offsets = this.#offsets(sizes);
    const sampleSize = this.#channels * sizeOf(sizes);
    for (let sample = 0; sample < samples; sample++)
      for (let count = 0; count < this.#each; count++) {
        const position = places.reduce(
          (before, limit, axis) => before * sizes[axis] + this.#stream.below(limit) * this.#strides[axis],
          0,
        );
        const start = sample * sampleSize + position;
        for (let value = 0; value < offsets.length; value++)
          this.#patches[this.#filled + value] = data[start + offsets[value]];
        this.#filled += offsets.length;
      }
  }

  /** Where the values of a patch lie behind its first, by channel and then by position in the kernel. */
  #offsets(sizes: readonly number[]): Int32Array {
    let offsets = [0];
    sizes.forEach((size, axis) => {
      const steps = Array.from({ length: this.#kernel[axis] }, (_, step) => step * this.#dilations[axis]);
      offsets = offsets.flatMap((offset) => steps.map((step) => offset * size + step));
    });
    const positions = sizeOf(sizes);
    return Int32Array.from({ length: this.size }, (_, value) => {
      const channel = Math.floor(value / offsets.length);
      return channel * positions + offsets[value % offsets.length];
    });
  }

  /** All patches so far, [patches, {@link size}]. */
  taken(): Float32Array {
    return this.#patches.subarray(0, this.#filled);
  }
}
