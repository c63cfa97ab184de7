/** F's features of labelled samples, so many at a time that memory does not grow with the data. */
import type { Dataset } from "../data/dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import type { Weights } from "../recipe/initial-values.js";
import { type EvaluateOptions, type Evaluator, openEvaluator, usualBatch } from "./evaluate.js";

/** Whole batches, so that statistics of a batch are the same whatever is read at once. */
export const readAtOnce = 8 * usualBatch;

/** Numbers that are kept where nothing else is asked for: 64 MiB. */
const usuallyKept = 2 ** 24;

export interface LabelledFeaturesOptions extends EvaluateOptions {
  /** Features are computed once and kept where they are no more numbers than this. */
  readonly mostKept?: number;
}

/** Some samples' features and what they are labelled with. */
export interface LabelledPoints {
  /** [labels.length, width], row-major. */
  readonly points: Float32Array;
  readonly labels: Int32Array;
}

/** Features of the samples of a data set whose labels are known, numbered from 0. */
export class LabelledFeatures {
  /** How many samples there are. */
  readonly count: number;
  /** The label of each. */
  readonly labels: Int32Array;
  /** Numbers a sample. */
  readonly width: number;
  readonly #evaluator: Evaluator;
  readonly #weights: Weights;
  readonly #labelled: Dataset;
  readonly #indices: ArrayLike<number>;
  readonly #isKept: boolean;
  readonly #onProgress: EvaluateOptions["onProgress"];
  /** All features, where they are kept and have been asked for. */
  #kept: Float32Array | undefined;

  private constructor(
    evaluator: Evaluator,
    weights: Weights,
    labelled: Dataset,
    indices: ArrayLike<number>,
    width: number,
    isKept: boolean,
    onProgress: EvaluateOptions["onProgress"],
  ) {
    this.#evaluator = evaluator;
    this.#weights = weights;
    this.#labelled = labelled;
    this.#indices = indices;
    this.#isKept = isKept;
    this.#onProgress = onProgress;
    this.count = indices.length;
    this.labels = Int32Array.from(indices, (index) => labelled.labels?.[index] ?? -1);
    this.width = width;
  }

  /**
   * @param width the numbers of one sample's features
   * @param options progress counts samples: once where their features are kept, else anew whenever they are read
   */
  static async open(
    { network, feature }: FeatureExtractor,
    weights: Weights,
    labelled: Dataset,
    width: number,
    { mostKept = usuallyKept, onProgress, ...options }: LabelledFeaturesOptions = {},
  ): Promise<LabelledFeatures> {
    const indices = knownLabels(labelled.labels);
    const isKept = indices.length * width <= mostKept;
    const computing = isKept && onProgress ? { ...options, onProgress } : options;
    const evaluator = await openEvaluator(network, feature, computing);
    return new LabelledFeatures(evaluator, weights, labelled, indices, width, isKept, onProgress);
  }

  /** @param places numbers of samples; default: all, in their order */
  async *read(places?: Uint32Array): AsyncGenerator<LabelledPoints> {
    const asked = places ?? Uint32Array.from({ length: this.count }, (_, place) => place);
    if (this.#isKept) this.#kept ??= await this.#computed(this.#indices);
    for (let start = 0; start < asked.length; start += readAtOnce) {
      const some = asked.subarray(start, start + readAtOnce);
      const points = this.#kept
        ? this.#copied(this.#kept, some)
        : await this.#computed(Array.from(some, (place) => this.#indices[place]));
      if (!this.#isKept) this.#onProgress?.(start + some.length, asked.length);
      yield { points, labels: Int32Array.from(some, (place) => this.labels[place]) };
    }
  }

  async release(): Promise<void> {
    await this.#evaluator.release();
  }

  async #computed(indices: ArrayLike<number>): Promise<Float32Array> {
    return (await this.#evaluator.evaluate(this.#weights, this.#labelled, indices)).data;
  }

  #copied(from: Float32Array, places: Uint32Array): Float32Array {
    const { width } = this;
    const points = new Float32Array(places.length * width);
    places.forEach((place, row) => {
      points.set(from.subarray(place * width, (place + 1) * width), row * width);
    });
    return points;
  }
}
