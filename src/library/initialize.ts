/** The main job: initial weights from a network and unlabelled data. */
import { basename } from "node:path";
import { counted } from "../counted.js";
import { knownLabels } from "../data/sample-labels.js";
import { InterruptedError, UserError } from "../errors.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import { startInitializer } from "../recipe/start-initializer.js";
import { conditionFeatures } from "../training/condition.js";
import { headStart, needsLabels } from "../training/head-start.js";
import type { DiscriminantAccount } from "../training/linear-discriminant.js";
import { taskFor } from "../training/pretrain.js";
import { activationStatistics, featureRank, nearestNeighbourProbe } from "../training/probe.js";
import { refreshRunningStatistics } from "../training/running-statistics.js";
import { type SelfTrainOptions, selfTrainingSteps } from "../training/self-training.js";
import { DivergedError } from "../training/trainer.js";
import { hashOfTensors } from "./checkpoint.js";
import type {
  FeatureReport,
  InitializeEvent,
  InitializeOptions,
  InitializeResult,
  RunRecord,
} from "./initialize-types.js";
import { loadingLines } from "./loading-lines.js";
import { requireMlflow } from "./mlflow-watcher.js";
import { openWatchers } from "./open-watchers.js";
import { OpenedDatasets } from "./opened-datasets.js";
import { type PreparedRun, prepareRun } from "./prepare-run.js";
import { checkpointInterval, notingDevice, telling, trainWithRecords } from "./recorded-training.js";
import { resumeFolder } from "./resume-folder.js";
import { RunFolder, runFiles } from "./run-folder.js";
import { discriminantNote } from "./run-notes.js";
import { nameOfData } from "./run-samples.js";
import { unusualSelfTraining } from "./run-settings.js";
import type { RunWatcher } from "./run-watcher.js";
import { version } from "./version.js";
import { type Measurements, writeResults } from "./write-results.js";

export type * from "./initialize-types.js";

/**
 * Trains initial weights for a network's feature extractor on unlabelled data and writes them.
 *
 * @throws UserError where something does not fit, with nothing written; {@link DivergedError} where a loss becomes
 *   non-finite, with the step's record but no weights; InterruptedError where the signal aborts, with a checkpoint
 */
export async function initialize(options: InitializeOptions): Promise<InitializeResult> {
  const begun: BegunRun = {};
  const datasets = new OpenedDatasets(options.signal);
  try {
    return await initializeOn(datasets, options, begun);
  } catch (error) {
    // Whatever failed, training or what comes after it: other programs must not take the run for a running one.
    await begun.watcher?.end(error instanceof InterruptedError ? "interrupted" : "failed");
    if (!(error instanceof InterruptedError && begun.folder)) throw error;
    throw new InterruptedError(
      `${error.message}; ${begun.folder.path} has what is done so far, continue with --resume`,
    );
  } finally {
    await datasets.closeAll();
    await begun.folder?.unlock();
  }
}

/** What must be ended with a run, however that ends. */
interface BegunRun {
  folder?: RunFolder;
  watcher?: RunWatcher;
}

async function initializeOn(
  datasets: OpenedDatasets,
  options: InitializeOptions,
  begun: BegunRun,
): Promise<InitializeResult> {
  const emit = options.onEvent ?? (() => {});
  const prepared = await prepareRun(options, datasets, emit);
  const { path, recipe, training, steps } = prepared;
  const run = recordOf(options, prepared);
  if (options.mlflow !== undefined) await requireMlflow(options.mlflow);
  const { folder, checkpoint } = options.resume
    ? await resumeFolder(path, run)
    : { folder: await RunFolder.create(path, options.overwrite ?? false, run), checkpoint: undefined };
  begun.folder = folder;
  emit({ type: "started", run, steps, done: checkpoint?.step ?? 0, folder: folder.path });

  const began = performance.now();
  const watcher = await openWatchers(options, folder, run, checkpoint?.step ?? 0, emit);
  begun.watcher = watcher;
  const trained = await trainWithRecords({ training, options, emit, folder, steps, checkpoint, watcher });
  const { weights, conditioning, discriminant } = await finishWeights(prepared, options, trained.weights, folder, emit);
  // The plain start, not one that has seen the data already.
  const { features } = prepared;
  const drawn = initialWeights(features.network, startInitializer(recipe, features), run.seed);
  const before = await reportOf(prepared, options, drawn, telling(emit, "before"));
  const after = await reportOf(prepared, options, weights, telling(emit, "after"));
  for (const warning of trained.warnings) emit({ type: "warning", warning });
  const measurements: Measurements = {
    finalMetrics: trained.finalMetrics,
    before,
    after,
    conditioning,
    ...(discriminant === undefined ? {} : { discriminant }),
    warnings: trained.warnings,
  };
  const written = await writeResults(folder, prepared, options, run, trained, weights, measurements);
  await folder.dropSelfTraining();
  await watcher.end("finished");
  return {
    folder: folder.path,
    weightsFile: folder.file(runFiles.weights),
    modelFile: folder.file(written.model),
    weights,
    run,
    ...measurements,
    written,
    loading: loadingLines(folder.path, written),
    seconds: (performance.now() - began) / 1000,
  };
}

/** run.json */
function recordOf(
  options: InitializeOptions,
  { opened, restored, features, taken, recipe, dataset, labelled, discriminator, seed, steps, device }: PreparedRun,
): RunRecord {
  return {
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
      file: nameOfData(options.data),
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
    discriminator: discriminator
      ? {
          kind: discriminator.kind,
          layers: discriminator.discriminator.describe,
          ...(discriminator.hash ? { sha256: discriminator.hash } : {}),
        }
      : null,
    seed,
    steps,
    batchSize: recipe.batchSize,
    threads: options.threads ?? null,
    device,
  };
}

/** Conditions what training gave, measures its running statistics, and adds the head that was asked for. */
async function finishWeights(
  { features, recipe, dataset, labelled, labelledByOutput, seed, evaluation }: PreparedRun,
  options: InitializeOptions,
  trained: Weights,
  folder: RunFolder,
  emit: (event: InitializeEvent) => void,
): Promise<Pick<InitializeResult, "weights" | "conditioning" | "discriminant">> {
  const conditioned = await conditionFeatures(features, trained, dataset, recipe.conditioning, seed, {
    ...evaluation,
    ...(options.head ? { head: options.head } : {}),
    onProgress: telling(emit, "conditioning"),
  });
  const ofFeatures = await refreshRunningStatistics(features, conditioned.weights, dataset, seed, {
    ...evaluation,
    onProgress: telling(emit, "running-statistics"),
  });
  let discriminant: DiscriminantAccount | undefined;
  if (needsLabels(options.head) && labelled) {
    const count = knownLabels(labelled.labels).length.toLocaleString("en");
    emit({ type: "note", message: `the last layer starts from the features of ${count} labelled samples` });
  }
  const head = options.head
    ? await headStart(
        options.head,
        features,
        ofFeatures,
        { labelled: labelledByOutput, unlabelled: dataset, seed },
        {
          ...evaluation,
          ...(options.selfTrainingSteps === undefined ? {} : { steps: options.selfTrainingSteps }),
          onProgress: telling(emit, "head"),
          onDeviceCheck: notingDevice(emit),
          onDiscriminant: (account) => {
            discriminant = account;
            emit({ type: "note", message: discriminantNote(account) });
          },
          onStep: (step, steps, metrics) => emit({ type: "self-training", step, steps, metrics }),
          ...(options.head === "self-training" ? await keepingSelfTraining(folder, options, ofFeatures, emit) : {}),
        },
      )
    : new Map<string, Float32Array>();
  const weights: Weights = new Map([...ofFeatures, ...head]);
  requireFinite(weights);
  return { weights, conditioning: conditioned.records, ...(discriminant === undefined ? {} : { discriminant }) };
}

/**
 * Where self-training goes on from, and how it is kept. It goes on from what began with the same weights of F: the run's record tells
 * whether its labels and settings are the same, and they decide the head.
 */
async function keepingSelfTraining(
  folder: RunFolder,
  { selfTrainingSteps: steps = selfTrainingSteps, checkpointEvery, resume: isResumed }: InitializeOptions,
  ofFeatures: Weights,
  emit: (event: InitializeEvent) => void,
): Promise<Pick<SelfTrainOptions, "resume" | "keeping">> {
  const start = hashOfTensors(ofFeatures);
  const resume = isResumed ? await folder.readSelfTraining(start) : undefined;
  if (resume)
    emit({ type: "note", message: `self-training goes on after ${resume.step} of ${counted(steps, "step")}` });
  return {
    ...(resume ? { resume } : {}),
    keeping: {
      every: checkpointInterval(steps, checkpointEvery),
      keep: ({ step, state }) => folder.writeSelfTraining({ step, state: new Map(state), start }),
    },
  };
}

/** What can be seen of F's features with these weights. */
async function reportOf(
  { features, dataset, labelled, seed, evaluation }: PreparedRun,
  options: InitializeOptions,
  weights: Weights,
  onProgress: (done: number, total: number) => void,
): Promise<FeatureReport> {
  // Samples whose labels F was taught would be found again.
  const taught = options.head === "self-training";
  const probed = labelled ?? dataset;
  const measuring = { ...evaluation, onProgress };
  const probe = taught ? undefined : await nearestNeighbourProbe(features, weights, probed, seed, measuring);
  return {
    activations: await activationStatistics(features, weights, dataset, seed, measuring),
    effectiveRank: await featureRank(features, weights, dataset, seed, measuring),
    ...(probe === undefined ? {} : { nearestNeighbour: probe }),
  };
}

function requireFinite(weights: Weights): void {
  for (const [name, elements] of weights)
    if (!elements.every(Number.isFinite))
      throw new UserError(
        `${name}: required finite weights after training, got NaN or infinity. Lower the learning rate.`,
      );
}
