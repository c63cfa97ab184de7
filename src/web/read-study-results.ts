/** Reads the finished work of a study's folder without changing anything: the study may be running. */
import { join } from "node:path";
import type { StudyTiming } from "../study/equal-time.js";
import type { StudyPlan } from "../study/plan.js";
import { currentRecord, isTrial, type PretrainingRecord, type TrialRecord } from "../study/records.js";
import { studyFiles } from "../study/study-folder.js";
import { pretrainingKeysOf, resultsSoFar, type StudyResults } from "../study/study-results.js";
import { readJsonLines } from "./json-lines.js";
import type { Problem } from "./protocol.js";
import { readRecord } from "./read-run.js";

/**
 * What a study has by now of what its plan asks for. A folder may hold trials of other plans, which do not count.
 *
 * @throws Error where the plan is of another version
 */
export async function readStudyResults(
  folder: string,
  id: string,
  plan: StudyPlan,
): Promise<{ results: StudyResults; problems: Problem[] }> {
  const path = `${id}/${studyFiles.trials}`;
  const { lines, problems } = await readJsonLines(join(folder, studyFiles.trials), path, 0, isTrial);
  const trials = new Map<string, TrialRecord>();
  // A trial that stands twice was made again with more steps.
  for (const line of lines) trials.set(line.key, currentRecord(line));
  const pretrainings = new Map<string, PretrainingRecord>();
  for (const key of pretrainingKeysOf(plan)) {
    const record = await readRecord(join(folder, studyFiles.pretraining, `${key}.json`)).catch(() => undefined);
    if (record) pretrainings.set(key, record as unknown as PretrainingRecord);
  }
  const timing = (await readRecord(join(folder, studyFiles.timing)).catch(() => undefined)) as StudyTiming | undefined;
  const results = resultsSoFar(plan, trials, pretrainings, timing ?? { secondsPerStep: {} });
  return { results, problems };
}
