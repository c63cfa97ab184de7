/** Reads a run's folder for the page. Nothing is written, and one broken file does not hide the others. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { modelFormats } from "../formats/model-file.js";
import { loadingLines, type WrittenModel } from "../library/loading-lines.js";
import { runFiles } from "../library/run-folder.js";
import { judge } from "../training/warnings.js";
import { hasStep, lastJsonLine, readJsonLines } from "./json-lines.js";
import { isWrittenTo } from "./lock-state.js";
import type { Entry, EntryState, LayersRecord, Problem, Row, RunDetail, RunSeries, RunWarning } from "./protocol.js";
import { seriesOf } from "./thin-out.js";

/** What is known of the process behind an entry that was started here. */
export interface ProcessState {
  readonly state: "running" | "paused" | "stopped" | "failed" | "ended";
  readonly command: string;
  readonly log: string;
  readonly message?: string;
  /** Asked to come to an end, and still there. */
  readonly ending?: true;
}

/** A run that wrote something within this time counts as running where nothing else tells. */
const quietMilliseconds = 60_000;

/** A file as an object. @throws Error saying what is wrong */
export async function readRecord(file: string): Promise<Record<string, unknown>> {
  const value: unknown = JSON.parse(await readFile(file, "utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("it holds no JSON object");
  return value as Record<string, unknown>;
}

const size = async (file: string): Promise<{ bytes: number; modified: number } | undefined> => {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() ? { bytes: found.size, modified: found.mtimeMs } : undefined;
};

/** What the list shows of a run. @throws Error where run.json is broken or another program's */
export async function readRunEntry(
  folder: string,
  id: string,
  process: ProcessState | undefined,
  now = Date.now(),
): Promise<Entry> {
  const metricsFile = join(folder, runFiles.metrics);
  const [written, record, metrics, result] = await Promise.all([
    isWrittenTo(folder, "run"),
    readRecord(join(folder, runFiles.record)),
    size(metricsFile),
    size(join(folder, runFiles.result)),
  ]);
  const { model, data, recipe, seed, steps } = record as Record<string, Record<string, unknown> | undefined>;
  if (typeof model?.file !== "string" || typeof steps !== "number") throw new Error("it is no headstart run's record");
  const last = metrics ? await lastJsonLine(metricsFile, metrics.bytes) : undefined;
  const row: Row = hasStep(last) ? last : { step: 0 };
  const modified =
    Math.max(metrics?.modified ?? 0, result?.modified ?? 0) || (await stat(join(folder, runFiles.record))).mtimeMs;
  return {
    kind: "run",
    id,
    state: stateOf(process, written, result !== undefined, row.diverged === true, now - modified),
    modified,
    model: model.file,
    data: String(data?.file ?? ""),
    recipe: String(recipe?.name ?? ""),
    seed: typeof seed === "number" ? seed : null,
    done: row.step,
    total: steps,
    latest: Object.fromEntries(
      Object.entries(row).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : [])),
    ),
    controlled: process !== undefined,
    ...(process?.ending ? { ending: true } : {}),
    ...(process?.message === undefined ? {} : { message: process.message }),
  };
}

function stateOf(
  process: ProcessState | undefined,
  written: boolean | undefined,
  finished: boolean,
  diverged: boolean,
  quiet: number,
): EntryState {
  // What was started here may go on elsewhere.
  if (process?.state === "running" || written === true) return "running";
  if (finished) return "finished";
  if (diverged) return "diverged";
  if (process !== undefined) return process.state === "ended" ? "stopped" : process.state;
  return written === undefined && quiet < quietMilliseconds ? "running" : "stopped";
}

/** Metrics and times along a run, at most about `points` of each. */
export async function readRunSeries(folder: string, id: string, points: number): Promise<RunSeries> {
  const [metrics, timing] = await Promise.all([
    readJsonLines(join(folder, runFiles.metrics), `${id}/${runFiles.metrics}`, 0, hasStep),
    readJsonLines(join(folder, runFiles.timing), `${id}/${runFiles.timing}`, 0, hasStep),
  ]);
  return {
    id,
    series: { ...seriesOf(metrics.lines, points), ...seriesOf(timing.lines, points) },
    position: { metrics: metrics.position, timing: timing.position },
    problems: [...metrics.problems, ...timing.problems],
  };
}

/** Everything about a run but its metrics. */
export async function readRunDetail(folder: string, id: string, process: ProcessState | undefined): Promise<RunDetail> {
  const problems: Problem[] = [];
  const entry = await readRunEntry(folder, id, process);
  const layers = await readJsonLines(join(folder, runFiles.layers), `${id}/${runFiles.layers}`, 0, isLayers);
  let result: Record<string, unknown> | null = null;
  if (await size(join(folder, runFiles.result)))
    result = await readRecord(join(folder, runFiles.result)).catch((error: Error) => {
      problems.push({ path: `${id}/${runFiles.result}`, reason: error.message });
      return null;
    });
  const files = [];
  for (const name of (await readdir(folder)).filter(isDownload).sort(byImportance)) {
    const found = await size(join(folder, name));
    if (found) files.push({ name, bytes: found.bytes });
  }
  return {
    entry,
    record: await readRecord(join(folder, runFiles.record)),
    result,
    samples: await pictureSteps(join(folder, runFiles.samples)),
    filters: await pictureSteps(join(folder, runFiles.filters)),
    layers: layers.lines,
    warnings: warningsOf(result, await recentMetrics(folder, id)),
    files,
    loading: isWritten(result?.written) ? loadingLines(folder, result.written) : [],
    command: process?.command ?? null,
    log: process?.log ?? "",
    problems: [...problems, ...layers.problems],
  };
}

/** What can be taken away, in the order of the page. */
const downloads: readonly string[] = [
  runFiles.weights,
  runFiles.generator,
  runFiles.discriminator,
  runFiles.transform,
  runFiles.record,
  runFiles.result,
  runFiles.metrics,
  runFiles.timing,
  runFiles.layers,
];

/** The written model keeps its format: names and, for TensorFlow.js, several files. */
function isDownload(name: string): boolean {
  return downloads.includes(name) || /^model\.(onnx|keras|h5|hdf5|json)$/.test(name) || /^[\w-]{1,80}\.bin$/.test(name);
}

function byImportance(first: string, second: string): number {
  // A model stands behind the weights and before everything else.
  const rank = (name: string): number => (downloads.includes(name) ? 2 * downloads.indexOf(name) : 1);
  return rank(first) - rank(second) || (first < second ? -1 : 1);
}

function isWritten(value: unknown): value is WrittenModel {
  const { model, format, producer } = (value ?? {}) as Partial<WrittenModel>;
  return typeof model === "string" && typeof producer === "string" && modelFormats.some((known) => known === format);
}

/** The steps of a folder of pictures named step-000000001.png. */
async function pictureSteps(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => {
      const step = /^step-(\d{9,})\.png$/.exec(name)?.[1];
      return step === undefined ? [] : [Number(step)];
    })
    .sort((first, second) => first - second);
}

/** Fewer records than this are no course to judge. */
const fewestRecords = 25;

/** How many records there are, and means over the last tenth of them. */
async function recentMetrics(
  folder: string,
  id: string,
): Promise<{ records: number; means: Readonly<Record<string, number>> }> {
  const { lines } = await readJsonLines(join(folder, runFiles.metrics), id, 0, hasStep);
  const recent = lines.slice(-Math.max(1, Math.ceil(lines.length / 10)));
  const sums = new Map<string, { sum: number; count: number }>();
  for (const row of recent)
    for (const [name, value] of Object.entries(row)) {
      if (typeof value !== "number") continue;
      const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
      sums.set(name, { sum: sum + value, count: count + 1 });
    }
  const means = Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]));
  return { records: lines.length, means };
}

/** A finished run's own warnings; before that, a judgement of the metrics so far. */
function warningsOf(
  result: Record<string, unknown> | null,
  recent: { records: number; means: Readonly<Record<string, number>> },
): RunWarning[] {
  const kept = result?.warnings;
  if (Array.isArray(kept)) return kept.filter(isWarning);
  // At the start everything looks like a collapse.
  return recent.records < fewestRecords ? [] : judge(recent.means);
}

function isWarning(value: unknown): value is RunWarning {
  const { kind, message } = (value ?? {}) as Partial<RunWarning>;
  return typeof kind === "string" && typeof message === "string";
}

function isLayers(value: unknown): value is LayersRecord {
  return hasStep(value) && Array.isArray(value.layers) && value.layers.every(isLayer);
}

function isLayer(value: unknown): boolean {
  const { layer, singularValues, preActivations } = (value ?? {}) as Partial<LayersRecord["layers"][number]>;
  return (
    typeof layer === "string" &&
    (singularValues === null || Array.isArray(singularValues)) &&
    Array.isArray(preActivations?.counts)
  );
}

/** Files of a run that the page may fetch: what is listed here and pictures, nothing else in the folder. */
export function isRunFile(name: string): boolean {
  return isDownload(name) || /^(samples|filters)\/step-\d{9,}\.png$/.test(name);
}
