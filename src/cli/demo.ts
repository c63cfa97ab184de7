/** `headstart demo`: what `npm start` runs. */
import { counted } from "../counted.js";
import { type DemoResult, demo } from "../library/demo.js";
import { asCalled } from "./as-called.js";
import { defineCommand } from "./command.js";
import type { Console } from "./console.js";
import { chart } from "./curves.js";
import { deviceOption } from "./device-option.js";
import { progressOf } from "./init.js";
import { byDefault, given, newPath, whole } from "./options.js";
import type { Progress } from "./progress.js";

export const command = defineCommand({
  name: "demo",
  description:
    "Runs the main job on pictures that ship with headstart (a sample of Fashion-MNIST), then trains the same classifier with 300 labels from random starts and from the new weights, and prints how it went. Takes about a minute.",
  options: {
    output: byDefault(newPath("FOLDER", "where to write; an earlier demo there is replaced"), "headstart-demo"),
    seeds: byDefault(whole("COUNT", "how often the comparison is repeated", { min: 2, max: 100 }), 5),
    threads: whole("COUNT", "threads (default: all cores)", { min: 1 }),
    device: deviceOption,
  },
  async run({ options, console, signal }) {
    console.line("1. Pretraining a small classifier's feature extractor on 10,000 pictures, without labels");
    const pretraining = progressOf(console);
    let trials: Progress | undefined;
    const result = await demo({
      ...given(options),
      signal,
      onEvent: (event) => {
        if (event.type === "pretrained") {
          console.end();
          console.line();
          console.line("2. Training the whole classifier with 300 labels, from each start");
        } else if (event.type === "trial") {
          trials ??= console.progress("training", event.total, "trainings");
          trials.update(event.done, event.arm);
          console.event(event);
        } else pretraining(event);
      },
    });
    console.end();
    console.event({ type: "done", ...result });
    report(console, result);
  },
});

/** Prints the curves, the accuracies with their spread, and what to try next. */
export function report(console: Console, result: DemoResult): void {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const spread = (values: readonly number[]): number =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));
  const at = (accuracies: readonly (readonly number[])[], step: number): number[] =>
    accuracies.map((row) => row[result.steps.indexOf(step)]);
  const last = result.steps[result.steps.length - 1];
  const everyFive = Array.from({ length: last / 5 + 1 }, (_, index) => index * 5);
  console.line();
  const lines = chart(
    [...result.arms].reverse().map(({ name, accuracies }) => ({
      name,
      // Between two measurements, on the straight line.
      values: everyFive.slice(1).map((step) =>
        between(
          result.steps,
          result.steps.map((measured) => mean(at(accuracies, measured))),
          step,
        ),
      ),
    })),
    {
      width: Math.min(console.width, 90),
      height: 15,
      unicode: console.unicode,
      horizontal: {
        label: `training steps with ${counted(result.labels, "label")} (test accuracy, mean of ${counted(result.seeds, "seed")})`,
        from: "5",
        to: String(last),
      },
      format: (value) => `${(100 * value).toFixed(0)} %`,
    },
  );
  for (const line of lines) console.line(line);
  console.line();
  const shown = [20, 50, 100, last].filter((step) => result.steps.includes(step));
  console.table(
    ["test accuracy, %", ...shown.map((step) => counted(step, "step"))],
    result.arms.map(({ name, accuracies }) => [
      name,
      ...shown.map(
        (step) =>
          `${(100 * mean(at(accuracies, step))).toFixed(1)} ± ${(100 * spread(at(accuracies, step))).toFixed(1)}`,
      ),
    ]),
  );
  console.line(
    `Mean ± standard deviation over ${counted(result.seeds, "seed")} (labels, heads, order; one pretraining of ${result.pretrainingSeconds.toFixed(0)} s), ${result.testSamples.toLocaleString("en")} test pictures.`,
  );
  console.line();
  console.line(`Pictures of its first filters as they learned: ${result.folder}/run/filters`);
  console.line("Next, with your own network and pictures:");
  console.line(`  ${asCalled()} inspect model.onnx`);
  console.line(`  ${asCalled()} init model.onnx --data ./images`);
}

/** The value at x on the line through the neighbouring points; points are in ascending order. */
function between(xs: readonly number[], ys: readonly number[], x: number): number {
  const after = xs.findIndex((known) => known >= x);
  if (after <= 0) return ys[Math.max(after, 0)];
  const share = (x - xs[after - 1]) / (xs[after] - xs[after - 1]);
  return ys[after - 1] + share * (ys[after] - ys[after - 1]);
}
