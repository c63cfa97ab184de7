/** `headstart init`: the main job. */

import { join } from "node:path";
import { plural } from "../counted.js";
import { type InitializeOptions, type InitializeResult, initialize } from "../library/initialize.js";
import { runFiles } from "../library/run-folder.js";
import { headStarts } from "../training/head-start.js";
import { defineCommand } from "./command.js";
import type { Console } from "./console.js";
import { dataOptions, readDataOptions, readLabels } from "./data-options.js";
import { dataProgress } from "./data-progress.js";
import { deviceOption } from "./device-option.js";
import { measuringProgress } from "./measuring-progress.js";
import { modelOptions, namingOptions, recipeOption } from "./model-options.js";
import {
  byDefault,
  choice,
  flag,
  given,
  nameOrPath,
  newPath,
  number,
  paths,
  required,
  text,
  whole,
} from "./options.js";
import type { Progress } from "./progress.js";
import { understoodData } from "./understood-data.js";

export const command = defineCommand({
  name: "init",
  description:
    "Learns initial weights for a network from your own data, without labels, and writes them under the model's own " +
    "tensor names. What learns is F, all in front of the network's last layer; --recipe says how.",
  arguments: [{ name: "model", description: "an ONNX, Keras (.keras, .h5) or TensorFlow.js (model.json) file" }],
  options: {
    data: required(
      paths(
        "PATH",
        "a folder of pictures, tar shards, Parquet, Arrow, IDX, NPY, NPZ, safetensors, CSV or TSV; a pattern such as " +
          '"shards/*.tar", or an https://, s3:// or hf://datasets/ address; several times for several files',
      ),
    ),
    output: newPath("FOLDER", "the run's folder (default: MODEL-headstart)"),
    overwrite: flag("replace an earlier run in that folder"),
    resume: flag("continue an interrupted run in that folder"),
    recipe: recipeOption,
    ...modelOptions,
    ...namingOptions,
    epochs: number("COUNT", "passes over the data (default: the recipe's)", { min: 1e-6 }),
    steps: whole("COUNT", "training steps, in place of epochs", { min: 1 }),
    minutes: number("COUNT", "train for about this long, in place of epochs", { min: 0.01 }),
    batchSize: whole("COUNT", "samples a step (default: the recipe's)", { min: 2 }),
    learningRate: number("RATE", "learning rate of F and its mirror (default: the recipe's)", { min: 1e-12 }),
    discriminatorLearningRate: number("RATE", "learning rate of the discriminator (default: the recipe's)", {
      min: 1e-12,
    }),
    start: text(
      "NAME",
      "start weights: file (as the model has them) or an initializer such as he (default: the recipe's)",
    ),
    seed: byDefault(whole("NUMBER", "seed of everything random", { min: 0 }), 0),
    threads: whole("COUNT", "threads (default: all cores)", { min: 1 }),
    device: deviceOption,
    ...dataOptions,
    labels: {
      ...nameOrPath(
        "NAME",
        "labels for --head, and to measure F by: a label file, or a table's column (name, number from 1, or -1), which is then no feature",
      ),
      elsewhere: "labelColumn",
    },
    head: choice(
      "START",
      headStarts,
      "where the last layer starts: from labels, by class-means or linear-discriminant (of F's features), or self-training, which goes on with the whole network, by the labels and by what it is sure of; or at zero (default: as the model has it; docs/comparing.md says more)",
    ),
    selfTrainingSteps: whole("COUNT", "steps of --head self-training (default: 1000)", { min: 1 }),
    labelled: paths("PATH", "labelled samples for a --head that is made from labels (default: those of --data)"),
    checkpointEvery: whole("COUNT", "steps between checkpoints (default: a tenth of all, at most 500)", { min: 1 }),
    tensorboard: flag("write an event file for TensorBoard into the run's folder, too"),
    mlflow: text("URL", "log to this MLflow server, too, such as http://127.0.0.1:5000"),
  },
  examples: [
    "headstart init model.onnx --data ./images",
    "headstart init model.onnx --data table.csv --labels income --recipe autoencoder",
    "headstart init model.onnx --data train-images-idx3-ubyte.gz --recipe paper --epochs 2",
  ],
  async run({ arguments: [model = ""], options, console, signal }) {
    const { labels, columns, classNames, header, normalise, transform, ...others } = given(options);
    const reading = readDataOptions({
      ...(columns && { columns }),
      ...(classNames && { classNames }),
      ...(header && { header }),
      ...(normalise && { normalise }),
      ...(transform && { transform }),
    } as Parameters<typeof readDataOptions>[0]);
    const settings: InitializeOptions = {
      ...others,
      ...reading,
      model,
      ...(labels === undefined ? {} : { labels: readLabels(labels) }),
      signal,
    };
    const result = await initialize({ ...settings, onEvent: progressOf(console) });
    console.end();
    report(console, result);
  },
});

/** Shows events as a progress bar, notes and records. */
export function progressOf(console: Console): NonNullable<InitializeOptions["onEvent"]> {
  const reading = dataProgress(console);
  const measuring = measuringProgress(console);
  let training: Progress | undefined;
  let selfTraining: Progress | undefined;
  let step = 0;
  let ofStep: string | undefined;
  return (event) => {
    switch (event.type) {
      case "data":
        reading(event.done, event.total, event.what);
        return;
      case "started":
        console.end();
        console.event({ type: "started", folder: event.folder, steps: event.steps, run: event.run });
        console.line(
          `${event.run.data.count.toLocaleString("en")} ${plural(event.run.data.count, "sample")} of ${event.run.model.sampleShape.join("x")}; features: ${event.run.model.features}; ` +
            `recipe ${event.run.recipe.name}${["none", event.run.recipe.name].includes(event.run.task) ? "" : ` with the ${event.run.task} task`}` +
            `${event.run.discriminator ? `; discriminator: ${event.run.discriminator.kind}` : ""}`,
        );
        console.line(understoodData(event.run.data.understood));
        return;
      case "measuring":
        // Layers are looked at between two steps; the bar then says of the last one what it did.
        if (event.what === "layers")
          training?.update(step, event.done < event.total ? `layers ${event.done}/${event.total}` : ofStep);
        else measuring(event.what, event.done, event.total);
        return;
      case "training":
        step = event.done;
        if (event.steps > 0) training = console.progress("pretraining", event.steps, "steps", event.done);
        return;
      case "step":
        step = event.step;
        ofStep = remark(event.metrics);
        training?.update(step, ofStep);
        console.event(event);
        return;
      case "self-training":
        // A resumed run's first step is not the first.
        selfTraining ??= console.progress("self-training", event.steps, "steps", event.step - 1);
        selfTraining.update(event.step, `${Math.round(100 * event.metrics.confident)} % sure`);
        console.event(event);
        return;
      case "warning":
        console.warn(event.warning.message);
        return;
      case "note":
        console.line(`note: ${event.message}`);
        console.event(event);
        return;
      case "checkpoint":
        console.event(event);
    }
  };
}

function remark(metrics: Readonly<Record<string, number>>): string {
  const shown: [string, string][] = [
    // Where no D plays, it is the loss of F's task, or of reconstruction.
    ["generator/loss", metrics["discriminator/loss"] === undefined ? "loss" : "G"],
    ["discriminator/loss", "D"],
    ["reconstruction", "reconstruction"],
    ["task/accuracy", "task"],
  ];
  return shown
    .flatMap(([name, label]) => (metrics[name] === undefined ? [] : [`${label} ${metrics[name].toPrecision(3)}`]))
    .join("  ");
}

/** How the network saw its samples: trained on others, the weights would not fit. */
function howPrepared({ folder, run }: InitializeResult): string {
  const read = (run.data.understood.normalisation ?? {}) as { name?: string };
  const name = run.data.taken ?? read.name;
  if (name === "none") return "given to the network as they are; train it on such, too";
  const how = name === undefined ? "scaled column by column" : `normalised (${name})`;
  return `${how} as ${join(folder, runFiles.transform)} says; train the network on such, too`;
}

/** Prints what was measured, what was written, and the lines that load it. */
function report(console: Console, result: InitializeResult): void {
  const { weights: _, ...record } = result;
  console.event({ type: "done", ...record });
  const { finalMetrics: m, before, after } = result;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  console.line();
  if (m["likeness/own"] !== undefined)
    console.line(
      `G(x) is ${m["likeness/own"].toPrecision(3)} from its x, ${m["likeness/other"].toPrecision(3)} from another sample (mean squared error)`,
    );
  if (m["discriminator/accuracy-real"] !== undefined)
    console.line(
      `D is right on ${percent(m["discriminator/accuracy-real"])} of the real and ${percent(m["discriminator/accuracy-generated"])} of the generated samples, and prefers the real one in ${percent(m["discriminator/accuracy-pairs"])} of the pairs`,
    );
  if (m["task/accuracy"] !== undefined)
    console.line(`F solves the ${result.run.task} task in ${percent(m["task/accuracy"])} of the cases`);
  const rows: [string, string, string][] = [];
  before.activations.forEach((start, index) => {
    const end = after.activations[index];
    const text = (s: typeof start): string => `${s.mean.toFixed(2)} ± ${s.standardDeviation.toFixed(2)}`;
    rows.push([`pre-activations of ${start.layer}`, text(start), text(end)]);
  });
  rows.push(["effective rank of the features", before.effectiveRank.toFixed(1), after.effectiveRank.toFixed(1)]);
  if (before.nearestNeighbour !== undefined && after.nearestNeighbour !== undefined)
    rows.push([
      "nearest-neighbour accuracy in the features",
      percent(before.nearestNeighbour),
      percent(after.nearestNeighbour),
    ]);
  console.line();
  console.table(["", "random start", "now"], rows);
  console.line();
  console.line(`weights: ${result.weightsFile}`);
  console.line(`model:   ${result.modelFile}`);
  console.line(`samples: ${howPrepared(result)}`);
  if (result.run.head?.kind === "self-training")
    console.line(
      "next:    measure the network as it is; with few labels, training it on with them can cost accuracy (docs/results.md)",
    );
  else if (result.run.steps > 0)
    console.line(
      result.run.recipe.topics.weight > 0
        ? "next:    train with labels; of texts with few labels Adam's 0.01 was measured to give more than 0.001 (docs/results.md)"
        : "next:    train with labels as one fine-tunes, by Adam at 0.001 or less: larger rates cost much of what was learned (docs/results.md)",
    );
  for (const { framework, lines } of result.loading) {
    console.line();
    console.line(`${framework}:`);
    for (const line of lines) console.line(`    ${line}`);
  }
}
