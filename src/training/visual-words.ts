/** Pictures described by which small patches occur where in them. */
import type { Dataset } from "../data/dataset.js";
import type { Graph } from "../graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { Emitter } from "../ops/emitter.js";
import { RandomStream } from "../random/stream.js";
import { openSession } from "../runtime/node.js";
import type { Session } from "../runtime/session.js";
import { type MeasureOptions, readBatches } from "./evaluate.js";
import { leadingComponents } from "./leading-components.js";
import { measuringSamples } from "./measuring-samples.js";
import { type Patches, patchesOf, reduced, type Words, wordsOf } from "./patch-words.js";
import type { PictureGeometry } from "./picture-geometry.js";

/** Numbers that describe a picture. */
export const visualWordsSize = 64;

/** Pictures whose counts' components are looked for, and numbers that their counts are summed to for that. */
const countedSamples = 2000;
const sums = 1024;

/** Cells along each side in which it is counted how often each word occurs. */
const grid = 3;
/** How alike a patch must be to a word, or to its negative, to count. */
const threshold = 0.25;

/** Pictures that are described at a time: of so few the values stay near the processor. */
const describedAtOnce = 8;

/**
 * Pictures as bags of visual words (Gidaris et al., 2020). The words are patches, normalised in contrast and whitened, that
 * others are like (spherical k-means; Coates and Ng, 2012); in each cell of a grid it is counted how like its patches are to
 * each word and to its negative, as far as they are (soft threshold; Coates and Ng, 2011); and the principal components of all
 * these counts are what describes a picture. Release it after use.
 */
export class VisualWords {
  readonly numbers = visualWordsSize;
  readonly #session: Session;
  readonly #samples: FloatTensor;
  readonly #sampleSize: number;

  private constructor(session: Session, sampleShape: readonly number[]) {
    this.#session = session;
    this.#sampleSize = sizeOf(sampleShape);
    this.#samples = batchOf(sampleShape);
  }

  /** Takes the words from samples that are drawn by seed. */
  static async open(
    dataset: Dataset,
    picture: PictureGeometry,
    seed: number,
    { threads, signal }: MeasureOptions = {},
  ): Promise<VisualWords> {
    const options = { ...(threads === undefined ? {} : { threads }), ...(signal === undefined ? {} : { signal }) };
    const { shape } = dataset;
    const patches = patchesOf(picture);
    const words = await wordsOf(dataset, patches, seed, options);
    const components = await componentsOfCounts(dataset, patches, words, seed, options);
    return new VisualWords(await openSession(describingGraph(patches, words, shape, components), options), shape);
  }

  /**
   * Describes pictures.
   *
   * @param samples one after another, as the data set delivers them
   * @returns for each {@link visualWordsSize} numbers
   */
  async describe(samples: Float32Array, count: number): Promise<Float32Array> {
    const result = new Float32Array(count * visualWordsSize);
    for (let start = 0; start < count; start += describedAtOnce) {
      const some = Math.min(describedAtOnce, count - start);
      this.#samples.data.set(samples.subarray(start * this.#sampleSize, (start + some) * this.#sampleSize));
      const { description } = await this.#session.run({ samples: this.#samples });
      result.set((description.data as Float32Array).subarray(0, some * visualWordsSize), start * visualWordsSize);
    }
    return result;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function batchOf(sampleShape: readonly number[]): FloatTensor {
  const shape = [describedAtOnce, ...sampleShape];
  return floatTensor(new Float32Array(sizeOf(shape)), shape);
}

/**
 * Weights that make of a picture's counts their leading principal components, each of variance one: [counts,
 * {@link visualWordsSize}]. The counts are summed by chance to fewer numbers, with signs by chance, in which the components are
 * found much sooner (count sketch; Charikar et al., 2002).
 */
async function componentsOfCounts(
  dataset: Dataset,
  patches: Patches,
  words: Words,
  seed: number,
  options: MeasureOptions,
): Promise<Float32Array> {
  const indices = measuringSamples(dataset, countedSamples, seed, "visual-words/components");
  const size = 2 * words.offsets.length * grid * grid;
  const stream = new RandomStream(seed, "visual-words/sums");
  const sumOf = Int32Array.from({ length: size }, () => stream.below(sums));
  const signs = Int8Array.from({ length: size }, () => 2 * stream.below(2) - 1);
  const summed = new Float32Array(indices.length * sums);
  const samples = batchOf(dataset.shape);
  const session = await openSession(describingGraph(patches, words, dataset.shape), options);
  try {
    for await (const { start, count } of readBatches(dataset, indices, samples, options.signal)) {
      const { description } = await session.run({ samples });
      const counts = description.data as Float32Array;
      for (let row = 0; row < count; row++)
        for (let at = 0; at < size; at++)
          summed[(start + row) * sums + sumOf[at]] += signs[at] * counts[row * size + at];
    }
  } finally {
    await session.release();
  }
  const { variances, directions } = await leadingComponents(summed, sums, visualWordsSize, seed, options);
  const weights = new Float32Array(size * visualWordsSize);
  // Against the first component's variance it shows which others are more than rounding.
  const least = 1e-6 * variances[0];
  for (let component = 0; component < visualWordsSize; component++)
    if (variances[component] > least)
      for (let at = 0; at < size; at++)
        weights[at * visualWordsSize + component] =
          (signs[at] * directions[component][sumOf[at]]) / Math.sqrt(variances[component]);
  return weights;
}

/** samples → description: counts, or the components of these. @param components [counts, {@link visualWordsSize}] */
function describingGraph(
  patches: Patches,
  words: Words,
  sampleShape: readonly number[],
  components?: Float32Array,
): Graph {
  const { picture, side, stride } = patches;
  const { channels } = picture;
  const count = words.offsets.length;
  const emit = new Emitter();
  const constant = (values: Float32Array, shape: readonly number[]) => emit.constant(floatTensor(values, shape));
  const pixels = reduced(emit, emit.input("samples", "float32", [describedAtOnce, ...sampleShape]), patches);
  const size = channels * side ** 2;
  const strides = { strides: [stride, stride] };
  const average = constant(new Float32Array(size).fill(1 / size), [1, channels, side, side]);
  const mean = emit.convolution(pixels, average, undefined, strides);
  const squares = emit.convolution(emit.square(pixels), average, undefined, strides);
  const variance = emit.relu(emit.subtract(squares, emit.square(mean)));
  const deviation = emit.squareRoot(emit.shift(variance, words.floor));
  const filters = constant(words.filters, [count, channels, side, side]);
  const along = emit.divide(emit.convolution(pixels, filters, undefined, strides), deviation);
  const limit = (sign: number) =>
    constant(
      words.offsets.map((offset) => sign * offset - threshold),
      [1, count, 1, 1],
    );
  const [, , rows, columns] = along.shape;
  const shares = constant(cellShares(rows, columns), [rows * columns, grid * grid]);
  const counts = [emit.add(along, limit(1)), emit.subtract(limit(-1), along)].map((likeness) =>
    emit.reshape(
      emit.one("MatMul", [emit.reshape(emit.relu(likeness), [describedAtOnce, count, rows * columns]), shares]),
      [describedAtOnce, count * grid * grid],
    ),
  );
  const all = emit.concat(counts, 1);
  const described = components ? emit.one("MatMul", [all, constant(components, [all.shape[1], visualWordsSize])]) : all;
  emit.output("description", described);
  return emit.build("visual-words");
}

/** By position and cell of the grid: the share that a position has in a cell's mean. */
function cellShares(rows: number, columns: number): Float32Array {
  const cellOf = (position: number) =>
    Math.floor((Math.floor(position / columns) * grid) / rows) * grid +
    Math.floor(((position % columns) * grid) / columns);
  const positions = new Float32Array(grid * grid);
  for (let position = 0; position < rows * columns; position++) positions[cellOf(position)]++;
  const shares = new Float32Array(rows * columns * grid * grid);
  for (let position = 0; position < rows * columns; position++)
    shares[position * grid * grid + cellOf(position)] = 1 / positions[cellOf(position)];
  return shares;
}
