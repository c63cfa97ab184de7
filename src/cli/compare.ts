/** `headstart compare`: the honest study. */

import { counted } from "../counted.js";
import { type CompareEvent, type CompareResult, compare } from "../library/compare.js";
import { shellWord } from "../library/shell-word.js";
import { type Arm, isTrained } from "../study/arm.js";
import { earlyWord } from "../study/early-training.js";
import {
  classMeasures,
  type Measure,
  measureOf,
  showError,
  showMean,
  showScore,
  studyTasks,
} from "../study/measure.js";
import { studyOptimizer } from "../study/optimizer.js";
import { studySchedules } from "../study/plan.js";
import type { ArmComparison } from "../study/statistics/compare-arms.js";
import type { VerdictWord } from "../study/statistics/verdict.js";
import { type Comparison, type StudySummary, stepsDifference } from "../study/summary.js";
import { augmentations } from "../training/augmentation.js";
import { defineCommand } from "./command.js";
import type { Console } from "./console.js";
import { dataOptions, readDataOptions, readLabels } from "./data-options.js";
import { deviceOption } from "./device-option.js";
import { modelOptions } from "./model-options.js";
import {
  choice,
  choices,
  existingPath,
  flag,
  given,
  list,
  nameOrPath,
  namesOrPaths,
  newPath,
  number,
  required,
  text,
  whole,
} from "./options.js";
import type { Progress } from "./progress.js";

// A study fits its own transform, and its trials run side by side already.
const [adam, sgd] = ["adam", "sgd"].map(studyOptimizer);

const { transform: _transform, dataWorkers: _dataWorkers, limit: _limit, ...reading } = dataOptions;

export const command = defineCommand({
  name: "compare",
  description:
    "Trains the whole network with labels from several starts (random ones, calibrated ones, pretrained ones), over seeds " +
    "and settings, and says which help, which hurt, and which show no difference. Only the start differs between the arms " +
    "of a seed. A stopped study continues where it was; more seeds, arms or settings run only what is new.",
  arguments: [
    {
      name: "model",
      description:
        "an ONNX, Keras (.keras, .h5) or TensorFlow.js (model.json) file, or a template: mlp, cnn, resnet, mobilenet, mobilenetv2, cnn1d",
    },
  ],
  options: {
    data: required(existingPath("PATH", "labelled samples to train on: class folders, or whatever else init reads")),
    test: required(existingPath("PATH", "labelled samples to measure on")),
    unlabelled: existingPath("PATH", "samples to pretrain on (default: those to train on, without their labels)"),
    output: newPath("FOLDER", "the study's folder (default: MODEL-study)"),
    overwrite: flag("begin anew in that folder"),
    arms: namesOrPaths(
      "LIST",
      "starts to compare: initializers, recipes (names or JSON files), weights:FILE.safetensors, each with +calibrated, " +
        "+layer-calibrated, +conditioned, +opened or +raw, and with +zero-head, +class-means, +linear-discriminant or +self-training (default: pytorch-default,lecun,xavier,he,orthogonal,he+calibrated,principal-components,autoencoder,paper,default)",
    ),
    baseline: nameOrPath("ARM", "what the verdicts compare with (default: he+calibrated, else the first arm)"),
    labels: list("LIST", "amounts of labels: totals, 10/class, 5%, all (default: 10/class,all; for numbers 10%,all)"),
    labelsPerClass: list("LIST", "amounts of labels by class, such as 1,10"),
    optimizer: list("LIST", "optimisers to train with, each a setting of its own: adam, adamw, sgd (default: adam)"),
    learningRates: list(
      "LIST",
      `learning rates to train with, each a setting of its own (default: ${adam.learningRate}, of sgd ${sgd.learningRate})`,
    ),
    tune: flag("choose each arm's best one of --learning-rates by labels held back, in place of comparing at each"),
    steps: whole("COUNT", "supervised steps (default: 300)", { min: 5 }),
    selfTrainingSteps: whole("COUNT", "steps of self-training, for arms that have it (default: 1000)", { min: 1 }),
    seeds: whole("COUNT", "repetitions: label draws, heads, orders, starts, pretrainings (default: 5)", { min: 1 }),
    batchSize: whole("COUNT", "labelled samples a step (default: 64)", { min: 2 }),
    schedule: choice(
      "NAME",
      studySchedules,
      "how the learning rate goes over the supervised steps; cosine: along half a cosine to 0 (default: constant)",
    ),
    augment: choices(
      "LIST",
      augmentations,
      "change the labelled samples at each supervised step, in all arms alike: shift, by up to an eighth of each side " +
        "(signals in time); flip, left to right in half of the cases (pictures alone); crop, a part of half of each side or more, " +
        "magnified to the whole; colour, contrast and brightness of all channels and of each (pictures alone) (default: not at all)",
    ),
    pretrainingSeeds: whole("COUNT", "let the seeds share this many pretrainings (default: one each)", { min: 1 }),
    pretrainingEpochs: number("COUNT", "passes over the unlabelled data (default: the recipe's)", { min: 1e-6 }),
    grid: text("CELLS", 'with a template: its depths and activations, such as "depth=2,4 activation=sigmoid,relu"'),
    pilot: number("MINUTES", "a small study that fits into about this time", { min: 0.05 }),
    task: choice(
      "WHAT",
      studyTasks,
      "whether the labels are classes, numbers to predict, or classes of positions (default: as the network's outputs and the labels say)",
    ),
    measure: choice(
      "WHAT",
      classMeasures,
      "what classes are judged by; balanced-accuracy: the share that is named right of each class, mean over the classes; " +
        "mean-iou: intersection over union where each position has a class (default: accuracy, of positions mean-iou)",
    ),
    target: number("SCORE", "count the steps to this score (accuracy, or R² of numbers), from 0 to 1", {
      min: 0,
      max: 1,
    }),
    targetRmse: number("ERROR", "count the steps to this root mean squared error of the number that is predicted", {
      min: 0,
    }),
    minimumEffect: number("SHARE", "smallest difference of scores that matters (default: 0.01)", {
      min: 1e-6,
      max: 1,
    }),
    longestExtension: number(
      "TIMES",
      "limit of the extra steps at equal total time, in multiples of the steps (default: 4)",
      { min: 0 },
    ),
    duplicates: choice(
      "WHAT",
      ["fail", "drop"],
      "what to do about training samples that the test data has too (default: fail)",
    ),
    workers: whole("COUNT", "trials side by side, one thread each (default: one a core)", { min: 1 }),
    device: deviceOption,
    ...modelOptions,
    ...reading,
    labelColumn: nameOrPath(
      "NAME",
      "where the labels are: a table's column (name, number, or -1; several with commas in between), an array of an NPZ " +
        "or safetensors file, or an NPY or IDX file (default: found, such as y_train.npy beside X_train.npy)",
    ),
    testLabelColumn: nameOrPath(
      "NAME",
      "the same for the test data (default: as for the training data, unless that is a file)",
    ),
    limit: whole("COUNT", "use at most this many labelled samples", { min: 2 }),
    testLimit: whole("COUNT", "use at most this many test samples", { min: 2 }),
    unlabelledLimit: whole("COUNT", "use at most this many unlabelled samples", { min: 2 }),
  },
  examples: [
    "headstart compare model.onnx --data train-images-idx3-ubyte.gz --test t10k-images-idx3-ubyte.gz --labels 300,all",
    "headstart compare model.onnx --data train.csv --test test.csv --label-column income --pilot 10",
    'headstart compare mlp --grid "depth=2,4,8 activation=sigmoid,tanh,relu" --optimizer sgd --data train --test test',
    "headstart compare regression.onnx --data train.csv --test test.csv --label-column price --target-rmse 5000",
    "headstart compare model.onnx --data train --test test --arms he+calibrated,default,weights:mine.safetensors",
  ],
  async run({ arguments: [model = ""], options, console, signal }) {
    const { header, normalise, columns, classNames, ...plain } = given(options);
    const {
      labelColumn,
      testLabelColumn,
      labels,
      labelsPerClass,
      optimizer,
      learningRates,
      resize,
      convert,
      ...others
    } = plain;
    const amounts = [...(labels ?? []), ...(labelsPerClass ?? []).map((count) => `${count}/class`)];
    const result = await compare({
      ...others,
      ...readDataOptions({
        resize,
        convert,
        ...(header && { header }),
        ...(normalise && { normalise }),
        ...(columns && { columns }),
        ...(classNames && { classNames }),
      }),
      model,
      ...(amounts.length === 0 ? {} : { labels: amounts }),
      ...(optimizer === undefined ? {} : { optimizers: optimizer }),
      ...(learningRates === undefined ? {} : { learningRates: learningRates.map(rate) }),
      ...(labelColumn === undefined ? {} : { labelColumn: readLabels(labelColumn) }),
      ...(testLabelColumn === undefined ? {} : { testLabelColumn: readLabels(testLabelColumn) }),
      command: ["headstart", ...process.argv.slice(2)].map((word) => shellWord(word)).join(" "),
      signal,
      onEvent: progressOf(console),
    });
    console.end();
    report(console, result);
  },
});

function rate(text: string): number {
  return number("RATE", "", { min: 1e-12 }).read(text, "--learning-rates") ?? Number.NaN;
}

/** How long arms are pretrained; those that share a pretraining are named together. */
function pretrainedArms(arms: readonly Arm[]): string[] {
  const together = new Map<string, { readonly names: string[]; readonly epochs: number }>();
  for (const { name, source } of arms.filter(isTrained)) {
    const key = JSON.stringify(source.recipe);
    const group = together.get(key) ?? { names: [], epochs: source.recipe.epochs };
    group.names.push(name);
    together.set(key, group);
  }
  return [...together.values()].map(
    ({ names, epochs }) => `${names.join(" and ")} pretrained for ${counted(epochs, "epoch")}`,
  );
}

/** Shows events as progress bars and records. */
function progressOf(console: Console): (event: CompareEvent) => void {
  let running: Progress | undefined;
  return (event) => {
    switch (event.type) {
      case "reading":
        console.line("reading the data");
        return;
      case "note":
        console.line(`note: ${event.message}`);
        console.event(event);
        return;
      case "timing":
        if (event.done === 0) running = console.progress("timing", event.kinds, "kinds of steps");
        running?.update(event.done);
        return;
      case "pilot": {
        const { plan, expected } = event.fit;
        console.line(
          `pilot: ${[counted(plan.seeds, "seed"), counted(plan.steps, "step"), ...pretrainedArms(plan.arms)].join(", ")}; about ${Math.round(expected)} s`,
        );
        console.event({ type: "pilot", expected, seeds: plan.seeds, steps: plan.steps });
        return;
      }
      case "planned":
        console.event(event);
        console.line(
          `${counted(event.plan.arms.length, "arm")}, ${counted(event.plan.seeds, "seed")}, ${counted(event.trials, "trial")} of ${counted(event.plan.steps, "step")}; ${event.workers} side by side; folder ${event.folder}`,
        );
        return;
      case "stage": {
        console.end();
        if (event.finished > 0) console.line(`${event.stage}: ${event.finished} done before`);
        const unit = event.stage === "pretraining" ? "pretrainings" : "trials";
        running = event.jobs > 0 ? console.progress(event.stage, event.jobs, unit) : undefined;
        return;
      }
      case "progress":
        running?.update(Math.floor(10 * Math.min(event.done, event.jobs)) / 10, event.job);
        return;
      default:
        console.event(event);
    }
  };
}

/** Verdicts first, then the table of scores, then what limits them. */
export function report(console: Console, { summary, folder, report: page, plan }: CompareResult): void {
  console.line();
  const measure = measureOf(plan);
  const [first] = summary.comparisons;
  const equalTime = summary.comparisons.find(({ baseline, at }) => baseline === first?.baseline && at === "equal time");
  if (first?.arms.length) {
    console.line(
      `Against ${first.baseline}: ${measure.name} after ${counted(plan.steps, "step")}${summary.settings.length > 1 ? ", mean over all settings" : ""}, paired by seed`,
    );
    console.line();
    verdicts(console, first.arms);
    console.line();
    console.line(`On the way there: mean ${measure.name} over the ${counted(plan.steps, "step")}`);
    console.line();
    early(console, first);
    if (
      equalTime?.arms.some(
        (arm, index) =>
          arm.verdict.verdict !== first.arms[index]?.verdict.verdict ||
          arm.test?.mean !== first.arms[index]?.test?.mean,
      )
    ) {
      console.line();
      console.line(
        `Against ${first.baseline} at equal total time, training before counted in (other arms trained on meanwhile):`,
      );
      console.line();
      verdicts(console, equalTime.arms);
    }
    for (const other of summary.comparisons.filter(
      ({ baseline, at }) => baseline !== first.baseline && at === "equal steps",
    )) {
      console.line();
      console.line(`Against ${other.baseline}:`);
      console.line();
      verdicts(console, other.arms);
    }
  }
  console.line();
  // Before the first trial has finished there are no scores, nor intervals that notes could be about.
  const hasScores = summary.settings.length > 0;
  if (hasScores) {
    scores(console, summary, measure);
    console.line(
      `Test ${measure.name}${measure.unit && ` in ${measure.unit}`}, mean over seeds ± half the 95 % interval; d: diverged, s: stalled at chance.`,
    );
  }
  for (const warning of summary.warnings) console.warn(warning);
  if (hasScores) for (const note of summary.notes) console.line(`note: ${note}`);
  console.line();
  console.line(`report: ${page}`);
  console.event({ type: "done", folder, report: page, summary });
}

function verdicts(
  console: Console,
  arms: readonly ArmComparison[],
  wordOf: (word: VerdictWord) => string = (word) => word,
): void {
  for (const { name, verdict } of arms) {
    console.line(`  ${name}: ${wordOf(verdict.verdict)}. ${verdict.reasons[0] ?? ""}`);
    for (const reason of verdict.reasons.slice(1)) console.line(`    ${reason}`);
  }
}

/** Who learns faster, and by how many steps. */
function early(console: Console, { early: arms }: Comparison): void {
  for (const arm of arms) {
    verdicts(console, [arm], earlyWord);
    const { difference, missed, trials } = arm.stepsToTarget;
    if (missed === trials && trials > 0)
      console.line(`    steps to the target: none of the ${counted(trials, "trial")} reached it`);
    else if (difference)
      console.line(
        `    steps to the target: ${stepsDifference(difference)}${missed > 0 ? `; ${missed} of the ${counted(trials, "trial")} never reached it and count with all steps` : ""}`,
      );
  }
}

function scores(console: Console, summary: StudySummary, measure: Measure): void {
  const names = [...new Set(summary.settings.flatMap(({ arms }) => arms.map(({ arm }) => arm)))];
  const cell = (name: string, index: number): string => {
    const found = summary.settings[index].arms.find(({ arm }) => arm === name);
    if (!found) return "";
    const marks = [
      found.diverged.count > 0 ? `${found.diverged.count}d` : "",
      found.stalled.count > 0 ? `${found.stalled.count}s` : "",
    ].filter(Boolean);
    const errors = (found.rmse ?? []).map(({ mean }) => showError(mean)).join(", ");
    return [showMean(measure, found.score), ...(errors ? [`(error ${errors})`] : []), ...marks].join(" ");
  };
  // Grids have many settings: then a setting is a row.
  if (summary.settings.length > 4) {
    console.table(
      ["setting", ...names],
      summary.settings.map(({ name }, index) => [name, ...names.map((arm) => cell(arm, index))]),
    );
    return;
  }
  console.table(
    ["arm", ...summary.settings.map(({ name }) => name), "training before"],
    names.map((name) => {
      const found = summary.settings.flatMap(({ arms }) => arms.filter(({ arm }) => arm === name))[0];
      const { seconds } = found.pretraining;
      return [
        name,
        ...summary.settings.map((_, index) => cell(name, index)),
        seconds > 0 ? `${seconds.toFixed(seconds < 10 ? 1 : 0)} s` : "",
      ];
    }),
  );
  const chances = [...new Set(summary.settings.map(({ chance }) => showScore(measure, chance)))];
  if (chances.length > 0)
    console.line(`${measure.chance[0].toUpperCase()}${measure.chance.slice(1)}: ${chances.join(", ")}.`);
  const { targets } = summary;
  if (targets)
    console.line(`Error: root mean squared error of ${targets.join(", ")} on the test data, in the data's own units.`);
}
