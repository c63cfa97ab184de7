/** The honest study: trains a network from several starts and says what it found. */
import { availableParallelism } from "node:os";
import { basename, extname, join } from "node:path";
import { dataNotes } from "../data/unusable-samples.js";
import { InterruptedError, userError } from "../errors.js";
import { requireDevice } from "../runtime/require-device.js";
import { type Arm, armsForData } from "../study/arm.js";
import { labelledSamples } from "../study/labels.js";
import { type StudyPlan, selfTrained, settingsOf, shortHash } from "../study/plan.js";
import { writeReport } from "../study/report.js";
import { type Executor, type RunStudyOptions, runStudy } from "../study/run-study.js";
import type { StudyData } from "../study/run-trial.js";
import { fewestPairs } from "../study/statistics/verdict.js";
import { StudyFolder, studyFiles } from "../study/study-folder.js";
import { resultsIn, type StudyResults } from "../study/study-results.js";
import { summarize } from "../study/summary.js";
import { requireDiscriminatorKind } from "./choose-discriminator.js";
import type { CompareEvent, CompareOptions, CompareResult } from "./compare-types.js";
import { fitMemory, type MemoryFit } from "./fit-memory.js";
import { fitPilot, type PilotFit, type PilotRequest } from "./fit-pilot.js";
import { OpenedDatasets } from "./opened-datasets.js";
import {
  benchSettings,
  besidesInPilot,
  discriminatorHashOf,
  draftPlan,
  locateLabels,
  openTraining,
  parseArms,
  planNetworks,
} from "./plan-study.js";
import { requireTokens } from "./require-tokens.js";
import { memoryNote, replacedNote } from "./run-notes.js";
import { requireGiven, requireSelfTrainingSteps } from "./run-settings.js";
import { StudyBench } from "./study-bench.js";
import { type BenchSettings, openStudyData } from "./study-data.js";
import { duplicateNotes, withoutDuplicates } from "./study-duplicates.js";
import { studyEnvironment } from "./study-environment.js";
import { localExecutor, threadExecutor } from "./study-executors.js";
import { requireLabels, targetNotes } from "./study-labels.js";
import {
  requireLabelAmounts,
  requirePretrained,
  requireStudySettings,
  unusedDiscriminatorNote,
} from "./study-settings.js";
import { workerBytes, workersNote, workersThatFit } from "./study-workers.js";
import { version } from "./version.js";

export type * from "./compare-types.js";

/**
 * Compares starts of a network: trains all of it, F and head, from each, over seeds and settings, and judges the
 * differences. Finished work in the output folder is used, so a study can be stopped, resumed and enlarged.
 *
 * @throws UserError where something does not fit, such as a test sample among the training samples; InterruptedError
 *   where the signal aborts
 */
export async function compare(options: CompareOptions): Promise<CompareResult> {
  const signal = options.signal ?? new AbortController().signal;
  const datasets = new OpenedDatasets(signal);
  try {
    return await compareOn(datasets, options, signal);
  } finally {
    await datasets.closeAll();
  }
}

async function compareOn(
  datasets: OpenedDatasets,
  options: CompareOptions,
  signal: AbortSignal,
): Promise<CompareResult> {
  const emit = options.onEvent ?? (() => {});
  requireGiven({ model: options.model, data: options.data, test: options.test });
  if (options.output !== undefined) requireGiven({ output: options.output });
  requireStudySettings(options);
  const deadlines = options.pilot === undefined ? {} : deadlinesOf(options.pilot);
  const device = await requireDevice(options.device);
  if (device !== "cpu" && (options.workers ?? 1) > 1)
    throw userError({
      where: "workers",
      required: `1 with the device ${device}, which computes one trial at a time`,
      got: String(options.workers),
      advice: "Leave --workers out",
    });
  if (options.discriminator !== undefined) requireDiscriminatorKind(options.discriminator);
  const asked = await parseArms(options);
  requirePretrained(options, asked);
  const mayBeTakenAlong = options.pilot !== undefined && options.arms === undefined;
  requireSelfTrainingSteps(options.selfTrainingSteps, mayBeTakenAlong || asked.some(selfTrained), {
    place: "an arm",
    got: asked.map(({ name }) => name).join(", "),
  });
  emit({ type: "reading" });
  const path = options.output ?? `${basename(options.model, extname(options.model))}-study`;
  const labels = await locateLabels(options);
  const { networks, prepare, task: known, note } = await planNetworks(options, labels, path, datasets);
  const draft = benchSettings(options, labels, path, networks[0]);
  const { train, task } = await openTraining(draft, known, networks[0].outputs, datasets);
  const unfiltered = { ...draft, reading: { ...draft.reading, task } };
  const everything = await openStudyData(unfiltered, datasets, train);
  requireLabels(options, everything, networks[0], task);
  const { test, unlabelled } = everything;
  for (const dataset of new Set([train, test, unlabelled]))
    await requireTokens(dataset, networks[0].kind.vocabulary, signal);
  const { settings, data } = await withoutDuplicates(options, unfiltered, everything);
  const remarks = [
    ...(note ? [note] : []),
    ...unusedNotes(data),
    ...duplicateNotes(settings),
    ...targetNotes(options, data),
  ];
  for (const message of remarks) emit({ type: "note", message });

  const forData = (arms: readonly Arm[]) =>
    armsForData(arms, data.unlabelled, networks[0].kind, options.pretrainingEpochs);
  const { arms, replaced } = forData(asked);
  const unused = unusedDiscriminatorNote(options, arms);
  for (const message of [...replaced.map(replacedNote), ...(unused ? [unused] : [])]) emit({ type: "note", message });
  const { arms: besides } = forData(await besidesInPilot(options, task));
  const discriminatorHash = await discriminatorHashOf(options);
  const drafted = draftPlan(options, task, networks, arms, data, { device, discriminatorHash });
  requireLabelAmounts(drafted, data.train);
  const unlock = await (await StudyFolder.open(path, false)).lock();
  try {
    return await runIn(options, path, { drafted, besides, settings, data, prepare, deadlines, signal, emit });
  } finally {
    await unlock();
  }
}

/** How much longer than it was given a pilot may take where it would else end without a verdict, as a share. */
const pilotGrace = 0.5;

/** When a pilot of so many minutes ends that begins now. */
function deadlinesOf(minutes: number): Prepared["deadlines"] {
  const deadline = performance.now() + minutes * 60_000;
  return { deadline, lastDeadline: deadline + pilotGrace * minutes * 60_000 };
}

/** What is left out of the data, each once: what is not used of the training data is not used of the others either. */
function unusedNotes({ train, test, unlabelled }: StudyData): string[] {
  const places = new Map<string, string>();
  for (const { record, where } of [train, test, unlabelled])
    for (const note of dataNotes(record)) if (!places.has(note)) places.set(note, where);
  return Array.from(places, ([note, where]) => `${where}: ${note}`);
}

/** What {@link compare} has found out before it writes anything. */
interface Prepared {
  readonly drafted: StudyPlan;
  /** Arms that a pilot takes along where it can. */
  readonly besides: readonly Arm[];
  readonly settings: BenchSettings;
  readonly data: StudyData;
  readonly prepare: () => Promise<void>;
  readonly deadlines: Pick<RunStudyOptions, "deadline" | "lastDeadline">;
  readonly signal: AbortSignal;
  readonly emit: (event: CompareEvent) => void;
}

/** Runs a study in its folder, which is locked. */
async function runIn(
  options: CompareOptions,
  path: string,
  { drafted, besides: maybeBesides, settings, data, prepare, deadlines, signal, emit }: Prepared,
): Promise<CompareResult> {
  const folder = await openFolder(path, options.overwrite ?? false, drafted, emit);
  await folder.writeJson(studyFiles.plan, record(options, drafted, 0, data.test.count));
  await prepare();
  const told = new Set<string>();
  const note = (message: string | undefined): void => {
    if (message === undefined || told.has(message)) return;
    emit({ type: "note", message });
    told.add(message);
  };
  const { largest, besides, leftOut } = await fitting(settings, data, drafted, maybeBesides, signal);
  note(leftOut);
  let plan = drafted;
  note(memoryNote(largest, drafted.device ?? "cpu", undefined, largest.advice));
  const files = drafted.networks.map(({ file }) => file);
  const bytesEach = await workerBytes(data, files, largest.peakBytes);
  const parallel = options.workers ?? defaultWorkers(drafted, bytesEach, note);
  if (options.pilot !== undefined) {
    const request = { draft: drafted, besides, minutes: options.pilot, workers: parallel, askedSeeds: options.seeds };
    const fit = await fitPilotOnce(request, folder, () => StudyBench.open(settings, data), signal, emit);
    plan = fit.plan;
    emit({ type: "pilot", fit });
    note(fit.leftOut);
    note(fit.tooShort);
  }
  if (plan.arms.length > 1 && plan.seeds < fewestPairs)
    note(
      `with fewer than ${fewestPairs} seeds no arm can have a verdict: this is a trial run, or --seeds asks for more`,
    );
  const trials = settingsOf(plan).length * plan.arms.length * plan.seeds;
  const workers = Math.max(1, Math.min(parallel, trials));
  note(workersNote(workers, bytesEach));
  await folder.writeJson(studyFiles.plan, record(options, plan, workers, data.test.count));
  await writeSubsets(folder, plan, data);
  emit({ type: "planned", plan, folder: path, workers, trials });

  const executor: Executor =
    workers === 1 ? await localExecutor(settings, data, signal, note) : threadExecutor(settings, workers, signal);
  const write = async (results: StudyResults): Promise<CompareResult> => {
    const summary = summarize(plan, results, data.test.count);
    await folder.writeJson(studyFiles.summary, summary);
    await writeReport(folder, plan, summary, results, record(options, plan, workers, data.test.count));
    return { folder: path, report: folder.file(studyFiles.report), plan, summary };
  };
  try {
    await executor.usePlan(plan);
    const results = await runStudy({
      plan,
      folder,
      executor,
      signal,
      ...deadlines,
      onEvent: emit,
    });
    return await write(results);
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    const results = await resultsIn(folder, plan);
    if (results.trials.length > 0) note(`what is finished stands in ${(await write(results)).report}`);
    throw error;
  } finally {
    await executor.close();
  }
}

/** See {@link fitMemory}. */
async function fitting(
  settings: BenchSettings,
  data: StudyData,
  plan: StudyPlan,
  besides: readonly Arm[],
  signal: AbortSignal,
): Promise<MemoryFit> {
  const bench = await StudyBench.open(settings, data);
  try {
    return await fitMemory(bench, plan, besides, signal);
  } finally {
    await bench.close();
  }
}

/** One a core, fewer where memory is short. */
function defaultWorkers(plan: StudyPlan, bytesEach: number, note: (message: string) => void): number {
  // Worker threads need the built files.
  if (import.meta.url.endsWith(".ts") || plan.device !== undefined) return 1;
  const cores = availableParallelism();
  const fit = workersThatFit(cores, bytesEach);
  if (fit < cores) note(`memory for ${fit} of ${cores} trials side by side; --workers asks for more`);
  return fit;
}

/** Fits a pilot. One that goes on keeps what was fitted before: another measurement would make other trials of it. */
async function fitPilotOnce(
  request: PilotRequest,
  folder: StudyFolder,
  openBench: () => Promise<StudyBench>,
  signal: AbortSignal,
  emit: (event: CompareEvent) => void,
): Promise<PilotFit> {
  const { draft, besides, minutes, askedSeeds } = request;
  // It makes the same trials, whatever judges them.
  const { measure, ...others } = draft;
  const of = shortHash({ draft: others, besides, minutes, seeds: askedSeeds ?? null });
  const known = await folder.readJson<{ of: string; fit: PilotFit }>(studyFiles.pilot);
  if (known?.of === of) {
    const { measure: _, ...fitted } = known.fit.plan;
    return { ...known.fit, plan: { ...fitted, ...(measure === undefined ? {} : { measure }) } };
  }
  const bench = await openBench();
  try {
    const fit = await fitPilot(bench, request, signal, (done, kinds) => emit({ type: "timing", done, kinds }));
    await folder.writeJson(studyFiles.pilot, { of, fit });
    return fit;
  } finally {
    await bench.close();
  }
}

/** study.json */
export interface StudyRecord {
  readonly headstart: string;
  readonly command: string | null;
  readonly environment: Readonly<Record<string, string | number>>;
  readonly workers: number;
  readonly files: Readonly<Record<string, string | null>>;
  readonly plan: StudyPlan;
  /** How many samples scores are measured on. */
  readonly testSamples: number;
}

function record(options: CompareOptions, plan: StudyPlan, workers: number, testSamples: number): StudyRecord {
  const { model, data, test, unlabelled } = options;
  return {
    headstart: version,
    command: options.command ?? null,
    environment: studyEnvironment(),
    workers,
    files: { model, data, test, unlabelled: unlabelled ?? null },
    plan,
    testSamples,
  };
}

/** Opens the folder; an earlier study there must have been of the same data. */
async function openFolder(
  path: string,
  overwrite: boolean,
  plan: StudyPlan,
  emit: (event: CompareEvent) => void,
): Promise<StudyFolder> {
  const folder = await StudyFolder.open(path, overwrite);
  const earlier = await folder.readJson<Partial<StudyRecord>>(studyFiles.plan);
  const same =
    earlier?.plan === undefined ||
    (earlier.plan.data.train === plan.data.train && earlier.plan.data.test === plan.data.test);
  if (!same)
    throw userError({
      where: path,
      required: "the folder of a study of the same data",
      got: "one of other data",
      advice: "Choose another --output, or pass --overwrite to begin anew.",
    });
  if (earlier?.plan !== undefined && earlier.plan.headstart !== plan.headstart)
    emit({
      type: "note",
      message: `${path}: its trials are of headstart ${earlier.plan.headstart ?? "before 0.1.0"}, and this is ${plan.headstart}: they are not used again, since numbers may have changed`,
    });
  return folder;
}

/** Which samples each seed's labels are. */
async function writeSubsets(folder: StudyFolder, plan: StudyPlan, data: StudyData): Promise<void> {
  for (const labels of plan.labels) {
    if (labels === "all") continue;
    for (let seed = 0; seed < plan.seeds; seed++) {
      const indices = labelledSamples(data.train, labels, seed);
      const name = `labels-${labels.replace("/", "-per-").replace("%", "-percent")}-seed-${seed}.json`;
      await folder.write(
        join(studyFiles.subsets, name),
        `${JSON.stringify({ labels, seed, of: plan.data.train, indices: [...indices] })}\n`,
      );
    }
  }
}
