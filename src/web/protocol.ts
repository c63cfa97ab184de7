/** What server and page say to each other: types, and the name of a header. The page imports this file, too. */

/** What an entry of the list is doing. */
export type EntryState = "starting" | "running" | "paused" | "finished" | "diverged" | "stopped" | "failed";

/** A run or study of the folder, as the list shows it. */
export interface Entry {
  readonly kind: "run" | "study";
  /** Path below the lab's folder, with slashes; "." for the folder itself. */
  readonly id: string;
  readonly state: EntryState;
  /** Time of the last change, in milliseconds since 1970. */
  readonly modified: number;
  readonly model: string;
  readonly data: string;
  /** A run's recipe; a study's arms. */
  readonly recipe: string;
  readonly seed: number | null;
  /** Steps or trials done, and those planned. */
  readonly done: number;
  readonly total: number;
  /** A run's newest metrics. */
  readonly latest: Readonly<Record<string, number>>;
  /** Started here, so that it can be paused and resumed here. */
  readonly controlled: boolean;
  /** Started here, and without a folder so far: it is only starting, or the start has failed. */
  readonly waiting?: true;
  /** Asked to pause or stop, and not at its end yet. */
  readonly ending?: true;
  /** What a failed start said. */
  readonly message?: string;
}

/** A file that could not be used, and why. The rest is shown without it. */
export interface Problem {
  readonly path: string;
  readonly reason: string;
}

export interface EntryList {
  readonly entries: readonly Entry[];
  readonly problems: readonly Problem[];
}

/** One metric along a run. Null where it was not finite. */
export interface Series {
  readonly steps: readonly number[];
  readonly values: readonly (number | null)[];
}

/** Metrics of a run by name. */
export interface RunSeries {
  readonly id: string;
  readonly series: Readonly<Record<string, Series>>;
  /** Bytes of the files that this is made from: where live rows go on. */
  readonly position: Position;
  readonly problems: readonly Problem[];
}

/** How far the files of a run have been read. */
export interface Position {
  readonly metrics: number;
  readonly timing: number;
}

/** A row of metrics.jsonl or timing.jsonl. */
export interface Row {
  readonly step: number;
  readonly [name: string]: unknown;
}

/** New rows of a run, the data of a "rows" event; its id is the position behind them. */
export interface NewRows {
  readonly metrics: readonly Row[];
  readonly timing: readonly Row[];
}

/** Counts of values in bins of equal width. */
export interface HistogramRecord {
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

/** A line of layers.jsonl. */
export interface LayersRecord {
  readonly step: number;
  readonly layers: readonly {
    readonly layer: string;
    readonly singularValues: readonly number[] | null;
    readonly preActivations: HistogramRecord;
  }[];
}

/** A warning with the numbers behind it. */
export interface RunWarning {
  readonly kind: string;
  readonly message: string;
  /** Absent in records of earlier versions. */
  readonly values?: Readonly<Record<string, number>>;
}

/** Everything about a run but its metrics. */
export interface RunDetail {
  readonly entry: Entry;
  /** run.json as it is. */
  readonly record: Readonly<Record<string, unknown>>;
  /** result.json as it is, once the run has finished. */
  readonly result: Readonly<Record<string, unknown>> | null;
  /** Steps with a picture of x beside G(x). */
  readonly samples: readonly number[];
  /** Steps with a picture of the first layer's filters. */
  readonly filters: readonly number[];
  readonly layers: readonly LayersRecord[];
  readonly warnings: readonly RunWarning[];
  /** Files to take away, with their bytes. */
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly loading: readonly { readonly framework: string; readonly lines: readonly string[] }[];
  /** The command that started it, where it was started here. */
  readonly command: string | null;
  /** The last lines of what the command said. */
  readonly log: string;
  readonly problems: readonly Problem[];
}

/** Everything about a study. */
export interface StudyDetail {
  readonly entry: Entry;
  /** study.json as it is. */
  readonly plan: Readonly<Record<string, unknown>>;
  /** Finished trials of its plan. */
  readonly trials: readonly StudyTrial[];
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly command: string | null;
  readonly log: string;
  readonly problems: readonly Problem[];
}

/** What the page needs of a trial. */
export interface StudyTrial {
  readonly network: string;
  readonly arm: string;
  readonly labels: string;
  readonly optimizer: string;
  readonly learningRate: number;
  readonly seed: number;
  /** By the plan's measure; R² where its task is regression. */
  readonly score: number;
  readonly diverged: string | null;
  readonly points: readonly {
    readonly step: number;
    readonly score: number;
    readonly loss: number | null;
    /** Of each number that is predicted, in the data's own units. */
    readonly rmse?: readonly number[];
  }[];
}

/** Which of a study's settings are looked at; what is absent is not chosen among. */
export interface StudySelection {
  readonly network?: string;
  readonly labels?: string;
  readonly learningRate?: string;
}

/** What a study says, or would say by now. */
export interface StudyReport {
  /** True unless the study's summary is of all trials that there are. */
  readonly provisional: boolean;
  /** Of the selection: trials finished, and those planned. */
  readonly trials: number;
  readonly planned: number;
  /** Null where no trial has finished, or where the study's plan cannot be read. */
  readonly summary: SummaryView | null;
  readonly problems: readonly Problem[];
}

/** What the page shows of a study's summary; what earlier versions did not write may be absent. */
export interface SummaryView {
  readonly settings: readonly SettingView[];
  readonly comparisons: readonly ComparisonView[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
  readonly remarks?: { readonly warnings: readonly RemarkView[]; readonly notes: readonly RemarkView[] };
}

/** A warning or note as data, beside its text. */
export interface RemarkView {
  readonly kind: string;
  readonly values: Readonly<Record<string, string | number>>;
}

export interface SettingView {
  readonly name: string;
  readonly setting: { readonly network: string; readonly labels: string; readonly learningRate: number | "tuned" };
  readonly target: number;
  readonly arms: readonly ArmView[];
}

/** A mean with its 95 % interval, where there is one. */
export interface MeanView {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
}

export interface ArmView {
  readonly arm: string;
  readonly seeds: readonly number[];
  readonly labelsUsed: number;
  readonly score: MeanView;
  /** Of each number that is predicted, in the data's own units. */
  readonly rmse?: readonly MeanView[];
  readonly stepsToTarget: {
    readonly reached: number;
    readonly median: number | null;
    readonly low: number | null;
    readonly high: number | null;
  };
  readonly pretraining: { readonly seconds: number };
  readonly secondsPerStep: number;
}

/** All arms against one. */
export interface ComparisonView {
  readonly baseline: string;
  readonly at: string;
  readonly arms: readonly ComparedArm[];
  /** By the mean score over the steps: who learns faster. */
  readonly early?: readonly (ComparedArm & {
    readonly stepsToTarget: {
      readonly difference: MeanView | null;
      readonly missed: number;
      readonly trials: number;
    };
  })[];
}

export interface ComparedArm {
  readonly name: string;
  readonly adjustedP?: number | undefined;
  readonly test?:
    | { readonly mean: number; readonly interval: { readonly low: number; readonly high: number } }
    | undefined;
  readonly verdict: {
    readonly verdict: string;
    readonly reasons: readonly string[];
    readonly grounds?: readonly ({ readonly kind: string } & Readonly<Record<string, string | number>>)[];
  };
}

/** An option of a command, for the form. */
export interface OptionField {
  readonly key: string;
  /** With its dashes. */
  readonly flag: string;
  /** Undefined for an option without a value. */
  readonly placeholder?: string;
  readonly description: string;
  readonly initial: string | null;
  readonly required: boolean;
  readonly choices?: readonly string[];
  /** How the value names a file or folder; absent where it never names one. */
  readonly path?: "existing" | "new" | "name-or-path" | "names-or-paths";
}

/** A command that the page can start. */
export interface CommandForm {
  readonly name: "init" | "compare";
  readonly options: readonly OptionField[];
}

/** What the page asks first. */
export interface Session {
  readonly version: string;
  readonly folder: string;
  readonly commands: readonly CommandForm[];
  /** The folder for dropped files, below the lab's folder. */
  readonly uploads: string;
}

/** A start as the form sends it: option values as text by key; flags are "yes". */
export interface StartRequest {
  readonly command: string;
  readonly model: string;
  readonly options: Readonly<Record<string, string>>;
}

export interface StartAnswer {
  readonly id: string;
  readonly command: string;
}

/** The command behind an entry that was started here. */
export interface StartedCommand {
  readonly command: string;
  /** The last lines of what it said. */
  readonly log: string;
  /** What starts another like it, in a folder that is free. */
  readonly request: StartRequest;
}

export type ControlAction = "pause" | "resume" | "stop" | "extend" | "remove";

export interface ControlRequest {
  readonly id: string;
  readonly action: ControlAction;
  /** For extend: all steps, those done included. */
  readonly steps?: number;
}

/** A folder's content, to choose a path from. */
export interface FolderListing {
  readonly path: string;
  readonly parent: string | null;
  /** The folders that the lab was given, where there are several. */
  readonly roots: readonly string[];
  readonly folders: readonly string[];
  readonly files: readonly string[];
  /** How many folders and files there are beside these, where they are too many to show. */
  readonly more: number;
}

/** What the server itself refuses. What commands refuse has their own words alone. */
export type RefusalKind =
  | "path-elsewhere"
  | "no-entry"
  | "still-runs"
  | "started-elsewhere"
  | "upload-name"
  | "upload-size"
  | "upload-taken";

/** A refusal for a page that says it in its own language. */
export interface RefusalWords {
  readonly kind: RefusalKind;
  /** `where` is the path, entry or option that is concerned. */
  readonly values: Readonly<Record<string, string>>;
}

/** What is answered in place of what was asked for. */
export interface ErrorAnswer {
  readonly error: string;
  readonly refusal?: RefusalWords;
}

/** The header that every changing request carries: a foreign page cannot send it without asking first. */
export const requestHeader = "x-headstart";
