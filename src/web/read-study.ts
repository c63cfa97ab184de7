/** Reads a study's folder for the page, while it runs too. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { judgeTrial } from "../study/judge-trial.js";
import type { StudyPlan } from "../study/plan.js";
import { currentRecord, type TrialRecord } from "../study/records.js";
import { studyFiles } from "../study/study-folder.js";
import { readJsonLines } from "./json-lines.js";
import { isWrittenTo } from "./lock-state.js";
import type { Entry, EntryState, StudyDetail, StudyTrial } from "./protocol.js";
import { type ProcessState, readRecord } from "./read-run.js";

/** A study that wrote something within this time counts as running where nothing else tells. */
const quietMilliseconds = 10 * 60_000;

/** Milliseconds by which files that were copied may be older than others that they were written after. */
const copying = 5_000;

/** What the list shows of a study. @throws Error where study.json is broken or another program's */
export async function readStudyEntry(
  folder: string,
  id: string,
  process: ProcessState | undefined,
  now = Date.now(),
): Promise<Entry> {
  const record = await readRecord(join(folder, studyFiles.plan));
  const plan = planOf(record);
  const { lines } = await readJsonLines(join(folder, studyFiles.trials), id, 0, isTrial);
  const own = trialsOf(lines).filter((line) => mayBeOf(line, planIn(record)));
  // Trials of an earlier plan may be like those of this one in all that is compared here.
  const done = Math.min(own.length, plan.trials);
  const summary = await stat(join(folder, studyFiles.summary)).catch(() => undefined);
  const trials = await stat(join(folder, studyFiles.trials)).catch(() => undefined);
  const modified = Math.max(
    summary?.mtimeMs ?? 0,
    trials?.mtimeMs ?? 0,
    (await stat(join(folder, studyFiles.plan))).mtimeMs,
  );
  const finished = summary !== undefined && summary.mtimeMs + copying >= (trials?.mtimeMs ?? 0);
  return {
    kind: "study",
    id,
    state: stateOf(process, await isWrittenTo(folder, "study"), finished, now - modified),
    modified,
    model: plan.networks.join(", "),
    data: "",
    recipe: plan.arms.join(", "),
    seed: null,
    done,
    total: plan.trials,
    latest: {},
    controlled: process !== undefined,
    ...(process?.ending ? { ending: true } : {}),
    ...(process?.message === undefined ? {} : { message: process.message }),
  };
}

function stateOf(
  process: ProcessState | undefined,
  written: boolean | undefined,
  finished: boolean,
  quiet: number,
): EntryState {
  // What was started here may go on elsewhere.
  if (process?.state === "running" || written === true) return "running";
  if (finished) return "finished";
  if (process !== undefined) return process.state === "ended" ? "stopped" : process.state;
  return written === undefined && quiet < quietMilliseconds ? "running" : "stopped";
}

/** Everything about a study. */
export async function readStudyDetail(
  folder: string,
  id: string,
  process: ProcessState | undefined,
): Promise<StudyDetail> {
  const trials = await readJsonLines(join(folder, studyFiles.trials), `${id}/${studyFiles.trials}`, 0, isTrial);
  const files = [];
  for (const name of studyDownloads) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) files.push({ name, bytes: found.size });
  }
  const plan = await readRecord(join(folder, studyFiles.plan));
  return {
    entry: await readStudyEntry(folder, id, process),
    plan,
    trials: trialsOf(trials.lines).flatMap((line) => shown(line, planIn(plan))),
    files,
    command: process?.command ?? null,
    log: process?.log ?? "",
    problems: trials.problems,
  };
}

/** Trials that the study compares: of those of one key, made again for more steps, the last. */
function trialsOf(lines: readonly TrialLine[]): TrialLine[] {
  const compared = lines.filter((trial) => trial.purpose !== "tuning");
  return [...new Map(compared.map((trial, index) => [trial.key ?? index, trial])).values()];
}

const studyDownloads: readonly string[] = [studyFiles.report, studyFiles.summary, studyFiles.trials, studyFiles.plan];

/** Files of a study that the page may fetch. */
export function isStudyFile(name: string): boolean {
  return studyDownloads.includes(name);
}

interface TrialLine extends Record<string, unknown> {
  readonly network: string;
  readonly arm: string;
  readonly labels: unknown;
  readonly optimizer: { readonly kind?: unknown; readonly learningRate?: unknown };
  readonly seed: number;
  readonly points: readonly unknown[];
}

function isTrial(value: unknown): value is TrialLine {
  const { network, arm, optimizer, seed, points } = (value ?? {}) as Partial<TrialLine>;
  return (
    typeof network === "string" &&
    typeof arm === "string" &&
    typeof optimizer === "object" &&
    optimizer !== null &&
    typeof seed === "number" &&
    Array.isArray(points)
  );
}

/** A trial as the plan judges it; none where it cannot. */
function shown(line: TrialLine, plan: Record<string, unknown>): StudyTrial[] {
  const judged = judgeTrial(currentRecord(line as unknown as TrialRecord), plan as Pick<StudyPlan, "task" | "measure">);
  if (!judged) return [];
  const { network, arm, labels, optimizer, seed, score, points, diverged } = judged;
  return [
    {
      network,
      arm,
      labels: String(labels),
      optimizer: optimizer.kind,
      learningRate: optimizer.learningRate,
      seed,
      score,
      diverged,
      points,
    },
  ];
}

/** Whether a trial is one that the plan asks for, as far as its arm, network, labels, seed and steps tell. */
function mayBeOf({ arm, network, labels, seed, steps }: TrialLine, plan: Record<string, unknown>): boolean {
  const named = (list: unknown, name: unknown): boolean =>
    !Array.isArray(list) || list.some((item) => ((item as { name?: unknown } | null)?.name ?? item) === name);
  return (
    named(plan.arms, arm) &&
    named(plan.networks, network) &&
    named(plan.labels, labels) &&
    (typeof plan.seeds !== "number" || seed < plan.seeds) &&
    (typeof plan.steps !== "number" || steps === undefined || steps === plan.steps)
  );
}

/** The plan may stand in the record itself or below `plan`. */
function planIn(record: Record<string, unknown>): Record<string, unknown> {
  return typeof record.plan === "object" && record.plan !== null ? (record.plan as Record<string, unknown>) : record;
}

/** What the list needs of a plan, and how many trials it makes (those for tuning left out). */
function planOf(record: Record<string, unknown>): { networks: string[]; arms: string[]; trials: number } {
  const plan = planIn(record);
  const names = (value: unknown): string[] =>
    Array.isArray(value) ? value.map((item) => String((item as { name?: unknown } | null)?.name ?? item)) : [];
  const [networks, arms] = [names(plan.networks), names(plan.arms)];
  if (arms.length === 0 || networks.length === 0) throw new Error("it is no headstart study's plan");
  const count = (value: unknown): number => (Array.isArray(value) ? Math.max(1, value.length) : 1);
  const rates = plan.tune === true ? 1 : count(plan.learningRates);
  return {
    networks,
    arms,
    trials:
      networks.length * arms.length * count(plan.labels) * count(plan.optimizers) * rates * Number(plan.seeds ?? 1),
  };
}
