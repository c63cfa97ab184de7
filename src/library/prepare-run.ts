/** Everything of a run that can be known, and can be wrong, before its folder is made. */
import { basename, extname } from "node:path";
import type { Dataset } from "../data/dataset.js";
import { dataNotes } from "../data/unusable-samples.js";
import { userError } from "../errors.js";
import { type FeatureExtractor, featureExtractor } from "../recipe/feature-extractor.js";
import { type Recipe, trainsFeatures } from "../recipe/recipe.js";
import type { Device } from "../runtime/device.js";
import { requireDevice } from "../runtime/require-device.js";
import { type SessionOptions, sessionOptions } from "../runtime/session.js";
import {
  classesOfHead,
  labelledByOutput,
  needsLabels,
  outputsNote,
  requireHeadLayer,
  requireHeadStart,
} from "../training/head-start.js";
import { trainingGraphOf } from "../training/pretrain.js";
import { kindOf, recipeForData } from "../training/recipe-for-data.js";
import { requireMemory } from "../training/require-memory.js";
import { type ChosenDiscriminator, chooseDiscriminator, requireDiscriminatorKind } from "./choose-discriminator.js";
import { computedWeightsWarning, exportWarnings, keptTensorsNote, requireOwnNames } from "./export-warnings.js";
import { featuresNote } from "./features-note.js";
import type { InitializeEvent, InitializeOptions } from "./initialize-types.js";
import { type OpenedModel, openModel } from "./open-model.js";
import type { OpenedDatasets } from "./opened-datasets.js";
import { type FittedNetwork, networkOnStandardised, ownScalingNote } from "./reading-for.js";
import type { Training } from "./recorded-training.js";
import { requireNamesOfOutputs } from "./require-names-of-outputs.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { restorationLine } from "./restore-model.js";
import { RunFolder } from "./run-folder.js";
import { clustersNote, drawnNote, memoryNote, replacedInRunNote, unusedNote } from "./run-notes.js";
import { isDataset, openData, openLabelled } from "./run-samples.js";
import {
  requireGiven,
  requireOneOf,
  requireOneReading,
  requireSelfTrainingSteps,
  requireSettings,
  withSettings,
} from "./run-settings.js";
import { durationOf } from "./run-steps.js";

/** A run that is ready to begin. */
export interface PreparedRun {
  /** Its folder. */
  readonly path: string;
  readonly seed: number;
  readonly device: Device;
  readonly opened: OpenedModel;
  /** What the model's export has changed, in words. */
  readonly exportChanges: readonly string[];
  /** What of that was undone, in words. */
  readonly restored: string | undefined;
  readonly features: FeatureExtractor;
  /** The network as it takes samples. */
  readonly taken: FittedNetwork;
  readonly recipe: Recipe;
  readonly dataset: Dataset;
  /** Samples that a head from labels is made of, */
  readonly labelled: Dataset | undefined;
  /** and the same with the numbers of the head's outputs as labels. */
  readonly labelledByOutput: Dataset | undefined;
  readonly discriminator: ChosenDiscriminator | undefined;
  /** How sessions are opened for what is measured. */
  readonly evaluation: SessionOptions & { readonly signal?: AbortSignal };
  readonly training: Training;
  readonly steps: number;
}

/**
 * Looks at settings, model and data, and tells in notes what the user should know.
 *
 * @throws UserError where something does not fit, with nothing written
 */
export async function prepareRun(
  options: InitializeOptions,
  datasets: OpenedDatasets,
  emit: (event: InitializeEvent) => void,
): Promise<PreparedRun> {
  const seed = options.seed ?? 0;
  const path = await requireSense(options);
  const device = await requireDevice(options.device);
  const { opened, ownFeatures, exportChanges } = await openNetwork(options);
  const asked = await resolveRecipe(options.recipe ?? "default");
  // Settings that do not fit show before the data is read.
  withSettings(asked, options);
  if (options.head) requireHeadLayer(options.head, ownFeatures);
  const dataset = await openData(options, opened.network, datasets, emit);
  const isNormalised = isDataset(options.data) || options.fitted !== undefined || options.normalise !== undefined;
  const taken: FittedNetwork = isNormalised
    ? { network: opened.network, record: dataset.record }
    : networkOnStandardised(opened.network, dataset.record);
  const features = featureExtractor(taken.network, ownFeatures.feature);
  const { recipe: forData, because } = recipeForData(asked, dataset, kindOf(ownFeatures));
  const recipe = withSettings(forData, options);
  const labelled = needsLabels(options.head)
    ? await openLabelled(options, opened.network, dataset, datasets, emit)
    : undefined;
  const head = labelsOfHead(options, features, labelled);
  const discriminator =
    recipe.adversarial.weight > 0
      ? await chooseDiscriminator(options.discriminator ?? "auto", features, options.layout)
      : undefined;
  const restored = restorationLine(opened.restoration);
  const remarks = [
    restored,
    ...exportChanges,
    computedWeightsWarning(features, options.freeze),
    keptTensorsNote(opened, features),
    featuresNote(ownFeatures, options.features),
    ownScalingNote(opened.network, isNormalised ? (options.normalise ?? "standard") : undefined),
    ...new Set([dataset, ...(labelled ? [labelled] : [])].flatMap(({ record }) => dataNotes(record))),
    because && replacedInRunNote({ asked, recipe: forData, because }, options.head),
    clustersNote(recipe, dataset),
    drawnNote(recipe, features),
    unusedNote(recipe, options),
    head.note,
    ...(discriminator?.notes ?? []),
  ];
  for (const message of remarks.filter((remark) => remark !== undefined)) emit({ type: "note", message });
  const evaluation = {
    ...sessionOptions({ ...options, device }),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  const training = withGraph({
    features,
    dataset,
    recipe,
    seed,
    ...(discriminator
      ? { discriminator: discriminator.discriminator, discriminatorWeights: discriminator.weights }
      : {}),
    ...evaluation,
  });
  const memory = training.training && memoryNote(training.training, device);
  if (memory) emit({ type: "note", message: memory });
  const { steps, start } = await durationOf(options, path, training, emit);
  return {
    path,
    seed,
    device,
    opened,
    exportChanges,
    restored,
    features,
    taken,
    recipe,
    dataset,
    labelled,
    labelledByOutput: head.labelled,
    discriminator,
    evaluation,
    training: { ...training, ...(start === undefined ? {} : { start }) },
    steps,
  };
}

/** The model, what of it F is before the data is known, and what its export has changed, in words. */
interface OpenedNetwork extends Pick<PreparedRun, "opened" | "exportChanges"> {
  readonly ownFeatures: FeatureExtractor;
}

/** @throws UserError where its weights would come back under other names than the framework's own */
async function openNetwork(options: InitializeOptions): Promise<OpenedNetwork> {
  const opened = await openModel(options.model, options);
  const ownFeatures = featureExtractor(opened.network, options.features);
  const exportChanges = exportWarnings(opened, ownFeatures);
  if (!options.keepNames) requireOwnNames(opened, exportChanges);
  return { opened, ownFeatures, exportChanges };
}

/**
 * The labelled samples by the numbers of the head's outputs, and what is to be said of these.
 *
 * @throws UserError where the model's head or the labels cannot give the head that was asked for, which would else show after
 *   F was trained
 */
function labelsOfHead(
  { head, classNames }: InitializeOptions,
  features: FeatureExtractor,
  labelled: Dataset | undefined,
): { readonly labelled: Dataset | undefined; readonly note: string | undefined } {
  const layer = head && requireHeadStart(head, features, labelled);
  if (!layer) return { labelled, note: undefined };
  if (classNames) requireNamesOfOutputs(classNames, classesOfHead(layer));
  const byOutput = labelled && labelledByOutput(layer, labelled);
  return { labelled: byOutput, note: byOutput && outputsNote(layer, byOutput) };
}

/**
 * Builds the training graph, where there is something to train, before the run's folder is made.
 *
 * @throws UserError where F cannot be trained so, or memory does not hold a step
 */
function withGraph(graphless: Training): Training {
  if (!trainsFeatures(graphless.recipe)) return graphless;
  const training = trainingGraphOf(graphless);
  requireMemory(training, graphless.device);
  return { ...graphless, training };
}

/**
 * Looks at what the settings alone say.
 *
 * @returns the run's folder
 * @throws UserError where a setting does not fit, or two do not go together; or where the folder cannot be the run's
 */
async function requireSense(options: InitializeOptions): Promise<string> {
  const { model, data, resume = false, overwrite = false, steps, epochs, minutes, head } = options;
  requireGiven({ model, data });
  if (options.output !== undefined) requireGiven({ output: options.output });
  requireSettings(options);
  requireOneOf({ resume: resume || undefined, overwrite: overwrite || undefined });
  // A run that is resumed is asked for as it was, and may be given more steps.
  if (!resume) requireOneOf({ steps, epochs, minutes });
  requireOneReading(options);
  const given = head === undefined ? "no head" : `a head of ${head}`;
  requireSelfTrainingSteps(options.selfTrainingSteps, head === "self-training", { place: "a head", got: given });
  if (options.labelled !== undefined && !needsLabels(head))
    throw userError({
      where: "labelled samples",
      required: "a head that starts from labels, which is all they are for",
      got: given,
      advice: "Ask for --head class-means, linear-discriminant or self-training, or leave --labelled out.",
    });
  if (options.discriminator !== undefined) requireDiscriminatorKind(options.discriminator);
  const path = options.output ?? `${basename(model, extname(model))}-headstart`;
  if (resume) await RunFolder.open(path);
  else await RunFolder.requireFree(path, overwrite);
  return path;
}
