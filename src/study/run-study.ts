/** Runs what a plan asks for and is not yet there: pretrainings, timings, tuning, trials, several side by side. */
import { InterruptedError } from "../errors.js";
import type { OptimizerSettings } from "../recipe/recipe.js";
import { type StudyTiming, selfTrainingName, timingName } from "./equal-time.js";
import { judgeTrial, judgeTrials } from "./judge-trial.js";
import {
  type pretrainingKey as KeyOf,
  prepares,
  type Setting,
  type StudyPlan,
  selfTrained,
  settingsOf,
  type Trial,
} from "./plan.js";
import type { PretrainingRecord, TrialRecord } from "./records.js";
import { fewestPairs } from "./statistics/verdict.js";
import { type StudyFolder, studyFiles } from "./study-folder.js";
import { isLongEnough, pretrainingsOf, resultsOf, type StudyResults, wantedOf } from "./study-results.js";
import { bestRates, tuningOf } from "./tuning.js";

/** A piece of work. */
export type Job =
  | {
      readonly kind: "pretraining";
      readonly key: ReturnType<typeof KeyOf>;
      readonly network: string;
      readonly arm: string;
      readonly seed: number;
    }
  | { readonly kind: "timing"; readonly network: string; readonly optimizer: OptimizerSettings }
  | { readonly kind: "trial"; readonly key: string; readonly trial: Trial; readonly extension: number };

/** What a job gives. */
export type JobResult =
  | { readonly kind: "pretraining"; readonly record: PretrainingRecord }
  | ({ readonly kind: "timing" } & TrialTiming)
  | { readonly kind: "trial"; readonly record: TrialRecord };

/** How long the parts of a trial take. */
export interface TrialTiming {
  /** Of supervised training. */
  readonly secondsPerStep: number;
  readonly secondsPerEvaluation: number;
  /** Of a whole self-training, where one of the plan's arms has it. */
  readonly selfTrainingSeconds?: number;
}

/** Does jobs, as many at once as it has workers. */
export interface Executor {
  readonly workers: number;
  /** Makes a plan known, before its jobs. */
  usePlan(plan: StudyPlan): Promise<void>;
  run(job: Job, onProgress: (step: number, steps: number) => void): Promise<JobResult>;
  close(): Promise<void>;
}

export type StudyEvent =
  | {
      readonly type: "stage";
      readonly stage: "pretraining" | "tuning" | "training";
      readonly jobs: number;
      readonly finished: number;
    }
  | {
      readonly type: "progress";
      readonly stage: string;
      readonly done: number;
      readonly jobs: number;
      readonly job: string;
    }
  | { readonly type: "trial"; readonly record: TrialRecord }
  | { readonly type: "pretrained"; readonly record: PretrainingRecord };

export interface RunStudyOptions {
  readonly plan: StudyPlan;
  readonly folder: StudyFolder;
  readonly executor: Executor;
  readonly signal?: AbortSignal;
  /** Time of performance.now() after which no trial is begun, */
  readonly deadline?: number;
  /** but for those of the first seeds, without which nothing can be judged, until this time. */
  readonly lastDeadline?: number;
  readonly onEvent?: (event: StudyEvent) => void;
}

/** Runs a study to its end, or to the deadline. @throws InterruptedError where the signal aborts; all finished work is kept */
export async function runStudy(options: RunStudyOptions): Promise<StudyResults> {
  try {
    return await runJobs(options);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError("the study was stopped; the same command continues it");
  }
}

async function runJobs(options: RunStudyOptions): Promise<StudyResults> {
  const { plan, folder } = options;
  const settings = settingsOf(plan);
  const trials = judgeTrials(await folder.readTrials(), plan);
  const pretrainings = await runPretrainings(options);
  const timing = await measureTimings(options, settings);
  const tuned = plan.tune ? await tune(options, settings, trials) : {};
  const wanted = wantedOf(plan, settings, tuned, pretrainings, timing);
  // A key that stands twice (an arm named in two ways) is one training.
  const jobs = [...new Map(wanted.map((entry) => [entry.key, { kind: "trial" as const, ...entry }])).values()];
  const missing = jobs.filter(({ key, extension }) => !isLongEnough(trials.get(key), plan.steps + extension));
  options.onEvent?.({
    type: "stage",
    stage: "training",
    jobs: missing.length,
    finished: jobs.length - missing.length,
  });
  await runAll(options, "training", missing, async (result) => {
    if (result.kind !== "trial") return;
    const record = await keep(result.record, options, trials);
    options.onEvent?.({ type: "trial", record });
  });
  return resultsOf(plan, wanted, trials, { pretrainings, timing, tuned });
}

/** Writes a finished trial as it is, and takes it among the others as the plan judges it. */
async function keep(
  record: TrialRecord,
  { plan, folder }: Pick<RunStudyOptions, "plan" | "folder">,
  trials: Map<string, TrialRecord>,
): Promise<TrialRecord> {
  await folder.appendTrial(record);
  const judged = judgeTrial(record, plan);
  if (!judged) throw new Error(`the trial ${record.key} was not measured by ${plan.measure}`);
  trials.set(record.key, judged);
  return judged;
}

/** All pretrainings of the plan by key; those that are not there are run. */
async function runPretrainings(options: RunStudyOptions): Promise<Map<string, PretrainingRecord>> {
  const { plan, folder } = options;
  const records = new Map<string, PretrainingRecord>();
  const missing = new Map<string, Job>();
  for (const job of pretrainingsOf(plan)) {
    const known = await folder.readPretraining(job.key);
    if (known) records.set(job.key, known);
    else missing.set(job.key, job);
  }
  if (missing.size === 0) return records;
  options.onEvent?.({ type: "stage", stage: "pretraining", jobs: missing.size, finished: records.size });
  // A deadline does not apply: without its pretraining an arm has no trial at all.
  const { deadline: _, lastDeadline: __, ...unhurried } = options;
  await runAll(unhurried, "pretraining", [...missing.values()], async (result) => {
    if (result.kind !== "pretraining") return;
    records.set(result.record.key, result.record);
    options.onEvent?.({ type: "pretrained", record: result.record });
  });
  return records;
}

async function measureTimings(options: RunStudyOptions, settings: readonly Setting[]): Promise<StudyTiming> {
  const { plan, folder } = options;
  const known = await folder.readJson<StudyTiming>(studyFiles.timing);
  const secondsPerStep: Record<string, number> = { ...known?.secondsPerStep };
  const selfTrainingSeconds: Record<string, number> = { ...known?.selfTrainingSeconds };
  const selfTrains = plan.arms.some(selfTrained);
  if (!selfTrains && (plan.longestExtension === 0 || !prepares(plan))) return { secondsPerStep };
  for (const { network, optimizer } of settings) {
    const name = timingName(plan, network, optimizer);
    const selfTraining = selfTrainingName(plan, network);
    if (secondsPerStep[name] !== undefined && (!selfTrains || selfTrainingSeconds[selfTraining] !== undefined))
      continue;
    const result = await options.executor.run({ kind: "timing", network, optimizer }, () => {});
    if (result.kind !== "timing") continue;
    secondsPerStep[name] = result.secondsPerStep;
    if (result.selfTrainingSeconds !== undefined) selfTrainingSeconds[selfTraining] = result.selfTrainingSeconds;
  }
  const timing: StudyTiming = { secondsPerStep, ...(selfTrains ? { selfTrainingSeconds } : {}) };
  await folder.writeJson(studyFiles.timing, timing);
  return timing;
}

/** Chooses each arm's learning rate in each setting by validation labels, with the same trials for every arm. */
async function tune(
  options: RunStudyOptions,
  settings: readonly Setting[],
  trials: Map<string, TrialRecord>,
): Promise<Record<string, number>> {
  const { plan } = options;
  const candidates = tuningOf(plan, settings);
  const all = candidates.flatMap(({ rates }) => rates.flatMap(({ keys }) => keys));
  const missing = all.filter(({ key }) => !trials.has(key));
  options.onEvent?.({ type: "stage", stage: "tuning", jobs: missing.length, finished: all.length - missing.length });
  const { deadline: _, lastDeadline: __, ...unhurried } = options;
  await runAll(
    unhurried,
    "tuning",
    missing.map(({ trial, key }): Job => ({ kind: "trial", key, trial, extension: 0 })),
    async (result) => {
      if (result.kind === "trial") await keep(result.record, options, trials);
    },
  );
  return bestRates(candidates, trials);
}

/** Runs jobs, as many at once as there are workers, until all are done, one fails, the deadline passes or the signal aborts. */
async function runAll(
  options: RunStudyOptions,
  stage: string,
  jobs: readonly Job[],
  onResult: (result: JobResult) => Promise<void>,
): Promise<void> {
  const { executor, signal, onEvent } = options;
  const shares = new Float64Array(jobs.length);
  let next = 0;
  let failed = false;
  // One record at a time, so that lines never mix.
  let writing: Promise<void> = Promise.resolve();
  const progress = (index: number, share: number): void => {
    shares[index] = share;
    const done = shares.reduce((sum, value) => sum + value, 0);
    onEvent?.({ type: "progress", stage, done, jobs: jobs.length, job: nameOf(jobs[index]) });
  };
  const lane = async (): Promise<void> => {
    while (!failed && next < jobs.length) {
      if (signal?.aborted) throw new InterruptedError("stopped before a job");
      if (isTooLate(options, jobs[next])) return;
      const index = next++;
      try {
        // A recipe that trains nothing has no steps, but tells of its start.
        const result = await executor.run(jobs[index], (step, steps) =>
          progress(index, steps > 0 ? (0.999 * step) / steps : 0),
        );
        writing = writing.then(() => onResult(result));
        await writing;
        progress(index, 1);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(executor.workers, jobs.length) }, lane));
  const broken = lanes.find((result) => result.status === "rejected");
  if (broken) throw broken.reason;
}

function isTooLate({ deadline, lastDeadline = deadline }: RunStudyOptions, job: Job): boolean {
  const isNeeded = job.kind === "trial" && job.trial.seed < fewestPairs;
  return performance.now() > ((isNeeded ? lastDeadline : deadline) ?? Number.POSITIVE_INFINITY);
}

function nameOf(job: Job): string {
  switch (job.kind) {
    case "pretraining":
      return `${job.arm}, seed ${job.seed}`;
    case "timing":
      return "timing";
    case "trial":
      return `${job.trial.arm}, seed ${job.trial.seed}`;
  }
}
