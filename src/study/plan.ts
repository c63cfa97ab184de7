/** A study's plan: what is compared with what, in which settings, and the trials that follow from it. */
import { createHash } from "node:crypto";
import type { OptimizerSettings } from "../recipe/recipe.js";
import type { Augmentation } from "../training/augmentation.js";
import type { SupervisorOptions } from "../training/supervise.js";
import { type Arm, pretrainingPart } from "./arm.js";
import type { LabelAmount } from "./labels.js";
import type { ClassMeasure, StudyTask } from "./measure.js";

/** A network of the study. */
export interface StudyNetwork {
  /** What the study calls it: the file's name, or the cell of the grid. */
  readonly name: string;
  readonly file: string;
  /** SHA-256 of the file. */
  readonly hash: string;
  /** The cell of the grid that it was made for. */
  readonly cell?: { readonly depth?: number; readonly activation?: string };
}

/** constant: the learning rate stays; cosine: it falls along half a cosine to 0 (Loshchilov and Hutter, 2017). */
export const studySchedules = ["constant", "cosine"] as const;
/** The schedules that a plan names. */
export type StudySchedule = Exclude<(typeof studySchedules)[number], "constant">;

/** study.json's heart: everything that decides the trials. */
export interface StudyPlan {
  /** Version of headstart, with which numbers may change; plans of earlier versions had none. */
  readonly headstart?: string;
  /** What the networks predict; undefined: classes. */
  readonly task?: StudyTask;
  /** What judges them where they tell classes apart; undefined: see measureOf. Trials know all, so it is no part of their keys. */
  readonly measure?: ClassMeasure;
  /** Names of the numbers that they predict. */
  readonly targets?: readonly string[];
  /** Whether these are scaled for training to mean 0 and deviation 1 over a trial's training samples. */
  readonly standardise?: boolean;
  readonly networks: readonly StudyNetwork[];
  /** Name of F's last tensor, where the user chose it. */
  readonly features?: string;
  readonly discriminator: string;
  /** SHA-256 of the discriminator's file, where it is the user's own. */
  readonly discriminatorHash?: string;
  /** What the user said of how data is read that its hashes do not tell, such as the normalisation. */
  readonly reading?: Readonly<Record<string, unknown>>;
  /** Hashes of the data, after the removal of duplicates. */
  readonly data: { readonly train: string; readonly test: string; readonly unlabelled: string };
  readonly arms: readonly Arm[];
  /** Names of the arms that all others are compared with; the first decides the verdicts. */
  readonly baselines: readonly string[];
  readonly labels: readonly LabelAmount[];
  readonly optimizers: readonly OptimizerSettings[];
  /** Learning rates to try; empty: each optimiser's own. */
  readonly learningRates: readonly number[];
  /** Choose among the learning rates, for each arm, by validation labels; else each is a setting of its own. */
  readonly tune: boolean;
  /** How many of the first seeds choose them; undefined: two, as in earlier versions. */
  readonly tuningSeeds?: number;
  readonly steps: number;
  readonly batchSize: number;
  /** How labelled samples are changed at each supervised step; undefined: not at all. */
  readonly augment?: readonly Augmentation[];
  /** What becomes of the learning rate over the supervised steps; undefined: it stays. */
  readonly schedule?: StudySchedule;
  /** Steps of self-training, where they are not as many as usual. */
  readonly selfTrainingSteps?: number;
  readonly seeds: number;
  /** How many pretrainings the seeds share; undefined: each seed has its own. */
  readonly pretrainingSeeds?: number;
  /** Initializer of the head, which is equal in all arms of a seed. */
  readonly head: string;
  /** Supervised steps beyond `steps`, at most this many times as many, for the comparison at equal total time. */
  readonly longestExtension: number;
  /** Score whose steps are counted; undefined: nine tenths of the way from chance to the baseline's end. */
  readonly target?: number;
  /** Smallest difference of scores that matters. */
  readonly minimumEffect: number;
  /** Where trials and pretrainings are computed, where that is not the CPU: another device rounds otherwise. */
  readonly device?: NonNullable<SupervisorOptions["device"]>;
}

/** What is held equal while arms are compared. */
export interface Setting {
  readonly network: string;
  readonly labels: LabelAmount;
  readonly optimizer: OptimizerSettings;
  /** "tuned": chosen for each arm. */
  readonly learningRate: number | "tuned";
}

/** One training. */
export interface Trial {
  readonly network: string;
  readonly arm: string;
  readonly labels: LabelAmount;
  /** With its learning rate. */
  readonly optimizer: OptimizerSettings;
  readonly seed: number;
  /** tuning: trains on four fifths of the labels and is judged by the rest, never by test data. */
  readonly purpose: "test" | "tuning";
}

/** All settings of a plan. */
export function settingsOf(plan: StudyPlan): Setting[] {
  return plan.networks.flatMap(({ name }) =>
    plan.labels.flatMap((labels) =>
      plan.optimizers.flatMap((optimizer): Setting[] => {
        const rates: (number | "tuned")[] = plan.tune ? ["tuned"] : ratesOf(plan, optimizer);
        return rates.map((learningRate) => ({ network: name, labels, optimizer, learningRate }));
      }),
    ),
  );
}

/** The learning rates that an optimiser is tried with. */
export function ratesOf(plan: StudyPlan, optimizer: OptimizerSettings): number[] {
  return plan.learningRates.length > 0 ? [...plan.learningRates] : [optimizer.learningRate];
}

/** A setting in words, only what distinguishes it from the plan's other settings. */
export function settingName(plan: StudyPlan, setting: Setting): string {
  const { labels, optimizer, learningRate } = setting;
  const parts = [
    ...(plan.networks.length > 1 ? [setting.network] : []),
    labelsInWords(labels),
    ...(plan.optimizers.length > 1 ? [optimizer.kind] : []),
    ...(learningRate !== "tuned" && ratesOf(plan, optimizer).length > 1 ? [`rate ${learningRate}`] : []),
  ];
  return parts.join(", ");
}

function labelsInWords(labels: LabelAmount): string {
  if (labels === "all") return "all labels";
  const [amount, perClass] = labels.split("/");
  return `${amount} ${amount === "1" ? "label" : "labels"}${perClass === undefined ? "" : " a class"}`;
}

/** The seeds of a plan's trials. */
export function seedsOf(plan: StudyPlan): number[] {
  return Array.from({ length: plan.seeds }, (_, seed) => seed);
}

/** The seeds whose trials choose learning rates, the first ones. */
export function tuningSeedsOf(plan: StudyPlan): number[] {
  return seedsOf(plan).slice(0, plan.tuningSeeds ?? fewestTuningSeeds);
}

const [fewestTuningSeeds, mostTuningSeeds] = [2, 5];
/** So many held-back samples, of all the seeds that choose together, tell rates apart by two points or so. */
const enoughHeldBack = 500;

/** How many seeds choose learning rates where each holds back so many labelled samples. */
export function seedsToTune(heldBack: number): number {
  return Math.min(mostTuningSeeds, Math.max(fewestTuningSeeds, Math.ceil(enoughHeldBack / heldBack)));
}

/** The seed of the pretraining that a trial's seed uses. */
export function pretrainingSeed(plan: StudyPlan, seed: number): number {
  return plan.pretrainingSeeds === undefined ? seed : seed % plan.pretrainingSeeds;
}

/** Raised when the meaning of a record changes, so that older ones are not reused. */
const recordVersion = 3;

/**
 * What a trial's result depends on, as a short hash: a finished trial of the same key is not run again, however the plan
 * around it has changed.
 */
export function trialKey(plan: StudyPlan, trial: Trial): string {
  const arm = armOf(plan, trial.arm);
  return shortHash({
    recordVersion,
    ...computationOf(plan, trial.network),
    // The unlabelled data too, whatever the arm: running statistics and what is said of the start are measured on it.
    ...plan.data,
    start: startOf(plan, arm, trial.seed),
    labels: trial.labels,
    optimizer: trial.optimizer,
    steps: plan.steps,
    batchSize: plan.batchSize,
    ...augmentationOf(plan),
    ...scheduleOf(plan),
    head: plan.head,
    seed: trial.seed,
    purpose: trial.purpose,
    // Held-back labels were drawn without regard to classes before.
    ...(trial.purpose === "tuning" && drawsByClass(plan) ? { heldBack: "by class" } : {}),
    ...(selfTrained(arm) && plan.selfTrainingSteps !== undefined ? { selfTrainingSteps: plan.selfTrainingSteps } : {}),
    ...(plan.task === "regression" ? { task: plan.task, standardise: plan.standardise ?? true } : {}),
    ...(plan.task === "segmentation" ? { task: plan.task } : {}),
  });
}

/** Whether samples have classes to draw them by. */
function drawsByClass({ task = "classification" }: StudyPlan): boolean {
  return task === "classification";
}

/** How samples are changed, as a part of a key; none where they are not, so that keys are as they were. */
export function augmentationOf({ augment }: StudyPlan): Pick<StudyPlan, "augment"> {
  return augment === undefined ? {} : { augment };
}

/** What becomes of the learning rate, as a part of a key; none where it stays. */
export function scheduleOf({ schedule }: StudyPlan): Pick<StudyPlan, "schedule"> {
  return schedule === undefined ? {} : { schedule };
}

function startOf(plan: StudyPlan, arm: Arm, seed: number): object {
  const { source, conditioning } = arm;
  const after = { conditioning, ...(arm.head === undefined ? {} : { head: arm.head }) };
  if (source.kind === "initializer") return { initializer: source.initializer, ...after };
  if (source.kind === "weights") return { weights: source.hash, ...after };
  return {
    ...pretrainingPart(source.recipe),
    ...discriminatorOf(plan),
    ...after,
    pretrainingSeed: pretrainingSeed(plan, seed),
  };
}

/** The hash that names a pretraining's files. */
export function pretrainingKey(plan: StudyPlan, network: string, arm: Arm, seed: number): string {
  if (arm.source.kind !== "recipe") throw new Error(`${arm.name} is not pretrained`);
  return shortHash({
    recordVersion,
    ...computationOf(plan, network),
    unlabelled: plan.data.unlabelled,
    recipe: pretrainingPart(arm.source.recipe),
    ...discriminatorOf(plan),
    seed,
  });
}

function discriminatorOf({ discriminator, discriminatorHash }: StudyPlan): object {
  return { discriminator, ...(discriminatorHash === undefined ? {} : { discriminatorHash }) };
}

/** What computes, as a part of a key: the network, what it is given, where, and by which version. */
export function computationOf(plan: StudyPlan, network: string): object {
  const { headstart = null, features = null, device = "cpu", reading } = plan;
  const { hash } = networkOf(plan, network);
  return { headstart, network: hash, features, device, ...(reading === undefined ? {} : { reading }) };
}

/** @throws Error where the plan has no such network */
export function networkOf(plan: StudyPlan, name: string): StudyNetwork {
  const found = plan.networks.find((network) => network.name === name);
  if (!found) throw new Error(`the plan has no network ${name}`);
  return found;
}

/** @throws Error where the plan has no such arm */
export function armOf(plan: StudyPlan, name: string): Arm {
  const found = plan.arms.find((arm) => arm.name === name);
  if (!found) throw new Error(`the plan has no arm ${name}`);
  return found;
}

/** Steps after which networks are measured: close together at first, where curves differ, up to the end. */
export function evaluationSteps(steps: number, extension: number): number[] {
  const points = 15;
  const within = Array.from({ length: points + 1 }, (_, index) => Math.round(steps * (index / points) ** 2));
  const beyond = extension === 0 ? [] : [0.25, 0.5, 0.75, 1].map((share) => steps + Math.round(share * extension));
  return [...new Set([...within, ...beyond])];
}

/** Sixteen hexadecimal digits of SHA-256 of a value as JSON with sorted keys. */
export function shortHash(value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(value)))
    .digest("hex")
    .slice(0, 16);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}

/** Whether an arm's head comes from self-training. */
export function selfTrained({ head }: Pick<Arm, "head">): boolean {
  return head === "self-training";
}

/** Whether any arm has training before its supervised training; if none has, equal total time is equal steps. */
export function prepares({ arms }: StudyPlan): boolean {
  return arms.some((arm) => arm.source.kind === "recipe" || selfTrained(arm));
}
