/** What F is asked to tell of samples: numbers that describe them. */
import type { Dataset } from "../data/dataset.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { type MeasureOptions, readBatches } from "./evaluate.js";
import { measuringSamples } from "./measuring-samples.js";
import { datasetGeometry, type PictureGeometry } from "./picture-geometry.js";
import { orientationsSize, pictureOrientations } from "./picture-orientations.js";
import { Topics } from "./topics.js";
import { VisualWords } from "./visual-words.js";

/** Samples over which means and deviations are taken, and how many are read at once. */
const usedSamples = 256;
const readAtOnce = 64;

/** Most values that are remembered of a data set, so that a sample is described once only: 32 MiB. */
const mostRemembered = 2 ** 23;

/** What describes samples, each by as many numbers. */
interface Describer {
  readonly numbers: number;
  describe(samples: Float32Array, count: number): Float32Array | Promise<Float32Array>;
  release(): Promise<void>;
}

/** The directions of edges as targets of a regression (Wei et al., 2022, MaskFeat). @throws Error for data that are no pictures */
export async function orientationTargets(
  dataset: Dataset,
  seed: number,
  options: MeasureOptions = {},
): Promise<DescriptionTargets> {
  const picture = geometryOf(dataset);
  const describer: Describer = {
    numbers: orientationsSize,
    describe: (samples, count) => pictureOrientations(samples, count, picture),
    release: () => Promise.resolve(),
  };
  return DescriptionTargets.measure(dataset, describer, seed, "orientations", options);
}

/** Visual words as targets of a regression (Gidaris et al., 2020). @throws Error for data that are no pictures */
export async function visualWordTargets(
  dataset: Dataset,
  seed: number,
  options: MeasureOptions = {},
): Promise<DescriptionTargets> {
  const words = await VisualWords.open(dataset, geometryOf(dataset), seed, options);
  return DescriptionTargets.measure(dataset, words, seed, "visual-words", options);
}

/** Topics as targets of a regression. @param vocabulary how many tokens there are, from 0 on */
export async function topicTargets(
  dataset: Dataset,
  vocabulary: number,
  seed: number,
  options: MeasureOptions = {},
): Promise<DescriptionTargets> {
  const topics = await Topics.open(dataset, vocabulary, seed, options);
  return DescriptionTargets.measure(dataset, topics, seed, "topics", options);
}

function geometryOf(dataset: Dataset): PictureGeometry {
  const picture = datasetGeometry(dataset);
  if (!picture) throw new Error("only pictures can be described");
  return picture;
}

/** Numbers that describe a data set's samples, each with mean zero and deviation one over the data. Release it after use. */
export class DescriptionTargets {
  readonly #describer: Describer;
  readonly #sampleSize: number;
  readonly #means: Float64Array;
  readonly #deviations: Float64Array;
  /** Targets of the data set's first samples, and of which there are some. */
  readonly #known: Float32Array;
  readonly #isKnown: Uint8Array;

  private constructor(dataset: Dataset, describer: Describer, means: Float64Array, deviations: Float64Array) {
    this.#describer = describer;
    this.#sampleSize = sizeOf(dataset.shape);
    this.#means = means;
    this.#deviations = deviations;
    const remembered = Math.min(dataset.count, Math.floor(mostRemembered / describer.numbers));
    this.#known = new Float32Array(remembered * describer.numbers);
    this.#isKnown = new Uint8Array(remembered);
  }

  /** Measures means and deviations on samples that are drawn by seed. The describer is released with the targets. */
  static async measure(
    dataset: Dataset,
    describer: Describer,
    seed: number,
    purpose: string,
    { signal }: MeasureOptions,
  ): Promise<DescriptionTargets> {
    const { numbers } = describer;
    try {
      const indices = measuringSamples(dataset, usedSamples, seed, purpose);
      const sums = new Float64Array(numbers);
      const squares = new Float64Array(numbers);
      const shape = [Math.min(readAtOnce, indices.length), ...dataset.shape];
      const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
      for await (const { count } of readBatches(dataset, indices, samples, signal))
        (await describer.describe(samples.data, count)).forEach((value, at) => {
          sums[at % numbers] += value;
          squares[at % numbers] += value * value;
        });
      const means = sums.map((sum) => sum / indices.length);
      const deviations = squares.map((square, at) => Math.sqrt(Math.max(0, square / indices.length - means[at] ** 2)));
      return new DescriptionTargets(dataset, describer, means, deviations);
    } catch (error) {
      await describer.release();
      throw error;
    }
  }

  /**
   * Writes the targets of samples, zero where a number never changes.
   *
   * @param indices of the samples in the data set
   * @param samples what the data set delivers for them, and perhaps more behind
   * @param target [samples, numbers]
   */
  async write(indices: ArrayLike<number>, samples: Float32Array, target: Float32Array): Promise<void> {
    const { numbers } = this.#describer;
    const size = this.#sampleSize;
    const rows = Array.from({ length: indices.length }, (_, row) => row);
    const asked = rows.filter((row) => this.#isKnown[indices[row]] !== 1);
    if (asked.length > 0) {
      const some = new Float32Array(asked.length * size);
      asked.forEach((row, place) => {
        some.set(samples.subarray(row * size, (row + 1) * size), place * size);
      });
      const described = await this.#describer.describe(some, asked.length);
      asked.forEach((row, place) => {
        const own = target.subarray(row * numbers, (row + 1) * numbers);
        for (let at = 0; at < numbers; at++) {
          const deviation = this.#deviations[at];
          own[at] = deviation > 1e-6 ? (described[place * numbers + at] - this.#means[at]) / deviation : 0;
        }
        const index = indices[row];
        if (index >= this.#isKnown.length) return;
        this.#known.set(own, index * numbers);
        this.#isKnown[index] = 1;
      });
    }
    const described = new Set(asked);
    for (const row of rows)
      if (!described.has(row))
        target.set(this.#known.subarray(indices[row] * numbers, (indices[row] + 1) * numbers), row * numbers);
  }

  async release(): Promise<void> {
    await this.#describer.release();
  }
}
