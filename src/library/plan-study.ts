/** Turns what a user asks of a study into its plan: arms, networks, data without duplicates, settings. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { openDataset } from "../data/open-dataset.js";
import { fileError, type UserError, userError } from "../errors.js";
import { featureExtractor } from "../recipe/feature-extractor.js";
import { classifierTemplates } from "../recipe/new-network.js";
import { logitsName, outputSize } from "../recipe/supervised-graph.js";
import type { Device } from "../runtime/device.js";
import { type Arm, defaultArms, parseArm, pilotArms } from "../study/arm.js";
import { duplicatesOf } from "../study/duplicates.js";
import { parseGrid } from "../study/grid.js";
import { parseLabelAmount } from "../study/labels.js";
import { studyOptimizer } from "../study/optimizer.js";
import type { StudyNetwork, StudyPlan } from "../study/plan.js";
import type { StudyData } from "../study/run-trial.js";
import { fileNameOf, StudyFolder, studyFiles } from "../study/study-folder.js";
import type { CompareOptions } from "./compare.js";
import { newModel } from "./new-model.js";
import { openModel } from "./open-model.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { type BenchSettings, openStudyData } from "./study-bench.js";

/** The arms, each name once. @throws UserError */
export async function parseArms(options: CompareOptions): Promise<Arm[]> {
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

/** A network with what its data must fit. */
export interface PlannedNetwork extends StudyNetwork {
  readonly classes: number;
  readonly sampleShape: readonly number[];
}

/** The networks: the user's file, or the grid's cells, whose files `prepare` writes once the folder is there. */
export async function planNetworks(
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
    const classes = outputSize(network);
    // Before the data is read: its numeric labels would be refused as classes, which says less.
    requireClassifier(options.model, classes);
    return {
      networks: [{ name, file: options.model, hash, classes, sampleShape: network.sampleShape }],
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
  const { columns, categories, memory, cache, cacheLimit } = options;
  const storage = { memory, cache, cacheLimit };
  const tables = { header, columns, categories, labels: labelColumn };
  const given = { layout, resize, convert, normalise, onBad, limit, ...tables, ...storage };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** How the study's data is read, nothing left out. */
export function benchSettings(options: CompareOptions, folder: string, network: PlannedNetwork): BenchSettings {
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

/** @throws UserError where the model has one output: it predicts a number, no class */
function requireClassifier(model: string, outputs: number): void {
  if (outputs > 1) return;
  throw userError({
    where: model,
    required: "a classifier with a score for each class",
    got: "a network with one output",
    advice: "Comparing regression networks is not supported yet.",
  });
}

/** @throws UserError unless every test sample has a label, there are training labels, and the model has a score for each */
export function requireLabels(options: CompareOptions, { train, test }: StudyData, outputs: number): void {
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
export async function withoutDuplicates(
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

/** What was left out, in words. */
export function duplicateNotes({ dropped, train, unlabelled }: BenchSettings): string[] {
  const note = (count: number, where: string): string[] =>
    count === 0 ? [] : [`${count} samples of ${where} are left out: the test data has them too`];
  return [...note(dropped.train.length, train), ...note(dropped.unlabelled.length, unlabelled ?? "")];
}

/** The plan as asked for, with defaults filled in. @throws UserError */
export function draftPlan(
  options: CompareOptions,
  networks: readonly PlannedNetwork[],
  arms: readonly Arm[],
  data: StudyData,
  device: Device = "cpu",
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
    ...(device === "cpu" ? {} : { device }),
  };
}
