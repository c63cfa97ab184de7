/** What `initialize` takes, tells on the way, and gives. */
import type { ColumnChoice } from "../data/column-profile.js";
import type { Dataset, NormalisationChoice } from "../data/dataset.js";
import { openDataset } from "../data/open-dataset.js";
import type { Weights } from "../recipe/initial-values.js";
import type { Recipe, RecipeInput } from "../recipe/recipe.js";
import type { Device, devices } from "../runtime/device.js";
import type { ConditioningRecord } from "../training/condition.js";
import type { HeadStart } from "../training/head-start.js";
import type { DiscriminantAccount } from "../training/linear-discriminant.js";
import type { ActivationStatistics } from "../training/probe.js";
import type { Warning } from "../training/warnings.js";
import type { Restoration } from "./graph-restorer.js";
import type { WrittenModel } from "./loading-lines.js";

/** What `headstart init` takes. Only model and data are needed. */
export interface InitializeOptions {
  /** Path of a model: an ONNX file, a .keras archive, a Keras HDF5 file, or a TensorFlow.js model.json. */
  readonly model: string;
  /** Path, pattern or address of the data, or several, see {@link openDataset}; or samples that are open already. */
  readonly data: string | readonly string[] | Dataset;
  /** Folder for the run; default: `<model's name>-headstart`. */
  readonly output?: string;
  /** Replace an earlier run in that folder. */
  readonly overwrite?: boolean;
  /** Continue an earlier run of the same settings in the output folder; with more steps it is extended. */
  readonly resume?: boolean;
  /** Name of F's last tensor; default: what the last layer in front of the first output reads, or the end of the encoder (docs/features.md). */
  readonly features?: string;
  /**
   * Name of the model's sample input, where it has several; or of a tensor inside the model, where the data are as that
   * tensor and F begins there.
   */
  readonly input?: string;
  /** Name of a tensor up to which the model stays as it is in the file: F's layers before it are not trained. */
  readonly freeze?: string;
  /**
   * Path of a safetensors file with the framework's own tensors (PyTorch's state_dict), by which weights that the export
   * has renamed, merged or folded get their own names back.
   */
  readonly stateDict?: string;
  /** Write the weights under the names that the model has, even where its framework would not take them. */
  readonly keepNames?: boolean;
  /** Shape of one sample, where the model leaves dimensions open. */
  readonly inputShape?: readonly number[];
  /** A built-in recipe's name, the path of a JSON file, or a recipe as an object. */
  readonly recipe?: string | RecipeInput;
  /** auto, mlp, cnn, cnn1d, or the path of an ONNX file with one output per sample. */
  readonly discriminator?: string;
  /** Passes over the data; default: the recipe's. */
  readonly epochs?: number;
  /** Training steps, in place of epochs. */
  readonly steps?: number;
  /** Train for about this long: as many steps as fit by a measurement of the first ones. */
  readonly minutes?: number;
  /** Samples a step; default: the recipe's. */
  readonly batchSize?: number;
  /** Of F and its mirror; default: the recipe's. */
  readonly learningRate?: number;
  /** Of D; default: the recipe's. */
  readonly discriminatorLearningRate?: number;
  /** Of everything random; default 0. */
  readonly seed?: number;
  /** Default: all cores. */
  readonly threads?: number;
  /** One of {@link devices}; default: cpu. */
  readonly device?: string;
  /**
   * Start values of the head, which is else left to the framework: zero; class-means, by F's features of labelled samples;
   * linear-discriminant, by their covariance too; or self-training, which trains F and head further on labels and confident
   * guesses. They are written beside F's weights. After self-training the network may be at its best: with few labels, further
   * supervised steps can cost accuracy.
   */
  readonly head?: HeadStart;
  /** Steps of the head self-training; default 1,000. */
  readonly selfTrainingSteps?: number;
  /** Labelled samples for a head from labels: a path, pattern or address, or several; default: the data itself. */
  readonly labelled?: string | readonly string[] | Dataset;
  /** Start weights of F: "file" or an initializer's name; default: the recipe's. */
  readonly start?: string;
  /** Where pictures have their channels; default: found out. */
  readonly layout?: "NCHW" | "NHWC";
  /** Resize pictures to the model's input. */
  readonly resize?: boolean;
  /** Convert pictures between grey and colour for the model's input. */
  readonly convert?: boolean;
  /** Default: "standard", and for a model that scales its samples itself whatever it scales. */
  readonly normalise?: NormalisationChoice;
  /** Labels for the report and the head: a label file's path, or a table's column (name, number from 1, or −1). */
  readonly labels?: string | number;
  /** Names of all classes in the order of the network's outputs; default: the labels' own order. */
  readonly classNames?: readonly string[];
  /** Whether a table's first line is its header; default: "auto". */
  readonly header?: boolean | "auto";
  /** What to do about samples that cannot be used; default: "fail". */
  readonly onBad?: "fail" | "skip";
  /** What a table's columns are, by name or number from 1. */
  readonly columns?: Readonly<Record<string, ColumnChoice>>;
  /** How a table's categories are given; default: "one-hot". */
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
  /** Steps between checkpoints; default: ten a run, and at least every 500. The last step has one in any case. */
  readonly checkpointEvery?: number;
  /** Write an event file for TensorBoard into the run's folder, too. */
  readonly tensorboard?: boolean;
  /** Address of an MLflow server to log to, too. */
  readonly mlflow?: string;
  /** Ends the run with an InterruptedError; `resume` goes on from its last checkpoint. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: InitializeEvent) => void;
}

/**
 * What a run does beside training. start: the weights that training starts from. pace: how long
 * steps take. layers: what F's layers look like, for the records. conditioning and running-statistics: of the trained
 * weights. head: features of labelled samples, and what a head is chosen by. before and after: what the report says of a random start, and of the result, by several measurements each.
 */
export type Measuring =
  | "start"
  | "pace"
  | "layers"
  | "conditioning"
  | "running-statistics"
  | "head"
  | "before"
  | "after";

/** What happens during {@link initialize}, for progress displays. */
export type InitializeEvent =
  | { readonly type: "data"; readonly what: "fetching" | "reading"; readonly done: number; readonly total: number }
  | {
      readonly type: "started";
      readonly run: RunRecord;
      readonly steps: number;
      /** Steps that an earlier call has made. */
      readonly done: number;
      readonly folder: string;
    }
  | {
      /** All is there that training needs. */
      readonly type: "training";
      readonly steps: number;
      readonly done: number;
    }
  | {
      readonly type: "step";
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | {
      /** Behind pretraining, for the head self-training. */
      readonly type: "self-training";
      readonly step: number;
      readonly steps: number;
      readonly metrics: Readonly<Record<string, number>>;
    }
  | {
      /** What takes a while beside training; in a large network, some minutes. */
      readonly type: "measuring";
      readonly what: Measuring;
      readonly done: number;
      readonly total: number;
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
    /** What of an export's changes was undone. */
    readonly restored?: Restoration;
    /** SHA-256 of the file with the framework's own tensors. */
    readonly stateDict?: string;
    /** The tensors have the model's names, whatever the framework's are. */
    readonly names?: "kept";
  };
  readonly data: {
    readonly file: string;
    readonly sha256: string;
    readonly count: number;
    readonly understood: Record<string, unknown>;
    /** The normalisation that transform.json holds, where the network scales pictures itself and takes others. */
    readonly taken?: string;
  };
  readonly recipe: Recipe;
  readonly task: string;
  /** What the head's start values come from, where they were asked for. */
  readonly head?: {
    readonly kind: HeadStart;
    readonly labelled?: { readonly sha256: string; readonly count: number };
    /** Where they are not as many as usual. */
    readonly selfTrainingSteps?: number;
  };
  readonly discriminator: {
    readonly kind: string;
    readonly layers: readonly unknown[];
    readonly sha256?: string;
  } | null;
  readonly seed: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly threads: number | null;
  /** Where the steps were computed; missing in records of before there was a choice, which is cpu. */
  readonly device?: Device;
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
  /** F's tensors by the model's own names, in float32, and the head's where they were asked for. */
  readonly weights: Weights;
  readonly run: RunRecord;
  readonly finalMetrics: Readonly<Record<string, number>>;
  readonly before: FeatureReport;
  readonly after: FeatureReport;
  readonly conditioning: readonly ConditioningRecord[];
  /** How a head by linear discriminant was chosen. */
  readonly discriminant?: DiscriminantAccount;
  readonly warnings: readonly Warning[];
  /** The model with the new weights in it. */
  readonly written: WrittenModel;
  /** Lines that load the weights in each framework. */
  readonly loading: readonly { readonly framework: string; readonly lines: readonly string[] }[];
  readonly seconds: number;
}
