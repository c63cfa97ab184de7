/** Starts F's first convolution from the principal components of what it reads. */
import type { Dataset } from "../data/dataset.js";
import { sizeOf } from "../graph/tensor.js";
import { principalFilters } from "../initializers/principal-components.js";
import { activationNames } from "../ops/names.js";
import type { Layer } from "../ops/network.js";
import { RandomStream } from "../random/stream.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { activationAfter, type Weights } from "../recipe/initial-values.js";
import { measuringSamples, saturating } from "./condition.js";
import type { EvaluateOptions, Evaluation } from "./evaluate.js";
import { StagedEvaluator } from "./staged-evaluator.js";

/** Samples whose patches are looked at, */
const usedSamples = 256;
/** and most patches of them all; fewer where a patch is large, since the work goes with its square. */
const mostPatches = 20_000;
const mostProducts = 2e9;
/** The components of larger patches take long: seconds of this size, and the cube of it. */
const largestPatch = 768;

/** Activations; relu6 is exported as Clip. */
const activations: ReadonlySet<string> = new Set([...activationNames, "Clip"]);

/**
 * F's first layer, where it is a convolution over several positions and an activation follows, as in the networks that
 * gained from principal components; undefined otherwise, as for the patches of a transformer.
 */
export function principalLayer(features: FeatureExtractor): Layer | undefined {
  const [layer] = features.layers;
  const { activation = "" } = activationAfter(features.network, layer);
  if (!activations.has(activation)) return undefined;
  const { layout, shape } = layer.weight;
  if (layout?.kind !== "convolution" || layout.transposed || layout.groups !== 1) return undefined;
  const kernel = sizeOf(shape.slice(2));
  return kernel > 1 && kernel * shape[1] <= largestPatch ? layer : undefined;
}

/**
 * F's weights with the first convolution's filters from the principal components of its patches, see
 * {@link principalFilters}; as they are where F does not begin with such a convolution.
 *
 * @param weights F's parameters; not changed
 */
export async function startFromPrincipalComponents(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  options: EvaluateOptions = {},
): Promise<Weights> {
  const layer = principalLayer(features);
  const weight = layer && weights.get(layer.weight.name);
  if (!layer?.weight.layout || !weight) return weights;
  const { shape, layout } = layer.weight;
  const samples = measuringSamples(dataset, usedSamples, seed, "principal-components");
  const size = sizeOf(shape.slice(1));
  const wanted = Math.min(mostPatches, Math.max(4 * size, Math.floor(mostProducts / size ** 2)));
  const patches = new PatchSampler(layer, Math.ceil(wanted / samples.length), seed);
  const evaluator = await StagedEvaluator.open(features.network, [layer.node.inputs[0]], {
    ...options,
    normalization: "batch",
  });
  try {
    await evaluator.evaluate(weights, dataset, samples, (_, values) => patches.add(values));
  } finally {
    await evaluator.release();
  }
  const columns = patches.columns();
  if (columns.length < 2 * size) return weights;
  const bias = layer.bias && weights.get(layer.bias.name);
  // ReLU and its like pass one sign only, or mostly.
  const { activation = "" } = activationAfter(features.network, layer);
  const made = principalFilters(weight, bias, shape, layout, columns, !saturating.has(activation));
  const result: Weights = new Map(weights);
  result.set(layer.weight.name, made.weight);
  if (layer.bias && made.bias) result.set(layer.bias.name, made.bias);
  return result;
}

/** Reads what a convolution reads at random positions, as many of each sample, where no padding is in it. */
class PatchSampler {
  readonly #kernel: readonly number[];
  readonly #channels: number;
  readonly #strides: readonly number[];
  readonly #dilations: readonly number[];
  readonly #each: number;
  readonly #stream: RandomStream;
  readonly #patches: Float64Array[] = [];

  constructor({ weight, node }: Layer, each: number, seed: number) {
    this.#channels = weight.shape[1];
    this.#kernel = weight.shape.slice(2);
    const along = (name: string): readonly number[] => {
      const found = node.attributes[name];
      return found?.kind === "ints" && found.value.length > 0 ? found.value : this.#kernel.map(() => 1);
    };
    this.#strides = along("strides");
    this.#dilations = along("dilations");
    this.#each = each;
    this.#stream = new RandomStream(seed, "principal-components/positions");
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
        const start = places.reduce(
          (before, limit, axis) => before * sizes[axis] + this.#stream.below(limit) * this.#strides[axis],
          0,
        );
        this.#patches.push(Float64Array.from(offsets, (offset) => data[sample * sampleSize + start + offset]));
      }
  }

  /** Where the values of a patch lie behind its first, by channel and then by position in the kernel. */
  #offsets(sizes: readonly number[]): number[] {
    let offsets = [0];
    sizes.forEach((size, axis) => {
      const steps = Array.from({ length: this.#kernel[axis] }, (_, step) => step * this.#dilations[axis]);
      offsets = offsets.flatMap((offset) => steps.map((step) => offset * size + step));
    });
    const positions = sizeOf(sizes);
    return Array.from({ length: this.#channels }, (_, channel) => channel).flatMap((channel) =>
      offsets.map((offset) => channel * positions + offset),
    );
  }

  /** All patches: [values of a patch, patches]. */
  columns(): Float64Array {
    const count = this.#patches.length;
    const size = this.#patches[0]?.length ?? 0;
    const result = new Float64Array(size * count);
    this.#patches.forEach((patch, column) => {
      for (let place = 0; place < size; place++) result[place * count + column] = patch[place];
    });
    return result;
  }
}
