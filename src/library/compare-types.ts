/** What `compare` takes, tells on the way, and gives. */
import type { ColumnChoice } from "../data/column-profile.js";
import type { NormalisationChoice, OpenOptions } from "../data/dataset.js";
import type { devices } from "../runtime/device.js";
import type { ClassMeasure, StudyTask } from "../study/measure.js";
import type { StudyPlan, studySchedules } from "../study/plan.js";
import type { StudyEvent } from "../study/run-study.js";
import type { StudySummary } from "../study/summary.js";
import type { Augmentation } from "../training/augmentation.js";
import type { PilotFit } from "./fit-pilot.js";

/** What `headstart compare` takes. Model, data and test are needed. */
export interface CompareOptions {
  /** An ONNX file, or a template of `headstart new` (mlp, cnn, resnet, mobilenet, mobilenetv2, cnn1d), which is then made for the data. */
  readonly model: string;
  /** Labelled samples to train on. */
  readonly data: string;
  /** Labelled samples to measure on. */
  readonly test: string;
  /** Samples to pretrain on; default: those of `data`, without their labels. */
  readonly unlabelled?: string;
  /** Folder of the study; default `<model's name>-study`. What an earlier call finished there is used. */
  readonly output?: string;
  readonly overwrite?: boolean;
  /** See {@link parseArm}; default: {@link defaultArms}. */
  readonly arms?: readonly string[];
  /** The arm that the verdicts compare with; default: he+calibrated where it is among the arms, else the first. */
  readonly baseline?: string;
  /** Amounts of labels, such as "300", "10/class", "5%", "all"; default: 10/class and all. */
  readonly labels?: readonly string[];
  /** Some of adam, adamw, sgd; default: adam. */
  readonly optimizers?: readonly string[];
  /** Default: each optimiser's own. */
  readonly learningRates?: readonly number[];
  /** Choose each arm's best learning rate by labels held back from training. */
  readonly tune?: boolean;
  /** Supervised steps; default 300. */
  readonly steps?: number;
  /** Steps of self-training, for arms that have it; default 1,000. */
  readonly selfTrainingSteps?: number;
  /** Default 5. */
  readonly seeds?: number;
  /** Default 64. */
  readonly batchSize?: number;
  /** How labelled samples are changed at each supervised step, in all arms alike; default: not at all. */
  readonly augment?: readonly Augmentation[];
  /** What becomes of the learning rate over the supervised steps, in all arms alike; default: constant. */
  readonly schedule?: (typeof studySchedules)[number];
  /** How many pretrainings the seeds share; default: each seed has its own. */
  readonly pretrainingSeeds?: number;
  /** In place of the recipes' own. */
  readonly pretrainingEpochs?: number;
  /** "depth=2,4 activation=sigmoid,relu": cells of a template. */
  readonly grid?: string;
  /** A study that fits into about this many minutes. */
  readonly pilot?: number;
  /** What networks are judged by that tell classes apart; default: accuracy. Finished trials serve either. */
  readonly measure?: ClassMeasure;
  /** The score whose steps are counted: of that measure, or R². */
  readonly target?: number;
  /** The same for a network that predicts one number, as a root mean squared error in the data's units. */
  readonly targetRmse?: number;
  /** Smallest difference of scores that matters; default 0.01. */
  readonly minimumEffect?: number;
  /** Limit of the steps added for the comparison at equal total time, in multiples of the steps; default 4. */
  readonly longestExtension?: number;
  /** What to do about samples of the training or unlabelled data that the test data has too; default: fail. */
  readonly duplicates?: "fail" | "drop";
  /** Trials side by side; default: one a core, fewer where memory is short. Results do not depend on it. */
  readonly workers?: number;
  /** One of {@link devices}; default: cpu. Any other computes one trial at a time. */
  readonly device?: string;
  readonly features?: string;
  readonly input?: string;
  readonly inputShape?: readonly number[];
  readonly discriminator?: string;
  readonly layout?: "NCHW" | "NHWC";
  readonly resize?: boolean;
  readonly convert?: boolean;
  readonly normalise?: NormalisationChoice;
  /** What the network predicts; default: what its outputs and the labels say, see {@link decideTask}. */
  readonly task?: StudyTask;
  /**
   * Where the labels are: a table's column, several for several numbers, an archive's array, or a file. Default: as the
   * data has them, or the file beside it (y_train.npy beside X_train.npy).
   */
  readonly labelColumn?: OpenOptions["labels"];
  /** The same for the test data; default: as `labelColumn` unless that is a file. */
  readonly testLabelColumn?: OpenOptions["labels"];
  /** Names of all classes in the order of the network's outputs; default: the labels' own order. */
  readonly classNames?: readonly string[];
  readonly header?: boolean | "auto";
  readonly onBad?: "fail" | "skip";
  readonly columns?: Readonly<Record<string, ColumnChoice>>;
  readonly categories?: "one-hot" | "embedding";
  /** Bytes of samples to keep in memory; larger data stays on disk. */
  readonly memory?: number;
  /** Folder for decoded and fetched data, and how many bytes of one data set it may hold. */
  readonly cache?: string;
  readonly cacheLimit?: number;
  /** Use at most this many of the labelled, the test, the unlabelled samples. */
  readonly limit?: number;
  readonly testLimit?: number;
  readonly unlabelledLimit?: number;
  /** The command line, for the records. */
  readonly command?: string;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CompareEvent) => void;
}

export type CompareEvent =
  | StudyEvent
  | { readonly type: "reading" }
  | {
      readonly type: "planned";
      readonly plan: StudyPlan;
      readonly folder: string;
      readonly workers: number;
      readonly trials: number;
    }
  | {
      /** Steps are timed to see what fits into a pilot: so many of so many kinds of them. */
      readonly type: "timing";
      readonly done: number;
      readonly kinds: number;
    }
  | { readonly type: "pilot"; readonly fit: PilotFit }
  | { readonly type: "note"; readonly message: string };

/** What {@link compare} gives. */
export interface CompareResult {
  readonly folder: string;
  readonly report: string;
  readonly plan: StudyPlan;
  readonly summary: StudySummary;
}
