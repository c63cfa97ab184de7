/** Pictures described by which small patches occur where in them. */
import type { Dataset } from "../data/dataset.js";
import type { Value } from "../graph/builder.js";
import { attribute, type Graph } from "../graph/graph.js";
import { type FloatTensor, floatTensor, sizeOf } from "../graph/tensor.js";
import { transpose } from "../initializers/dense.js";
import { Emitter } from "../ops/emitter.js";
import { RandomStream } from "../random/stream.js";
import { openSession } from "../runtime/node.js";
import type { Session } from "../runtime/session.js";
import { type MeasureOptions, readBatches } from "./evaluate.js";
import { leadingComponents } from "./leading-components.js";
import { letOthersRun } from "./let-others-run.js";
import { measuringSamples } from "./measuring-samples.js";
import type { PictureGeometry } from "./picture-geometry.js";

/** Numbers that describe a picture. */
export const visualWordsSize = 64;

/** Pictures that the words are taken from, and most patches and values of these that are looked at. */
const usedSamples = 2000;
const patchesOfEach = 10;
const mostValues = 4e6;
/** Rounds in which words are made more like the patches that are like them. */
const rounds = 10;

/** Pictures whose counts' components are looked for, and numbers that their counts are summed to for that. */
const countedSamples = 2000;
const sums = 1024;

/** Words, and cells along each side in which it is counted how often each occurs. */
const mostWords = 128;
const grid = 3;

/** Pictures are made smaller by a whole factor, so that the shorter side comes near to this. */
const usualSide = 32;

/** A patch's contrast counts little where its variance is below this share of the usual one. */
const faint = 0.1;
/** What is added to the variances of normalised patches before they are divided by them. */
const regularisation = 0.1;
/** How alike a patch must be to a word, or to its negative, to count. */
const threshold = 0.25;

/** Most components of patches that are told apart. */
const mostComponents = 256;

/** Pictures that are described, and patches that are compared with the words, at a time. */
const describedAtOnce = 8;
const comparedAtOnce = 500;

/** How a data set's pictures are cut into patches. */
interface Patches {
  readonly picture: PictureGeometry;
  /** By which both sides are made smaller, and both sides then. */
  readonly factor: number;
  readonly height: number;
  readonly width: number;
  /** Both sides of a patch, and how far apart patches are. */
  readonly side: number;
  readonly stride: number;
}

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
    const counting = await openSession(describingGraph(patches, words, shape), options);
    const components = await (async () => {
      try {
        return await componentsOfCounts(dataset, counting, seed, options);
      } finally {
        await counting.release();
      }
    })();
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

function patchesOf(picture: PictureGeometry): Patches {
  const shorter = Math.min(picture.height, picture.width);
  const factor = Math.max(1, Math.round(shorter / usualSide));
  const [height, width] = [picture.height, picture.width].map((side) => Math.floor(side / factor));
  const least = Math.min(height, width);
  // Six pixels of pictures of 28 and 32, as was measured to help, and fewer of smaller pictures.
  const side = Math.min(least, Math.max(3, Math.min(6, Math.round(least / 5))));
  return { picture, factor, height, width, side, stride: side < 5 ? 1 : 2 };
}

/** Filters whose product with a patch, divided by the patch's deviation, says how like it is to a word, but for an offset. */
interface Words {
  /** [words, values of a patch], each of mean zero */
  readonly filters: Float32Array;
  readonly offsets: Float32Array;
  /** Added to a patch's variance. */
  readonly floor: number;
}

async function wordsOf(dataset: Dataset, patches: Patches, seed: number, options: MeasureOptions): Promise<Words> {
  const values = await somePatches(dataset, patches, seed, options);
  const size = patches.picture.channels * patches.side ** 2;
  const floor = normalise(values, size);
  const wanted = Math.min(size, mostComponents);
  const { means, variances, directions } = await leadingComponents(values, size, wanted, seed, options);
  const scales = variances.map((variance) => 1 / Math.sqrt(Math.max(0, variance) + regularisation));
  const white = whitened(values, size, directions, scales);
  const axes = await alike(white, directions.length, seed, options);
  const count = axes.length / directions.length;
  const filters = new Float32Array(count * size);
  const offsets = new Float32Array(count);
  for (let word = 0; word < count; word++) {
    const filter = new Float64Array(size);
    directions.forEach((direction, component) => {
      const weight = axes[word * directions.length + component] * scales[component];
      for (let at = 0; at < size; at++) filter[at] += weight * direction[at];
    });
    // Less its mean a filter takes a patch's mean off by itself.
    const mean = filter.reduce((sum, value) => sum + value, 0) / size;
    filter.forEach((value, at) => {
      offsets[word] -= means[at] * value;
      filters[word * size + at] = value - mean;
    });
  }
  return { filters, offsets, floor };
}

/** Patches along their components, each of about the same variance: [patches, components]. */
function whitened(
  patches: Float32Array,
  size: number,
  directions: readonly Float64Array[],
  scales: readonly number[],
): Float32Array {
  const count = patches.length / size;
  const result = new Float32Array(count * directions.length);
  for (let patch = 0; patch < count; patch++)
    directions.forEach((direction, component) => {
      let along = 0;
      for (let at = 0; at < size; at++) along += direction[at] * patches[patch * size + at];
      result[patch * directions.length + component] = along * scales[component];
    });
  return result;
}

/**
 * Directions that many points lie near to, or to their negatives, by spherical k-means (Coates and Ng, 2012), from points by
 * chance.
 *
 * @param points [points, size]
 * @returns [words, size], each of length one
 */
async function alike(points: Float32Array, size: number, seed: number, options: MeasureOptions): Promise<Float64Array> {
  const count = points.length / size;
  const chosen = new RandomStream(seed, "visual-words/words").sample(count, mostWords);
  const words = new Float64Array(chosen.length * size);
  chosen.forEach((point, word) => {
    words.set(points.subarray(point * size, (point + 1) * size), word * size);
  });
  toUnitLength(words, size);
  const emit = new Emitter();
  const some = emit.input("points", "float32", [comparedAtOnce, size]);
  const columns = emit.input("words", "float32", [size, chosen.length]);
  emit.output("likeness", emit.one("MatMul", [some, columns]));
  const session = await openSession(emit.build("likeness"), options);
  try {
    const compared = floatTensor(new Float32Array(comparedAtOnce * size), [comparedAtOnce, size]);
    for (let round = 0; round < rounds; round++) {
      await letOthersRun(options.signal, "measuring");
      const matrix = floatTensor(Float32Array.from(transpose(words, chosen.length, size)), [size, chosen.length]);
      for (let start = 0; start < count; start += comparedAtOnce) {
        const rows = Math.min(comparedAtOnce, count - start);
        compared.data.set(points.subarray(start * size, (start + rows) * size));
        const { likeness } = await session.run({ points: compared, words: matrix });
        const values = likeness.data as Float32Array;
        for (let row = 0; row < rows; row++) {
          const own = values.subarray(row * chosen.length, (row + 1) * chosen.length);
          let nearest = 0;
          for (let word = 1; word < own.length; word++)
            if (Math.abs(own[word]) > Math.abs(own[nearest])) nearest = word;
          for (let at = 0; at < size; at++)
            words[nearest * size + at] += own[nearest] * points[(start + row) * size + at];
        }
      }
      toUnitLength(words, size);
    }
    return words;
  } finally {
    await session.release();
  }
}

function toUnitLength(rows: Float64Array, size: number): void {
  for (let start = 0; start < rows.length; start += size) {
    const row = rows.subarray(start, start + size);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value ** 2, 0)) || 1;
    for (let at = 0; at < size; at++) row[at] /= length;
  }
}

/**
 * Weights that make of a picture's counts their leading principal components, each of variance one: [counts,
 * {@link visualWordsSize}]. The counts are summed by chance to fewer numbers, with signs by chance, in which the components are
 * found much sooner (count sketch; Charikar et al., 2002).
 */
async function componentsOfCounts(
  dataset: Dataset,
  session: Session,
  seed: number,
  options: MeasureOptions,
): Promise<Float32Array> {
  const indices = measuringSamples(dataset, countedSamples, seed, "visual-words/components");
  const samples = batchOf(dataset.shape);
  const summed = new Float32Array(indices.length * sums);
  const stream = new RandomStream(seed, "visual-words/sums");
  let sumOf = new Int32Array();
  let signs = new Int8Array();
  for await (const { start, count } of readBatches(dataset, indices, samples, options.signal)) {
    const { description } = await session.run({ samples });
    const counts = description.data as Float32Array;
    const size = counts.length / describedAtOnce;
    if (sumOf.length === 0) {
      sumOf = Int32Array.from({ length: size }, () => stream.below(sums));
      signs = Int8Array.from({ length: size }, () => 2 * stream.below(2) - 1);
    }
    for (let row = 0; row < count; row++)
      for (let at = 0; at < size; at++) summed[(start + row) * sums + sumOf[at]] += signs[at] * counts[row * size + at];
  }
  const { variances, directions } = await leadingComponents(summed, sums, visualWordsSize, seed, options);
  const weights = new Float32Array(sumOf.length * visualWordsSize);
  // Against the first component's variance it shows which others are more than rounding.
  const least = 1e-6 * variances[0];
  for (let component = 0; component < visualWordsSize; component++)
    if (variances[component] > least)
      for (let at = 0; at < sumOf.length; at++)
        weights[at * visualWordsSize + component] =
          (signs[at] * directions[component][sumOf[at]]) / Math.sqrt(variances[component]);
  return weights;
}

/** Patches at random places of pictures: [patches, values of a patch]. */
async function somePatches(
  dataset: Dataset,
  { picture, factor, height, width, side, stride }: Patches,
  seed: number,
  options: MeasureOptions,
): Promise<Float32Array> {
  const { channels } = picture;
  const size = channels * side ** 2;
  const indices = measuringSamples(dataset, usedSamples, seed, "visual-words/patches");
  const each = Math.max(1, Math.min(patchesOfEach, Math.floor(mostValues / size / indices.length)));
  const shape = [Math.min(describedAtOnce, indices.length), ...dataset.shape];
  const emit = new Emitter();
  emit.output("reduced", reduced(emit, emit.input("samples", "float32", shape), { picture, factor }));
  const session = await openSession(emit.build("reduced"), options);
  try {
    const samples = floatTensor(new Float32Array(sizeOf(shape)), shape);
    const stream = new RandomStream(seed, "visual-words/positions");
    const patches = new Float32Array(indices.length * each * size);
    let at = 0;
    for await (const { count } of readBatches(dataset, indices, samples, options.signal)) {
      const { reduced: small } = await session.run({ samples });
      const pixels = small.data as Float32Array;
      for (let sample = 0; sample < count; sample++)
        for (let patch = 0; patch < each; patch++) {
          const top = stream.below(Math.floor((height - side) / stride) + 1) * stride;
          const left = stream.below(Math.floor((width - side) / stride) + 1) * stride;
          for (let channel = 0; channel < channels; channel++)
            for (let row = top; row < top + side; row++)
              for (let column = left; column < left + side; column++)
                patches[at++] = pixels[((sample * channels + channel) * height + row) * width + column];
        }
    }
    return patches;
  } finally {
    await session.release();
  }
}

/** Gives each patch mean zero and about the same variance. @returns what was added to variances */
function normalise(patches: Float32Array, size: number): number {
  const count = patches.length / size;
  const variances = new Float64Array(count);
  for (let patch = 0; patch < count; patch++) {
    const own = patches.subarray(patch * size, (patch + 1) * size);
    const mean = own.reduce((sum, value) => sum + value, 0) / size;
    let square = 0;
    for (let at = 0; at < size; at++) {
      own[at] -= mean;
      square += own[at] ** 2;
    }
    variances[patch] = square / size;
  }
  const floor = Math.max(1e-12, (faint * variances.reduce((sum, variance) => sum + variance, 0)) / count);
  for (let at = 0; at < patches.length; at++) patches[at] /= Math.sqrt(variances[Math.floor(at / size)] + floor);
  return floor;
}

/** Pictures, channels first, made smaller. */
function reduced(emit: Emitter, samples: Value, { picture, factor }: Pick<Patches, "picture" | "factor">): Value {
  const { channels, height, width, layout } = picture;
  const [batch] = samples.shape;
  const first =
    layout === "NCHW"
      ? emit.reshape(samples, [batch, channels, height, width])
      : emit.transpose(emit.reshape(samples, [batch, height, width, channels]), [0, 3, 1, 2]);
  if (factor === 1) return first;
  const sides = attribute.ints([factor, factor]);
  return emit.one("AveragePool", [first], { kernel_shape: sides, strides: sides });
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
