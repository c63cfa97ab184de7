/** Groups of samples that are alike, found without labels: what the task clusters asks F for. */
import type { Dataset } from "../data/dataset.js";
import { sizeOf } from "../graph/tensor.js";
import { RandomStream } from "../random/stream.js";
import { measuringSamples } from "./condition.js";
import { datasetGeometry } from "./picture-geometry.js";
import { orientationsSize, pictureOrientations } from "./picture-orientations.js";

/** Samples that the groups are found by; the others are told by the nearest centre. */
const fittedSamples = 5_000;

/** Rounds of k-means; after these few samples change their group any more. */
const rounds = 8;

/** Samples that are described at a time. */
const chunk = 500;

/**
 * Several groupings of a data set's samples by k-means (Lloyd, 1982), each from other centres. Pictures are compared by
 * the directions of their edges ({@link pictureOrientations}), other samples by their values.
 */
export class SampleClusters {
  readonly #dataset: Dataset;
  /** One after another, of each grouping. */
  readonly #centres: readonly Float32Array[];
  /** By sample and grouping; −1 where nobody has asked yet. */
  readonly #known: Int32Array;

  private constructor(dataset: Dataset, centres: readonly Float32Array[]) {
    this.#dataset = dataset;
    this.#centres = centres;
    this.#known = new Int32Array(dataset.count * centres.length).fill(-1);
  }

  /**
   * Finds the groups.
   *
   * @param count groups of each grouping; as many as there are samples at most
   * @param groupings how many groupings
   */
  static async find(dataset: Dataset, count: number, groupings: number, seed: number): Promise<SampleClusters> {
    const indices = measuringSamples(dataset, Math.min(fittedSamples, dataset.count), seed, "clusters");
    const size = descriptionSize(dataset);
    const described = new Float32Array(indices.length * size);
    const sampleSize = sizeOf(dataset.shape);
    for (let start = 0; start < indices.length; start += chunk) {
      const some = indices.subarray(start, start + chunk);
      const samples = new Float32Array(some.length * sampleSize);
      await dataset.read(some, samples);
      described.set(describe(dataset, samples, some.length), start * size);
    }
    const centres = Array.from({ length: groupings }, (_, grouping) => {
      const stream = new RandomStream(seed, `clusters/${grouping}`);
      return kMeans(described, size, Math.min(count, indices.length), stream);
    });
    return new SampleClusters(dataset, centres);
  }

  /**
   * Writes the groups of a batch as one-hot rows.
   *
   * @param indices of the samples
   * @param samples what the data set delivered for them
   * @param target [batch × groupings, groups], the groupings of a sample one after another
   */
  writeOneHot(indices: ArrayLike<number>, samples: Float32Array, target: Float32Array): void {
    const groupings = this.#centres.length;
    const groups = target.length / (indices.length * groupings);
    const sampleSize = sizeOf(this.#dataset.shape);
    target.fill(0);
    for (let row = 0; row < indices.length; row++) {
      const known = this.#known.subarray(indices[row] * groupings, (indices[row] + 1) * groupings);
      if (known[0] < 0) {
        const description = describe(this.#dataset, samples.subarray(row * sampleSize, (row + 1) * sampleSize), 1);
        this.#centres.forEach((centres, grouping) => {
          known[grouping] = nearestCentre(description, 0, centres, description.length);
        });
      }
      for (let grouping = 0; grouping < groupings; grouping++)
        target[(row * groupings + grouping) * groups + known[grouping]] = 1;
    }
  }
}

function descriptionSize(dataset: Dataset): number {
  return datasetGeometry(dataset) ? orientationsSize : sizeOf(dataset.shape);
}

function describe(dataset: Dataset, samples: Float32Array, count: number): Float32Array {
  const picture = datasetGeometry(dataset);
  return picture ? pictureOrientations(samples, count, picture) : samples;
}

/** The centres of k-means, from points by chance. A group that has lost all its points keeps its centre. */
export function kMeans(points: Float32Array, size: number, count: number, stream: RandomStream): Float32Array {
  const total = points.length / size;
  const centres = new Float32Array(count * size);
  stream.sample(total, count).forEach((point, group) => {
    centres.set(points.subarray(point * size, (point + 1) * size), group * size);
  });
  for (let round = 0; round < rounds; round++) {
    const sums = new Float64Array(count * size);
    const members = new Uint32Array(count);
    for (let point = 0; point < total; point++) {
      const group = nearestCentre(points, point * size, centres, size);
      members[group]++;
      for (let place = 0; place < size; place++) sums[group * size + place] += points[point * size + place];
    }
    for (let at = 0; at < centres.length; at++) {
      const own = members[Math.floor(at / size)];
      if (own > 0) centres[at] = sums[at] / own;
    }
  }
  return centres;
}

/** The first of the nearest centres. */
function nearestCentre(points: Float32Array, start: number, centres: Float32Array, size: number): number {
  let [nearest, least] = [0, Number.POSITIVE_INFINITY];
  for (let group = 0, at = 0; at < centres.length; group++) {
    let distance = 0;
    // Left as soon as it is farther than the nearest so far.
    for (let place = 0; place < size && distance < least; place++, at++) {
      const difference = points[start + place] - centres[at];
      distance += difference * difference;
    }
    if (distance < least) [nearest, least] = [group, distance];
    at = (group + 1) * size;
  }
  return nearest;
}
