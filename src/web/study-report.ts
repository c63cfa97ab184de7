/** What a study says: its own summary, or one of the trials that have finished by now. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { measureOf } from "../study/measure.js";
import { ratesOf, type StudyPlan, settingsOf } from "../study/plan.js";
import { studyFiles } from "../study/study-folder.js";
import type { StudyResults } from "../study/study-results.js";
import { summarize } from "../study/summary.js";
import type { StudyReport, StudySelection, SummaryView } from "./protocol.js";
import { readRecord } from "./read-run.js";
import { readStudyResults } from "./read-study-results.js";

/** Bootstrap resamples of a summary in passing: no verdict rests on them, and the page shows nothing that does. */
const resamples = 20;

/** Reports of studies, each kept until its files change. */
export class StudyReports {
  readonly #kept = new Map<string, { signature: string; bySelection: Map<string, Promise<StudyReport>> }>();

  /**
   * A study's report. Of all settings of a study that is done it is summary.json as it stands; else it is computed from
   * the finished trials.
   */
  async read(folder: string, id: string, selection: StudySelection): Promise<StudyReport> {
    const signature = await signatureOf(folder);
    let kept = this.#kept.get(folder);
    if (kept?.signature !== signature) {
      kept = { signature, bySelection: new Map() };
      this.#kept.set(folder, kept);
      // Summaries of a large study are large, and few studies are looked at.
      for (const other of [...this.#kept.keys()].slice(0, -8)) this.#kept.delete(other);
    }
    const key = JSON.stringify([selection.network, selection.labels, selection.learningRate]);
    let report = kept.bySelection.get(key);
    if (!report) {
      report = reportOf(folder, id, selection);
      if (kept.bySelection.size >= 50) kept.bySelection.clear();
      kept.bySelection.set(key, report);
    }
    return report;
  }
}

async function signatureOf(folder: string): Promise<string> {
  const names = [studyFiles.plan, studyFiles.trials, studyFiles.timing, studyFiles.summary];
  const parts = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs, size }) => `${mtimeMs}:${size}`,
        () => "",
      ),
    ),
  );
  return parts.join(" ");
}

async function reportOf(folder: string, id: string, selection: StudySelection): Promise<StudyReport> {
  const own = (await readRecord(join(folder, studyFiles.summary)).catch(() => undefined)) as
    | (SummaryView & { trials: number; planned: number; measure?: string })
    | undefined;
  const finished = own !== undefined && isSummary(own) ? own : undefined;
  try {
    const record = (await readRecord(join(folder, studyFiles.plan))) as { plan?: StudyPlan; testSamples?: number };
    if (record.plan === undefined) return empty;
    const { results } = await readStudyResults(folder, id, record.plan);
    // By what it counts, not by its time: copied files have new times.
    const provisional =
      finished?.trials !== results.trials.length ||
      finished.planned !== results.planned ||
      // Summaries of the first version did not say: they had accuracy alone.
      (finished.measure ?? "accuracy") !== measureOf(record.plan).key;
    const filtered = Object.values(selection).some((value) => value !== undefined);
    if (finished && !provisional && !filtered)
      return { ...empty, ...counted(finished), provisional, summary: finished };
    const [plan, chosen] = restricted(record.plan, results, selection);
    const summary =
      chosen.trials.length === 0 || record.testSamples === undefined
        ? null
        : summarize(plan, chosen, record.testSamples, resamples);
    return {
      provisional,
      ...counted({ trials: chosen.trials.length, planned: chosen.planned }),
      summary,
      problems: [],
    };
  } catch (error) {
    // A plan of another version: what it says itself is all that can be shown.
    const problems = [{ path: `${id}/${studyFiles.plan}`, reason: (error as Error).message }];
    return finished
      ? { ...empty, ...counted(finished), provisional: false, summary: finished }
      : { ...empty, problems };
  }
}

const empty: StudyReport = { provisional: true, trials: 0, planned: 0, summary: null, problems: [] };

function counted({ trials, planned }: { trials: number; planned: number }): Pick<StudyReport, "trials" | "planned"> {
  return { trials, planned };
}

/** Whether a summary is of a form that the page can show. */
function isSummary({ settings, comparisons, warnings, notes }: SummaryView): boolean {
  return (
    [settings, comparisons, warnings, notes].every(Array.isArray) &&
    settings.every(({ arms }) => arms.every(({ score }) => typeof score?.mean === "number"))
  );
}

/** The part of a study that is looked at, as a study of its own. */
function restricted(
  plan: StudyPlan,
  results: StudyResults,
  { network, labels, learningRate }: StudySelection,
): [StudyPlan, StudyResults] {
  const is = (wanted: string | undefined, value: string | number): boolean =>
    wanted === undefined || wanted === String(value);
  // A tuned rate is the arm's own, and no setting.
  const rate = plan.tune ? undefined : learningRate;
  const part: StudyPlan = {
    ...plan,
    networks: plan.networks.filter(({ name }) => is(network, name)),
    labels: plan.labels.filter((amount) => is(labels, amount)),
    optimizers: plan.optimizers.filter((optimizer) => ratesOf(plan, optimizer).some((value) => is(rate, value))),
    learningRates: plan.learningRates.filter((value) => is(rate, value)),
  };
  const trials = results.trials.filter(
    (trial) => is(network, trial.network) && is(labels, trial.labels) && is(rate, trial.optimizer.learningRate),
  );
  return [part, { ...results, trials, planned: settingsOf(part).length * plan.arms.length * plan.seeds }];
}
