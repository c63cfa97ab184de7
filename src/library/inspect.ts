/** What headstart sees in a model: F, mirror, discriminator, and what is in the way. */
import { UserError } from "../errors.js";
import { firstOutput, type Node } from "../graph/graph.js";
import { sizeOf } from "../graph/tensor.js";
import { MirrorError, type MirrorResult, mirror } from "../mirror/mirror.js";
import { networkCost } from "../ops/cost.js";
import { Emitter } from "../ops/emitter.js";
import { instanceUpTo } from "../ops/instance-up-to.js";
import type { Instance } from "../ops/instantiate.js";
import { ancestors, type Network } from "../ops/network.js";
import type { ParameterSpec } from "../ops/parameter.js";
import { operatorOf } from "../ops/table.js";
import type { Discriminator } from "../recipe/discriminator.js";
import { type FeatureExtractor, featureExtractor } from "../recipe/feature-extractor.js";
import { usesGenerator } from "../recipe/pretraining-graph.js";
import { type Recipe, type RecipeInput, trainsFeatures } from "../recipe/recipe.js";
import { type DataDescription, trainingGraphOf } from "../training/pretrain.js";
import { kindOf, recipeForData } from "../training/recipe-for-data.js";
import { type ChainStep, chainSteps, type HeadStep, headSteps, stretches } from "./chain-steps.js";
import { chooseDiscriminator } from "./choose-discriminator.js";
import { computedWeightsWarning, exportWarnings } from "./export-warnings.js";
import { featuresNote } from "./features-note.js";
import type { Restoration } from "./graph-restorer.js";
import { openModel } from "./open-model.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { requireGiven } from "./run-settings.js";

export interface InspectOptions {
  readonly model: string;
  readonly features?: string;
  readonly input?: string;
  readonly inputShape?: readonly number[];
  readonly freeze?: string;
  /** The framework's own tensors, see {@link OpenModelOptions}. */
  readonly stateDict?: string;
  readonly keepNames?: boolean;
  readonly discriminator?: string;
  readonly layout?: "NCHW" | "NHWC";
  /** The recipe that F has to be trainable by: a name, a path of a JSON file, or settings. Default: default. */
  readonly recipe?: string | RecipeInput;
}

export interface InspectResult {
  readonly model: string;
  readonly opset: number;
  readonly producer: string;
  readonly input: { readonly name: string; readonly shape: readonly number[] };
  readonly features: { readonly name: string; readonly shape: readonly number[] } | undefined;
  /** Nodes that read the feature tensor: where the head begins. */
  readonly head: readonly string[];
  /** All steps behind F and beside it, which `init` leaves as they are, but for a head that is started from labels. */
  readonly headSteps: readonly HeadStep[];
  /** F's steps, without those that compute shapes and constants. */
  readonly extractor: readonly ChainStep[];
  readonly mirror: readonly ChainStep[];
  readonly discriminator:
    | { readonly kind: string; readonly layers: readonly { op: string; shape: readonly number[] }[] }
    | undefined;
  readonly parameterCounts: {
    readonly features: number;
    readonly mirror: number;
    readonly discriminator: number;
    readonly whole: number;
  };
  /** Multiply-adds of F for one sample. */
  readonly cost: number | undefined;
  /** Nodes that stand in the way, and why. */
  readonly unsupported: readonly { readonly node: string; readonly op: string; readonly reason: string }[];
  /** What of an export's changes was undone. */
  readonly restoration?: Restoration;
  /** How the features were chosen, where that needs saying. */
  readonly featuresNote?: string;
  readonly warnings: readonly string[];
}

/**
 * Looks at a model without training: whether `init` with the same options could train it, as far as the data's shape tells.
 *
 * @throws UserError where the file is broken or no network, or a discriminator that was named does not fit; what F cannot do is
 *   reported, not thrown
 */
export async function inspect(options: InspectOptions): Promise<InspectResult> {
  requireGiven({ model: options.model });
  const opened = await openModel(options.model, options);
  const { model, network, restoration } = opened;
  const features = featureExtractor(network, options.features);
  const data = unreadData(network);
  const { recipe } = recipeForData(await resolveRecipe(options.recipe ?? "default"), data, kindOf(features));
  const unsupported = unknownOperators(network, features);
  const computed = computedWeightsWarning(features, options.freeze);
  const warnings = [...exportWarnings(opened, features), ...(computed ? [computed] : [])];
  const note = featuresNote(features, options.features);
  const base = {
    model: options.model,
    opset: model.opset,
    producer: model.producer,
    input: { name: network.input.name, shape: network.sampleShape },
    head: features.head,
    headSteps: headSteps(network, features.feature),
    unsupported,
    ...(restoration ? { restoration } : {}),
    ...(note === undefined ? {} : { featuresNote: note }),
  };
  const counts = { features: elementsOf(features.parameters), whole: elementsOf(network.parameters.values()) };
  const emit = new Emitter();
  let misfit: unknown;
  try {
    const instance = instanceUpTo(emit, network, [features.feature]);
    const mirrored = mirrorOf(emit, instance, features);
    const problems = [...unsupported];
    if (mirrored instanceof UserError) {
      if (usesGenerator(recipe)) problems.push(obstacle(mirrored, features.feature, "mirror"));
      // Nothing could hand tokens back.
      else if (network.vocabulary === undefined)
        warnings.push(`${mirrored.message} The recipe ${recipe.name} needs no mirror, but others do.`);
    }
    const { steps, parameters } = mirrored instanceof UserError ? noMirror : mirrored;
    const { discriminator = "auto" } = options;
    const chosen = await chooseDiscriminator(discriminator, features, options.layout).catch((error: unknown) => {
      if (discriminator !== "auto") misfit = error;
      throw error;
    });
    // What else stands in the way shows as it would in training.
    if (problems.length === 0) problems.push(...trainingObstacles(features, data, recipe, chosen.discriminator));
    return {
      ...base,
      unsupported: problems,
      features: { name: features.feature, shape: instance.targets[0].shape.slice(1) },
      extractor: chainSteps(instance.steps, network),
      mirror: steps,
      discriminator: { kind: chosen.kind, layers: chosen.discriminator.describe },
      parameterCounts: {
        features: counts.features,
        mirror: elementsOf(parameters),
        discriminator: elementsOf(chosen.discriminator.parameters),
        whole: counts.whole,
      },
      cost: networkCost(instance.steps),
      warnings: [...warnings, ...chosen.notes],
    };
  } catch (error) {
    if (!(error instanceof UserError) || error === misfit) throw error;
    const reported =
      unsupported.length > 0 ? unsupported : [{ node: features.feature, op: "network", reason: error.message }];
    return {
      ...base,
      unsupported: reported,
      features: undefined,
      extractor: [],
      mirror: [],
      discriminator: undefined,
      parameterCounts: { features: counts.features, mirror: 0, discriminator: 0, whole: counts.whole },
      cost: undefined,
      warnings,
    };
  }
}

/** What is known of data that was not read: its shape. */
function unreadData({ sampleShape }: Network): DataDescription {
  const range = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
  return { kind: "arrays", shape: sampleShape, record: {}, range };
}

function elementsOf(specs: Iterable<ParameterSpec>): number {
  let sum = 0;
  for (const { shape } of specs) sum += sizeOf(shape);
  return sum;
}

interface InspectedMirror {
  readonly steps: readonly ChainStep[];
  readonly parameters: readonly ParameterSpec[];
}

const noMirror: InspectedMirror = { steps: [], parameters: [] };

/** The mirror of F, or why there is none. */
function mirrorOf(
  emit: Emitter,
  instance: Instance,
  { network, feature }: FeatureExtractor,
): InspectedMirror | UserError {
  const parameters: ParameterSpec[] = [];
  try {
    const built = mirror({
      emit,
      instance,
      code: instance.targets[0],
      feature,
      normalization: "batch",
      tied: false,
      parameter: (spec) => {
        parameters.push(spec);
        return emit.input(spec.name, "float32", spec.shape);
      },
      lastActivation: "none",
    });
    return { steps: mirrorSteps(built, network), parameters };
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** A step for each layer that the mirror takes back, as {@link chainSteps} has them of F. */
function mirrorSteps({ steps }: MirrorResult, network: Network): ChainStep[] {
  return stretches(steps, network, ({ value }) => value).flatMap(({ layer, steps: taken }) => {
    const { op, node, mirroredBy, to } = taken[taken.length - 1];
    const shape = to[0] ?? [];
    if (layer) {
      const name = `mirror of ${layer.op} ${layer.name || firstOutput(layer)}`;
      return [{ op: layer.op, name, shape: shape.slice(1), parameters: [] }];
    }
    if (mirroredBy === "") return [];
    return [{ op: mirroredBy, name: `mirror of ${op} ${node}`, shape: shape.slice(1), parameters: [] }];
  });
}

/** What keeps the recipe's training graph from being made; nothing where it trains nothing. */
function trainingObstacles(
  features: FeatureExtractor,
  dataset: DataDescription,
  recipe: Recipe,
  discriminator: Discriminator,
): Obstacle[] {
  if (!trainsFeatures(recipe)) return [];
  try {
    trainingGraphOf({ features, dataset, recipe, ...(recipe.adversarial.weight > 0 ? { discriminator } : {}) });
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [obstacle(error, features.feature, "training")];
  }
}

type Obstacle = InspectResult["unsupported"][number];

function obstacle(error: UserError, feature: string, op: string): Obstacle {
  if (!(error instanceof MirrorError)) return { node: feature, op, reason: error.message };
  return { node: nameOf(error.node), op: error.node.op, reason: error.reason };
}

/** Nodes of F that headstart does not know. */
function unknownOperators(network: Network, features: FeatureExtractor): Obstacle[] {
  return ancestors(network, [features.feature]).flatMap((node) => {
    if (node.domain === "" && operatorOf(node.op)) return [];
    const op = node.domain ? `${node.domain}.${node.op}` : node.op;
    const reason = network.obstacles.get(firstOutput(node));
    return [{ node: nameOf(node), op, reason: reason ?? "headstart does not know this operator" }];
  });
}

function nameOf(node: Node): string {
  return node.name || node.outputs[0];
}
