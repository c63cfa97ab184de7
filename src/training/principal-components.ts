/** Starts F's convolutions from the principal components of what they read. */
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import { sizeOf } from "../graph/tensor.js";
import { componentsFor, type PrincipalComponents, principalFilters } from "../initializers/principal-components.js";
import type { Layer } from "../ops/network.js";
import { type FeatureExtractor, isDepthwise, isDepthwisePicture } from "../recipe/feature-extractor.js";
import { activationAfter, type Weights } from "../recipe/initial-values.js";
import { sessionOptions } from "../runtime/session.js";
import { activations, isRectifying } from "./condition.js";
import type { EvaluateOptions } from "./evaluate.js";
import { componentsOfParts, leadingComponents } from "./leading-components.js";
import { measuringSamples } from "./measuring-samples.js";
import { PatchSampler } from "./patch-sampler.js";
import { SequentialEvaluator } from "./sequential-evaluator.js";

/** Samples whose patches are looked at, */
const usedSamples = 256;
/** and most patches of them all, and most values of these. */
const mostPatches = 20_000;
const mostValues = 16e6;
/** Of larger ones there would be too few: 3 × 3 positions of 256 channels. */
const largestPatch = 2304;
/** More positions than one filter of a depthwise convolution has in networks that we know of. */
const largestDepthwise = 128;

/** Which of F's layers start from principal components. */
export type PrincipalLayers = "auto" | "first" | "all";

/**
 * F's layers that can start from principal components: convolutions that an activation follows, as in the networks that
 * gained from it; not the patches of a transformer, and behind an embedding, which is first, of `all` alone. The first layer of F must read several positions, and all channels together; of
 * `first`, it is the only one. Behind it depthwise filters are the first component of what each sees, a mean mostly.
 */
export function principalLayers(features: FeatureExtractor, which: PrincipalLayers): Layer[] {
  const { layers, network } = features;
  const readers = (name: string) => layers.filter(({ weight }) => weight.name === name).length;
  const isFirstAlone = which === "first" || (which === "auto" && !layers.some(isDepthwisePicture));
  if (isFirstAlone && network.vocabulary !== undefined) return [];
  return (isFirstAlone ? layers.slice(0, 1) : layers).filter((layer) => {
    const { layout, shape, name } = layer.weight;
    if (layout?.kind !== "convolution" || layout.transposed || (layout.groups !== 1 && !isDepthwise(layer)))
      return false;
    if (!activations.has(activationAfter(network, layer).activation ?? "")) return false;
    const kernel = sizeOf(shape.slice(2));
    const largest = isDepthwise(layer) ? largestDepthwise : largestPatch;
    const isTaken = layer !== layers[0] || (kernel > 1 && !isDepthwise(layer));
    return isTaken && kernel * shape[1] <= largest && readers(name) === 1;
  });
}

/**
 * F's weights with the filters of convolutions from the principal components of what they read, one layer after another,
 * see {@link principalFilters}; as they are where F has no such convolution.
 *
 * @param weights F's parameters; not changed
 */
export async function startFromPrincipalComponents(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  seed: number,
  which: PrincipalLayers,
  { onProgress, ...options }: EvaluateOptions = {},
): Promise<Weights> {
  const layers = principalLayers(features, which);
  if (layers.length === 0) return weights;
  const samples = measuringSamples(dataset, usedSamples, seed, "principal-components");
  const result: Weights = new Map(weights);
  const evaluator = await SequentialEvaluator.open(
    features.network,
    [...new Set(layers.map(({ node }) => node.inputs[0]))],
    holdingSamples(dataset, samples),
    samples,
    options,
  );
  try {
    const inputs = grouped(layers, ({ node }) => node.inputs[0]);
    for (const [index, readers] of inputs.entries()) {
      // The branches of a network often read the same in the same way.
      const alike = grouped(readers, (layer) => readingOf(layer, features)).map((branches) => ({
        branches,
        patches: patchesFor(branches[0], samples, seed),
      }));
      await evaluator.evaluate(readers[0].node.inputs[0], result, (values) => {
        for (const { patches } of alike) patches.add(values);
      });
      for (const { branches, patches } of alike) {
        const [first] = branches;
        const groups = groupsOf(first);
        if (patches.count < (2 * patches.size) / groups) continue;
        const taken = patches.taken();
        // What conditioning or training then complains of would never end here.
        if (!areFinite(taken)) return result;
        const wanted = componentsFor(first.weight.shape[0], isPaired(first, features));
        const components =
          groups === 1
            ? [await leadingComponents(taken, patches.size, wanted, seed, sessionOptions(options))]
            : componentsByChannel(taken, patches.size, groups);
        for (const layer of branches) {
          const { shape, layout, name } = layer.weight;
          const own = result.get(name);
          if (!layout || !own) continue;
          const bias = layer.bias && result.get(layer.bias.name);
          const made = principalFilters(own, bias, shape, layout, components, isPaired(layer, features));
          result.set(name, made.weight);
          if (layer.bias && made.bias) result.set(layer.bias.name, made.bias);
        }
      }
      onProgress?.(index + 1, inputs.length);
    }
  } finally {
    await evaluator.release();
  }
  return result;
}

/** Whether all are numbers. For millions of them a call each, as `every` makes, takes as long as the components. */
function areFinite(values: Float32Array): boolean {
  for (let place = 0; place < values.length; place++) if (!Number.isFinite(values[place])) return false;
  return true;
}

/** Layers of one key together, in the order of their first ones. */
function grouped(layers: readonly Layer[], keyOf: (layer: Layer) => string): Layer[][] {
  const groups = new Map<string, Layer[]>();
  for (const layer of layers) groups.set(keyOf(layer), [...(groups.get(keyOf(layer)) ?? []), layer]);
  return [...groups.values()];
}

/** What decides about the components of what a layer reads. */
function readingOf(layer: Layer, features: FeatureExtractor): string {
  const { weight, node } = layer;
  const { strides, dilations } = node.attributes;
  const wanted = componentsFor(weight.shape[0], isPaired(layer, features));
  return JSON.stringify([weight.shape.slice(1), groupsOf(layer), wanted, strides, dilations]);
}

function groupsOf({ weight: { layout } }: Layer): number {
  return layout?.kind === "convolution" ? layout.groups : 1;
}

/** Whether each component is for two units: ReLU and its like pass one sign only, or mostly. */
function isPaired(layer: Layer, { network }: FeatureExtractor): boolean {
  return groupsOf(layer) === 1 && isRectifying(activationAfter(network, layer));
}

/** What reads as many patches of samples as a layer's components are taken from. */
function patchesFor(layer: Layer, samples: ArrayLike<unknown>, seed: number): PatchSampler {
  const { shape } = layer.weight;
  const channels = groupsOf(layer) * shape[1];
  const wanted = Math.min(mostPatches, Math.floor(mostValues / (channels * sizeOf(shape.slice(2)))));
  return new PatchSampler(layer, channels, samples.length, Math.ceil(wanted / samples.length), seed);
}

/**
 * The principal components of each channel's part of patches. The first ones are turned so that their sums are positive: they
 * are means, mostly, which pass on what a channel has.
 *
 * @param patches [patches, size], channel by channel
 */
function componentsByChannel(patches: Float32Array, size: number, channels: number): PrincipalComponents[] {
  const sumOf = (direction: Float64Array) => direction.reduce((sum, value) => sum + value, 0);
  return componentsOfParts(patches, channels, size / channels).map(({ directions, ...rest }) => ({
    ...rest,
    directions: directions.map((direction) => (sumOf(direction) < 0 ? direction.map((value) => -value) : direction)),
  }));
}
