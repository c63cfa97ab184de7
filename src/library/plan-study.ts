/** Turns what a user asks of a study into its plan: arms, networks, training data, settings. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { counted } from "../counted.js";
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { isFolder } from "../data/mask-folders.js";
import { findNpyLabels } from "../data/npy-labels.js";
import { isLabelFile } from "../data/open-dataset.js";
import { areHardlyClasses } from "../data/sample-labels.js";
import { fileError, userError } from "../errors.js";
import { analyzeNetwork, type Network } from "../ops/network.js";
import { upgradeGraph } from "../ops/upgrade.js";
import { featureExtractor } from "../recipe/feature-extractor.js";
import {
  classesOfMaps,
  logitsName,
  type OutputMaps,
  outputMaps,
  outputSize,
  requireOutputMaps,
  requireSamplesAlone,
  unboundedOutput,
} from "../recipe/network-outputs.js";
import { classifierTemplates } from "../recipe/network-templates.js";
import { newClassifier, newNetworkOpset } from "../recipe/new-network.js";
import type { Device } from "../runtime/device.js";
import { type Arm, defaultArms, parseArm, pilotArms, selfTrainedPilotArms } from "../study/arm.js";
import { parseGrid } from "../study/grid.js";
import { heldBack, type LabelAmount, labelledSamples, parseLabelAmount } from "../study/labels.js";
import { type Measure, measureOf, type StudyTask } from "../study/measure.js";
import { studyOptimizer } from "../study/optimizer.js";
import { type StudyNetwork, type StudyPlan, seedsToTune } from "../study/plan.js";
import type { StudyData } from "../study/run-trial.js";
import { fileNameOf, StudyFolder, studyFiles } from "../study/study-folder.js";
import { augmentations } from "../training/augmentation.js";
import { variancesOf } from "../training/objective.js";
import { type FeaturesKind, kindOf } from "../training/recipe-for-data.js";
import type { chooseDiscriminator } from "./choose-discriminator.js";
import type { CompareOptions } from "./compare-types.js";
import { newModel } from "./new-model.js";
import { openModel } from "./open-model.js";
import type { OpenedDatasets } from "./opened-datasets.js";
import { ownScalingNote, readingFor } from "./reading-for.js";
import { resolveRecipe } from "./resolve-recipe.js";
import { unusualSelfTraining } from "./run-settings.js";
import { sha256 } from "./sha256.js";
import type { BenchSettings } from "./study-data.js";
import { noLabels } from "./study-labels.js";
import { version } from "./version.js";

/** The arms, each name once. @throws UserError */
export function parseArms(options: CompareOptions): Promise<Arm[]> {
  return armsOf(options.arms ?? (options.pilot === undefined ? defaultArms : pilotArms));
}

/** The arms that a pilot compares besides where it can; none where the user has named arms. */
export async function besidesInPilot(options: CompareOptions, task: StudyTask): Promise<Arm[]> {
  const wanted = options.pilot !== undefined && options.arms === undefined && task === "classification";
  return wanted ? armsOf(selfTrainedPilotArms) : [];
}

async function armsOf(names: readonly string[]): Promise<Arm[]> {
  const arms: Arm[] = [];
  for (const name of names) {
    if (arms.some((arm) => arm.name === name)) continue;
    arms.push(
      await parseArm(name, {
        recipe: resolveRecipe,
        weightsHash: async (file) => {
          try {
            return sha256(await readFile(file));
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
  /** How many numbers it gives for a sample. */
  readonly outputs: number;
  /** Where it gives scores at each position, how; {@link outputs} is then the number of classes. */
  readonly maps?: OutputMaps;
  /** Whether these can be any numbers, see {@link unboundedOutput}. */
  readonly unbounded: boolean;
  readonly sampleShape: readonly number[];
  /** What of it decides on its recipe. */
  readonly kind: FeaturesKind;
  /** How its samples are read where the user does not say. */
  readonly reading?: Pick<OpenOptions, "layout" | "normalise">;
}

/** Where the labels of the training and the test data are; undefined: where their formats have them. */
export interface LabelPlaces {
  readonly train: OpenOptions["labels"];
  readonly test: OpenOptions["labels"];
}

/** Finds files of labels beside NPY files (masks are found as pictures are opened), and does not take those of the training data for those of the test data. */
export async function locateLabels(options: CompareOptions): Promise<LabelPlaces> {
  const { data, test, labelColumn, testLabelColumn } = options;
  const train = labelColumn ?? (await findNpyLabels(data));
  const forBoth = isLabelFile(train) || (await isFolderOfMasks(train, data)) ? undefined : train;
  return { train, test: testLabelColumn ?? forBoth ?? (await findNpyLabels(test)) };
}

/** Whether labels are a folder beside one of pictures, and no array's name. */
async function isFolderOfMasks(labels: OpenOptions["labels"], data: string): Promise<boolean> {
  return typeof labels === "string" && (await isFolder(labels)) && isFolder(data);
}

/**
 * What the network is trained for, where the user does not say: numbers where several columns of them are given, or where
 * the network has one output and the labels are numbers of more than two values; classes otherwise. Where a network is
 * still to be made, numbers with fractions count as numbers, and so do whole numbers of so many different values (over
 * 20 and over a tenth of the samples) that they are hardly classes.
 *
 * @param outputs undefined where the network is still to be made
 * @throws UserError where outputs and labels do not go together
 */
export function decideTask(train: Dataset, outputs: number | undefined): StudyTask {
  const { labels, targets, maps, where } = train;
  if (maps)
    throw userError({
      where,
      required: "one class for each sample, or numbers to predict, as the network gives a row of numbers for each",
      got: `a class for each of ${maps.shape.join("x")} positions`,
      advice: "Take a network that gives class scores at each position, or other labels.",
    });
  if (targets && (!labels || targets.names.length > 1)) return "regression";
  if (!labels) throw noLabels(where);
  if (outputs === undefined) return areHardlyClasses(train) ? "regression" : "classification";
  const values = new Set(labels).size - (labels.includes(-1) ? 1 : 0);
  if (outputs > 1 || values <= 2) return "classification";
  if (targets) return "regression";
  throw userError({
    where,
    required: "two classes, or numbers to predict, for a network with one output",
    got: counted(values, "class", "classes"),
    advice: "Take a network with a score for each class.",
  });
}

/** Opens the training data for the study's task, which it decides where it is not known. */
export async function openTraining(
  { train: path, reading }: BenchSettings,
  known: StudyTask | undefined,
  outputs: number,
  datasets: OpenedDatasets,
): Promise<{ train: Dataset; task: StudyTask }> {
  const found = await datasets.open(path, { ...reading, ...(known ? { task: known } : {}) });
  if (known) return { train: found, task: known };
  const task = decideTask(found, outputs);
  const { labels, targets: _, ...whole } = found;
  if (task === "classification") return { train: { ...whole, ...(labels ? { labels } : {}) }, task };
  if (!labels) return { train: found, task };
  // Whole numbers were taken for classes as well, which their data's hash and record say.
  await datasets.close(found);
  return { train: await datasets.open(path, { ...reading, task }), task };
}

/** A study's networks, as far as they can be known before there is a folder. */
interface PlannedNetworks {
  readonly networks: PlannedNetwork[];
  /** Writes the files of those that are made. */
  readonly prepare: () => Promise<void>;
  readonly task: StudyTask | undefined;
  /** What the user should know of the network. */
  readonly note?: string | undefined;
}

/** The networks: the user's file, or the grid's cells, whose files `prepare` writes once the folder is there. */
export async function planNetworks(
  options: CompareOptions,
  labels: LabelPlaces,
  path: string,
  datasets: OpenedDatasets,
): Promise<PlannedNetworks> {
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
    if (!existsSync(options.model) && /^[a-z0-9]+$/i.test(options.model))
      throw userError({
        where: options.model,
        required: `a model file, or a template (${classifierTemplates.join(", ")})`,
        got: "neither",
        advice: "Check the path, or the template's name.",
      });
    const { network, hash } = await openModel(options.model, {
      ...(input === undefined ? {} : { input }),
      ...(inputShape ? { inputShape } : {}),
    });
    const features = featureExtractor(network, options.features);
    requireSamplesAlone(network);
    logitsName(network);
    const name = basename(options.model, extname(options.model));
    const maps = options.task === "segmentation" ? requireOutputMaps(network) : outputMaps(network);
    if (maps && options.task !== undefined && options.task !== "segmentation") throw isForMaps(network, options.task);
    const outputs = maps ? classesOfMaps(maps) : outputSize(network);
    const { sampleShape } = network;
    return {
      networks: [
        {
          name,
          file: options.model,
          hash,
          outputs,
          ...(maps ? { maps } : {}),
          unbounded: unboundedOutput(network),
          sampleShape,
          kind: kindOf(features),
          reading: readingFor(network),
        },
      ],
      prepare: async () => {},
      task: maps ? "segmentation" : options.task,
      note: ownScalingNote(network, options.normalise),
    };
  }
  if (options.task === "segmentation")
    throw userError({
      where: "task",
      required: "classification or regression with a template, which gives a row of numbers for each sample",
      got: options.task,
      advice: "Give a model of your own for classes of positions.",
    });
  const found = await datasets.open(options.data, {
    ...readingOf(options, labels),
    ...(options.inputShape ? { shape: options.inputShape } : {}),
  });
  try {
    return gridNetworks(options, path, found);
  } finally {
    // It is opened again as the networks take it.
    await datasets.close(found);
  }
}

/** What is said of a network whose output is a map where labels of another kind are named. */
function isForMaps({ where, graph }: Network, task: StudyTask): Error {
  return userError({
    where: `${where}: output ${graph.outputs[0].name}`,
    required: `one row of numbers for each sample, for the task ${task}`,
    got: "class scores at each position",
    advice: "Leave --task out, and give labels with a class for each position (docs/data.md).",
  });
}

/** The networks of the cells of a grid, made for data. @throws UserError where a cell is no network */
function gridNetworks(options: CompareOptions, path: string, found: Dataset): PlannedNetworks {
  if (options.model.toLowerCase() === "text")
    throw userError({
      where: "grid",
      required: "a template that takes numbers",
      got: options.model,
      advice: `Write a network of tokens with "headstart new text", and give its file.`,
    });
  const task = options.task ?? decideTask(found, undefined);
  const outputs = (task === "regression" ? found.targets?.names : found.classNames)?.length;
  if (outputs === undefined) throw noLabels(options.data);
  const grid = parseGrid(options.grid ?? "depth=2");
  const cells = grid.activations.flatMap((activation) => grid.depths.map((depth) => ({ depth, activation })));
  const made = cells.map(({ depth, activation }) => {
    const name = `${options.model}, ${depth} x ${activation}`;
    const settings = {
      template: options.model,
      inputShape: options.inputShape ?? found.shape,
      ...(task === "regression" ? { outputs } : { classes: outputs }),
      depth,
      activation,
      ...(grid.widths ? { widths: grid.widths } : {}),
      ...(grid.normalization ? { normalization: grid.normalization } : {}),
    };
    // What does not fit is refused before there is a folder; its weights are drawn once there is one, a network at a time.
    const graph = newClassifier({ ...settings, initializer: "zeros" });
    if (options.features !== undefined)
      featureExtractor(analyzeNetwork(upgradeGraph(graph, newNetworkOpset), { where: name }), options.features);
    const file = join(path, studyFiles.networks, `${fileNameOf(name)}.onnx`);
    // The settings decide the file, so their hash stands for it.
    const hash = sha256(JSON.stringify(settings));
    return {
      planned: {
        name,
        file,
        hash,
        cell: { depth, activation },
        outputs,
        unbounded: true,
        sampleShape: settings.inputShape,
        kind: {
          isDense: options.model === "mlp",
          isDepthwise: options.model.startsWith("mobilenet"),
          hasDecoder: false,
        },
      },
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
    task,
  };
}

function readingOf(options: CompareOptions, { train: labels }: LabelPlaces): Omit<BenchSettings["reading"], "shape"> {
  const { layout, resize, convert, normalise, header, onBad, limit, task } = options;
  const { columns, categories, memory, cache, cacheLimit } = options;
  const storage = { memory, cache, cacheLimit };
  const tables = { header, columns, categories, labels, classNames: options.classNames, task };
  const given = { layout, resize, convert, normalise, onBad, limit, ...tables, ...storage };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** How the study's data is read, nothing left out. */
export function benchSettings(
  options: CompareOptions,
  labels: LabelPlaces,
  folder: string,
  network: PlannedNetwork,
): BenchSettings {
  const { data, test, unlabelled, testLimit, unlabelledLimit, input, inputShape } = options;
  return {
    folder,
    train: data,
    test,
    ...(unlabelled === undefined ? {} : { unlabelled }),
    reading: { ...network.reading, ...readingOf(options, labels), shape: network.sampleShape },
    ...(network.maps ? { positions: network.maps.positions } : {}),
    ...(labels.test === undefined ? {} : { testLabels: labels.test }),
    ...(testLimit === undefined ? {} : { testLimit }),
    ...(unlabelledLimit === undefined ? {} : { unlabelledLimit }),
    dropped: { train: [], unlabelled: [] },
    ...(input === undefined ? {} : { input }),
    ...(inputShape === undefined ? {} : { inputShape }),
  };
}

/** The plan as asked for, with defaults filled in. @throws UserError */
export function draftPlan(
  options: CompareOptions,
  task: StudyTask,
  networks: readonly PlannedNetwork[],
  arms: readonly Arm[],
  data: StudyData,
  { device = "cpu", discriminatorHash }: { device?: Device; discriminatorHash?: string | undefined } = {},
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
  const regression = task === "regression";
  const few = task === "classification" ? "10/class" : "10%";
  const labels = [...new Set((options.labels ?? (pilot ? [few] : [few, "all"])).map(parseLabelAmount))];
  const target = targetOf(options, data.test);
  return {
    headstart: version,
    ...(regression
      ? { task, targets: data.train.targets?.names ?? [], standardise: networks.every(({ unbounded }) => unbounded) }
      : {}),
    ...(task === "segmentation" ? { task } : {}),
    ...(options.measure === undefined || options.measure === usualMeasure(task) ? {} : { measure: options.measure }),
    networks: networks.map(({ name, file, hash, cell }) => ({ name, file, hash, ...(cell ? { cell } : {}) })),
    ...(options.features === undefined ? {} : { features: options.features }),
    discriminator: options.discriminator ?? "auto",
    ...(discriminatorHash === undefined ? {} : { discriminatorHash }),
    ...readingInPlan(options),
    data: { train: data.train.hash, test: data.test.hash, unlabelled: data.unlabelled.hash },
    arms,
    baselines: [first, ...(names.includes(framework) && first !== framework ? [framework] : [])],
    labels,
    optimizers: [...new Set(options.optimizers ?? ["adam"])].map(studyOptimizer),
    learningRates: [...new Set(options.learningRates ?? [])],
    tune: options.tune ?? false,
    ...tuningSeeds(options, labels, data.train),
    steps: options.steps ?? 300,
    batchSize: options.batchSize ?? 64,
    ...augmentationAsked(options),
    ...(options.schedule === undefined || options.schedule === "constant" ? {} : { schedule: options.schedule }),
    ...unusualSelfTraining(options.selfTrainingSteps),
    seeds,
    ...(pretrainingSeeds === undefined ? {} : { pretrainingSeeds }),
    // Behind maps it is a decoder, which He's larger weights were measured to cost accuracy (docs/log.md).
    head: task === "segmentation" ? framework : "he",
    longestExtension: options.longestExtension ?? (pilot ? 1 : 4),
    ...(target === undefined ? {} : { target }),
    minimumEffect: options.minimumEffect ?? 0.01,
    ...(device === "cpu" ? {} : { device }),
  };
}

/** As many seeds as choose learning rates well enough where labels are fewest. @throws UserError as {@link labelledSamples} */
function tuningSeeds(
  { tune }: CompareOptions,
  labels: readonly LabelAmount[],
  train: Dataset,
): Pick<StudyPlan, "tuningSeeds"> {
  if (!tune) return {};
  const fewest = Math.min(...labels.map((amount) => labelledSamples(train, amount, 0).length));
  return { tuningSeeds: seedsToTune(heldBack(fewest)) };
}

/** What networks are judged by where nobody says. */
const usualMeasure = (task: StudyTask): Measure["key"] => measureOf({ task }).key;

/** In one order, whatever the user's: what is computed is the same. */
function augmentationAsked({ augment = [] }: CompareOptions): Pick<StudyPlan, "augment"> {
  const asked = augmentations.filter((kind) => augment.includes(kind));
  return asked.length === 0 ? {} : { augment: asked };
}

/** How samples and inputs are read where the user says so: hashes of data and networks are of what stands in the files. */
function readingInPlan(options: CompareOptions): Pick<StudyPlan, "reading"> {
  const { normalise, layout, columns, categories, header, input, inputShape } = options;
  const asked = Object.entries({ normalise, layout, columns, categories, header, input, inputShape }).filter(
    ([, value]) => value !== undefined,
  );
  return asked.length === 0 ? {} : { reading: Object.fromEntries(asked) };
}

/**
 * The hash of the user's own discriminator, undefined where it is one of headstart's, see {@link chooseDiscriminator}.
 *
 * @throws UserError as {@link openModel}
 */
export async function discriminatorHashOf({ discriminator = "auto" }: CompareOptions): Promise<string | undefined> {
  return /[./\\]/.test(discriminator) ? (await openModel(discriminator, { keepNames: true })).hash : undefined;
}

/** The target as a score: an R² where it is given as an error. @throws UserError */
function targetOf({ target, targetRmse }: CompareOptions, { targets }: Dataset): number | undefined {
  if (targetRmse === undefined) return target;
  const got =
    target !== undefined ? "both" : targets === undefined ? "classes" : counted(targets.names.length, "number");
  if (targets?.names.length === 1 && target === undefined) return 1 - targetRmse ** 2 / variancesOf(targets)[0];
  throw userError({
    where: "target RMSE",
    required: "a network that predicts one number, and no other target",
    got,
    advice: "Give the target as --target, a score.",
  });
}
