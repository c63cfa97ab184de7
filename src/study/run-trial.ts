/** One trial: start weights, supervised training, what was measured. */
import { createHash } from "node:crypto";
import type { Dataset } from "../data/dataset.js";
import { positionsByClass } from "../data/label-maps.js";
import { subset } from "../data/subset.js";
import { UserError, userError } from "../errors.js";
import { sizeOf } from "../graph/tensor.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import type { SupervisedLoss } from "../recipe/network-outputs.js";
import type { OptimizerSettings } from "../recipe/recipe.js";
import type { Augmentation } from "../training/augmentation.js";
import { conditionFeatures } from "../training/condition.js";
import type { EvaluateOptions } from "../training/evaluate.js";
import { headStart } from "../training/head-start.js";
import { variancesOf } from "../training/objective.js";
import { activationStatistics } from "../training/probe.js";
import { refreshRunningStatistics } from "../training/running-statistics.js";
import type { SelfTrainOptions } from "../training/self-training.js";
import { type SupervisedResult, Supervisor } from "../training/supervise.js";
import { DivergedError } from "../training/trainer.js";
import type { Arm } from "./arm.js";
import { labelledSamples, tuningSplit } from "./labels.js";
import type { StudyTask } from "./measure.js";
import { evaluationSteps, type StudySchedule, type Trial } from "./plan.js";
import type { LayerStart, TrialPoint, TrialRecord } from "./records.js";
import { superviseTrial } from "./supervise-trial.js";

/** A score within this of chance counts as stalled: two points of accuracy, 0.02 of R². */
export const stalledMargin = 0.02;

/** One thread a trial, always: results may depend on the number of threads of a session, never on trials beside it. */
export const trialThreads = 1;

/** The data of a study, each normalised alike. */
export interface StudyData {
  readonly train: Dataset;
  readonly test: Dataset;
  readonly unlabelled: Dataset;
}

export interface TrialOptions {
  readonly key: string;
  readonly trial: Trial;
  readonly arm: Arm;
  readonly features: FeatureExtractor;
  readonly data: StudyData;
  /** F's weights from pretraining or a file; "diverged" where pretraining had none to give. */
  readonly given: Weights | "diverged" | undefined;
  readonly headInitializer: string;
  readonly supervisor: Pick<Supervisor, "run">;
  /** See {@link StudyPlan.standardise}. */
  readonly standardise: boolean;
  /** Makes one plain gradient step, see {@link openGradientProbe}. */
  readonly gradientProbe: Pick<Supervisor, "run">;
  /** See {@link StudyPlan.augment}. */
  readonly augment?: readonly Augmentation[];
  /** See {@link StudyPlan.schedule}. */
  readonly schedule?: StudySchedule;
  readonly steps: number;
  readonly extension: number;
  /** What self-training runs on. */
  readonly selfTraining?: SelfTrainOptions;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: number, steps: number) => void;
}

/** The step size of {@link openGradientProbe}: so large that rounding of the weights does not hide small gradients. */
const probeRate = 1e6;

/** A supervisor whose single step of plain gradient descent shows the gradient: (before − after) / rate. */
export function openGradientProbe(
  features: FeatureExtractor,
  batchSize: number,
  loss: SupervisedLoss,
): Promise<Supervisor> {
  const optimizer: OptimizerSettings = {
    kind: "sgd",
    learningRate: probeRate,
    momentum: 0,
    secondMoment: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  };
  return Supervisor.open({ features, loss, optimizer, batchSize, threads: trialThreads });
}

/**
 * The arm's weights for F, and the head that all arms of a seed have where theirs is not another; undefined where F's activations
 * are not finite, so that nothing tells how to condition it.
 */
export async function startWeights(
  options: Pick<TrialOptions, "arm" | "features" | "headInitializer" | "data" | "signal"> & {
    given: Weights | undefined;
    seed: number;
  },
): Promise<Weights | undefined> {
  const { arm, features, data, seed, given, headInitializer } = options;
  const { network } = features;
  const head = initialWeights(network, headInitializer, seed);
  const drawn = arm.source.kind === "initializer" ? initialWeights(network, arm.source.initializer, seed) : given;
  const weights: Weights = new Map([...head, ...weightsOfFeatures(arm, features, drawn)]);
  const settings = measuring(options);
  const conditioned = await conditionFeatures(features, weights, data.unlabelled, arm.conditioning, seed, {
    ...settings,
    ...(arm.head === undefined ? {} : { head: arm.head }),
  }).catch(async (error: unknown): Promise<undefined> => {
    if (!(error instanceof UserError)) throw error;
    const layers = await activationStatistics(features, weights, data.unlabelled, seed, settings);
    if (layers.every(({ mean, standardDeviation }) => Number.isFinite(mean + standardDeviation))) throw error;
  });
  return conditioned && refreshRunningStatistics(features, conditioned.weights, data.unlabelled, seed, settings);
}

/** F's tensors among weights. @throws UserError where one is missing or of another size */
export function weightsOfFeatures(
  { name: arm }: Arm,
  { network, parameters }: FeatureExtractor,
  weights: Weights | undefined,
): Weights {
  return new Map(
    parameters.map(({ name, shape }) => {
      const elements = weights?.get(name);
      if (elements?.length === sizeOf(shape)) return [name, elements] as const;
      throw userError({
        where: `arm ${arm}: ${name}`,
        required: `${shape.join("x")} elements for this tensor of ${network.where}`,
        got: elements ? `${elements.length}` : "no tensor of this name",
        advice: "Give weights that were made for this model.",
      });
    }),
  );
}

/** How a trial is measured. */
function measuring({ signal }: Pick<TrialOptions, "signal">): EvaluateOptions {
  return { threads: trialThreads, ...(signal ? { signal } : {}) };
}

/** Self-training may leave nothing to start from, as pretraining may. */
function whereDiverged(error: unknown): undefined {
  if (!(error instanceof DivergedError)) throw error;
}

/** The weights that a trial starts from: as {@link startWeights} has them, with the arm's own head where it has one. */
async function trialStart(
  options: TrialOptions,
  given: Weights | undefined,
  labelled: Dataset,
): Promise<Weights | undefined> {
  const { arm, features, trial } = options;
  const start = await startWeights({ ...options, given, seed: trial.seed });
  if (start === undefined || arm.head === undefined) return start;
  const samples = { labelled, unlabelled: options.data.unlabelled, seed: trial.seed };
  const settings = { ...options.selfTraining, ...measuring(options) };
  return new Map([...start, ...(await headStart(arm.head, features, start, samples, settings))]);
}

/** Runs a trial. @throws InterruptedError where the signal aborts */
export async function runTrial(options: TrialOptions): Promise<TrialRecord> {
  const { trial, features, data, given, steps } = options;
  const { train, test } = labelledData(data, trial);
  const classSizes = classSizesOf(test);
  const chance = chanceOf(test, classSizes);
  const began = performance.now();
  const start = given === "diverged" ? undefined : await trialStart(options, given, train).catch(whereDiverged);
  const common = {
    ...trial,
    key: options.key,
    steps,
    labelsUsed: train.count,
    ...(classSizes === undefined ? {} : { classSizes }),
    chance: chance.score,
    headHash: headHash(features, start ?? initialWeights(features.network, options.headInitializer, trial.seed)),
  };
  if (start === undefined) return { ...common, ...withoutStart(steps, chance) };
  const layers = await layerStarts(options, start, train, test);
  const startSeconds = (performance.now() - began) / 1000;
  return { ...common, ...(await trained(options, start, { train, test, chance, layers, startSeconds })) };
}

/** What of a record its training decides. */
type Outcome = Pick<
  TrialRecord,
  "stepsMade" | "points" | "score" | "bestScore" | "diverged" | "stalled" | "start" | "timing"
>;

/** Where pretraining, conditioning or self-training left no weights to start from: at chance from the first step to the last. */
function withoutStart(steps: number, chance: Chance): Outcome {
  return {
    stepsMade: 0,
    points: evaluationSteps(steps, 0).map((step) => ({ step, ...chance, loss: null, testLoss: null })),
    score: chance.score,
    bestScore: chance.score,
    diverged: "pretraining",
    stalled: true,
    start: [],
    timing: { startSeconds: 0, secondsPerStep: 0, threads: trialThreads },
  };
}

/** Trains from the start weights, and looks at what came of it. */
async function trained(
  options: TrialOptions,
  weights: Weights,
  {
    train,
    test,
    chance,
    layers,
    startSeconds,
  }: { train: Dataset; test: Dataset; chance: Chance; layers: LayerStart[]; startSeconds: number },
): Promise<Outcome> {
  const { trial, steps } = options;
  const { evaluateAt, secondsPerStep, ...result } = await superviseTrial({
    supervisor: options.supervisor,
    purpose: trial.purpose,
    run: {
      weights,
      data: train,
      test,
      seed: trial.seed,
      standardise: options.standardise,
      learningRate: trial.optimizer.learningRate,
      ...(options.augment ? { augment: options.augment } : {}),
      ...(options.signal ? { signal: options.signal } : {}),
    },
    steps,
    extension: options.extension,
    schedule: options.schedule,
    onStep: options.onStep,
  });
  const points = pointsOf(result, evaluateAt, chance);
  const within = points.filter(({ step }) => step <= steps);
  const { score } = within[within.length - 1];
  return {
    stepsMade: result.divergedAt ?? evaluateAt[evaluateAt.length - 1],
    points,
    score,
    bestScore: Math.max(...within.map((point) => point.score)),
    diverged: divergence(result, steps),
    stalled: isStalled(score, chance.score, test.targets ? "regression" : "classification"),
    start: layers,
    timing: { startSeconds, secondsPerStep, threads: trialThreads },
  };
}

/** Whether a trial that ends at this score learned nothing. */
export function isStalled(score: number, chance: number, task: StudyTask): boolean {
  // Numbers may be predicted worse than by their mean: that is no stalling.
  return Math.abs(score - chance) <= stalledMargin || (task !== "regression" && score < chance);
}

/** The labelled subset of a trial, and what judges it. */
function labelledData(data: StudyData, trial: Trial): { train: Dataset; test: Dataset } {
  const indices = labelledSamples(data.train, trial.labels, trial.seed);
  if (trial.purpose === "test") return { train: subset(data.train, indices), test: data.test };
  const split = tuningSplit(indices, data.train.labels, trial.seed);
  return { train: subset(data.train, split.train), test: subset(data.train, split.validation) };
}

/** What a network is worth that says the same of all samples: the most frequent class, or the mean of the numbers. */
type Chance = Pick<TrialPoint, "score" | "balancedAccuracy" | "meanIou" | "rmse">;

/** See {@link Chance}. */
function chanceOf(test: Dataset, sizes: readonly number[] = []): Chance {
  if (test.targets) return { score: 0, rmse: variancesOf(test.targets).map(Math.sqrt) };
  const score = Math.max(...sizes) / sizes.reduce((sum, size) => sum + size, 0);
  return {
    score,
    balancedAccuracy: 1 / sizes.length,
    ...(test.maps ? { meanIou: score / sizes.length } : {}),
  };
}

/** How many samples, or positions where these have classes, there are of each class that there is; undefined for numbers. */
function classSizesOf({ labels, maps, targets }: Dataset): number[] | undefined {
  if (targets) return undefined;
  if (maps) return positionsByClass(maps).filter((count) => count > 0);
  if (!labels) return undefined;
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts.values()];
}

function headHash(features: FeatureExtractor, weights: Weights): string {
  const inF = new Set(features.parameters.map(({ name }) => name));
  const hash = createHash("sha256");
  for (const [name, elements] of weights)
    if (!inF.has(name))
      hash.update(name).update(new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength));
  return hash.digest("hex").slice(0, 16);
}

/** Activation statistics on unlabelled samples and gradients on the first labelled batch. */
async function layerStarts(
  options: TrialOptions,
  weights: Weights,
  train: Dataset,
  test: Dataset,
): Promise<LayerStart[]> {
  const { features, data, trial } = options;
  if (trial.purpose === "tuning") return [];
  const activations = await activationStatistics(features, weights, data.unlabelled, trial.seed, measuring(options));
  const { weights: after } = await options.gradientProbe.run({
    weights,
    data: train,
    test,
    steps: 1,
    seed: trial.seed,
    standardise: options.standardise,
    evaluateAt: [],
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return activations.map((layer) => {
    const from = weights.get(layer.layer);
    const to = after.get(layer.layer);
    let squares = 0;
    from?.forEach((value, index) => {
      squares += (((to?.[index] ?? Number.NaN) - value) / probeRate) ** 2;
    });
    return {
      ...layer,
      mean: finite(layer.mean),
      standardDeviation: finite(layer.standardDeviation),
      gradient: finite(from ? Math.sqrt(squares / from.length) : Number.NaN),
    };
  });
}

/** A trial whose loss became non-finite has a useless network from there on: it counts at chance. */
function pointsOf(
  { losses, evaluations }: Pick<SupervisedResult, "losses" | "evaluations">,
  evaluateAt: readonly number[],
  chance: Chance,
): TrialPoint[] {
  const measured = new Map(evaluations.map((evaluation) => [evaluation.step, evaluation]));
  return evaluateAt.map((step, index) => {
    const window = step === 0 ? [] : losses.slice(index === 0 ? 0 : evaluateAt[index - 1], step);
    const mean = window.reduce((sum, loss) => sum + loss, 0) / window.length;
    const found = measured.get(step);
    // Weights that are not finite give no score: that is worth as much as chance.
    const { score, balancedAccuracy, meanIou, rmse } = found && Number.isFinite(found.score) ? found : chance;
    return {
      step,
      score,
      ...(balancedAccuracy === undefined ? {} : { balancedAccuracy }),
      ...(meanIou === undefined ? {} : { meanIou }),
      ...(rmse === undefined ? {} : { rmse }),
      loss: finite(mean),
      testLoss: finite(found?.loss ?? Number.NaN),
    };
  });
}

/** JSON has no other numbers. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** Loss of a stalled network wanders around its start: only what is above by more than this share counts as diverged. */
const divergenceMargin = 0.01;

/**
 * Non-finite, or the mean training loss of the last tenth of the steps above the first step's and the test loss above
 * that before training. The first step's loss is one batch's: where a good start and a small learning rate leave the
 * loss as it is, chance alone may put later batches above it, but not all of the test data.
 */
export function divergence(
  { losses, evaluations, divergedAt }: Pick<SupervisedResult, "losses" | "evaluations" | "divergedAt">,
  steps: number,
): TrialRecord["diverged"] {
  if (divergedAt !== undefined && divergedAt < steps) return "non-finite";
  const tail = losses.slice(0, steps).slice(-Math.max(1, Math.round(steps / 10)));
  const mean = tail.reduce((sum, value) => sum + value, 0) / tail.length;
  const testLoss = (at: number) => evaluations.find(({ step }) => step === at)?.loss;
  const [before, after] = [testLoss(0), testLoss(steps)];
  const rises = (from: number, to: number): boolean => !(to <= from * (1 + divergenceMargin));
  const tested = before === undefined || after === undefined || rises(before, after);
  return rises(losses[0], mean) && tested ? "loss above its start" : null;
}
