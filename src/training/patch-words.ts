/** The visual words of a data set's pictures: small patches that many others are like. */
import type { Dataset } from "../data/dataset.js";
import type { Value } from "../graph/builder.js";
import { attribute } from "../graph/graph.js";
import { floatTensor, sizeOf } from "../graph/tensor.js";
import { transpose } from "../initializers/dense.js";
import { Emitter } from "../ops/emitter.js";
import { RandomStream } from "../random/stream.js";
import { openSession } from "../runtime/node.js";
import { type MeasureOptions, readBatches } from "./evaluate.js";
import { leadingComponents } from "./leading-components.js";
import { letOthersRun } from "./let-others-run.js";
import { measuringSamples } from "./measuring-samples.js";
import type { PictureGeometry } from "./picture-geometry.js";

/** Pictures that the words are taken from, and most patches and values of these that are looked at. */
const usedSamples = 2000;
const patchesOfEach = 10;
const mostValues = 4e6;

/** Words, and rounds in which they are made more like the patches that are like them. */
const mostWords = 128;
const rounds = 10;

/** Pictures are made smaller by a whole factor, so that the shorter side comes near to this. */
const usualSide = 32;

/** A patch's contrast counts little where its variance is below this share of the usual one. */
const faint = 0.1;
/** What is added to the variances of normalised patches before they are divided by them. */
const regularisation = 0.1;
/** Most components of patches that are told apart. */
const mostComponents = 256;

/** Pictures that are read, and patches that are compared with the words, at a time. */
const readAtOnce = 8;
const comparedAtOnce = 500;

/** How a data set's pictures are cut into patches. */
export interface Patches {
  readonly picture: PictureGeometry;
  /** By which both sides are made smaller, and both sides then. */
  readonly factor: number;
  readonly height: number;
  readonly width: number;
  /** Both sides of a patch, and how far apart patches are. */
  readonly side: number;
  readonly stride: number;
}

/** How pictures of this size are cut. */
export function patchesOf(picture: PictureGeometry): Patches {
  const shorter = Math.min(picture.height, picture.width);
  const factor = Math.max(1, Math.round(shorter / usualSide));
  const [height, width] = [picture.height, picture.width].map((side) => Math.floor(side / factor));
  const least = Math.min(height, width);
  // Six pixels of pictures of 28 and 32, as was measured to help, and fewer of smaller pictures.
  const side = Math.min(least, Math.max(3, Math.min(6, Math.round(least / 5))));
  return { picture, factor, height, width, side, stride: side < 5 ? 1 : 2 };
}

/** Filters whose product with a patch, divided by the patch's deviation, says how like it is to a word, but for an offset. */
export interface Words {
  /** [words, values of a patch], each of mean zero */
  readonly filters: Float32Array;
  readonly offsets: Float32Array;
  /** Added to a patch's variance. */
  readonly floor: number;
}

/** Finds the words, from pictures that are drawn by seed. */
export async function wordsOf(
  dataset: Dataset,
  patches: Patches,
  seed: number,
  options: MeasureOptions,
): Promise<Words> {
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
  const shape = [Math.min(readAtOnce, indices.length), ...dataset.shape];
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
export function reduced(
  emit: Emitter,
  samples: Value,
  { picture, factor }: Pick<Patches, "picture" | "factor">,
): Value {
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
