/** report.html */
import type { StudyPlan } from "./plan.js";
import type { StudyResults } from "./run-study.js";
import type { StudyFolder } from "./study-folder.js";
import type { StudySummary } from "./summary.js";

export async function writeReport(
  _folder: StudyFolder,
  _plan: StudyPlan,
  _summary: StudySummary,
  _results: StudyResults,
  _record: object,
): Promise<void> {}
