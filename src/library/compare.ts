/** The honest study: trains a network from several starts and says what it found. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, extname, join } from "node:path";
import type { NormalisationChoice } from "../data/dataset.js";
import { openDataset } from "../data/open-dataset.js";
import { fileError, type UserError, userError } from "../errors.js";
import { featureExtractor } from "../recipe/feature-extractor.js";
import { classifierTemplates } from "../recipe/new-network.js";
import { logitsName, outputSize } from "../recipe/supervised-graph.js";
import { type Arm, defaultArms, parseArm, pilotArms } from "../study/arm.js";
import { duplicatesOf } from "../study/duplicates.js";
import { parseGrid } from "../study/grid.js";
import { labelledSamples, parseLabelAmount } from "../study/labels.js";
import { studyOptimizer } from "../study/optimizer.js";
import { type StudyNetwork, type StudyPlan, settingsOf } from "../study/plan.js";
import { writeReport } from "../study/report.js";
import { type Executor, runStudy, type StudyEvent } from "../study/run-study.js";
import type { StudyData } from "../study/run-trial.js";
import { fileNameOf, StudyFolder, studyFiles } from "../study/study-folder.js";
import { type StudySummary, summarize } from "../study/summary.js";
import { fitPilot, type PilotFit } from "./fit-pilot.js";
import { newModel } from "./new-model.js";
import { openModel } from "./open-model.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { type BenchSettings, openStudyData, StudyBench } from "./study-bench.js";
import { studyEnvironment } from "./study-environment.js";
import { localExecutor, threadExecutor } from "./study-executors.js";
import { version } from "./version.js";

/** What `headstart compare` takes. Model, data and test are needed. */
export interface CompareOptions {
  /** An ONNX file, or a template of `headstart new` (mlp, cnn, resnet, cnn1d), which is then made for the data. */
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
  /** Default 5. */
  readonly seeds?: number;
  /** Default 64. */
  readonly batchSize?: number;
  /** How many pretrainings the seeds share; default: each seed has its own. */
  readonly pretrainingSeeds?: number;
  /** In place of the recipes' own. */
  readonly pretrainingEpochs?: number;
  /** "depth=2,4 activation=sigmoid,relu": cells of a template. */
  readonly grid?: string;
  /** A study that fits into about this many minutes. */
  readonly pilot?: number;
  /** Accuracy whose steps are counted. */
  readonly target?: number;
  /** Smallest difference of accuracy that matters; default 0.01. */
  readonly minimumEffect?: number;
  /** Limit of the steps added for the comparison at equal total time, in multiples of the steps; default 4. */
  readonly longestExtension?: number;
  /** What to do about samples of the training or unlabelled data that the test data has too; default: fail. */
  readonly duplicates?: "fail" | "drop";
  /** Trials side by side; default: one a core. Results do not depend on it. */
  readonly workers?: number;
  readonly features?: string;
  readonly input?: string;
  readonly inputShape?: readonly number[];
  readonly discriminator?: string;
  readonly layout?: "NCHW" | "NHWC";
  readonly resize?: boolean;
  readonly convert?: boolean;
  readonly normalise?: NormalisationChoice;
  /** Where the labels are, in all files of the study. */
  readonly labelColumn?: string | number;
  readonly header?: boolean | "auto";
  readonly onBad?: "fail" | "skip";
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
  | { readonly type: "pilot"; readonly fit: PilotFit }
  | { readonly type: "note"; readonly message: string };

/** What {@link compare} gives. */
export interface CompareResult {
  readonly folder: string;
  readonly report: string;
  readonly plan: StudyPlan;
  readonly summary: StudySummary;
}

/**
 * Compares starts of a network: trains all of it, F and head, from each, over seeds and settings, and judges the
 * differences. Finished work in the output folder is used, so a study can be stopped, resumed and enlarged.
 *
 * @throws UserError where something does not fit, such as a test sample among the training samples; InterruptedError
 *   where the signal aborts
 */
export async function compare(options: CompareOptions): Promise<CompareResult> {
  const emit = options.onEvent ?? (() => {});
  const signal = options.signal ?? new AbortController().signal;
  const deadline = options.pilot === undefined ? undefined : performance.now() + options.pilot * 60_000;
  const arms = await parseArms(options);
  emit({ type: "reading" });
  const path = options.output ?? `${basename(options.model, extname(options.model))}-study`;
  const { networks, prepare } = await planNetworks(options, path);
  const unfiltered = await benchSettings(options, path, networks[0]);
  const everything = await openStudyData(unfiltered, signal);
  requireLabels(options, everything, networks[0].classes);
  const { settings, data } = await withoutDuplicates(options, unfiltered, everything, signal);
  for (const message of duplicateNotes(settings)) emit({ type: "note", message });

  const drafted = draftPlan(options, networks, arms, data);
  for (const labels of drafted.labels) labelledSamples(data.train.labels ?? new Int32Array(), labels, 0);
  const folder = await openFolder(path, options.overwrite ?? false, drafted);
  await folder.writeJson(studyFiles.plan, record(options, drafted, 0));
  await prepare();
  let plan = drafted;
  const parallel = options.workers ?? (import.meta.url.endsWith(".ts") ? 1 : availableParallelism());
  if (options.pilot !== undefined) {
    const bench = await StudyBench.open(settings, data);
    const fit = await fitPilot(bench, drafted, options.pilot * 60, parallel, options.seeds, signal);
    await bench.close();
    plan = fit.plan;
    emit({ type: "pilot", fit });
  }
  const trials = settingsOf(plan).length * plan.arms.length * plan.seeds;
  const workers = Math.max(1, Math.min(parallel, trials));
  await folder.writeJson(studyFiles.plan, record(options, plan, workers));
  await writeSubsets(folder, plan, data);
  emit({ type: "planned", plan, folder: path, workers, trials });

  const executor: Executor =
    workers === 1 ? await localExecutor(settings, data, signal) : threadExecutor(settings, workers, signal);
  try {
    await executor.usePlan(plan);
    const results = await runStudy({
      plan,
      folder,
      executor,
      signal,
      ...(deadline === undefined ? {} : { deadline }),
      onEvent: emit,
    });
    const summary = summarize(plan, results, data.test.count);
    await folder.writeJson(studyFiles.summary, summary);
    await writeReport(folder, plan, summary, results, record(options, plan, workers));
    return { folder: path, report: folder.file(studyFiles.report), plan, summary };
  } finally {
    await executor.close();
  }
}

/** study.json */
export interface StudyRecord {
  readonly headstart: string;
  readonly command: string | null;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly workers: number;
  readonly files: Readonly<Record<string, string | null>>;
  readonly plan: StudyPlan;
}

function record(options: CompareOptions, plan: StudyPlan, workers: number): StudyRecord {
  const { model, data, test, unlabelled } = options;
  return {
    headstart: version,
    command: options.command ?? null,
    environment: studyEnvironment(),
    workers,
    files: { model, data, test, unlabelled: unlabelled ?? null },
    plan,
  };
}

async function parseArms(options: CompareOptions): Promise<Arm[]> {
  const names = options.arms ?? (options.pilot === undefined ? defaultArms : pilotArms);
  const arms: Arm[] = [];
  for (const name of names) {
    if (arms.some((arm) => arm.name === name)) continue;
    arms.push(
      await parseArm(name, {
        recipe: async (recipe) => {
          const resolved = await resolveRecipe(recipe);
          return options.pretrainingEpochs === undefined
            ? resolved
            : { ...resolved, epochs: options.pretrainingEpochs };
        },
        weightsHash: async (file) => {
          try {
            return createHash("sha256")
              .update(await readFile(file))
              .digest("hex");
          } catch (error) {
            throw fileError(error, file, "a safetensors file");
          }
        },
      }),
    );
  }
  if (arms.length === 0)
    throw userError({
      where: "arms",
      required: "one or more",
      got: "none",
      advice: "Write for example --arms he,default.",
    });
  return arms;
}

interface PlannedNetwork extends StudyNetwork {
  readonly classes: number;
  readonly sampleShape: readonly number[];
}

/** The networks: the user's file, or the grid's cells, whose files `prepare` writes once the folder is there. */
async function planNetworks(
  options: CompareOptions,
  path: string,
): Promise<{ networks: PlannedNetwork[]; prepare: () => Promise<void> }> {
  const isTemplate = (classifierTemplates as readonly string[]).includes(options.model);
  if (!isTemplate) {
    if (options.grid !== undefined)
      throw userError({
        where: "grid",
        required: `a template in place of the model: ${classifierTemplates.join(", ")}`,
        got: `"${options.model}"`,
        advice: "A grid makes its networks itself.",
      });
    const { input, inputShape } = options;
    const { network, hash } = await openModel(options.model, {
      ...(input === undefined ? {} : { input }),
      ...(inputShape ? { inputShape } : {}),
    });
    featureExtractor(network, options.features);
    logitsName(network);
    const name = basename(options.model, extname(options.model));
    return {
      networks: [{ name, file: options.model, hash, classes: outputSize(network), sampleShape: network.sampleShape }],
      prepare: async () => {},
    };
  }
  const found = await openDataset(options.data, {
    ...readingOf(options),
    ...(options.inputShape ? { shape: options.inputShape } : {}),
  });
  const { labels } = found;
  if (!labels) throw noLabels(options.data);
  const classes = found.classNames?.length ?? Math.max(...labels) + 1;
  const grid = parseGrid(options.grid ?? "depth=2");
  const cells = grid.activations.flatMap((activation) => grid.depths.map((depth) => ({ depth, activation })));
  const made = cells.map(({ depth, activation }) => {
    const name = `${options.model}, ${depth} x ${activation}`;
    const settings = {
      template: options.model,
      inputShape: options.inputShape ?? found.shape,
      classes,
      depth,
      activation,
      ...(grid.widths ? { widths: grid.widths } : {}),
      ...(grid.normalization ? { normalization: grid.normalization } : {}),
    };
    const file = join(path, studyFiles.networks, `${fileNameOf(name)}.onnx`);
    // The settings decide the file, so their hash stands for it.
    const hash = createHash("sha256").update(JSON.stringify(settings)).digest("hex");
    return {
      planned: { name, file, hash, cell: { depth, activation }, classes, sampleShape: settings.inputShape },
      settings,
    };
  });
  return {
    networks: made.map(({ planned }) => planned),
    prepare: async () => {
      const folder = await StudyFolder.open(path, false);
      await folder.write(join(studyFiles.networks, "README.txt"), "The networks of the study's grid.\n");
      for (const { planned, settings } of made) await newModel({ ...settings, output: planned.file, overwrite: true });
    },
  };
}

function readingOf(options: CompareOptions): Omit<BenchSettings["reading"], "shape"> {
  const { layout, resize, convert, normalise, header, onBad, limit, labelColumn } = options;
  const given = { layout, resize, convert, normalise, header, onBad, limit, labels: labelColumn };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

async function benchSettings(options: CompareOptions, folder: string, network: PlannedNetwork): Promise<BenchSettings> {
  const { data, test, unlabelled, testLimit, unlabelledLimit, input, inputShape } = options;
  return {
    folder,
    train: data,
    test,
    ...(unlabelled === undefined ? {} : { unlabelled }),
    reading: { ...readingOf(options), shape: network.sampleShape },
    ...(testLimit === undefined ? {} : { testLimit }),
    ...(unlabelledLimit === undefined ? {} : { unlabelledLimit }),
    dropped: { train: [], unlabelled: [] },
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { inputShape }),
  };
}

function noLabels(where: string): UserError {
  return userError({
    where,
    required: "labelled samples (folders of classes, an IDX pair, an NPY pair, or a table with --label-column)",
    got: "no labels",
    advice: "Say where the labels are with --label-column.",
  });
}

function requireLabels(options: CompareOptions, { train, test }: StudyData, outputs: number): void {
  if (outputs === 1)
    throw userError({
      where: options.model,
      required: "a classifier with a score for each class",
      got: "a network with one output",
      advice: "Comparing regression networks is not supported yet.",
    });
  if (!train.labels) throw noLabels(options.data);
  if (!test.labels) throw noLabels(options.test);
  for (const [where, labels] of [
    [options.data, train.labels],
    [options.test, test.labels],
  ] as const) {
    const largest = labels.reduce((most, label) => Math.max(most, label), -1);
    if (largest >= outputs)
      throw userError({
        where,
        required: `at most the ${outputs} classes that the model has scores for`,
        got: `${largest + 1}`,
        advice: "Give a model for as many classes as the data has.",
      });
  }
  const unlabelledTests = test.labels.reduce((count, label) => count + (label < 0 ? 1 : 0), 0);
  if (unlabelledTests > 0)
    throw userError({
      where: options.test,
      required: "a label for every test sample",
      got: `${unlabelledTests} without`,
      advice: "Remove them.",
    });
}

/** Refuses, or leaves out, what the test data has too. */
async function withoutDuplicates(
  options: CompareOptions,
  settings: BenchSettings,
  everything: StudyData,
  signal: AbortSignal,
): Promise<{ settings: BenchSettings; data: StudyData }> {
  const { train, test, unlabelled } = everything;
  const inTrain = await duplicatesOf(train, test);
  const inUnlabelled = options.unlabelled === undefined ? inTrain : await duplicatesOf(unlabelled, test);
  if (inTrain.length === 0 && inUnlabelled.length === 0) return { settings, data: everything };
  if (options.duplicates !== "drop") {
    const worse =
      inTrain.length > 0
        ? { count: inTrain.length, where: options.data }
        : { count: inUnlabelled.length, where: options.unlabelled ?? options.data };
    throw userError({
      where: worse.where,
      required: `no sample that ${options.test} has too`,
      got: `${worse.count}`,
      advice:
        "Test data must not enter training or pretraining. Remove them, or pass --duplicates drop to train without them.",
    });
  }
  const dropping = {
    ...settings,
    dropped: { train: inTrain, unlabelled: options.unlabelled === undefined ? [] : inUnlabelled },
  };
  return { settings: dropping, data: await openStudyData(dropping, signal) };
}

function duplicateNotes({ dropped, train, unlabelled }: BenchSettings): string[] {
  const note = (count: number, where: string): string[] =>
    count === 0 ? [] : [`${count} samples of ${where} are left out: the test data has them too`];
  return [...note(dropped.train.length, train), ...note(dropped.unlabelled.length, unlabelled ?? "")];
}

function draftPlan(
  options: CompareOptions,
  networks: readonly PlannedNetwork[],
  arms: readonly Arm[],
  data: StudyData,
): StudyPlan {
  const names = arms.map(({ name }) => name);
  const { baseline } = options;
  if (baseline !== undefined && !names.includes(baseline))
    throw userError({
      where: "baseline",
      required: `one of the arms ${names.join(", ")}`,
      got: `"${baseline}"`,
      advice: "Name one of them, or add it to --arms.",
    });
  const first = baseline ?? (names.includes("he+calibrated") ? "he+calibrated" : names[0]);
  const framework = "pytorch-default";
  const seeds = options.seeds ?? 5;
  const pilot = options.pilot !== undefined;
  const pretrainingSeeds = options.pretrainingSeeds ?? (pilot ? 1 : undefined);
  return {
    networks: networks.map(({ classes: _, sampleShape: __, ...network }) => network),
    ...(options.features === undefined ? {} : { features: options.features }),
    discriminator: options.discriminator ?? "auto",
    data: { train: data.train.hash, test: data.test.hash, unlabelled: data.unlabelled.hash },
    arms,
    baselines: [first, ...(names.includes(framework) && first !== framework ? [framework] : [])],
    labels: [...new Set((options.labels ?? (pilot ? ["10/class"] : ["10/class", "all"])).map(parseLabelAmount))],
    optimizers: [...new Set(options.optimizers ?? ["adam"])].map(studyOptimizer),
    learningRates: [...new Set(options.learningRates ?? [])],
    tune: options.tune ?? false,
    steps: options.steps ?? 300,
    batchSize: options.batchSize ?? 64,
    seeds,
    ...(pretrainingSeeds === undefined ? {} : { pretrainingSeeds }),
    head: "he",
    longestExtension: options.longestExtension ?? (pilot ? 1 : 4),
    ...(options.target === undefined ? {} : { target: options.target }),
    minimumEffect: options.minimumEffect ?? 0.01,
  };
}

/** Opens the folder; an earlier study there must have been of the same data. */
async function openFolder(path: string, overwrite: boolean, plan: StudyPlan): Promise<StudyFolder> {
  const folder = await StudyFolder.open(path, overwrite);
  const earlier = await folder.readJson<Partial<StudyRecord>>(studyFiles.plan);
  const same =
    earlier?.plan === undefined ||
    (earlier.plan.data.train === plan.data.train && earlier.plan.data.test === plan.data.test);
  if (!same)
    throw userError({
      where: path,
      required: "the folder of a study of the same data",
      got: "one of other data",
      advice: "Choose another --output, or pass --overwrite to begin anew.",
    });
  return folder;
}

/** Which samples each seed's labels are. */
async function writeSubsets(folder: StudyFolder, plan: StudyPlan, data: StudyData): Promise<void> {
  for (const labels of plan.labels) {
    if (labels === "all") continue;
    for (let seed = 0; seed < plan.seeds; seed++) {
      const indices = labelledSamples(data.train.labels ?? new Int32Array(), labels, seed);
      const name = `labels-${labels.replace("/", "-per-").replace("%", "-percent")}-seed-${seed}.json`;
      await folder.write(
        join(studyFiles.subsets, name),
        `${JSON.stringify({ labels, seed, of: plan.data.train, indices: [...indices] })}\n`,
      );
    }
  }
}
