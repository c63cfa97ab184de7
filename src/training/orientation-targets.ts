/** What F is asked for beside the turns of pictures: the directions of their edges. */
import type { Dataset } from "../data/dataset.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { readBatches } from "./evaluate.js";
import { measuringSamples } from "./measuring-samples.js";
import { datasetGeometry, type PictureGeometry } from "./picture-geometry.js";
import { orientationsSize, pictureOrientations } from "./picture-orientations.js";

/** Samples over which means and deviations are taken, and how many are read at once. */
const usedSamples = 256;
const readAtOnce = 64;

/**
 * Histograms of oriented gradients as targets of a regression (Wei et al., 2022, MaskFeat), each of their numbers with
 * mean zero and deviation one over the data.
 */
export class OrientationTargets {
  readonly #picture: PictureGeometry;
  readonly #means: Float64Array;
  readonly #deviations: Float64Array;

  private constructor(picture: PictureGeometry, means: Float64Array, deviations: Float64Array) {
    this.#picture = picture;
    this.#means = means;
    this.#deviations = deviations;
  }

  /** Measures means and deviations on samples that are drawn by seed. @throws Error for data that are no pictures */
  static async measure(dataset: Dataset, seed: number): Promise<OrientationTargets> {
    const picture = datasetGeometry(dataset);
    if (!picture) throw new Error("only pictures have orientations");
    const indices = measuringSamples(dataset, usedSamples, seed, "orientations");
    const sums = new Float64Array(orientationsSize);
    const squares = new Float64Array(orientationsSize);
    const shape = [Math.min(readAtOnce, indices.length), ...dataset.shape];
    const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
    for await (const { count } of readBatches(dataset, indices, samples, undefined))
      pictureOrientations(samples.data, count, picture).forEach((value, at) => {
        sums[at % orientationsSize] += value;
        squares[at % orientationsSize] += value * value;
      });
    const means = sums.map((sum) => sum / indices.length);
    const deviations = squares.map((square, at) => Math.sqrt(Math.max(0, square / indices.length - means[at] ** 2)));
    return new OrientationTargets(picture, means, deviations);
  }

  /** Writes the targets of some samples: {@link orientationsSize} numbers each, zero where a number never changes. */
  write(samples: Float32Array, count: number, target: Float32Array): void {
    pictureOrientations(samples, count, this.#picture).forEach((value, at) => {
      const place = at % orientationsSize;
      const deviation = this.#deviations[place];
      target[at] = deviation > 1e-6 ? (value - this.#means[place]) / deviation : 0;
    });
  }
}
