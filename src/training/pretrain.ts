/** The loop of pretraining: steps, metrics, warnings, interruption, resumption. */
import { counted } from "../counted.js";
import { BatchOrder } from "../data/batches.js";
import type { Dataset } from "../data/dataset.js";
import { InterruptedError, userError } from "../errors.js";
import { type FloatTensor, sizeOf } from "../graph/tensor.js";
import type { ParameterSpec } from "../ops/parameter.js";
import type { Discriminator } from "../recipe/discriminator.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { drawParameters, initialWeights, type Weights } from "../recipe/initial-values.js";
import { descriptionTasks, pretrainingGraph, type Task } from "../recipe/pretraining-graph.js";
import { type Recipe, trainsFeatures } from "../recipe/recipe.js";
import { startInitializer } from "../recipe/start-initializer.js";
import type { TrainingGraph } from "../recipe/training-graph.js";
import { type Device, graphStyle } from "../runtime/device.js";
import { sessionOptions } from "../runtime/session.js";
import { startFromCoOccurrences } from "./co-occurrences.js";
import { conditionFeatures, saturates } from "./condition.js";
import { orientationTargets, topicTargets, visualWordTargets } from "./description-targets.js";
import { checkDevice, checkedBatch, type DeviceCheck } from "./device-check.js";
import type { EvaluateOptions, MeasureOptions } from "./evaluate.js";
import { datasetGeometry } from "./picture-geometry.js";
import { orientationsSize } from "./picture-orientations.js";
import { possibleTurns } from "./picture-rotation.js";
import { pretrainingFeeds, type TaskAnswers } from "./pretraining-feeds.js";
import { startFromPrincipalComponents } from "./principal-components.js";
import { requireRecipeForSamples } from "./require-recipe-for-samples.js";
import { SampleClusters } from "./sample-clusters.js";
import { topicsSize } from "./topics.js";
import { type StepResult, Trainer } from "./trainer.js";
import { visualWordsSize } from "./visual-words.js";
import { judge, type Warning } from "./warnings.js";

export interface PretrainOptions {
  readonly features: FeatureExtractor;
  readonly dataset: Dataset;
  readonly recipe: Recipe;
  /** Needed where the recipe is adversarial. */
  readonly discriminator?: Discriminator;
  /** Start values of the discriminator where it does not come from headstart. */
  readonly discriminatorWeights?: Weights;
  /** What {@link trainingGraphOf} gives for these options, where the caller has built it already. */
  readonly training?: TrainingGraph;
  /** What {@link startOfFeatures} gives for these options, where the caller has computed it already. */
  readonly start?: Weights;
  readonly seed: number;
  /** All steps of the run, those before a resumption included. */
  readonly steps: number;
  readonly threads?: number;
  /** Default: cpu. */
  readonly device?: Device;
  /** State by name after `step` steps, from an earlier run of the same settings, with its {@link StepReport.tail}. */
  readonly resume?: {
    readonly step: number;
    readonly state: ReadonlyMap<string, Float32Array>;
    readonly tail?: TailSums;
  };
  readonly signal?: AbortSignal;
  /** Told how far the start is, where it is computed here. */
  readonly onProgress?: EvaluateOptions["onProgress"];
  /** Called before the first step on another device than the CPU. Costs a step of few samples on both. */
  readonly onDeviceCheck?: (check: DeviceCheck) => void;
  /** Called after every step. */
  readonly onStep?: (report: StepReport) => void | Promise<void>;
}

/** What is known after a step. */
export interface StepReport {
  /** Steps done so far. */
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly metrics: StepResult["metrics"];
  readonly views: StepResult["views"];
  /** The real samples of this step, valid until the next. */
  readonly samples: FloatTensor | undefined;
  /** Copies of the whole state, for a checkpoint; can be asked after the end, too, where the run is interrupted. */
  readonly state: () => Promise<Map<string, Float32Array>>;
  /** Sums of the metrics over the last tenth of the steps so far, for a checkpoint. */
  readonly tail: () => TailSums;
}

/** Sums of metrics over some steps. */
export interface MetricSums {
  readonly sums: Readonly<Record<string, number>>;
  readonly count: number;
}

/** Those over a run's last steps. */
export interface TailSums extends MetricSums {
  /** The step that they begin behind. */
  readonly from: number;
}

export interface PretrainResult {
  /** F's parameters as training left them (or their moving average). */
  readonly weights: Weights;
  /** F's parameters before training. */
  readonly start: Weights;
  /** All parameters: F's, the mirror's, D's and the task's. */
  readonly parameters: Weights;
  /** Mean metrics over the last tenth of the steps. */
  readonly finalMetrics: Readonly<Record<string, number>>;
  readonly warnings: readonly Warning[];
}

/** What of a data set decides about the training graph. */
export type DataDescription = Pick<Dataset, "kind" | "shape" | "record" | "range">;

/** Steps that a recipe's epochs make on this data, and no fewer than the recipe's least number; none where it has no loss. */
export function pretrainingSteps(recipe: Recipe, count: number): number {
  if (!trainsFeatures(recipe)) return 0;
  const { epochs, minimumSteps, batchSize } = recipe;
  return Math.max(1, minimumSteps, Math.round(epochs * new BatchOrder(count, batchSize, 0).batchesPerEpoch));
}

/** What the recipe's "auto" task is for this data: rotation for pictures, swapped values for tables and vectors. */
export function taskFor(recipe: Recipe, dataset: DataDescription, sampleShape: readonly number[]): Task {
  const { task, weight } = recipe.selfSupervision;
  if (weight === 0 || task === "none") return "none";
  if (task !== "auto") return task;
  if (datasetGeometry(dataset)) return "rotation";
  return dataset.kind === "table" || sampleShape.length === 1 ? "swapped-values" : "none";
}

/** The groups that the task clusters asks for, where that is the task. */
async function clustersFor(options: PretrainOptions): Promise<SampleClusters | undefined> {
  const { recipe, dataset, features, seed } = options;
  if (taskFor(recipe, dataset, features.network.sampleShape) !== "clusters") return undefined;
  const { clusters, groupings } = recipe.selfSupervision;
  return SampleClusters.find(dataset, clusters, groupings, seed, measureOptions(options));
}

function measureOptions(options: MeasureOptions): MeasureOptions {
  return { ...sessionOptions(options), ...(options.signal === undefined ? {} : { signal: options.signal }) };
}

/** What the tasks' right answers come from. */
async function answersFor(options: PretrainOptions): Promise<TaskAnswers> {
  const { recipe, dataset, seed } = options;
  const { vocabulary } = options.features.network;
  const clusters = await clustersFor(options);
  try {
    return {
      ...(clusters ? { clusters } : {}),
      ...(recipe.orientations.weight > 0
        ? { orientations: await orientationTargets(dataset, seed, measureOptions(options)) }
        : {}),
      ...(recipe.visualWords.weight > 0
        ? { visualWords: await visualWordTargets(dataset, seed, measureOptions(options)) }
        : {}),
      ...(recipe.topics.weight > 0 && vocabulary !== undefined
        ? { topics: await topicTargets(dataset, vocabulary, seed, measureOptions(options)) }
        : {}),
    };
  } catch (error) {
    await clusters?.release();
    throw error;
  }
}

/** How often a guess at a picture's turn is right; undefined where the task is another. */
function chanceOfTurn(recipe: Recipe, dataset: Dataset, sampleShape: readonly number[]): number | undefined {
  if (taskFor(recipe, dataset, sampleShape) !== "rotation") return undefined;
  return 1 / possibleTurns(datasetGeometry(dataset)).length;
}

/** The mirror's last activation for this data, where the recipe says "auto". */
export function lastActivationFor(recipe: Recipe, dataset: DataDescription): "none" | "sigmoid" | "tanh" {
  const { lastActivation } = recipe.mirror;
  if (lastActivation !== "auto") return lastActivation;
  const { min, max } = dataset.range;
  if (min === 0 && max === 1) return "sigmoid";
  if (min === -1 && max === 1) return "tanh";
  return "none";
}

/** The training graph of a run. @throws UserError where F has an operator without gradient or mirror, or the recipe is for other samples */
export function trainingGraphOf(
  options: Pick<PretrainOptions, "features" | "recipe" | "discriminator" | "device"> & {
    readonly dataset: DataDescription;
  },
): TrainingGraph {
  const { features, dataset, recipe, discriminator } = options;
  const task = taskFor(recipe, dataset, features.network.sampleShape);
  requireRecipeForSamples(recipe, task, dataset, features.network);
  return pretrainingGraph({
    features,
    recipe,
    task,
    batchSize: recipe.batchSize,
    descriptions: {
      upright:
        task === "rotation" ? recipe.batchSize / possibleTurns(datasetGeometry(dataset)).length : recipe.batchSize,
      orientations: orientationsSize,
      visualWords: visualWordsSize,
      topics: topicsSize,
    },
    lastActivation: lastActivationFor(recipe, dataset),
    ...graphStyle(options.device),
    ...(discriminator ? { discriminator } : {}),
  });
}

/**
 * Trains F with its mirror, D and task; not at all where the recipe has no loss.
 *
 * @throws DivergedError where a loss is not finite; InterruptedError where the signal aborts, between two steps and
 *   after the last {@link PretrainOptions.onStep}, so that the caller's checkpoint is whole
 */
export async function pretrain(options: PretrainOptions): Promise<PretrainResult> {
  const { features, dataset, recipe } = options;
  if (!trainsFeatures(recipe)) return untrained(options);
  const { sampleShape } = features.network;
  const training = options.training ?? trainingGraphOf(options);
  const start = await startWeights(options, training);
  if (options.resume) requireWholeState(training, options.resume.state);
  const initial = options.resume?.state ?? start;
  const trainer = await Trainer.open(training, initial, sessionOptions(options));
  try {
    const finalMetrics = await takeSteps(options, training, trainer, start);
    const parameters = await trainer.parameters(recipe.movingAverage > 0);
    return {
      weights: inFeatures(features, parameters),
      start: inFeatures(features, start),
      parameters,
      finalMetrics,
      warnings: judge(finalMetrics, chanceOfTurn(recipe, dataset, sampleShape)),
    };
  } catch (error) {
    if (error instanceof InterruptedError) await trainer.retreat();
    throw error;
  } finally {
    await trainer.release();
  }
}

/**
 * Makes the steps that are not made yet.
 *
 * @returns mean metrics over the last tenth of all steps
 */
async function takeSteps(
  options: PretrainOptions,
  training: TrainingGraph,
  trainer: Trainer,
  start: Weights,
): Promise<Record<string, number>> {
  const { features, dataset, recipe, seed, steps, resume } = options;
  const from = steps - Math.ceil(steps / 10);
  // A run that was given more steps has another tail.
  const tail = new MetricMeans(resume?.tail?.from === from ? resume.tail : undefined);
  const first = resume?.step ?? 0;
  // Where all are made, as of a run that was ended behind its last step, no answers are looked for, which may take long.
  if (first >= steps) return tail.means();
  const answers = await answersFor(options);
  try {
    const feeds = pretrainingFeeds(training, recipe, dataset, features.network, seed, steps, answers);
    await check(options, start, answers);
    for (let step = first; step < steps; step++) {
      if (options.signal?.aborted) throw new InterruptedError(`stopped after ${step} of ${counted(steps, "step")}`);
      const fed = await feeds.at(step);
      const { metrics, views } = await trainer.step(fed);
      if (step >= from) tail.add(metrics);
      await options.onStep?.({
        step: step + 1,
        steps,
        epoch: ((step + 1) * training.batchSize) / dataset.count,
        metrics,
        views,
        samples: fed.samples,
        state: () => trainer.state(),
        tail: () => ({ ...tail.sums, from }),
      });
    }
    return tail.means();
  } finally {
    for (const answer of Object.values(answers)) await answer?.release();
  }
}

/** @throws UserError where something is missing that would else start as zeros */
function requireWholeState(training: TrainingGraph, state: ReadonlyMap<string, Float32Array>): void {
  for (const { name, shape } of training.state) {
    const length = state.get(name)?.length;
    if (length !== sizeOf(shape))
      throw userError({
        where: `state to resume from: ${name}`,
        required: `${sizeOf(shape)} elements`,
        got: String(length ?? "none"),
        advice: "It is of another network or recipe: begin anew.",
      });
  }
}

/** F's own of these weights. */
function inFeatures(features: FeatureExtractor, weights: Weights): Weights {
  return new Map(
    features.parameters.flatMap(({ name }) => {
      const elements = weights.get(name);
      return elements ? [[name, elements] as const] : [];
    }),
  );
}

/** F as it starts, of a recipe that trains nothing. */
async function untrained(options: PretrainOptions): Promise<PretrainResult> {
  const start = inFeatures(options.features, options.start ?? (await startOfFeatures(options)));
  return { weights: start, start, parameters: start, finalMetrics: {}, warnings: [] };
}

/** Tells {@link PretrainOptions.onDeviceCheck} of a step with few samples. */
async function check(options: PretrainOptions, start: Weights, answers: TaskAnswers): Promise<void> {
  const { dataset, features, seed, device = "cpu", onDeviceCheck } = options;
  if (device === "cpu" || !onDeviceCheck) return;
  const recipe = { ...options.recipe, batchSize: Math.min(checkedBatch, options.recipe.batchSize) };
  const training = trainingGraphOf({ ...options, recipe });
  const feeds = pretrainingFeeds(training, recipe, dataset, features.network, seed, 1, answers);
  onDeviceCheck(await checkDevice(training, device, start, await feeds.at(0)));
}

/**
 * F's weights before training, as the recipe has them.
 *
 * @throws InterruptedError where the signal aborts
 */
export async function startOfFeatures(
  options: Pick<
    PretrainOptions,
    "features" | "recipe" | "dataset" | "seed" | "threads" | "device" | "signal" | "onProgress"
  >,
): Promise<Weights> {
  const { features, recipe, dataset, seed, onProgress } = options;
  const settings = {
    ...measureOptions(options),
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  const drawn = initialWeights(features.network, startInitializer(recipe, features), seed);
  const start =
    recipe.principalComponents !== "none" && recipe.start !== "file"
      ? await startFromPrincipalComponents(
          features,
          await startFromCoOccurrences(features, drawn, dataset, seed, settings),
          dataset,
          seed,
          recipe.principalComponents,
          settings,
        )
      : drawn;
  const isConditioned = recipe.conditionStart === "auto" ? saturates(features) : recipe.conditionStart;
  if (!isConditioned) return start;
  return (await conditionFeatures(features, start, dataset, recipe.conditioning, seed, settings)).weights;
}

async function startWeights(options: PretrainOptions, training: TrainingGraph): Promise<Weights> {
  const { features, recipe, dataset, seed } = options;
  const own = options.start ?? (await startOfFeatures(options));
  const specsOf = (isTask: boolean) =>
    training.state.flatMap(({ owner, parameter }) =>
      owner !== "features" && parameter && (owner === "task") === isTask ? [parameter] : [],
    );
  // Hundreds of answers are a lot of noise for F at first: smaller ones were measured to teach it more (docs/log.md).
  const isOfGroups = taskFor(recipe, dataset, features.network.sampleShape) === "clusters";
  const hasManyAnswers = ({ name }: ParameterSpec) =>
    isOfGroups || Object.values(descriptionTasks).some((task) => name.startsWith(task));
  const drawn = [
    ...drawParameters(specsOf(false), "he", seed),
    ...drawParameters(
      specsOf(true).filter((spec) => !hasManyAnswers(spec)),
      "he",
      seed,
    ),
    ...drawParameters(specsOf(true).filter(hasManyAnswers), "pytorch-default", seed),
  ];
  return new Map([...own, ...drawn, ...(options.discriminatorWeights ?? [])]);
}

/** Means of metrics over steps. */
export class MetricMeans {
  #sums: Record<string, number>;
  #count: number;

  /** @param from goes on from these sums */
  constructor(from: MetricSums = { sums: {}, count: 0 }) {
    this.#sums = { ...from.sums };
    this.#count = from.count;
  }

  add(metrics: Readonly<Record<string, number>>): void {
    for (const [name, value] of Object.entries(metrics)) this.#sums[name] = (this.#sums[name] ?? 0) + value;
    this.#count++;
  }

  /** The sums so far. */
  get sums(): MetricSums {
    return { sums: { ...this.#sums }, count: this.#count };
  }

  /** The means so far. */
  means(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#sums).map(([name, sum]) => [name, sum / Math.max(1, this.#count)]));
  }

  /** The means so far; starts anew. */
  take(): Record<string, number> {
    const means = this.means();
    this.#sums = {};
    this.#count = 0;
    return means;
  }
}
