/** Where the jobs of a study are done, one at a time. */
import { join } from "node:path";
import { subset } from "../data/subset.js";
import { UserError } from "../errors.js";
import { writeSafetensors } from "../formats/safetensors.js";
import { floatTensor } from "../graph/tensor.js";
import type { FeatureExtractor } from "../recipe/feature-extractor.js";
import { initialWeights, type Weights } from "../recipe/initial-values.js";
import type { Recipe } from "../recipe/recipe.js";
import { filtersPicture } from "../study/filters-picture.js";
import { labelledSamples } from "../study/labels.js";
import {
  armOf,
  augmentationOf,
  pretrainingKey,
  pretrainingSeed,
  type StudyPlan,
  scheduleOf,
  selfTrained,
} from "../study/plan.js";
import type { PretrainingRecord } from "../study/records.js";
import type { Job, JobResult } from "../study/run-study.js";
import { runTrial, type StudyData, startWeights, weightsOfFeatures } from "../study/run-trial.js";
import { fileNameOf, StudyFolder, studyFiles } from "../study/study-folder.js";
import { stepsMadeFor } from "../study/supervise-trial.js";
import { augmenterFor } from "../training/augmentation.js";
import { type HeadStart, headStart, requireHeadStart } from "../training/head-start.js";
import type { PictureGeometry } from "../training/picture-geometry.js";
import { type PretrainOptions, type PretrainResult, pretrain, pretrainingSteps } from "../training/pretrain.js";
import { selfTrainingSteps } from "../training/self-training.js";
import { DivergedError } from "../training/trainer.js";
import { chooseDiscriminator } from "./choose-discriminator.js";
import { reconstructions } from "./reconstructions.js";
import { sha256 } from "./sha256.js";
import type { BenchSettings } from "./study-data.js";
import { computing, StudyMaterial } from "./study-material.js";
import { memoryOfSteps, type StepMemory } from "./study-memory.js";
import { hasChanged, readPretrained, readStudyWeights } from "./study-weights.js";

/** How long a pretraining takes, in seconds. */
export interface PretrainingTiming {
  /** What comes before the first step, such as principal components; all of a recipe that trains nothing. */
  readonly start: number;
  /** The median step. */
  readonly perStep: number;
}

/** Does jobs, with the networks, data and sessions of one {@link StudyMaterial}. */
export class StudyBench {
  readonly #folder: StudyFolder;
  readonly #material: StudyMaterial;
  #plan: StudyPlan | undefined;

  private constructor(folder: StudyFolder, material: StudyMaterial) {
    this.#folder = folder;
    this.#material = material;
  }

  /**
   * @param data where the caller has opened it already
   * @param onNote told what of a step the plan's device does not run
   */
  static async open(
    settings: BenchSettings,
    data?: StudyData,
    onNote?: (message: string) => void,
  ): Promise<StudyBench> {
    const folder = await StudyFolder.open(settings.folder, false);
    return new StudyBench(folder, new StudyMaterial(settings, data, onNote));
  }

  usePlan(plan: StudyPlan): void {
    this.#plan = plan;
  }

  /** Does a job. @throws InterruptedError where the signal aborts */
  async run(job: Job, signal: AbortSignal, onProgress: (step: number, steps: number) => void): Promise<JobResult> {
    const plan = this.#plan;
    if (!plan) throw new Error("a bench needs a plan");
    switch (job.kind) {
      case "pretraining":
        return { kind: "pretraining", record: await this.#pretrain(plan, job, signal, onProgress) };
      case "timing":
        return this.#time(plan, job, signal);
      case "trial":
        return this.#trial(plan, job, signal, onProgress);
    }
  }

  close(): Promise<void> {
    return this.#material.close();
  }

  async #pretrain(
    plan: StudyPlan,
    job: Extract<Job, { kind: "pretraining" }>,
    signal: AbortSignal,
    onProgress: (step: number, steps: number) => void,
  ): Promise<PretrainingRecord> {
    const arm = armOf(plan, job.arm);
    if (arm.source.kind !== "recipe") throw new Error(`${arm.name} has no recipe`);
    const { recipe } = arm.source;
    const features = await this.#material.features(plan, job.network, signal);
    const { unlabelled } = await this.#material.data(signal);
    const steps = pretrainingSteps(recipe, unlabelled.count);
    const common = { key: job.key, network: job.network, recipe: recipe.name, seed: job.seed, steps };
    const name = join(studyFiles.pretraining, job.key);
    const began = performance.now();
    let made = 0;
    let picture: Uint8Array | undefined;
    let record: PretrainingRecord;
    try {
      const trained = await this.#pretrainer(
        plan,
        recipe,
        features,
        job.seed,
        steps,
        signal,
        async ({ step, views, samples }) => {
          made = step;
          onProgress(step, steps);
          const { generated } = step === steps && job.seed === 0 ? await views() : {};
          if (generated && samples) picture = await reconstructions(samples, generated, unlabelled, 16);
        },
        () => onProgress(0, steps),
      );
      const seconds = (performance.now() - began) / 1000;
      const tensors = new Map(
        [...trained.weights].map(
          ([tensor, elements]) =>
            [
              tensor,
              floatTensor(elements, features.network.parameters.get(tensor)?.shape ?? [elements.length]),
            ] as const,
        ),
      );
      const weights = writeSafetensors(tensors, {
        format: "pt",
        recipe: recipe.name,
        seed: String(job.seed),
        steps: String(steps),
      });
      await this.#folder.write(`${name}.safetensors`, weights);
      record = {
        ...common,
        samples: steps * recipe.batchSize,
        seconds,
        sha256: sha256(weights),
        metrics: trained.finalMetrics,
        warnings: trained.warnings.map(({ message }) => message),
      };
    } catch (error) {
      if (!(error instanceof DivergedError)) throw error;
      record = {
        ...common,
        samples: made * recipe.batchSize,
        seconds: (performance.now() - began) / 1000,
        divergedAt: made + 1,
        metrics: {},
        warnings: [`pretraining became non-finite at step ${made + 1} of ${steps}`],
      };
    }
    if (picture) await this.#folder.write(`${name}.png`, picture);
    await this.#folder.writeJson(`${name}.json`, record);
    return record;
  }

  /** Median seconds of a supervised step, and seconds of an evaluation, from a few steps. */
  async #time(plan: StudyPlan, job: Extract<Job, { kind: "timing" }>, signal: AbortSignal): Promise<JobResult> {
    const features = await this.#material.features(plan, job.network, signal);
    const { train, test } = await this.#material.data(signal);
    const { supervisor } = await this.#material.supervisors(plan, job.network, features, job.optimizer);
    const moments: number[] = [];
    const weights = initialWeights(features.network, "he", 0);
    await supervisor.run({
      weights,
      data: train,
      test,
      steps: 24,
      seed: 0,
      learningRate: 1e-6,
      ...augmentationOf(plan),
      evaluateAt: [],
      signal,
      onStep: () => moments.push(performance.now()),
    });
    const began = performance.now();
    await supervisor.measure(weights, { data: train, test });
    const secondsPerEvaluation = (performance.now() - began) / 1000;
    return {
      kind: "timing",
      secondsPerStep: medianSeconds(moments, 5),
      secondsPerEvaluation,
      ...(plan.arms.some(selfTrained)
        ? { selfTrainingSeconds: await this.#timeSelfTraining(plan, features, weights, signal) }
        : {}),
    };
  }

  /** Seconds of a whole self-training with the most labels of the plan: of the head that it begins with, and of a few steps. */
  async #timeSelfTraining(
    plan: StudyPlan,
    features: FeatureExtractor,
    weights: Weights,
    signal: AbortSignal,
  ): Promise<number> {
    const { train, unlabelled } = await this.#material.data(signal);
    const drawn = plan.labels.map((amount) => labelledSamples(train, amount, 0));
    const labelled = subset(
      train,
      drawn.reduce((most, own) => (own.length > most.length ? own : most)),
    );
    const moments: number[] = [];
    const began = performance.now();
    const samples = { labelled, unlabelled, seed: 0 };
    await headStart("self-training", features, weights, samples, {
      ...computing(plan),
      steps: 16,
      signal,
      onStep: () => moments.push(performance.now()),
    });
    const perStep = medianSeconds(moments, 4);
    const start = Math.max(0, (moments[0] - began) / 1000 - perStep);
    return start + (plan.selfTrainingSteps ?? selfTrainingSteps) * perStep;
  }

  /** Whether all networks of a plan can have this start of the head, made from the training data. */
  async takesHead(plan: StudyPlan, kind: HeadStart, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#requireHead(plan, kind, signal);
      return true;
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  }

  /** @throws UserError where a network of a plan cannot have the head that an arm begins with, before anything is trained */
  async requireHeads(plan: StudyPlan, signal: AbortSignal): Promise<void> {
    for (const kind of new Set(plan.arms.map(({ head }) => head)))
      if (kind !== undefined) await this.#requireHead(plan, kind, signal);
  }

  /** @throws UserError where an arm's file of weights does not fit a network, before anything is trained */
  async requireWeights(plan: StudyPlan, signal: AbortSignal): Promise<void> {
    for (const arm of plan.arms) {
      if (arm.source.kind !== "weights") continue;
      const weights = await readStudyWeights(arm.source.file, arm.source.hash);
      for (const { name } of plan.networks)
        weightsOfFeatures(arm, await this.#material.features(plan, name, signal), weights);
    }
  }

  /** @throws UserError where the plan's augmentation does not fit the samples, before anything is trained */
  async requireAugmentation(plan: StudyPlan, signal: AbortSignal): Promise<void> {
    if (!plan.augment) return;
    const { train } = await this.#material.data(signal);
    for (const { name } of plan.networks)
      augmenterFor(plan.augment, train, (await this.#material.features(plan, name, signal)).network);
  }

  /** What the plan's steps take at most, over all its networks. @throws UserError where a network cannot be trained so */
  async largestStep(plan: StudyPlan, signal: AbortSignal): Promise<StepMemory> {
    const data = await this.#material.data(signal);
    const steps: StepMemory[] = [];
    for (const { name } of plan.networks)
      steps.push(...(await memoryOfSteps(plan, await this.#material.features(plan, name, signal), data)));
    return steps.reduce((most, step) => (step.peakBytes > most.peakBytes ? step : most));
  }

  async #requireHead(plan: StudyPlan, kind: HeadStart, signal: AbortSignal): Promise<void> {
    const { train } = await this.#material.data(signal);
    for (const { name } of plan.networks)
      requireHeadStart(kind, await this.#material.features(plan, name, signal), train);
  }

  /** How many samples pretraining has. */
  async unlabelledCount(signal: AbortSignal): Promise<number> {
    return (await this.#material.data(signal)).unlabelled.count;
  }

  /** How long an arm's pretraining takes, from its start and a few steps. */
  async timePretraining(network: string, armName: string, signal: AbortSignal): Promise<PretrainingTiming> {
    const plan = this.#plan;
    if (!plan) throw new Error("a bench needs a plan");
    const { source } = armOf(plan, armName);
    if (source.kind !== "recipe") throw new Error(`${armName} has no recipe`);
    const features = await this.#material.features(plan, network, signal);
    await this.#material.data(signal);
    const moments: number[] = [];
    const began = performance.now();
    await this.#pretrainer(plan, source.recipe, features, 0, 12, signal, async () => {
      moments.push(performance.now());
    });
    // A recipe that trains nothing has no steps.
    if (moments.length === 0) return { start: (performance.now() - began) / 1000, perStep: 0 };
    const perStep = medianSeconds(moments, 3);
    return { start: Math.max(0, (moments[0] - began) / 1000 - perStep), perStep };
  }

  async #pretrainer(
    plan: StudyPlan,
    recipe: Recipe,
    features: FeatureExtractor,
    seed: number,
    steps: number,
    signal: AbortSignal,
    onStep: NonNullable<PretrainOptions["onStep"]>,
    onProgress: NonNullable<PretrainOptions["onProgress"]> = () => {},
  ): Promise<PretrainResult> {
    const { unlabelled } = await this.#material.data(signal);
    const chosen = recipe.adversarial.weight > 0 ? await chooseDiscriminator(plan.discriminator, features) : undefined;
    if (chosen && plan.discriminatorHash !== chosen.hash) throw hasChanged(plan.discriminator);
    return pretrain({
      features,
      dataset: unlabelled,
      recipe,
      seed,
      steps,
      ...computing(plan),
      ...this.#material.checking(`${features.network.where} ${recipe.name}`),
      ...(chosen ? { discriminator: chosen.discriminator, discriminatorWeights: chosen.weights } : {}),
      signal,
      onStep,
      onProgress,
    });
  }

  async #trial(
    plan: StudyPlan,
    job: Extract<Job, { kind: "trial" }>,
    signal: AbortSignal,
    onProgress: (step: number, steps: number) => void,
  ): Promise<JobResult> {
    const { trial } = job;
    const arm = armOf(plan, trial.arm);
    const features = await this.#material.features(plan, trial.network, signal);
    const data = await this.#material.data(signal);
    const { supervisor, gradientProbe } = await this.#material.supervisors(
      plan,
      trial.network,
      features,
      trial.optimizer,
    );
    const given = await this.#givenWeights(plan, trial.network, trial.arm, trial.seed);
    const before = selfTrained(arm) ? (plan.selfTrainingSteps ?? selfTrainingSteps) : 0;
    const record = await runTrial({
      key: job.key,
      trial,
      arm,
      features,
      data,
      given,
      headInitializer: plan.head,
      supervisor,
      standardise: plan.standardise ?? true,
      gradientProbe,
      ...augmentationOf(plan),
      ...scheduleOf(plan),
      steps: plan.steps,
      extension: job.extension,
      selfTraining: {
        ...computing(plan),
        ...(plan.selfTrainingSteps === undefined ? {} : { steps: plan.selfTrainingSteps }),
        ...(selfTrained(arm) ? this.#material.checking(`${features.network.where} self-training`) : {}),
        onStep: (step) => onProgress(step, before + stepsMadeFor(plan.steps, job.extension, plan.schedule)),
      },
      signal,
      onStep: (step, steps) => onProgress(before + step, before + steps),
    });
    if (trial.seed === 0 && trial.purpose === "test" && trial.labels === plan.labels[0] && given !== "diverged") {
      const start = await startWeights({ arm, features, data, given, headInitializer: plan.head, seed: 0, signal });
      const geometry = data.train.record.picture as PictureGeometry | undefined;
      const picture = start && (await filtersPicture(features, start, geometry));
      if (picture)
        await this.#folder.write(
          join(studyFiles.pictures, `filters-${fileNameOf(trial.network)}-${fileNameOf(trial.arm)}.png`),
          picture,
        );
    }
    return { kind: "trial", record };
  }

  /** F's weights from a pretraining or a file. */
  async #givenWeights(
    plan: StudyPlan,
    network: string,
    armName: string,
    seed: number,
  ): Promise<Weights | "diverged" | undefined> {
    const arm = armOf(plan, armName);
    const { source } = arm;
    if (source.kind === "initializer") return undefined;
    if (source.kind === "weights") return readStudyWeights(source.file, source.hash);
    const key = pretrainingKey(plan, network, arm, pretrainingSeed(plan, seed));
    const record = await this.#folder.readPretraining(key);
    if (!record) throw new Error(`the pretraining ${key} is missing`);
    if (record.divergedAt !== undefined) return "diverged";
    const [file, of] = ["safetensors", "json"].map((extension) =>
      this.#folder.file(studyFiles.pretraining, `${key}.${extension}`),
    );
    return readPretrained(file, record.sha256, of);
  }
}

/**
 * The median time between two steps.
 *
 * @param moments when each step ended, in milliseconds
 * @param first the first step that counts: those before it prepare for the others
 */
function medianSeconds(moments: readonly number[], first: number): number {
  const durations = moments
    .slice(first)
    .map((moment, index) => moment - moments[first + index - 1])
    .sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)] / 1000;
}
