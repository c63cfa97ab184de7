/** The main job: initial weights from a network and unlabelled data. */
import { basename, extname } from "node:path";
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { isLabelFile, openDataset } from "../data/open-dataset.js";
import { knownLabels } from "../data/sample-labels.js";
import { savedTransform } from "../data/saved-transform.js";
import { dataNotes } from "../data/unusable-samples.js";
import { InterruptedError, UserError, userError } from "../errors.js";
import { convertTensor } from "../formats/convert-tensor.js";
import { writeSafetensors } from "../formats/safetensors.js";
import { floatTensor, numbersOf, type Tensor } from "../graph/tensor.js";
import type { Network } from "../ops/network.js";
import { type FeatureExtractor, featureExtractor, isDense } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import { type Recipe, trainsFeatures } from "../recipe/recipe.js";
import { requireDevice } from "../runtime/require-device.js";
import { sessionOptions } from "../runtime/session.js";
import { conditionFeatures } from "../training/condition.js";
import {
  classesOfHead,
  type HeadStart,
  headStart,
  labelledByOutput,
  needsLabels,
  outputsNote,
  requireHeadLayer,
  requireHeadStart,
} from "../training/head-start.js";
import type { DiscriminantAccount } from "../training/linear-discriminant.js";
import { datasetGeometry } from "../training/picture-geometry.js";
import { pretrain, pretrainingSteps, taskFor, trainingGraphOf } from "../training/pretrain.js";
import { principalLayers } from "../training/principal-components.js";
import { activationStatistics, featureRank, nearestNeighbourProbe } from "../training/probe.js";
import { recipeForData } from "../training/recipe-for-data.js";
import { refreshRunningStatistics } from "../training/running-statistics.js";
import { DivergedError } from "../training/trainer.js";
import { chooseDiscriminator } from "./choose-discriminator.js";
import { computedWeightsWarning, exportWarnings, keptTensorsNote, requireOwnNames } from "./export-warnings.js";
import { featuresNote } from "./features-note.js";
import type {
  FeatureReport,
  InitializeEvent,
  InitializeOptions,
  InitializeResult,
  RunRecord,
} from "./initialize-types.js";
import { loadingLines, type WrittenModel } from "./loading-lines.js";
import { mlflowWatcher, requireMlflow } from "./mlflow-watcher.js";
import { type OpenedModel, openModel } from "./open-model.js";
import { type FittedNetwork, networkOnStandardised, ownScalingNote, readingFor } from "./reading-for.js";
import { notingDevice, type Training, trainWithRecords } from "./recorded-training.js";
import { requireNamesOfOutputs } from "./require-names-of-outputs.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { restorationLine } from "./restore-model.js";
import { RunFolder, runFiles } from "./run-folder.js";
import {
  requireGiven,
  requireSelfTrainingSteps,
  requireSettings,
  unusualSelfTraining,
  withSettings,
} from "./run-settings.js";
import { allWatchers, type RunWatcher } from "./run-watcher.js";
import { resumeFolder, startFolder } from "./start-run.js";
import { tensorboardWatcher } from "./tensorboard-watcher.js";
import { version } from "./version.js";
import { writeNetworks } from "./write-networks.js";

export type * from "./initialize-types.js";

/**
 * Trains initial weights for a network's feature extractor on unlabelled data and writes them.
 *
 * @throws UserError where something does not fit, with nothing written; {@link DivergedError} where a loss becomes
 *   non-finite, with the step's record but no weights; InterruptedError where the signal aborts, with a checkpoint
 */
export async function initialize(options: InitializeOptions): Promise<InitializeResult> {
  const begun: BegunRun = {};
  try {
    return await initializeWatched(options, begun);
  } catch (error) {
    // Whatever failed, training or what comes after it: other programs must not take the run for a running one.
    await begun.watcher?.end(error instanceof InterruptedError ? "interrupted" : "failed");
    if (!(error instanceof InterruptedError && begun.folder)) throw error;
    throw new InterruptedError(
      `${error.message}; ${begun.folder.path} has what is done so far, continue with --resume`,
    );
  } finally {
    await begun.folder?.unlock();
  }
}

/** What must be ended with a run, however that ends. */
interface BegunRun {
  folder?: RunFolder;
  watcher?: RunWatcher;
}

async function initializeWatched(options: InitializeOptions, begun: BegunRun): Promise<InitializeResult> {
  const emit = options.onEvent ?? (() => {});
  const seed = options.seed ?? 0;
  requireGiven({ model: options.model, data: options.data });
  requireSettings(options);
  const path = options.output ?? `${basename(options.model, extname(options.model))}-headstart`;
  if (!options.resume) await RunFolder.requireFree(path, options.overwrite ?? false);
  const device = await requireDevice(options.device);
  const opened = await openModel(options.model, options);
  const ownFeatures = featureExtractor(opened.network, options.features);
  const exportChanges = exportWarnings(opened, ownFeatures);
  if (!options.keepNames) requireOwnNames(opened, exportChanges);
  const asked = await resolveRecipe(options.recipe ?? "default");
  // Settings that do not fit show before the data is read.
  withSettings(asked, options);
  if (options.head) requireHeadLayer(options.head, ownFeatures);
  requireSelfTrainingSteps(options.selfTrainingSteps, options.head === "self-training", "a head");
  if (options.labelled !== undefined && !needsLabels(options.head))
    throw userError({
      where: "labelled samples",
      required: "a head that starts from labels, which is all they are for",
      got: options.head === undefined ? "no head" : `a head of ${options.head}`,
      advice: "Ask for the head class-means, linear-discriminant or self-training, or leave the labelled samples out.",
    });
  const dataset = await openData(options, opened, emit);
  const isNormalised = isDataset(options.data) || options.fitted !== undefined || options.normalise !== undefined;
  const taken: FittedNetwork = isNormalised
    ? { network: opened.network, record: dataset.record }
    : networkOnStandardised(opened.network, dataset.record);
  const features = featureExtractor(taken.network, ownFeatures.feature);
  const { recipe: forData, because } = recipeForData(asked, dataset, isDense(features));
  const recipe = withSettings(forData, options);
  const labelled = needsLabels(options.head) ? await openLabelled(options, opened.network, dataset, emit) : undefined;
  // Shows before F is trained what the model's head or the labels cannot give.
  const headLayer = options.head && requireHeadStart(options.head, features, labelled);
  if (headLayer && options.classNames) requireNamesOfOutputs(options.classNames, classesOfHead(headLayer));
  const byOutput = headLayer && labelled ? labelledByOutput(headLayer, labelled) : labelled;
  const chosen =
    recipe.adversarial.weight > 0
      ? await chooseDiscriminator(options.discriminator ?? "auto", features, options.layout)
      : undefined;
  const restored = restorationLine(opened.restoration);
  const remarks = [
    restored,
    ...exportChanges,
    computedWeightsWarning(features),
    keptTensorsNote(opened, features),
    featuresNote(features, options.features),
    ownScalingNote(opened.network, isNormalised ? (options.normalise ?? "standard") : undefined),
    ...new Set([dataset, ...(labelled ? [labelled] : [])].flatMap(({ record }) => dataNotes(record))),
    because && replaced(asked, forData, because, options.head),
    clustersElsewhere(recipe, dataset),
    notPrincipal(recipe, features),
    headLayer && byOutput ? outputsNote(headLayer, byOutput) : undefined,
  ];
  for (const message of [...remarks.filter((remark) => remark !== undefined), ...(chosen?.notes ?? [])])
    emit({ type: "note", message });
  const graphless = {
    features,
    dataset,
    recipe,
    seed,
    ...(chosen ? { discriminator: chosen.discriminator, discriminatorWeights: chosen.weights } : {}),
    ...sessionOptions({ ...options, device }),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  // Built before the folder is made: what F cannot do shows here.
  const training = trainsFeatures(recipe) ? { ...graphless, training: trainingGraphOf(graphless) } : graphless;
  const steps = await stepsFor(options, path, training);

  const run: RunRecord = {
    headstart: version,
    model: {
      file: basename(options.model),
      sha256: opened.hash,
      input: opened.network.input.name,
      sampleShape: opened.network.sampleShape,
      features: features.feature,
      ...(options.freeze === undefined ? {} : { frozen: options.freeze }),
      ...(restored === undefined ? {} : { restored: opened.restoration }),
      ...(opened.state === undefined ? {} : { stateDict: opened.state.hash }),
      ...(options.keepNames ? { names: "kept" } : {}),
    },
    data: {
      file: nameOf(options.data),
      sha256: dataset.hash,
      count: dataset.count,
      understood: dataset.record,
      ...(taken.normalisation === undefined ? {} : { taken: taken.normalisation }),
    },
    recipe,
    task: taskFor(recipe, dataset, opened.network.sampleShape),
    ...(options.head
      ? {
          head: {
            kind: options.head,
            ...(labelled ? { labelled: { sha256: labelled.hash, count: labelled.count } } : {}),
            ...unusualSelfTraining(options.selfTrainingSteps),
          },
        }
      : {}),
    discriminator: chosen
      ? { kind: chosen.kind, layers: chosen.discriminator.describe, ...(chosen.hash ? { sha256: chosen.hash } : {}) }
      : null,
    seed,
    steps,
    batchSize: recipe.batchSize,
    threads: options.threads ?? null,
    device,
  };
  if (options.mlflow !== undefined) await requireMlflow(options.mlflow);
  const { folder, checkpoint } = options.resume
    ? await resumeFolder(path, run)
    : { folder: await startFolder(path, run, options.overwrite ?? false), checkpoint: undefined };
  begun.folder = folder;
  emit({ type: "started", run, steps, done: checkpoint?.step ?? 0, folder: folder.path });

  const evaluation = {
    ...sessionOptions({ ...options, device }),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  const began = performance.now();
  const watcher = await openWatchers(options, folder, run, checkpoint?.step ?? 0, emit);
  begun.watcher = watcher;
  const trained = await trainWithRecords({ training, options, emit, folder, steps, checkpoint, watcher });
  const conditioned = await conditionFeatures(features, trained.weights, dataset, recipe.conditioning, seed, {
    ...evaluation,
    ...(options.head ? { head: options.head } : {}),
  });
  const trainedFeatures = await refreshRunningStatistics(features, conditioned.weights, dataset, seed, evaluation);
  let discriminant: DiscriminantAccount | undefined;
  // All of Fashion-MNIST takes some seconds, in which nothing else is said.
  if (needsLabels(options.head) && labelled) {
    const count = knownLabels(labelled.labels).length.toLocaleString("en");
    emit({ type: "note", message: `the last layer starts from the features of ${count} labelled samples` });
  }
  const head = options.head
    ? await headStart(
        options.head,
        features,
        trainedFeatures,
        { labelled: byOutput, unlabelled: dataset, seed },
        {
          ...evaluation,
          ...(options.selfTrainingSteps === undefined ? {} : { steps: options.selfTrainingSteps }),
          onDeviceCheck: notingDevice(emit),
          onDiscriminant: (account) => {
            discriminant = account;
            emit({ type: "note", message: discriminantNote(account) });
          },
          onStep: (step, steps, metrics) => emit({ type: "self-training", step, steps, metrics }),
        },
      )
    : new Map<string, Float32Array>();
  const weights: Weights = new Map([...trainedFeatures, ...head]);
  requireFinite(weights);
  const report = async (of: Weights): Promise<FeatureReport> => {
    // Samples whose labels F was taught would be found again.
    const taught = options.head === "self-training";
    const probe = taught ? undefined : await nearestNeighbourProbe(features, of, labelled ?? dataset, seed, evaluation);
    return {
      activations: await activationStatistics(features, of, dataset, seed, evaluation),
      effectiveRank: await featureRank(features, of, dataset, seed, evaluation),
      ...(probe === undefined ? {} : { nearestNeighbour: probe }),
    };
  };
  // The plain start, not one that has seen the data already.
  const before = await report(initialWeights(features.network, recipe.start, seed));
  const after = await report(weights);
  for (const warning of trained.warnings) emit({ type: "warning", warning });

  const tensors = typedTensors(weights, opened);
  await folder.write(
    runFiles.weights,
    writeSafetensors(new Map([...tensors].map(([name, tensor]) => [name, opened.model.asStored(name, tensor)])), {
      format: "pt",
      headstart: version,
      model_sha256: run.model.sha256,
      data_sha256: run.data.sha256,
      recipe: recipe.name,
      features: features.feature,
      ...askedFor(options),
      ...(options.head ? { head: options.head } : {}),
      seed: String(seed),
      steps: String(steps),
      tensors: String(tensors.size),
      ...(restored === undefined ? {} : { restored }),
      ...(opened.state === undefined ? {} : { state_dict_sha256: opened.state.hash }),
    }),
  );
  await folder.writeJson(
    runFiles.transform,
    savedTransform({ ...taken.record, ...(byOutput?.classNames ? { classNames: byOutput.classNames } : {}) }),
  );
  const modelFiles = [...(await opened.model.write(tensors))];
  for (const [name, bytes] of modelFiles) await folder.write(name, bytes);
  await writeNetworks(folder, trained.parameters, features, chosen?.discriminator, dataset, recipe);
  const written: WrittenModel = {
    model: modelFiles[0][0],
    format: opened.model.format,
    producer: opened.model.producer,
    ...(opened.model.loadingLimits ? { limits: opened.model.loadingLimits } : {}),
    ...(options.keepNames && exportChanges.length > 0 ? { names: "kept" } : {}),
  };
  const result = {
    finalMetrics: trained.finalMetrics,
    before,
    after,
    conditioning: conditioned.records,
    ...(discriminant === undefined ? {} : { discriminant }),
    warnings: trained.warnings,
    written,
  };
  await folder.writeJson(runFiles.result, result);
  if (!isDataset(options.data)) await dataset.close?.();
  if (labelled && labelled !== dataset && labelled !== options.labelled) await labelled.close?.();
  await watcher.end("finished");
  return {
    folder: folder.path,
    weightsFile: folder.file(runFiles.weights),
    modelFile: folder.file(written.model),
    weights,
    run,
    ...result,
    loading: loadingLines(folder.path, written),
    seconds: (performance.now() - began) / 1000,
  };
}

/** Says how good a head by linear discriminant is. */
function discriminantNote({ heldOut, accuracy }: DiscriminantAccount): string {
  if (accuracy === undefined)
    return "too few labelled samples to hold any out: the head tells classes by the nearest mean";
  const samples = heldOut.toLocaleString("en");
  return `before any training with labels, features and head classify ${(100 * accuracy).toFixed(1)} % of ${samples} held-out samples right`;
}

/** Says which recipe has taken the place of the one that was asked for, and why. */
function replaced(asked: Recipe, recipe: Recipe, because: string, head: HeadStart | undefined): string {
  const { task } = recipe.selfSupervision;
  const advice =
    task === "rotation"
      ? "; on pictures without an upright position, as seen from above, --recipe contrast was level to one point better"
      : task === "clusters" && !needsLabels(head)
        ? "; it was measured to help most where --head class-means, linear-discriminant or self-training starts from labels, too"
        : "";
  return `${because}, for which the recipe ${asked.name} is ${recipe.name}${advice}`;
}

/** Warns of the task that was measured to cost accuracy on samples that are no pictures. */
function clustersElsewhere({ selfSupervision }: Recipe, dataset: Dataset): string | undefined {
  if (selfSupervision.task !== "clusters" || datasetGeometry(dataset) !== undefined) return undefined;
  return "the samples are no pictures, on which the task clusters was not seen to help with --head class-means, and without it to cost up to 20 points of accuracy (docs/log.md)";
}

/** Names the layers that a recipe without training leaves as they are drawn. */
function notPrincipal(recipe: Recipe, features: FeatureExtractor): string | undefined {
  if (recipe.principalComponents !== "all" || trainsFeatures(recipe)) return undefined;
  if (recipe.start === "file")
    return "the model's own weights are kept, and scaled on the data: nothing starts from principal components";
  const principal = principalLayers(features, "all");
  const others = features.layers.filter((layer) => !principal.includes(layer)).map(({ weight }) => weight.name);
  if (others.length === 0) return undefined;
  const drawn = `drawn (${recipe.start}), not from principal components, which are for convolutions of one group, or depthwise ones, with an activation behind them`;
  return principal.length === 0 ? `all layers of F are ${drawn}` : `${[...new Set(others)].join(", ")}: ${drawn}`;
}

/** What else the user chose of the model, so that `verify` sees the same network. */
function askedFor({ input, inputShape, freeze, keepNames }: InitializeOptions): Record<string, string> {
  return {
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { input_shape: inputShape.join("x") }),
    ...(freeze === undefined ? {} : { frozen: freeze }),
    ...(keepNames ? { names: "kept" } : {}),
  };
}

/** Opens the data in the shape that the model's input has. */
async function openData(
  options: InitializeOptions,
  opened: OpenedModel,
  emit: (event: InitializeEvent) => void,
): Promise<Dataset> {
  const { data, labels, labelled } = options;
  if (isDataset(data)) {
    if (labelled === undefined || isDataset(labelled)) requireNoReading(options);
    return requireShape(data, opened.network.sampleShape);
  }
  const reading = readingOf(options, opened.network, emit);
  // Beside labelled samples the data is only used without labels; a column or array of them is no part of its samples.
  const dataset = await openDataset(
    data,
    labelled === undefined ? reading : { ...reading, task: "none", labels: isLabelFile(labels) ? undefined : labels },
  );
  if (dataset.count < 2)
    throw userError({
      where: dataset.where,
      required: "at least two samples",
      got: `${dataset.count}`,
      advice: "Give more data.",
    });
  return dataset;
}

/** How the options say that data is read. */
function readingOf(options: InitializeOptions, network: Network, emit: (event: InitializeEvent) => void): OpenOptions {
  const { layout, resize, convert, normalise, labels, header, onBad, limit, signal } = options;
  const { classNames, columns, categories, fitted, memory, cache, cacheLimit, dataWorkers: workers } = options;
  const storage = { memory, cache, cacheLimit, workers };
  const tables = { classNames, columns, categories, header };
  const given = { layout, resize, convert, normalise, labels, onBad, limit, signal, fitted, ...tables, ...storage };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return {
    shape: network.sampleShape,
    ...readingFor(network),
    ...present,
    onProgress: (done, total, what = "reading") => emit({ type: "data", what, done, total }),
  };
}

/** The labelled samples for the head, treated as the data is: the data itself where no others are named. */
async function openLabelled(
  options: InitializeOptions,
  network: Network,
  dataset: Dataset,
  emit: (event: InitializeEvent) => void,
): Promise<Dataset> {
  const { labelled } = options;
  if (labelled === undefined) return dataset;
  if (isDataset(labelled)) return requireShape(labelled, dataset.shape);
  const { limit: _, ...reading } = readingOf(options, network, emit);
  // The data was opened without its labels, and so without the names of classes that a transform may have.
  return openDataset(labelled, { ...reading, fitted: { ...options.fitted, ...dataset.record } });
}

function isDataset(data: NonNullable<InitializeOptions["data" | "labelled"]>): data is Dataset {
  return typeof data === "object" && "read" in data;
}

/** @throws UserError where samples that the caller opened would have to be read anew, in another way */
function requireNoReading(options: InitializeOptions): void {
  const { resize, convert, normalise, labels, header, onBad, limit, columns, categories, fitted } = options;
  const reading = { resize, convert, normalise, labels, header, onBad, limit, columns, categories, fitted };
  for (const [where, value] of Object.entries(reading))
    if (value !== undefined)
      throw userError({
        where,
        required: "data by its path or address, which this option says how to read",
        got: "samples that are open already",
        advice: "Give it to openDataset, streamDataset or memoryDataset.",
      });
}

/** Samples that the caller opened must have the model's shape. */
function requireShape(dataset: Dataset, shape: readonly number[]): Dataset {
  if (dataset.shape.join() === shape.join()) return dataset;
  throw userError({
    where: dataset.where,
    required: `samples of the shape [${shape.join(", ")}], as the model takes`,
    got: `[${dataset.shape.join(", ")}]`,
    advice: "Open the data with this shape.",
  });
}

/** What the record calls the data. */
function nameOf(data: InitializeOptions["data"]): string {
  if (isDataset(data)) return data.where;
  const paths = typeof data === "string" ? [data] : data;
  return paths.length === 1 ? basename(paths[0]) : `${basename(paths[0])} and ${paths.length - 1} more`;
}

/** @throws UserError where a recipe without steps is given a number of them */
function requireNoDuration({ steps, epochs, minutes }: InitializeOptions, recipe: Recipe): void {
  for (const [where, value] of Object.entries({ steps, epochs, minutes }))
    if (value !== undefined)
      throw userError({
        where,
        required: `a recipe that trains, which ${recipe.name} does not`,
        got: `${value}`,
        advice: `Leave ${where} out, or take another recipe.`,
      });
}

/** Number of steps: as asked, or by epochs, or as many as fit in the minutes by a measurement. */
async function stepsFor(options: InitializeOptions, path: string, training: Training): Promise<number> {
  const { recipe } = training;
  if (!trainsFeatures(recipe)) requireNoDuration(options, recipe);
  if (options.resume) {
    const folder = await RunFolder.open(path);
    const record = (await folder.readJson(runFiles.record)) as Partial<RunRecord>;
    if (options.steps === undefined && typeof record.steps === "number") return record.steps;
  }
  if (options.steps !== undefined) return options.steps;
  if (options.minutes !== undefined) {
    const trial = 12;
    const moments: number[] = [];
    await pretrain({
      ...training,
      steps: trial,
      onStep: () => {
        moments.push(performance.now());
      },
    });
    const milliseconds = (moments[trial - 1] - moments[3]) / (trial - 4);
    return Math.max(1, Math.round((options.minutes * 60000) / milliseconds));
  }
  // Epochs that were asked for are kept to; the recipe's own make way for its least number of steps.
  const kept = options.epochs === undefined ? recipe : { ...recipe, minimumSteps: 0 };
  return pretrainingSteps(kept, training.dataset.count);
}

/** The other programs that the options name. */
async function openWatchers(
  options: InitializeOptions,
  folder: RunFolder,
  run: RunRecord,
  step: number,
  emit: (event: InitializeEvent) => void,
): Promise<RunWatcher> {
  const watchers: RunWatcher[] = [];
  if (options.tensorboard) watchers.push(await tensorboardWatcher(folder.file(runFiles.tensorboard), step));
  if (options.mlflow !== undefined) {
    const { headstart, model, data, recipe, task, seed, steps, batchSize } = run;
    const settings = {
      headstart,
      model: model.file,
      features: model.features,
      data: data.file,
      recipe,
      task,
      seed,
      steps,
      batchSize,
    };
    watchers.push(
      await mlflowWatcher({
        address: options.mlflow,
        name: basename(folder.path),
        settings,
        keep: folder.file(runFiles.mlflow),
        resumed: options.resume ?? false,
        onTrouble: (message) => emit({ type: "note", message }),
      }),
    );
  }
  return allWatchers(watchers);
}

function requireFinite(weights: Weights): void {
  for (const [name, elements] of weights)
    if (!elements.every(Number.isFinite))
      throw new UserError(
        `${name}: required finite weights after training, got NaN or infinity. Lower the learning rate.`,
      );
}

/** F's tensors in the types that the model has. */
function typedTensors(weights: Weights, opened: OpenedModel): Map<string, Tensor> {
  const result = new Map<string, Tensor>();
  for (const [name, elements] of weights) {
    const original = opened.network.tensors.get(name);
    if (!original) throw new Error(`${name} is not a tensor of the model`);
    const typed = convertTensor(floatTensor(elements, original.shape), original.type);
    // Half precision ends at 65,504.
    if (original.type !== "float32" && !numbersOf(typed).every(Number.isFinite))
      throw new UserError(
        `${name}: required weights within the range of ${original.type}, got larger ones. Export the model in float32.`,
      );
    result.set(name, typed);
  }
  return result;
}
