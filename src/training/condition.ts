/** Conditions F's weights on real samples, layer by layer from the input (recipe-notes: what helps after training). */
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import type { WeightLayout } from "../graph/weight-layout.js";
import {
  type ConditioningLayer,
  type ConditioningOptions,
  conditionLayer,
  type Granularity,
  type LayerTensors,
  mergeUnitStatistics,
  type UnitStatistics,
  unitStatistics,
} from "../initializers/conditioning.js";
import { activationNames } from "../ops/names.js";
import type { Layer, Network } from "../ops/network.js";
import type { Rows } from "../ops/weight-rows.js";
import { type FeatureExtractor, isDense } from "../recipe/feature-extractor.js";
import { activationAfter, recurrentContext, type Weights } from "../recipe/initial-values.js";
import { openedUnits, type Recipe } from "../recipe/recipe.js";
import type { EvaluateOptions } from "./evaluate.js";
import { isHomogeneousChain, multiplyFeatures } from "./feature-gain.js";
import { type HeadStart, needsLabels } from "./head-start.js";
import { measuringSamples } from "./measuring-samples.js";
import { SequentialEvaluator } from "./sequential-evaluator.js";

/** Activations that stop passing gradients where their input is large, by ONNX operator. */
export const saturating: ReadonlySet<string> = new Set(["Sigmoid", "Tanh", "HardSigmoid", "Softsign"]);

/** Whether F has activations that a bad start drives to where they pass no gradients. */
export function saturates({ network, layers }: FeatureExtractor): boolean {
  return layers.some((layer) => saturating.has(activationAfter(network, layer).activation ?? ""));
}

/** Activations; relu6 is exported as Clip. */
export const activations: ReadonlySet<string> = new Set([...activationNames, "Clip"]);

/** Chains of so many dense layers with ReLU and its like are opened where the settings say auto. */
const deepChain = 8;

/** Whether an activation passes one sign only, or mostly. */
export function isRectifying({ activation = "" }: { readonly activation?: string }): boolean {
  return activations.has(activation) && !saturating.has(activation);
}

/** What was done to one layer. */
export interface ConditioningRecord {
  readonly weight: string;
  /** Units that hardly vary on the samples and were left unscaled. */
  readonly dead: number;
  /** Units whose scale the limit cut. */
  readonly capped: number;
  readonly skipped?: string;
}

/** Whether a layer is scaled, and not by a normalisation; of layers with one weight, the first. */
function needsStatistics(layer: Layer, index: number, layers: readonly Layer[]): boolean {
  const { weight, followedByNormalization, isRecurrent } = layer;
  const first = layers.findIndex((other) => placeOf(other) === placeOf(layer));
  return first === index && weight.layout !== undefined && !followedByNormalization && !isRecurrent;
}

/** A layer's weight, or the part of it that is the layer's. */
function placeOf({ weight, rows }: Layer): string {
  return rows ? `${weight.name}[${rows.first}:${rows.first + rows.count}]` : weight.name;
}

/** The elements of some rows of a tensor; of another's, where it has as many as there are rows or none are named, all. */
function rowsOf(elements: Float32Array, rows: Rows | undefined, units: number): Float32Array {
  if (!rows || elements.length === rows.count) return elements;
  const width = elements.length / units;
  return elements.subarray(rows.first * width, (rows.first + rows.count) * width);
}

/** The same tensor with other elements in these rows. */
function withRows(elements: Float32Array, rows: Rows | undefined, units: number, part: Float32Array): Float32Array {
  if (part.length === elements.length || !rows) return part;
  const result = elements.slice();
  result.set(part, rows.first * (elements.length / units));
  return result;
}

/** What of the weights is a layer's own: all of its tensors, or its rows of them. */
interface LayerPart {
  readonly tensors: LayerTensors;
  /** Puts others in their place. */
  readonly put: (weights: Weights, tensors: LayerTensors) => void;
}

/** @returns undefined where the weight is none of these */
function partOf({ weight, bias, rows }: Layer, weights: Weights): LayerPart | undefined {
  const elements = weights.get(weight.name);
  if (!elements) return undefined;
  const biasElements = bias && weights.get(bias.name);
  // Rows are of matrices.
  const [units] = weight.shape;
  return {
    tensors: { weight: rowsOf(elements, rows, units), bias: biasElements && rowsOf(biasElements, rows, units) },
    put(into, tensors) {
      into.set(weight.name, withRows(elements, rows, units, tensors.weight));
      if (bias && biasElements && tensors.bias) into.set(bias.name, withRows(biasElements, rows, units, tensors.bias));
    },
  };
}

export interface ConditionOptions extends EvaluateOptions {
  /** What the head will start from, if it is not drawn: the settings' gain is for heads from labels alone. */
  readonly head?: HeadStart;
}

/**
 * Conditions every layer of F whose weight's layout is known. Works on trained and on random weights alike.
 *
 * @param weights F's parameters; not changed
 * @returns the conditioned weights and an account by layer
 */
export async function conditionFeatures(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  settings: Recipe["conditioning"],
  seed: number,
  options: ConditionOptions = {},
): Promise<{ weights: Weights; records: ConditioningRecord[] }> {
  const known = forNetwork(forHead(settings, options.head), features);
  const { weights: scaled, records } = await conditionLayers(features, weights, dataset, known, seed, options);
  const { gain = 1, size = 1 } = known;
  const factor = size * (needsLabels(options.head) ? gain : 1);
  if (factor === 1) return { weights: scaled, records };
  const multiplied = multiplyFeatures(features, scaled, factor);
  if (multiplied) return { weights: multiplied, records };
  const skipped =
    "its size or gain would change what F computes, which is no chain of layers and ReLU-like activations";
  return {
    weights: scaled,
    records: [...records, { weight: features.parameters[0].name, dead: 0, capped: 0, skipped }],
  };
}

/** Settings that leave nothing about units' openness to the network. */
type KnownSettings = Recipe["conditioning"] & { readonly openness: number };

/** The settings for this head: where it starts from labels, those for drawn heads alone are left out. */
function forHead(settings: Recipe["conditioning"], head: HeadStart | undefined): Recipe["conditioning"] {
  if (!settings.drawnHeadsOnly || !needsLabels(head)) return settings;
  const { samples, gain } = settings;
  return { samples, spectrumExponent: null, scale: "none", ...(gain === undefined ? {} : { gain }) };
}

/** How open units get, and how large features, where the settings leave that to the network. */
function forNetwork(settings: Recipe["conditioning"], features: FeatureExtractor): KnownSettings {
  const { openness = 0 } = settings;
  if (openness !== "auto") return { ...settings, openness };
  const isDeep =
    features.layers.length >= deepChain &&
    isDense(features) &&
    features.layers.every((layer) => isRectifying(activationAfter(features.network, layer))) &&
    isHomogeneousChain(features);
  return isDeep ? { ...openedUnits, ...settings, openness: openedUnits.openness } : { ...settings, openness: 0 };
}

async function conditionLayers(
  features: FeatureExtractor,
  weights: Weights,
  dataset: Dataset,
  settings: KnownSettings,
  seed: number,
  { onProgress, ...options }: EvaluateOptions,
): Promise<{ weights: Weights; records: ConditioningRecord[] }> {
  const result: Weights = new Map(weights);
  const records: ConditioningRecord[] = [];
  if (settings.spectrumExponent === null && settings.scale === "none") return { weights: result, records };
  const granularity = granularityFor(settings, dataset);
  const samples = measuringSamples(dataset, settings.samples, seed, "conditioning");
  const held = holdingSamples(dataset, samples);
  const done = new Set<string>();
  const measured = settings.scale === "none" ? [] : features.layers.filter(needsStatistics);
  const targets = measured.map(({ preActivation }) => preActivation);
  const evaluator = await SequentialEvaluator.open(features.network, targets, held, samples, options);
  try {
    for (const [index, layer] of features.layers.entries()) {
      onProgress?.(index, features.layers.length);
      const { name, layout } = layer.weight;
      const place = placeOf(layer);
      if (done.has(name) || done.has(place)) continue;
      done.add(place);
      const part = partOf(layer, result);
      if (!layout || !part) {
        records.push({ weight: name, dead: 0, capped: 0, skipped: "its layout is not known" });
        continue;
      }
      const conditioned = await conditionLayer(
        layerToCondition(layer, layout),
        part.tensors,
        optionsFor(layer, features.network, settings, granularity),
        async (tensors) => {
          const trial: Weights = new Map(result);
          part.put(trial, tensors);
          return measureUnits(evaluator, layer.preActivation, layout.kind === "convolution" ? 1 : -1, trial);
        },
      );
      part.put(result, conditioned);
      records.push({ weight: place, dead: conditioned.dead, capped: conditioned.capped });
    }
    onProgress?.(features.layers.length, features.layers.length);
  } finally {
    await evaluator.release();
  }
  return { weights: result, records };
}

/** Units get a factor each, but for samples with one-hot columns, whose rare units that would blow up. */
function granularityFor({ scale }: KnownSettings, { oneHotGroups = [] }: Dataset): Granularity {
  return scale === "layer" || (scale === "auto" && oneHotGroups.length > 0) ? "layer" : "unit";
}

/** A layer as {@link conditionLayer} asks for it. */
function layerToCondition(
  { weight, bias, rows, followedByNormalization }: Layer,
  layout: WeightLayout,
): ConditioningLayer {
  return {
    weight: weight.name,
    shape: rows ? [rows.count, ...weight.shape.slice(1)] : weight.shape,
    layout,
    ...(bias ? { bias: bias.name } : {}),
    followedByNormalisation: followedByNormalization,
  };
}

/** What the settings say of a layer. */
function optionsFor(
  layer: Layer,
  network: Network,
  settings: KnownSettings,
  granularity: Granularity,
): ConditioningOptions {
  const next = activationAfter(network, layer);
  const own = saturating.has(next.activation ?? "") ? 0 : null;
  const exponent = settings.spectrumExponent === "auto" ? own : settings.spectrumExponent;
  const { forget, hidden = 0 } = recurrentContext(network, layer) ?? {};
  return {
    ...(exponent === null ? {} : { alpha: exponent }),
    ...(forget === undefined ? {} : { openUnits: [forget, hidden] as const }),
    // How large a state's matrix may be is a matter of what comes of it in the end, not of its first use.
    scale: settings.scale !== "none" && !layer.isRecurrent,
    granularity,
    mean: isRectifying(next) ? settings.openness : 0,
  };
}

/** Mean and standard deviation of each unit of a value. */
async function measureUnits(
  evaluator: SequentialEvaluator,
  target: string,
  channelAxis: number,
  weights: Weights,
): Promise<UnitStatistics> {
  let result: UnitStatistics | undefined;
  await evaluator.evaluate(target, weights, ({ data, shape }) => {
    const measured = unitStatistics(data, shape, channelAxis);
    result = result ? mergeUnitStatistics(result, measured) : measured;
  });
  if (!result) throw new Error("no samples to measure with");
  return result;
}
