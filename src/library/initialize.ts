/** The main job: initial weights from a network and unlabelled data. */
import { rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { BatchOrder } from "../data/batches.js";
import type { ColumnChoice } from "../data/column-profile.js";
import type { Dataset, NormalisationChoice } from "../data/dataset.js";
import { openDataset } from "../data/open-dataset.js";
import { pictureGrid } from "../data/picture-grid.js";
import { savedTransform } from "../data/saved-transform.js";
import { InterruptedError, UserError, userError } from "../errors.js";
import { convertTensor } from "../formats/convert-tensor.js";
import { writeSafetensors } from "../formats/safetensors.js";
import { floatTensor, numbersOf, sizeOf, type Tensor } from "../graph/tensor.js";
import { featureExtractor } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import type { Recipe, RecipeInput } from "../recipe/recipe.js";
import { filtersPicture } from "../study/filters-picture.js";
import { type ConditioningRecord, conditionFeatures } from "../training/condition.js";
import { layerSnapshots } from "../training/layer-snapshots.js";
import { scheduleFactor } from "../training/optimizer-feeds.js";
import { pictureGeometry } from "../training/picture-geometry.js";
import {
  MetricMeans,
  type PretrainOptions,
  type PretrainResult,
  pretrain,
  taskFor,
  trainingGraphOf,
} from "../training/pretrain.js";
import {
  type ActivationStatistics,
  activationStatistics,
  featureRank,
  nearestNeighbourProbe,
} from "../training/probe.js";
import { refreshRunningStatistics } from "../training/running-statistics.js";
import { DivergedError } from "../training/trainer.js";
import type { Warning } from "../training/warnings.js";
import { chooseDiscriminator } from "./choose-discriminator.js";
import { loadingLines, type WrittenModel } from "./loading-lines.js";
import { mlflowWatcher, requireMlflow } from "./mlflow-watcher.js";
import { type OpenedModel, openModel } from "./open-model.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { type Checkpoint, RunFolder, runFiles } from "./run-folder.js";
import { requireSettings, withSettings } from "./run-settings.js";
import { allWatchers, type RunWatcher } from "./run-watcher.js";
import { tensorboardWatcher } from "./tensorboard-watcher.js";
import { version } from "./version.js";
import { writeNetworks } from "./write-networks.js";

/** What `headstart init` takes. Only model and data are needed. */
export interface InitializeOptions {
  /** Path of a model: an ONNX file, a .keras archive, a Keras HDF5 file, or a TensorFlow.js model.json. */
  readonly model: string;
  /** Path, pattern or address of the data, or several, see {@link openDataset}; or samples that are open already. */
  readonly data: string | readonly string[] | Dataset;
  /** Folder for the run; default: `<model's name>-headstart`. */
  readonly output?: string;
  readonly overwrite?: boolean;
  /** Continue an earlier run of the same settings in the output folder; with more steps it is extended. */
  readonly resume?: boolean;
  /** Name of F's last tensor; default: what the last Gemm or MatMul reads. */
  readonly features?: string;
  /**
   * Name of the model's sample input, where it has several; or of a tensor inside the model, where the data are as that
   * tensor and F begins there.
   */
  readonly input?: string;
  /** Name of a tensor up to which the model stays as it is in the file: F's layers before it are not trained. */
  readonly freeze?: string;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly inputShape?: readonly number[];
  /** A built-in recipe's name, the path of a JSON file, or a recipe as an object. */
  readonly recipe?: string | RecipeInput;
  /** auto, mlp, cnn, cnn1d, or the path of an ONNX file with one output per sample. */
  readonly discriminator?: string;
  readonly epochs?: number;
  readonly steps?: number;
  /** Train for about this long: as many steps as fit by a measurement of the first ones. */
  readonly minutes?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly discriminatorLearningRate?: number;
  readonly seed?: number;
  readonly threads?: number;
  /** Start weights of F: "file" or an initializer's name; default: the recipe's. */
  readonly start?: string;
  readonly layout?: "NCHW" | "NHWC";
  readonly resize?: boolean;
  readonly convert?: boolean;
  readonly normalise?: NormalisationChoice;
  readonly labels?: string | number;
  readonly header?: boolean | "auto";
  readonly onBad?: "fail" | "skip";
  /** What a table's columns are, by name or number from 1. */
  readonly columns?: Readonly<Record<string, ColumnChoice>>;
  readonly categories?: "one-hot" | "embedding";
  /** The transform.json or data record of an earlier run, to treat the data alike. */
  readonly fitted?: Record<string, unknown>;
  /** Bytes of samples to keep in memory; larger data stays on disk. */
  readonly memory?: number;
  /** Folder for decoded and fetched data, and how many bytes of one data set it may hold. */
  readonly cache?: string;
  readonly cacheLimit?: number;
  /** Threads that decode pictures ahead. */
  readonly dataWorkers?: number;
  /** Use at most this many samples. */
  readonly limit?: number;
  /** Steps between checkpoints; default: ten a run, and at least every 500. */
  readonly checkpointEvery?: number;
  /** Write an event file for TensorBoard into the run's folder, too. */
  readonly tensorboard?: boolean;
  /** Address of an MLflow server to log to, too. */
  readonly mlflow?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: InitializeEvent) => void;
}

/** What happens during {@link initialize}, for progress displays. */
export type InitializeEvent =
  | { readonly type: "data"; readonly done: number; readonly total: number }
  | { readonly type: "started"; readonly run: RunRecord; readonly steps: number; readonly folder: string }
  | {
      readonly type: "step";
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | { readonly type: "warning"; readonly warning: Warning }
  | { readonly type: "note"; readonly message: string }
  | { readonly type: "checkpoint"; readonly step: number };

/** run.json: everything that decides a run's result. */
export interface RunRecord {
  readonly headstart: string;
  readonly model: {
    readonly file: string;
    readonly sha256: string;
    readonly input: string;
    readonly sampleShape: readonly number[];
    readonly features: string;
    readonly frozen?: string;
  };
  readonly data: {
    readonly file: string;
    readonly sha256: string;
    readonly count: number;
    readonly understood: Record<string, unknown>;
  };
  readonly recipe: Recipe;
  readonly task: string;
  readonly discriminator: {
    readonly kind: string;
    readonly layers: readonly unknown[];
    readonly sha256?: string;
  } | null;
  readonly seed: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly threads: number | null;
  /** Steps at which a resumption gave the run more steps: schedules were then stretched to the new end. */
  readonly extendedAt?: readonly number[];
}

/** Measurements before and after training. */
export interface FeatureReport {
  readonly activations: readonly ActivationStatistics[];
  readonly effectiveRank: number;
  /** Accuracy of a nearest-neighbour vote in the features, where there are labels. */
  readonly nearestNeighbour?: number;
}

/** What {@link initialize} gives. */
export interface InitializeResult {
  readonly folder: string;
  readonly weightsFile: string;
  readonly modelFile: string;
  /** F's tensors by the model's own names, in float32. */
  readonly weights: Weights;
  readonly run: RunRecord;
  readonly finalMetrics: Readonly<Record<string, number>>;
  readonly before: FeatureReport;
  readonly after: FeatureReport;
  readonly conditioning: readonly ConditioningRecord[];
  readonly warnings: readonly Warning[];
  /** The model with the new weights in it. */
  readonly written: WrittenModel;
  /** Lines that load the weights in each framework. */
  readonly loading: readonly { readonly framework: string; readonly lines: readonly string[] }[];
  readonly seconds: number;
}

/**
 * Trains initial weights for a network's feature extractor on unlabelled data and writes them.
 *
 * @throws UserError where something does not fit, with nothing written; {@link DivergedError} where a loss becomes
 *   non-finite, with the step's record but no weights; InterruptedError where the signal aborts, with a checkpoint
 */
export async function initialize(options: InitializeOptions): Promise<InitializeResult> {
  const emit = options.onEvent ?? (() => {});
  const seed = options.seed ?? 0;
  requireSettings(options);
  const path = options.output ?? `${basename(options.model, extname(options.model))}-headstart`;
  if (!options.resume) await RunFolder.requireFree(path, options.overwrite ?? false);
  const opened = await openModel(options.model, options);
  const features = featureExtractor(opened.network, options.features);
  const recipe = withSettings(await resolveRecipe(options.recipe ?? "default"), options);
  const dataset = await openData(options, opened, emit);
  const chosen =
    recipe.adversarial.weight > 0
      ? await chooseDiscriminator(
          options.discriminator ?? "auto",
          features,
          options.layout ?? pictureGeometry(opened.network.sampleShape)?.layout,
        )
      : undefined;
  for (const message of chosen?.notes ?? []) emit({ type: "note", message });
  const graphless = {
    features,
    dataset,
    recipe,
    seed,
    ...(chosen ? { discriminator: chosen.discriminator, discriminatorWeights: chosen.weights } : {}),
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  // Built before the folder is made: what F cannot do shows here.
  const training = { ...graphless, training: trainingGraphOf(graphless) };
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
    },
    data: { file: nameOf(options.data), sha256: dataset.hash, count: dataset.count, understood: dataset.record },
    recipe,
    task: taskFor(recipe, dataset, opened.network.sampleShape),
    discriminator: chosen
      ? { kind: chosen.kind, layers: chosen.discriminator.describe, ...(chosen.hash ? { sha256: chosen.hash } : {}) }
      : null,
    seed,
    steps,
    batchSize: recipe.batchSize,
    threads: options.threads ?? null,
  };
  if (options.mlflow !== undefined) await requireMlflow(options.mlflow);
  const { folder, checkpoint } = options.resume
    ? await resumeFolder(path, run)
    : { folder: await startFolder(path, run, options.overwrite ?? false), checkpoint: undefined };
  emit({ type: "started", run, steps, folder: folder.path });

  const evaluation = {
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(options.signal ? { signal: options.signal } : {}),
  };
  const began = performance.now();
  const watcher = await openWatchers(options, folder, run, checkpoint?.step ?? 0, emit);
  const trained = await trainWithRecords({ training, options, emit, folder, steps, checkpoint, watcher }).catch(
    async (error: unknown) => {
      await watcher.end(error instanceof InterruptedError ? "interrupted" : "failed");
      throw error;
    },
  );
  const conditioned = await conditionFeatures(
    features,
    trained.weights,
    dataset,
    recipe.conditioning,
    seed,
    evaluation,
  );
  const weights = await refreshRunningStatistics(features, conditioned.weights, dataset, seed, evaluation);
  requireFinite(weights);
  const report = async (of: Weights): Promise<FeatureReport> => {
    const probe = await nearestNeighbourProbe(features, of, dataset, seed, evaluation);
    return {
      activations: await activationStatistics(features, of, dataset, seed, evaluation),
      effectiveRank: await featureRank(features, of, dataset, seed, evaluation),
      ...(probe === undefined ? {} : { nearestNeighbour: probe }),
    };
  };
  const before = await report(trained.start);
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
      seed: String(seed),
      steps: String(steps),
    }),
  );
  await folder.writeJson(runFiles.transform, savedTransform(dataset.record));
  const modelFiles = [...(await opened.model.write(tensors))];
  for (const [name, bytes] of modelFiles) await folder.write(name, bytes);
  await writeNetworks(folder, trained.parameters, features, chosen?.discriminator, dataset, recipe);
  const written = { model: modelFiles[0][0], format: opened.model.format, producer: opened.model.producer };
  const result = {
    finalMetrics: trained.finalMetrics,
    before,
    after,
    conditioning: conditioned.records,
    warnings: trained.warnings,
    written,
  };
  await folder.writeJson(runFiles.result, result);
  await watcher.end("finished");
  if (!isDataset(options.data)) await dataset.close?.();
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

/** What else the user chose of the model, so that `verify` sees the same network. */
function askedFor({ input, inputShape, freeze }: InitializeOptions): Record<string, string> {
  return {
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { input_shape: inputShape.join("x") }),
    ...(freeze === undefined ? {} : { frozen: freeze }),
  };
}

/** Opens the data in the shape that the model's input has. */
async function openData(
  options: InitializeOptions,
  opened: OpenedModel,
  emit: (event: InitializeEvent) => void,
): Promise<Dataset> {
  const { data, resize, convert, normalise, labels, header, onBad, limit, signal } = options;
  if (isDataset(data)) return requireShape(data, opened.network.sampleShape);
  const { columns, categories, fitted, memory, cache, cacheLimit, dataWorkers: workers } = options;
  const layout = options.layout ?? pictureGeometry(opened.network.sampleShape)?.layout;
  const storage = { memory, cache, cacheLimit, workers };
  const tables = { columns, categories, header };
  const given = { layout, resize, convert, normalise, labels, onBad, limit, signal, fitted, ...tables, ...storage };
  const present = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const dataset = await openDataset(data, {
    shape: opened.network.sampleShape,
    ...present,
    onProgress: (done, total) => emit({ type: "data", done, total }),
  });
  if (dataset.count < 2)
    throw userError({
      where: dataset.where,
      required: "at least two samples",
      got: `${dataset.count}`,
      advice: "Give more data.",
    });
  return dataset;
}

function isDataset(data: InitializeOptions["data"]): data is Dataset {
  return typeof data === "object" && "read" in data;
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

/** What all of a run's steps have in common. */
type Training = Omit<PretrainOptions, "steps" | "resume" | "onStep">;

/** Number of steps: as asked, or by epochs, or as many as fit in the minutes by a measurement. */
async function stepsFor(options: InitializeOptions, path: string, training: Training): Promise<number> {
  const { recipe } = training;
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
  const { batchesPerEpoch } = new BatchOrder(training.dataset.count, recipe.batchSize, training.seed);
  // Epochs that were asked for are kept to; the recipe's own make way for its least number of steps.
  const least = options.epochs === undefined ? recipe.minimumSteps : 0;
  return Math.max(1, least, Math.round(recipe.epochs * batchesPerEpoch));
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

async function startFolder(path: string, run: RunRecord, overwrite: boolean): Promise<RunFolder> {
  const folder = await RunFolder.create(path, overwrite);
  await folder.writeJson(runFiles.record, run);
  return folder;
}

/** The folder and newest checkpoint of an earlier run that had the same settings. */
async function resumeFolder(
  path: string,
  run: RunRecord,
): Promise<{ folder: RunFolder; checkpoint: Checkpoint | undefined }> {
  const folder = await RunFolder.open(path);
  const earlier = await folder.readJson(runFiles.record);
  if (typeof earlier !== "object" || earlier === null)
    throw userError({
      where: folder.file(runFiles.record),
      required: "a run's record",
      got: JSON.stringify(earlier),
      advice: "Start the run anew with --overwrite.",
    });
  const now = JSON.parse(JSON.stringify(run)) as unknown;
  const grown = extension(earlier, run);
  const { steps: _, extendedAt: __, ...settings } = earlier as RunRecord;
  const different = differingKey(
    grown ? { ...settings, steps: run.steps } : { ...settings, steps: (earlier as RunRecord).steps },
    now,
    "",
  );
  if (different !== undefined)
    throw userError({
      where: folder.file(runFiles.record),
      required: "the settings, model and data of the run to resume",
      got: `another ${different.key}: ${JSON.stringify(different.now)} instead of ${JSON.stringify(different.earlier)}`,
      advice: "Repeat the command as it was, with --resume added.",
    });
  if (!grown && (await folder.has(runFiles.result)))
    throw userError({
      where: path,
      required: "a run that is not finished",
      got: `one with all its ${run.steps} steps and its weights`,
      advice: "Give more --steps to extend it, or pass --overwrite in place of --resume to repeat it.",
    });
  const checkpoint = await folder.readCheckpoint();
  const extendedAt = [...((earlier as RunRecord).extendedAt ?? []), ...(grown ? [checkpoint?.step ?? 0] : [])];
  if (grown) {
    // The earlier end's result is not the longer run's.
    await rm(folder.file(runFiles.result), { force: true });
    await folder.writeJson(runFiles.record, { ...run, extendedAt });
  }
  for (const name of [runFiles.metrics, runFiles.timing, runFiles.layers])
    await folder.cutAfter(name, checkpoint?.step ?? -1);
  return { folder, checkpoint };
}

/** True where a run is resumed with more steps than it had. */
function extension(earlier: object, run: RunRecord): boolean {
  const before = (earlier as Partial<RunRecord>).steps;
  return typeof before === "number" && run.steps > before;
}

function differingKey(
  earlier: unknown,
  now: unknown,
  path: string,
): { key: string; earlier: unknown; now: unknown } | undefined {
  if (typeof earlier === "object" && typeof now === "object" && earlier !== null && now !== null) {
    for (const key of new Set([...Object.keys(earlier), ...Object.keys(now)])) {
      const found = differingKey(
        (earlier as Record<string, unknown>)[key],
        (now as Record<string, unknown>)[key],
        path ? `${path}.${key}` : key,
      );
      if (found) return found;
    }
    return undefined;
  }
  return Object.is(earlier, now) ? undefined : { key: path, earlier, now };
}

interface RecordedTraining {
  readonly training: Training;
  readonly options: InitializeOptions;
  readonly emit: (event: InitializeEvent) => void;
  readonly folder: RunFolder;
  readonly steps: number;
  readonly checkpoint: Checkpoint | undefined;
  readonly watcher: RunWatcher;
}

/** Trains while keeping metrics, checkpoints and pictures. */
async function trainWithRecords(recorded: RecordedTraining): Promise<PretrainResult> {
  const { training, options, emit, folder, steps, checkpoint, watcher } = recorded;
  const { features, dataset, recipe, seed } = training;
  const every = Math.max(1, Math.ceil(steps / 500));
  const checkpointEvery = options.checkpointEvery ?? Math.max(1, Math.min(500, Math.ceil(steps / 10)));
  const pictureSteps = new Set(
    [1, 0.1, 0.25, 0.5, 1].map((share, index) => (index === 0 ? 1 : Math.max(1, Math.round(share * steps)))),
  );
  const means = new MetricMeans();
  const began = performance.now();
  let last: { step: number; state: () => Map<string, Float32Array> } | undefined;
  if (!checkpoint) await recordLayers(recorded, 0, initialWeights(features.network, recipe.start, seed));
  try {
    return await pretrain({
      ...training,
      steps,
      ...(checkpoint ? { resume: checkpoint } : {}),
      onStep: async (report) => {
        const { step, epoch, metrics } = report;
        last = report;
        means.add(metrics);
        emit({ type: "step", step, steps, epoch, metrics });
        if (step % every === 0 || step === steps) {
          const values = { ...means.take(), ...learningRates(recipe, step, steps) };
          await folder.append(runFiles.metrics, { step, epoch, ...values });
          await watcher.metrics(step, values);
          await folder.append(runFiles.timing, {
            step,
            seconds: (performance.now() - began) / 1000,
            memory: process.memoryUsage.rss(),
          });
        }
        if (pictureSteps.has(step) && report.views.generated && report.samples) {
          const size = sizeOf(features.network.sampleShape);
          const shown = Math.min(32, recipe.batchSize);
          const png = await pictureGrid(
            report.samples.data.subarray(0, shown * size),
            report.views.generated.data.subarray(0, shown * size),
            dataset.record,
          ).catch((error: unknown) => {
            if (error instanceof RangeError) return undefined;
            throw error;
          });
          if (png) {
            await folder.write(join(runFiles.samples, `step-${String(step).padStart(9, "0")}.png`), png);
            await watcher.picture("samples", step, png);
          }
        }
        if (pictureSteps.has(step)) await recordLayers(recorded, step, report.state());
        if (step % checkpointEvery === 0 && step < steps) {
          await folder.writeCheckpoint({ step, state: report.state() });
          emit({ type: "checkpoint", step });
        }
      },
    });
  } catch (error) {
    if (error instanceof InterruptedError) {
      if (last) await folder.writeCheckpoint({ step: last.step, state: last.state() });
      throw new InterruptedError(`${error.message}; ${folder.path} has what is done so far, continue with --resume`);
    }
    if (error instanceof DivergedError)
      await folder.append(runFiles.metrics, {
        step: (last?.step ?? checkpoint?.step ?? 0) + 1,
        diverged: true,
        ...printable(error.metrics),
      });
    throw error;
  }
}

/** The learning rates of a step, counted from 1. */
function learningRates(recipe: Recipe, step: number, steps: number): Record<string, number> {
  const factor = scheduleFactor(recipe.schedule, step - 1, steps);
  return {
    "generator/learning-rate": recipe.generatorOptimizer.learningRate * factor,
    ...(recipe.adversarial.weight > 0
      ? { "discriminator/learning-rate": recipe.discriminatorOptimizer.learningRate * factor }
      : {}),
  };
}

/** Keeps what F's layers look like, and a picture of the first layer's filters. */
async function recordLayers(recorded: RecordedTraining, step: number, weights: Weights): Promise<void> {
  const { options, folder, watcher } = recorded;
  const { features, dataset, seed } = recorded.training;
  const layers = await layerSnapshots(
    features,
    weights,
    dataset,
    seed,
    options.threads === undefined ? {} : { threads: options.threads },
  );
  await folder.append(runFiles.layers, { step, layers });
  await watcher.layers(step, layers);
  const picture = await filtersPicture(features, weights);
  if (!picture) return;
  await folder.write(join(runFiles.filters, `step-${String(step).padStart(9, "0")}.png`), picture);
  await watcher.picture("filters", step, picture);
}

/** JSON has no NaN and no infinity. */
function printable(metrics: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
  );
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
