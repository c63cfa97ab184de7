/** What one row measures: a network, a step, its start weights and its batches, written to a folder for every peer. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../src/data/dataset.js";
import { memoryDataset } from "../../src/data/memory-dataset.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import type { Value } from "../../src/graph/builder.js";
import type { Attributes } from "../../src/graph/graph.js";
import { floatTensor, sizeOf, type Tensor } from "../../src/graph/tensor.js";
import { chooseDiscriminator } from "../../src/library/choose-discriminator.js";
import { openModel } from "../../src/library/open-model.js";
import { Emitter } from "../../src/ops/emitter.js";
import { instantiate, parameterInputs } from "../../src/ops/instantiate.js";
import type { Network } from "../../src/ops/network.js";
import { RandomStream } from "../../src/random/stream.js";
import type { Discriminator } from "../../src/recipe/discriminator.js";
import { type FeatureExtractor, featureExtractor } from "../../src/recipe/feature-extractor.js";
import { supervisedFeedNames } from "../../src/recipe/feed-names.js";
import { drawParameters, initialWeights } from "../../src/recipe/initial-values.js";
import { logitsName } from "../../src/recipe/network-outputs.js";
import { newNetworkOpset } from "../../src/recipe/new-network.js";
import { rotationClasses } from "../../src/recipe/pretraining-graph.js";
import { builtInRecipe, type OptimizerSettings, type Recipe } from "../../src/recipe/recipe.js";
import { supervisedGraph } from "../../src/recipe/supervised-graph.js";
import type { Owner, TrainingGraph } from "../../src/recipe/training-graph.js";
import { type Device, graphStyle } from "../../src/runtime/device.js";
import { orientationTargets, visualWordTargets } from "../../src/training/description-targets.js";
import { scheduleFactor } from "../../src/training/optimizer-feeds.js";
import { orientationsSize } from "../../src/training/picture-orientations.js";
import { trainingGraphOf } from "../../src/training/pretrain.js";
import { pretrainingFeeds, type TaskAnswers } from "../../src/training/pretraining-feeds.js";
import { visualWordsSize } from "../../src/training/visual-words.js";
import { backwardCost, forwardCost, type Layer, layersInput, mirrorLayers } from "./layers.js";
import { type BenchNetwork, type NetworkName, networks } from "./networks.js";

/**
 * gan: the recipe `paper`; contrast, rotation and visual-words: the recipes of these names, one of which the recipe `default`
 * is on most data; supervised: cross-entropy and Adam.
 */
export const stepNames = ["gan", "contrast", "rotation", "visual-words", "supervised"] as const;
export type StepName = (typeof stepNames)[number];

/** Whether the step is measured on this network: rotation and visual words are what convolutions learn from square pictures. */
export function isMeasured(network: NetworkName, step: StepName): boolean {
  const { sampleShape } = networks[network];
  return (step !== "rotation" && step !== "visual-words") || sampleShape.length === 3;
}

/** Batches that are written; later steps begin again with the first. */
const batches = 5;
/** Schedules are followed this far; later steps keep the last learning rate. */
const scheduledSteps = 200;
/** Steps of the run that the schedule belongs to. */
const totalSteps = 2000;

/** plan.json: all that a peer needs beside start.safetensors and feeds.safetensors. */
export interface PlanFile {
  readonly network: NetworkName;
  readonly step: StepName;
  readonly batchSize: number;
  readonly batches: number;
  readonly features: readonly Layer[];
  readonly mirror: readonly Layer[];
  readonly discriminator: readonly Layer[];
  /** Trainable parameters by the optimiser that moves them. */
  readonly trainable: Readonly<Record<string, readonly string[]>>;
  readonly optimizers: Readonly<Record<string, OptimizerSettings>>;
  readonly learningRates: Readonly<Record<string, readonly number[]>>;
  readonly recipe: Pick<
    Recipe,
    "adversarial" | "reconstruction" | "contrast" | "selfSupervision" | "orientations" | "visualWords" | "gradientClip"
  >;
  /** Multiply-adds of one step that the mathematics asks for, whoever computes it. */
  readonly multiplyAdds: number;
}

/** A row's training graph, what peers compute, and how to write the rest. */
export interface Plan {
  readonly file: PlanFile;
  readonly training: TrainingGraph;
  /** Writes plan.json, start.safetensors and feeds.safetensors into the folder. */
  readonly write: () => Promise<void>;
}

/** The supervised step takes from its recipe the optimiser's kind alone. */
const recipes = {
  gan: "paper",
  contrast: "contrast",
  rotation: "rotation",
  "visual-words": "visual-words",
  supervised: "contrast",
} as const satisfies Record<StepName, string>;

/** Builds the training step of the model in this folder, after writing the model where it is not there yet. */
export async function planOf(
  network: NetworkName,
  step: StepName,
  folder: string,
  batchSize: number,
  device: Device = "cpu",
): Promise<Plan> {
  mkdirSync(folder, { recursive: true });
  const bench: BenchNetwork = networks[network];
  const path = join(folder, "model.onnx");
  if (!existsSync(path)) writeFileSync(path, serializeGraph(bench.graph(), newNetworkOpset));
  const features = featureExtractor((await openModel(path)).network);
  const recipe: Recipe = { ...builtInRecipe(recipes[step]), batchSize };
  const supervised = step === "supervised";
  const plays = step === "gan" || step === "contrast";
  const discriminator = plays ? (await chooseDiscriminator("auto", features)).discriminator : undefined;
  const dataset = drawnDataset(bench, batchSize);
  const optimizer = { ...recipe.generatorOptimizer, learningRate: 1e-3 };
  const training = supervised
    ? supervisedGraph({ features, loss: "cross-entropy", optimizer, batchSize, ...graphStyle(device) })
    : trainingGraphOf({ features, dataset, recipe, device, ...(discriminator ? { discriminator } : {}) });
  const optimizers: Record<string, OptimizerSettings> = supervised
    ? { supervised: optimizer }
    : {
        generator: recipe.generatorOptimizer,
        ...(plays ? { discriminator: recipe.discriminatorOptimizer } : {}),
      };
  const owners: Record<string, readonly Owner[]> = supervised
    ? { supervised: ["features", "head"] }
    : { generator: ["features", "mirror", "task"], discriminator: ["discriminator"] };
  // A task alone begins behind the warm-up: by its small rates a wrong gradient would hardly change the first losses. In the
  // game larger rates make of rounding more than the tolerance within five steps.
  const first = plays ? 0 : Math.round(recipe.schedule.warmUp * totalSteps);
  const factor = (at: number): number => (supervised ? 1 : scheduleFactor(recipe.schedule, first + at, totalSteps));
  const layers = featureLayers(features, supervised ? logitsName(features.network) : features.feature, batchSize);
  const parts = {
    features: layers,
    mirror: plays ? mirrorLayers(layers) : [],
    discriminator: discriminator ? discriminatorLayers(discriminator, bench.sampleShape, batchSize) : [],
  };
  const file: PlanFile = {
    network,
    step,
    batchSize,
    batches,
    ...parts,
    trainable: Object.fromEntries(
      Object.entries(owners).map(([name, owned]) => [
        name,
        training.state.flatMap((tensor) =>
          tensor.parameter && tensor.parameter.role !== "statistic" && owned.includes(tensor.owner)
            ? [tensor.name]
            : [],
        ),
      ]),
    ),
    optimizers,
    learningRates: Object.fromEntries(
      Object.entries(optimizers).map(([name, { learningRate }]) => [
        name,
        Array.from({ length: scheduledSteps }, (_, at) => learningRate * factor(at)),
      ]),
    ),
    recipe,
    multiplyAdds: multiplyAdds(step, parts, batchSize, (recipe.generatorBatchSize ?? batchSize) / batchSize),
  };
  const write = async (): Promise<void> => {
    writeFileSync(join(folder, "plan.json"), JSON.stringify(file));
    writeFileSync(join(folder, "start.safetensors"), writeSafetensors(startTensors(features, training)));
    const fed = supervised
      ? supervisedBatches(bench, dataset, training)
      : await pretrainingBatches(training, recipe, dataset, features.network);
    writeFileSync(join(folder, "feeds.safetensors"), writeSafetensors(fed));
  };
  return { file, training, write };
}

/** Standard normal numbers: no peer computes slower or faster for what the samples show. */
function drawnDataset(bench: BenchNetwork, batchSize: number): Dataset {
  const stream = new RandomStream(0, "bench/samples", 0);
  const size = sizeOf(bench.sampleShape);
  const values = Float32Array.from({ length: batches * batchSize * size }, () => stream.normal());
  const dataset = memoryDataset(values, bench.sampleShape);
  return bench.picture ? { ...dataset, record: { ...dataset.record, picture: bench.picture } } : dataset;
}

function startTensors(features: FeatureExtractor, training: TrainingGraph): Map<string, Tensor> {
  const own = initialWeights(features.network, "he", 0);
  const others = training.state.flatMap(({ parameter }) => (parameter && !own.has(parameter.name) ? [parameter] : []));
  const weights = new Map([...own, ...drawParameters(others, "he", 0)]);
  return new Map(
    training.state.flatMap(({ name, shape, parameter }) => {
      const elements = weights.get(name);
      return parameter && elements ? [[name, floatTensor(elements, shape)] as const] : [];
    }),
  );
}

async function pretrainingBatches(
  training: TrainingGraph,
  recipe: Recipe,
  dataset: Dataset,
  network: Network,
): Promise<Map<string, Tensor>> {
  const answers: TaskAnswers = {
    ...(recipe.orientations.weight > 0 ? { orientations: await orientationTargets(dataset, 0) } : {}),
    ...(recipe.visualWords.weight > 0 ? { visualWords: await visualWordTargets(dataset, 0) } : {}),
  };
  const feeds = pretrainingFeeds(training, recipe, dataset, network, 0, totalSteps, answers);
  const fed = new Map<string, Tensor>();
  for (let batch = 0; batch < batches; batch++)
    for (const [name, { data, shape }] of Object.entries(await feeds.at(batch)))
      if (shape.length > 0) fed.set(`${batch}/${name}`, floatTensor(data.slice(), shape));
  for (const answer of Object.values(answers)) await answer.release();
  return fed;
}

function supervisedBatches(bench: BenchNetwork, dataset: Dataset, training: TrainingGraph): Map<string, Tensor> {
  const stream = new RandomStream(0, "bench/labels", 0);
  const { batchSize } = training;
  const classes = training.feeds.find(({ name }) => name === supervisedFeedNames.targets)?.shape[1] ?? 1;
  const fed = new Map<string, Tensor>();
  for (let batch = 0; batch < batches; batch++) {
    const samples = new Float32Array(batchSize * sizeOf(bench.sampleShape));
    dataset.read(
      Uint32Array.from({ length: batchSize }, (_, row) => batch * batchSize + row),
      samples,
    );
    const targets = new Float32Array(batchSize * classes);
    for (let row = 0; row < batchSize; row++) targets[row * classes + stream.below(classes)] = 1;
    fed.set(`${batch}/${supervisedFeedNames.samples}`, floatTensor(samples, [batchSize, ...bench.sampleShape]));
    fed.set(`${batch}/${supervisedFeedNames.targets}`, floatTensor(targets, [batchSize, classes]));
  }
  return fed;
}

/** A node of either kind of graph, with names and shapes. */
interface ShapedNode {
  readonly op: string;
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly output: { readonly name: string; readonly shape: readonly number[] };
  readonly attributes: Attributes;
}

function featureLayers({ network }: FeatureExtractor, target: string, batchSize: number): Layer[] {
  const emit = new Emitter();
  const input = emit.input("bench/samples", "float32", [batchSize, ...network.sampleShape]);
  const { steps } = instantiate({
    emit,
    network,
    input,
    targets: [target],
    parameter: parameterInputs(emit, network),
    normalization: "running",
  });
  return steps.map(({ node, inputs, outputs }) => {
    const named = node.inputs.map((name, index) => ({
      name: name === network.input.name ? layersInput : name,
      shape: inputs[index]?.shape ?? [],
    }));
    return layerOf({
      op: node.op,
      inputs: named,
      output: { name: node.outputs[0], shape: outputs[0].shape },
      attributes: node.attributes,
    });
  });
}

function discriminatorLayers(
  discriminator: Discriminator,
  sampleShape: readonly number[],
  batchSize: number,
): readonly Layer[] {
  const emit = new Emitter();
  const samples = emit.input(layersInput, "float32", [batchSize, ...sampleShape]);
  const inputs = new Map<string, Value>();
  for (const { name, shape } of discriminator.parameters) inputs.set(name, emit.input(name, "float32", shape));
  discriminator.apply(emit, samples, (name) => inputs.get(name) as Value);
  return emit.nodes.map((node) =>
    layerOf({
      op: node.op,
      inputs: node.inputs.flatMap((value) => (value ? [value] : [])),
      output: node.outputs[0],
      attributes: node.attributes,
    }),
  );
}

/** @throws Error for an operator that the measured networks do not have */
function layerOf({ op, inputs, output, attributes }: ShapedNode): Layer {
  const [x, weight, bias] = inputs;
  const common = { inputs: [x.name], output: output.name, inputShape: x.shape, shape: output.shape };
  const number = (name: string, fallback: number): number => {
    const found = attributes[name];
    return found?.kind === "float" || found?.kind === "int" ? found.value : fallback;
  };
  const numbers = (name: string, fallback: readonly number[]): readonly number[] => {
    const found = attributes[name];
    return found?.kind === "ints" ? found.value : fallback;
  };
  const weights = (): Pick<Layer, "weight" | "weightShape" | "bias"> => ({
    weight: weight.name,
    weightShape: weight.shape,
    ...(bias ? { bias: bias.name } : {}),
  });
  switch (op) {
    case "Gemm":
      if (number("transB", 0) !== 1) throw new Error("bench: a Gemm without transB");
      return { ...common, op: "linear", ...weights(), transposed: false };
    case "Conv": {
      const ones = weight.shape.slice(2).map(() => 1);
      const pads = numbers(
        "pads",
        [...ones, ...ones].map(() => 0),
      );
      const begins = pads.slice(0, ones.length);
      if (begins.join() !== pads.slice(ones.length).join()) throw new Error("bench: a Conv with uneven pads");
      const settings = { strides: numbers("strides", ones), pads: begins, groups: number("group", 1) };
      return { ...common, op: "convolution", ...weights(), ...settings };
    }
    case "Relu":
      return { ...common, op: "relu" };
    case "LeakyRelu":
      return { ...common, op: "leakyRelu", slope: number("alpha", 0.01) };
    case "BatchNormalization": {
      const [, scale, shift, mean, variance] = inputs.map(({ name }) => name);
      const settings = { epsilon: number("epsilon", 1e-5), momentum: number("momentum", 0.9) };
      return { ...common, op: "batchNormalization", statistics: [scale, shift, mean, variance], ...settings };
    }
    case "Add":
      return { ...common, op: "add", inputs: inputs.map(({ name }) => name) };
    case "Flatten":
    case "Reshape":
      return { ...common, op: "reshape" };
    case "GlobalAveragePool":
      return { ...common, op: "globalAverage" };
    default:
      throw new Error(`bench: no peer computes ${op}`);
  }
}

/** Width of the contrast task's projection, from the training graph's own parameter. */
const projection = 64;

/**
 * Multiply-adds of one step: products that the mathematics asks for, whoever computes them, with each forward pass
 * counted once where the step allows to share it.
 */
function multiplyAdds(
  step: StepName,
  { features, mirror, discriminator }: Pick<PlanFile, "features" | "mirror" | "discriminator">,
  batchSize: number,
  /** Of each batch that goes through G and D. */
  share: number,
): number {
  const forward = forwardCost(features);
  const backward = backwardCost(features, { weights: true, input: false });
  if (step === "supervised") return forward + backward;
  const generator = forward + backward + forwardCost(mirror) + backwardCost(mirror, { weights: true, input: true });
  const judged = forwardCost(discriminator);
  const learned = 2 * backwardCost(discriminator, { weights: true, input: false });
  const handedBack = backwardCost(discriminator, { weights: false, input: true });
  // G plays against the D that this step has made: one more look at what G made.
  if (step === "gan") return generator + 3 * judged + learned + handedBack;
  const code = sizeOf(features.at(-1)?.shape ?? []) / batchSize;
  if (step === "rotation")
    // Every sample comes in all turns, and only those that are not turned tell their edges.
    return forward + backward + 3 * batchSize * code * (rotationClasses + orientationsSize / rotationClasses);
  if (step === "visual-words") return forward + backward + 3 * batchSize * code * (orientationsSize + visualWordsSize);
  const views = 2 * batchSize;
  const contrast = 2 * (forward + backward) + 3 * views * code * projection + 3 * views * views * projection;
  return share * (generator + 2 * judged + learned + handedBack) + contrast;
}
