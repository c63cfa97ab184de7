/** Groups of samples that are alike, found without labels: what the task clusters asks F for. */
import type { Dataset } from "../data/dataset.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import { RandomStream } from "../random/stream.js";
import { openSession } from "../runtime/node.js";
import type { Session, SessionOptions } from "../runtime/session.js";
import { type MeasureOptions, readBatches } from "./evaluate.js";
import { letOthersRun } from "./let-others-run.js";
import { measuringSamples } from "./measuring-samples.js";
import { datasetGeometry } from "./picture-geometry.js";
import { orientationsSize, pictureOrientations } from "./picture-orientations.js";

/** Samples that the groups are found by; the others are told by the nearest centre. */
const fittedSamples = 10_000;

/** Rounds of k-means; after these few samples change their group any more. */
const rounds = 10;

/** Points that are compared with the centres at a time. */
const comparedAtOnce = 128;

/**
 * Several groupings of a data set's samples by k-means (Lloyd, 1982), each from other centres. Pictures are compared by
 * the directions of their edges ({@link pictureOrientations}), other samples by their values. Release it after use.
 */
export class SampleClusters {
  readonly #dataset: Dataset;
  readonly #centres: Centres;
  /** By sample and grouping; −1 where nobody has asked yet. */
  readonly #known: Int32Array;

  private constructor(dataset: Dataset, centres: Centres) {
    this.#dataset = dataset;
    this.#centres = centres;
    this.#known = new Int32Array(dataset.count * centres.groupings).fill(-1);
  }

  /**
   * Finds the groups.
   *
   * @param count groups of each grouping; as many as there are samples at most
   * @param groupings how many groupings
   */
  static async find(
    dataset: Dataset,
    count: number,
    groupings: number,
    seed: number,
    options: MeasureOptions = {},
  ): Promise<SampleClusters> {
    const indices = measuringSamples(dataset, fittedSamples, seed, "clusters");
    const size = descriptionSize(dataset);
    const described = new Float32Array(indices.length * size);
    const sampleSize = sizeOf(dataset.shape);
    const shape = [Math.min(comparedAtOnce, indices.length), ...dataset.shape];
    const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
    for await (const { start, count: some } of readBatches(dataset, indices, samples, options.signal))
      described.set(describe(dataset, samples.data.subarray(0, some * sampleSize), some), start * size);
    const centres = await Centres.open(size, Math.min(count, indices.length), groupings, options);
    try {
      await centres.fit(described, seed, options.signal);
    } catch (error) {
      await centres.release();
      throw error;
    }
    return new SampleClusters(dataset, centres);
  }

  /**
   * Writes the groups of a batch as one-hot rows.
   *
   * @param indices of the samples
   * @param samples what the data set delivered for them
   * @param target [batch × groupings, groups], the groupings of a sample one after another
   */
  async writeOneHot(indices: ArrayLike<number>, samples: Float32Array, target: Float32Array): Promise<void> {
    const { groupings } = this.#centres;
    const groups = target.length / (indices.length * groupings);
    const sampleSize = sizeOf(this.#dataset.shape);
    const asked = Array.from({ length: indices.length }, (_, row) => row).filter(
      (row) => this.#known[indices[row] * groupings] < 0,
    );
    for (let start = 0; start < asked.length; start += comparedAtOnce) {
      const rows = asked.slice(start, start + comparedAtOnce);
      const some = new Float32Array(rows.length * sampleSize);
      rows.forEach((row, place) => {
        some.set(samples.subarray(row * sampleSize, (row + 1) * sampleSize), place * sampleSize);
      });
      const nearest = await this.#centres.nearest(describe(this.#dataset, some, rows.length));
      rows.forEach((row, place) => {
        for (let grouping = 0; grouping < groupings; grouping++)
          this.#known[indices[row] * groupings + grouping] = nearest[place * groupings + grouping];
      });
    }
    target.fill(0);
    for (let row = 0; row < indices.length; row++)
      for (let grouping = 0; grouping < groupings; grouping++)
        target[(row * groupings + grouping) * groups + this.#known[indices[row] * groupings + grouping]] = 1;
  }

  async release(): Promise<void> {
    await this.#centres.release();
  }
}

function descriptionSize(dataset: Dataset): number {
  return datasetGeometry(dataset) ? orientationsSize : sizeOf(dataset.shape);
}

function describe(dataset: Dataset, samples: Float32Array, count: number): Float32Array {
  const picture = datasetGeometry(dataset);
  return picture ? pictureOrientations(samples, count, picture) : samples;
}

/** The centres of all groupings, in ONNX Runtime, because most of the work is a product of matrices. */
class Centres {
  readonly groupings: number;
  readonly #groups: number;
  readonly #size: number;
  readonly #session: Session;
  readonly #points: ReturnType<typeof floatTensor>;
  /** [size, groupings × groups] */
  readonly #values: ReturnType<typeof floatTensor>;
  /** Half of each centre's square, negative. */
  readonly #offsets: ReturnType<typeof floatTensor>;

  private constructor(size: number, groups: number, groupings: number, session: Session) {
    this.groupings = groupings;
    this.#groups = groups;
    this.#size = size;
    this.#session = session;
    const all = groupings * groups;
    this.#points = floatTensor(new Float32Array(comparedAtOnce * size), [comparedAtOnce, size]);
    this.#values = floatTensor(new Float32Array(size * all), [size, all]);
    this.#offsets = floatTensor(new Float32Array(all), [all]);
  }

  static async open(size: number, groups: number, groupings: number, { threads }: SessionOptions): Promise<Centres> {
    const emit = new Emitter();
    const all = groupings * groups;
    const points = emit.input("points", "float32", [comparedAtOnce, size]);
    const values = emit.input("values", "float32", [size, all]);
    const offsets = emit.input("offsets", "float32", [all]);
    // ‖p − c‖² is least where p · c − ‖c‖² / 2 is largest.
    const likeness = emit.one("Gemm", [points, values, offsets]);
    const grouped = emit.reshape(likeness, [comparedAtOnce, groupings, groups]);
    emit.output("nearest", emit.one("ArgMax", [grouped], { axis: attribute.int(2), keepdims: attribute.int(0) }));
    const session = await openSession(emit.build("centres"), threads === undefined ? {} : { threads });
    return new Centres(size, groups, groupings, session);
  }

  /** The nearest centres of points: of each point one of every grouping, one after another. */
  async nearest(points: Float32Array): Promise<Int32Array> {
    const count = points.length / this.#size;
    const result = new Int32Array(count * this.groupings);
    for (let start = 0; start < count; start += comparedAtOnce) {
      const some = points.subarray(start * this.#size, (start + comparedAtOnce) * this.#size);
      this.#points.data.set(some);
      const feeds = { points: this.#points, values: this.#values, offsets: this.#offsets };
      const { nearest } = await this.#session.run(feeds);
      const found = nearest.data as BigInt64Array;
      for (let at = 0; at < (some.length / this.#size) * this.groupings; at++)
        result[start * this.groupings + at] = Number(found[at]);
    }
    return result;
  }

  /** k-means, from points by chance. A group that has lost all its points keeps its centre. */
  async fit(points: Float32Array, seed: number, signal: AbortSignal | undefined): Promise<void> {
    const count = points.length / this.#size;
    for (let grouping = 0; grouping < this.groupings; grouping++)
      new RandomStream(seed, `clusters/${grouping}`).sample(count, this.#groups).forEach((point, group) => {
        this.#put(grouping, group, points.subarray(point * this.#size, (point + 1) * this.#size), 1);
      });
    for (let round = 0; round < rounds; round++) {
      await letOthersRun(signal, "finding groups");
      const nearest = await this.nearest(points);
      const sums = new Float64Array(this.groupings * this.#groups * this.#size);
      const members = new Uint32Array(this.groupings * this.#groups);
      nearest.forEach((group, at) => {
        const place = (at % this.groupings) * this.#groups + group;
        const point = Math.floor(at / this.groupings);
        members[place]++;
        for (let axis = 0; axis < this.#size; axis++)
          sums[place * this.#size + axis] += points[point * this.#size + axis];
      });
      members.forEach((own, place) => {
        const sum = sums.subarray(place * this.#size, (place + 1) * this.#size);
        if (own > 0) this.#put(Math.floor(place / this.#groups), place % this.#groups, sum, own);
      });
    }
  }

  /** Puts a centre where a sum of points, divided by their number, is. */
  #put(grouping: number, group: number, sum: ArrayLike<number>, members: number): void {
    const place = grouping * this.#groups + group;
    let square = 0;
    for (let axis = 0; axis < this.#size; axis++) {
      const value = sum[axis] / members;
      this.#values.data[axis * this.groupings * this.#groups + place] = value;
      square += value * value;
    }
    this.#offsets.data[place] = -square / 2;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
