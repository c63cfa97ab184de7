/** The folder of a study: its plan, trials, pretrained weights, summary and report. */
import { appendFile, mkdir, readdir, readFile, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolder } from "../data/make-folder.js";
import { removeTree } from "../data/remove-tree.js";
import { wholeNameOf, writeWhole } from "../data/write-whole.js";
import { fileError, userError } from "../errors.js";
import { isOfLock, lockFolder } from "./lock-folder.js";
import { isPretraining, type PretrainingRecord, readTrial, type TrialRecord } from "./records.js";

export const studyFiles = {
  plan: "study.json",
  trials: "trials.jsonl",
  timing: "timing.json",
  pilot: "pilot.json",
  summary: "summary.json",
  report: "report.html",
  pretraining: "pretraining",
  subsets: "subsets",
  networks: "networks",
  pictures: "pictures",
  charts: "charts",
} as const;

/** What a study keeps together in folders of their own, but for whole networks, */
const folders = [studyFiles.pretraining, studyFiles.subsets, studyFiles.pictures, studyFiles.charts];

/** and a file in them. */
const fileWithin = /\.(safetensors|json|png|svg)$/;

/** Its lock, see {@link lockFolder}: not what a study writes, so that overwriting leaves it. */
const lockFile = "study.lock";

/** Whether a folder may hold this before a study's plan is there: another study, begun at the same moment, is writing it. */
function mayComeFirst(name: string): boolean {
  return isOfLock(name, lockFile) || wholeNameOf(name) === studyFiles.plan;
}

/** A name that any file system takes. */
export function fileNameOf(name: string): string {
  return name.replace(/[^a-zA-Z0-9.+_-]+/g, "_");
}

/** A study's folder on disk. Files appear whole; trials.jsonl only grows, a line at a time. */
export class StudyFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Opens a study's folder, made new where there is none: what an earlier call finished there is used.
   *
   * @param overwrite begin anew: everything that a study writes is removed first
   * @throws UserError where the folder holds something else, or cannot be made
   */
  static async open(path: string, overwrite: boolean): Promise<StudyFolder> {
    try {
      const content: string[] = await readdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      });
      if (content.some((name) => !mayComeFirst(name)) && !content.includes(studyFiles.plan))
        throw userError({
          where: path,
          required: "a new or empty folder, or that of an earlier study",
          got: "a folder with other files",
          advice: "Choose another --output.",
        });
      if (overwrite) {
        // The plan last: without it a folder is no study's, and would not be overwritten again.
        const { plan, ...others } = studyFiles;
        for (const name of [...Object.values(others), plan]) await removeTree(join(path, name));
      }
      makeFolder(path);
    } catch (error) {
      throw fileError(error, path, "a folder for the study");
    }
    return new StudyFolder(path);
  }

  file(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /**
   * Keeps other studies out until what it gives is called, and removes what one that was ended at once has left half
   * written.
   *
   * @throws UserError where one is in it
   */
  async lock(): Promise<() => Promise<void>> {
    const unlock = await lockFolder(this.file(lockFile), "study");
    const whole: readonly string[] = Object.values(studyFiles);
    for (const name of await readdir(this.path))
      if (whole.includes(wholeNameOf(name) ?? "")) await this.remove(name).catch(() => {});
    for (const name of folders)
      for (const file of await readdir(this.file(name)).catch((): string[] => []))
        if (fileWithin.test(wholeNameOf(file) ?? "")) await removeTree(this.file(name, file)).catch(() => {});
    return unlock;
  }

  /** Removes a file or folder of the study, where there is one. */
  remove(name: string): Promise<void> {
    return removeTree(this.file(name));
  }

  /** Writes a file whole, under a temporary name first. */
  async write(name: string, content: Uint8Array | string): Promise<void> {
    const path = this.file(name);
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeWhole(path, content);
    } catch (error) {
      throw fileError(error, path, "a place to write to");
    }
  }

  async writeJson(name: string, content: unknown): Promise<void> {
    await this.write(name, `${JSON.stringify(content, undefined, 2)}\n`);
  }

  /** What a JSON file holds; undefined where there is none. @throws UserError where it is broken */
  async readJson<Content>(name: string): Promise<Content | undefined> {
    const path = this.file(name);
    try {
      return JSON.parse(await readFile(path, "utf8")) as Content;
    } catch (error) {
      if (error instanceof SyntaxError)
        throw userError({
          where: path,
          required: "a JSON file",
          got: error.message,
          // Without its plan a folder is no study's.
          advice:
            name === studyFiles.plan ? "Begin anew with --overwrite." : "Remove it, or begin anew with --overwrite.",
        });
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError(error, path, "a study's file");
    }
  }

  /**
   * The finished trials by key; where a key stands twice, the last: it was made again with more steps.
   *
   * @throws UserError where a line other than the last is broken. A torn last line is cut off: its trial runs again.
   */
  async readTrials(): Promise<Map<string, TrialRecord>> {
    const path = this.file(studyFiles.trials);
    const trials = new Map<string, TrialRecord>();
    const found = await stat(path).catch(() => undefined);
    if (!found) return trials;
    const lines = (await readFile(path, "utf8")).split(/(?<=\n)/);
    let kept = 0;
    for (const [index, line] of lines.entries()) {
      const last = index === lines.length - 1;
      const record = line.endsWith("\n") ? readTrial(line) : undefined;
      if (record === undefined) {
        if (!last)
          throw userError({
            where: `${path}, line ${index + 1}`,
            required: "a trial's record",
            got: "something else",
            advice: "Remove the line: its trial will run again.",
          });
        break;
      }
      trials.set(record.key, record);
      kept += Buffer.byteLength(line);
    }
    if (kept < found.size) await truncate(path, kept);
    return trials;
  }

  /** Adds a finished trial. */
  async appendTrial(record: TrialRecord): Promise<void> {
    const path = this.file(studyFiles.trials);
    try {
      await appendFile(path, `${JSON.stringify(record)}\n`);
    } catch (error) {
      throw fileError(error, path, "a place to write to");
    }
  }

  /**
   * A finished pretraining's record, or undefined. It is written after the weights, so these are whole.
   *
   * @throws UserError where it is broken
   */
  async readPretraining(key: string): Promise<PretrainingRecord | undefined> {
    const name = join(studyFiles.pretraining, `${key}.json`);
    const record = await this.readJson<unknown>(name);
    if (record === undefined || (isPretraining(record) && record.key === key)) return record;
    throw userError({
      where: this.file(name),
      required: "a pretraining's record",
      got: "something else",
      advice: "Remove it: the same command then pretrains again.",
    });
  }
}
