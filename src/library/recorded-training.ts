/** Trains while keeping metrics, checkpoints, pictures and what the layers look like. */
import { join } from "node:path";
import type { Dataset } from "../data/dataset.js";
import { holdingSamples } from "../data/held-samples.js";
import { InterruptedError } from "../errors.js";
import type { Weights } from "../recipe/initial-values.js";
import type { Recipe } from "../recipe/recipe.js";
import { sessionOptions } from "../runtime/session.js";
import { filtersPicture } from "../study/filters-picture.js";
import { type DeviceCheck, deviceNotes } from "../training/device-check.js";
import { layerSnapshots, snapshotSamples } from "../training/layer-snapshots.js";
import { scheduleFactor } from "../training/optimizer-feeds.js";
import {
  MetricMeans,
  type PretrainOptions,
  type PretrainResult,
  pretrain,
  type StepReport,
  startOfFeatures,
} from "../training/pretrain.js";
import { DivergedError } from "../training/trainer.js";
import type { Checkpoint } from "./checkpoint.js";
import type { InitializeEvent, InitializeOptions, Measuring } from "./initialize-types.js";
import { reconstructions } from "./reconstructions.js";
import { type RunFolder, runFiles } from "./run-folder.js";
import type { RunWatcher } from "./run-watcher.js";

/** What all of a run's steps have in common. */
export type Training = Omit<PretrainOptions, "steps" | "resume" | "onStep">;

export interface RecordedTraining {
  readonly training: Training;
  readonly options: InitializeOptions;
  readonly emit: (event: InitializeEvent) => void;
  readonly folder: RunFolder;
  readonly steps: number;
  readonly checkpoint: Checkpoint | undefined;
  readonly watcher: RunWatcher;
}

/** After how many of a training's steps its state is kept each time, where the user does not say. */
export function checkpointInterval(steps: number, asked: number | undefined): number {
  return asked ?? Math.max(1, Math.min(500, Math.ceil(steps / 10)));
}

/** Tells what a device's check has found, in words. */
export function notingDevice(emit: (event: InitializeEvent) => void): (check: DeviceCheck) => void {
  return (check) => {
    for (const message of deviceNotes(check)) emit({ type: "note", message });
  };
}

/** Tells how far something is that is done beside training. */
export function telling(
  emit: (event: InitializeEvent) => void,
  what: Measuring,
): (done: number, total: number) => void {
  return (done, total) => emit({ type: "measuring", what, done, total });
}

/** Trains while keeping metrics, checkpoints and pictures. */
export async function trainWithRecords(recorded: RecordedTraining): Promise<PretrainResult> {
  const { training, options, emit, folder, steps, checkpoint, watcher } = recorded;
  const { dataset, recipe, seed } = training;
  const every = Math.max(1, Math.ceil(steps / 500));
  const checkpointEvery = checkpointInterval(steps, options.checkpointEvery);
  const pictureSteps = new Set(
    [1, 0.1, 0.25, 0.5, 1].map((share, index) => (index === 0 ? 1 : Math.max(1, Math.round(share * steps)))),
  );
  const start = training.start ?? (await startOfFeatures({ ...training, onProgress: telling(emit, "start") }));
  emit({ type: "training", steps, done: checkpoint?.step ?? 0 });
  // The same samples are looked with again and again.
  const held = holdingSamples(dataset, snapshotSamples(dataset, seed));
  const means = new MetricMeans(checkpoint?.sinceLine);
  const began = performance.now();
  let last: StepReport | undefined;
  const writeCheckpoint = async ({ step, state, tail }: StepReport): Promise<void> =>
    folder.writeCheckpoint({ step, state: await state(), sinceLine: means.sums, tail: tail() });
  // Looking at layers takes a while, and the first step need not wait for it.
  let startIsRecorded = checkpoint !== undefined;
  const recordStart = async (): Promise<void> => {
    if (startIsRecorded) return;
    startIsRecorded = true;
    await recordLayers(recorded, held, 0, start);
  };
  if (checkpoint) {
    // An interruption does not wait for layers to be looked at.
    const known = new Set(await folder.stepsIn(runFiles.layers));
    if (!known.has(0)) await recordLayers(recorded, held, 0, start);
    const { step, state } = checkpoint;
    if (pictureSteps.has(step) && !known.has(step)) await recordLayers(recorded, held, step, state);
  }
  try {
    const result = await pretrain({
      ...training,
      start,
      steps,
      ...(checkpoint ? { resume: checkpoint } : {}),
      onDeviceCheck: notingDevice(emit),
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
        if (pictureSteps.has(step)) await recordReconstructions(recorded, report);
        await recordStart();
        if (pictureSteps.has(step)) await recordLayers(recorded, held, step, await report.state());
        // What comes behind the last step takes a while, too, and may be interrupted.
        if (step % checkpointEvery === 0 || step === steps) {
          await writeCheckpoint(report);
          emit({ type: "checkpoint", step });
        }
      },
    });
    await recordStart();
    return result;
  } catch (error) {
    if (error instanceof InterruptedError) {
      if (last) await writeCheckpoint(last);
      throw error;
    }
    if (error instanceof DivergedError) {
      await recordStart();
      await folder.append(runFiles.metrics, {
        step: (last?.step ?? checkpoint?.step ?? 0) + 1,
        diverged: true,
        ...printable(error.metrics),
      });
    }
    throw error;
  }
}

/** Keeps a picture of samples beside what G makes of them, where there is a G and they are pictures. */
async function recordReconstructions(
  { training, folder, watcher }: RecordedTraining,
  { step, views, samples }: StepReport,
): Promise<void> {
  const { generated } = await views();
  const picture = generated && samples && (await reconstructions(samples, generated, training.dataset, 32));
  if (!picture) return;
  await folder.write(pictureFile(runFiles.samples, step), picture);
  await watcher.picture("samples", step, picture);
}

/** The name of a picture of a step. */
function pictureFile(folder: string, step: number): string {
  return join(folder, `step-${String(step).padStart(9, "0")}.png`);
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

/** Keeps what F's layers look like, and a picture of the first layer's filters; nothing where the run is interrupted meanwhile. */
async function recordLayers(
  recorded: RecordedTraining,
  dataset: Dataset,
  step: number,
  weights: Weights,
): Promise<void> {
  const { folder, watcher } = recorded;
  const { features, seed, signal } = recorded.training;
  const layers = await layerSnapshots(features, weights, dataset, seed, {
    ...sessionOptions(recorded.training),
    ...(signal === undefined ? {} : { signal }),
    onProgress: telling(recorded.emit, "layers"),
  }).catch((error: unknown) => {
    // Training ends by itself before its next step, and the resumed run looks at them.
    if (error instanceof InterruptedError) return undefined;
    throw error;
  });
  if (!layers) return;
  await folder.append(runFiles.layers, { step, layers });
  await watcher.layers(step, layers);
  const picture = await filtersPicture(features, weights);
  if (!picture) return;
  await folder.write(pictureFile(runFiles.filters, step), picture);
  await watcher.picture("filters", step, picture);
}

/** JSON has no NaN and no infinity. */
function printable(metrics: Readonly<Record<string, number>>): Record<string, number | string> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : String(value)]),
  );
}
