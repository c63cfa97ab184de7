/** Reads a study's folder for the page, while it runs too. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { StudyPlan } from "../study/plan.js";
import type { TrialRecord } from "../study/records.js";
import { studyFiles } from "../study/study-folder.js";
import type { StudyResults } from "../study/study-results.js";
import { isWrittenTo } from "./lock-state.js";
import type { Entry, EntryState, StudyDetail, StudyTrial } from "./protocol.js";
import { type ProcessState, readRecord } from "./read-run.js";
import { readStudyResults } from "./read-study-results.js";

/** A study that wrote something within this time counts as running where nothing else tells. */
const quietMilliseconds = 10 * 60_000;

/** Milliseconds by which files that were copied may be older than others that they were written after. */
const copying = 5_000;

/**
 * What the list shows of a study.
 *
 * @throws Error where study.json is broken, another program's, or of another version
 */
export async function readStudyEntry(
  folder: string,
  id: string,
  process: ProcessState | undefined,
  now = Date.now(),
): Promise<Entry> {
  const plan = planIn(await readRecord(join(folder, studyFiles.plan)));
  return entryOf(folder, id, process, plan, (await readStudyResults(folder, id, plan)).results, now);
}

async function entryOf(
  folder: string,
  id: string,
  process: ProcessState | undefined,
  plan: StudyPlan,
  { trials: { length: done }, planned: total }: StudyResults,
  now: number,
): Promise<Entry> {
  const summary = await stat(join(folder, studyFiles.summary)).catch(() => undefined);
  const trials = await stat(join(folder, studyFiles.trials)).catch(() => undefined);
  const modified = Math.max(
    summary?.mtimeMs ?? 0,
    trials?.mtimeMs ?? 0,
    (await stat(join(folder, studyFiles.plan))).mtimeMs,
  );
  const finished = summary !== undefined && summary.mtimeMs + copying >= (trials?.mtimeMs ?? 0);
  const names = (named: readonly { readonly name: string }[]): string => named.map(({ name }) => name).join(", ");
  return {
    kind: "study",
    id,
    state: stateOf(process, await isWrittenTo(folder, "study"), finished, now - modified),
    modified,
    model: names(plan.networks),
    data: "",
    recipe: names(plan.arms),
    seed: null,
    done,
    total,
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

/** Everything about a study. @throws Error as {@link readStudyEntry} */
export async function readStudyDetail(
  folder: string,
  id: string,
  process: ProcessState | undefined,
): Promise<StudyDetail> {
  const files = [];
  for (const name of studyDownloads) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile()) files.push({ name, bytes: found.size });
  }
  const record = await readRecord(join(folder, studyFiles.plan));
  const plan = planIn(record);
  const { results, problems } = await readStudyResults(folder, id, plan);
  return {
    entry: await entryOf(folder, id, process, plan, results, Date.now()),
    plan: record,
    trials: results.trials.map(shown),
    files,
    command: process?.command ?? null,
    log: process?.log ?? "",
    problems,
  };
}

const studyDownloads: readonly string[] = [studyFiles.report, studyFiles.summary, studyFiles.trials, studyFiles.plan];

/** Files of a study that the page may fetch. */
export function isStudyFile(name: string): boolean {
  return studyDownloads.includes(name);
}

/** What the page needs of a trial. */
function shown(trial: TrialRecord): StudyTrial {
  const { network, arm, labels, optimizer, seed, score, points, diverged } = trial;
  return {
    network,
    arm,
    labels,
    optimizer: optimizer.kind,
    learningRate: optimizer.learningRate,
    seed,
    score,
    diverged,
    points,
  };
}

/** The plan of study.json. @throws Error where it is none */
function planIn({ plan }: Record<string, unknown>): StudyPlan {
  const { networks, arms } = (plan ?? {}) as Partial<StudyPlan>;
  const some = (list: unknown): boolean => Array.isArray(list) && list.length > 0;
  if (!some(networks) || !some(arms)) throw new Error("it is no headstart study's plan");
  return plan as StudyPlan;
}
