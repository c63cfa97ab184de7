/** The curves of a run, grouped. */
import { useMemo, useState } from "preact/hooks";
import type { Series } from "../protocol.js";
import { Chart, type Line, type View } from "./chart.js";
import { say, sayOr, useLanguage } from "./language.js";
import { learningNetworks, lossesTitle } from "./learning-networks.js";
import type { SeriesByName } from "./live.js";
import type { en } from "./texts/en.js";

interface Group {
  readonly title: keyof typeof en;
  readonly metrics: readonly string[];
  readonly logarithmic?: boolean;
  readonly percent?: boolean;
}

const groups: readonly Group[] = [
  { title: "chart.losses", metrics: ["generator/loss", "discriminator/loss", "generator/adversarial-loss"] },
  {
    title: "chart.accuracy",
    metrics: ["discriminator/accuracy-real", "discriminator/accuracy-generated", "discriminator/accuracy-pairs"],
    percent: true,
  },
  { title: "chart.reconstruction", metrics: ["reconstruction", "likeness/own", "likeness/other"] },
  { title: "chart.task", metrics: ["task/accuracy", "contrast/accuracy"], percent: true },
  {
    title: "chart.taskLosses",
    metrics: ["task/loss", "contrast/loss", "orientations/loss", "visual-words/loss", "topics/loss"],
  },
  {
    title: "chart.gradients",
    metrics: ["features/gradient-norm", "generator/gradient-norm", "discriminator/gradient-norm"],
    logarithmic: true,
  },
  { title: "chart.learningRates", metrics: ["generator/learning-rate", "discriminator/learning-rate"] },
];

const known = new Set([...groups.flatMap(({ metrics }) => metrics), "epoch", "seconds", "memory"]);

/** A metric's name in the page's language, or as it is recorded. */
export function metricName(name: string): string {
  return sayOr(`metric.${name}`, name);
}

/** The same in a run: by the networks that learn in it, and the name of its task. */
function nameInRun(name: string, task: string, metrics: readonly string[]): string {
  if (task !== "" && task !== "none" && name.startsWith("task/")) return task;
  const [group, measured] = name.split("/");
  const otherwise = metricName(name);
  return group === "generator" ? sayOr(`learning.${measured}.${learningNetworks(metrics)}`, otherwise) : otherwise;
}

export function RunCharts({ series, batchSize, task }: { series: SeriesByName; batchSize: number; task: string }) {
  const language = useLanguage();
  // All charts of a run are seen over the same steps.
  const [view, setView] = useState<View>();
  const shared = { ...(view ? { view } : {}), onView: setView };
  const line = (name: string): Line[] => {
    const one = series[name];
    // Without corruption the distance to its own x is what is reconstructed: one line would hide the other.
    if (name === "likeness/own" && isSame(one, series.reconstruction)) return [];
    return one ? [{ name: nameInRun(name, task, Object.keys(series)), steps: one.steps, values: one.values }] : [];
  };
  const charts = useMemo(
    () => [
      ...groups.map(({ title, metrics, ...shape }) => ({
        ...shape,
        title: say(title === "chart.losses" ? lossesTitle(Object.keys(series)) : title),
        lines: metrics.flatMap(line),
      })),
      { title: say("chart.rate"), lines: rateOf(series.seconds, batchSize) },
      { title: say("chart.memory"), lines: memoryOf(series.memory) },
      ...Object.keys(series)
        .filter((name) => !known.has(name))
        .map((name) => ({ title: name, lines: line(name) })),
    ],
    [series, batchSize, task, language],
  );
  return (
    <div class="charts">
      {charts
        .filter(({ lines }) => lines.length > 0)
        .map((chart) => (
          <Chart key={chart.title} {...chart} {...shared} />
        ))}
    </div>
  );
}

function isSame(one: Series | undefined, other: Series | undefined): boolean {
  const { values = [] } = other ?? {};
  return (
    one !== undefined && one.values.length === values.length && one.values.every((value, at) => value === values[at])
  );
}

/** Samples a second between recorded moments. A resumed run's clock starts anew. */
function rateOf(seconds: Series | undefined, batchSize: number): Line[] {
  if (!seconds || seconds.steps.length < 2) return [];
  const steps: number[] = [];
  const values: (number | null)[] = [];
  // Over several records, as single ones jump.
  const reach = Math.max(1, Math.floor(seconds.steps.length / 60));
  for (let index = reach; index < seconds.steps.length; index += reach) {
    const rate = stepsPerSecond(seconds, index - reach, index);
    steps.push(seconds.steps[index]);
    values.push(rate === undefined ? null : rate * batchSize);
  }
  return [{ name: say("chart.rate"), steps, values }];
}

/** Steps a second between two records; undefined where the clock started anew between them. */
export function stepsPerSecond(seconds: Series, from: number, to: number): number | undefined {
  const [before, after] = [seconds.values[from], seconds.values[to]];
  if (before === null || after === null || before === undefined || after === undefined || after <= before)
    return undefined;
  return (seconds.steps[to] - seconds.steps[from]) / (after - before);
}

function memoryOf(memory: Series | undefined): Line[] {
  if (!memory) return [];
  const values = memory.values.map((value) => (value === null ? null : value / 2 ** 20));
  return [{ name: say("memory"), steps: memory.steps, values }];
}
