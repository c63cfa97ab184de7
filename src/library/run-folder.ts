/** The folder of a run: its record, metrics, checkpoints, pictures and weights. Files appear whole or not at all. */
import { appendFile, mkdir, readdir, readFile, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder, requirePlace } from "../data/make-folder.js";
import { removeTree } from "../data/remove-tree.js";
import { wholeNameOf, writeWhole } from "../data/write-whole.js";
import { fileError, userError } from "../errors.js";
import { isOfLock, lockFolder } from "../study/lock-folder.js";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";

/** Its lock: not what a run writes, so that overwriting leaves it. */
const lockFile = "run.lock";

/** Names of the files and folders of a run's folder. */
export const runFiles = {
  record: "run.json",
  result: "result.json",
  metrics: "metrics.jsonl",
  timing: "timing.jsonl",
  weights: "weights.safetensors",
  transform: "transform.json",
  model: "model.onnx",
  generator: "generator.onnx",
  discriminator: "discriminator.onnx",
  checkpoints: "checkpoints",
  samples: "samples",
  layers: "layers.jsonl",
  filters: "filters",
  tensorboard: "tensorboard",
  mlflow: "mlflow.json",
} as const;

/** The name of a model of another format than ONNX. */
const otherModel = /^model\.(keras|h5|json)$/;

/** The model of another format than ONNX that a run has written, as its result says; none where there is none. */
async function writtenModel(path: string): Promise<string[]> {
  const text = await readFile(join(path, runFiles.result), "utf8").catch(() => "");
  const names = [...text.matchAll(/"model": "([^"]*)"/g)].map(([, name]) => name);
  // The file may have been changed: only a name that a run gives is believed.
  return names.filter((name) => otherModel.test(name)).slice(0, 1);
}

/** What a run keeps together in folders of their own. */
const folders = [runFiles.checkpoints, runFiles.samples, runFiles.filters];

/** What self-training has come to, among the checkpoints. */
const selfTrainingFile = "self-training.safetensors";

/** A file in them. */
const stepFile = /^(step-\d+\.(safetensors|png)|self-training\.safetensors)$/;

/** A checkpoint of the run's own steps. */
const stepCheckpoint = /^step-\d+\.safetensors$/;

/** Whether a name is that of a run's record before it is whole, which a run leaves that is ended at its very begin. */
function isUnfinishedRecord(name: string): boolean {
  return wholeNameOf(name) === runFiles.record;
}

/** Whether a file of the run's folder is one that a run which was ended at once has left half written. */
function isHalfWritten(name: string): boolean {
  const whole = wholeNameOf(name) ?? "";
  return otherModel.test(whole) || (Object.values(runFiles) as string[]).includes(whole);
}

/** A run's folder on disk. */
export class RunFolder {
  readonly path: string;
  #unlock: () => Promise<void> = async () => {};

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the folder, locked, with the run's record in it.
   *
   * @throws UserError where it has content and `overwrite` is not set, where another run is writing to it, or where it
   *   cannot be made. Only an earlier run (a folder with a run.json) is ever overwritten.
   */
  static async create(path: string, overwrite: boolean, record: unknown): Promise<RunFolder> {
    const folder = new RunFolder(path);
    const isOverwritten = await RunFolder.requireFree(path, overwrite);
    try {
      makeFolder(path);
      await folder.lock();
      if (isOverwritten) {
        const names = [
          runFiles.result,
          runFiles.checkpoints,
          ...Object.values(runFiles),
          ...(await writtenModel(path)),
        ];
        // First what says that it is finished, or how far it is. Its record is replaced: without it a folder is no run's.
        for (const name of names) if (name !== runFiles.record) await removeTree(join(path, name));
      }
      await folder.writeJson(runFiles.record, record);
      await folder.prepare();
    } catch (error) {
      await folder.unlock();
      throw fileError(error, path, "a folder for the run");
    }
    return folder;
  }

  /** Makes the folders within the folder, and removes what a run that was ended at once has left half written. */
  async prepare(): Promise<void> {
    for (const name of await readdir(this.path)) if (isHalfWritten(name)) await this.remove(name);
    for (const name of folders) {
      const path = this.file(name);
      await mkdir(path, { recursive: true });
      for (const file of await readdir(path))
        if (stepFile.test(wholeNameOf(file) ?? "")) await removeTree(join(path, file));
    }
  }

  /** Keeps other runs out until {@link unlock}. @throws UserError where one is writing here */
  async lock(): Promise<void> {
    this.#unlock = await lockFolder(this.file(lockFile), "run");
  }

  async unlock(): Promise<void> {
    await this.#unlock();
  }

  /**
   * Refuses a folder that {@link RunFolder.create} would refuse, before any work is done for it.
   *
   * @param whereRun what to do where an earlier run is there
   * @returns true where it holds an earlier run that is to be overwritten
   */
  static async requireFree(
    path: string,
    overwrite: boolean,
    whereRun = "Pass --overwrite to replace it, --resume to continue it, or choose another --output.",
  ): Promise<boolean> {
    const content = await readdir(path).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === "ENOENT") return [];
      throw fileError(error, path, "a folder for the run");
    });
    try {
      requirePlace(path);
    } catch (error) {
      throw fileError(error, path, "a folder for the run");
    }
    if (content.every((name) => isOfLock(name, lockFile) || isUnfinishedRecord(name))) return false;
    const isRun = content.includes(runFiles.record);
    if (overwrite && isRun) return true;
    throw userError({
      where: path,
      required: "a new or empty folder for the run",
      got: isRun ? "a folder with an earlier run" : "a folder with other files",
      advice: isRun ? whereRun : "Choose another --output.",
    });
  }

  /** An existing run's folder. @throws UserError where there is none */
  static async open(path: string): Promise<RunFolder> {
    const found = await stat(join(path, runFiles.record)).catch(() => undefined);
    if (!found?.isFile())
      throw userError({
        where: path,
        required: `the folder of an earlier run, with its ${runFiles.record}`,
        got: "none",
        advice: "Start the run without --resume.",
      });
    return new RunFolder(path);
  }

  /** Is this file there? */
  async has(name: string): Promise<boolean> {
    return (await stat(this.file(name)).catch(() => undefined)) !== undefined;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Removes a file or folder of the run, where there is one. */
  remove(name: string): Promise<void> {
    return removeTree(this.file(name));
  }

  /** Writes a file whole, under a temporary name first. */
  async write(name: string, content: Uint8Array | string): Promise<void> {
    const path = this.file(name);
    try {
      await writeWhole(path, content);
    } catch (error) {
      throw fileError(error, path, "a place to write to");
    }
  }

  async writeJson(name: string, content: unknown): Promise<void> {
    await this.write(name, `${JSON.stringify(content, undefined, 2)}\n`);
  }

  async readJson(name: string): Promise<unknown> {
    const path = this.file(name);
    try {
      return JSON.parse(await readFile(path, "utf8"));
    } catch (error) {
      if (error instanceof SyntaxError)
        throw userError({
          where: path,
          required: "a JSON file",
          got: error.message,
          advice: "Start the run anew with --overwrite.",
        });
      throw fileError(error, path, "a run's record");
    }
  }

  /** Adds one JSON object as a line. */
  async append(name: string, line: object): Promise<void> {
    const path = this.file(name);
    try {
      await appendFile(path, `${JSON.stringify(line)}\n`);
    } catch (error) {
      throw fileError(error, path, "a place to write to");
    }
  }

  /** Drops the pictures of a folder that are of later steps. */
  async dropPicturesAfter(name: string, step: number): Promise<void> {
    const names = await readdir(this.file(name)).catch(() => []);
    for (const picture of names)
      if (Number(/^step-(\d+)\.png$/.exec(picture)?.[1] ?? -1) > step) await removeTree(join(this.file(name), picture));
  }

  /** Drops all lines of a file of records after this step, and a torn last line. */
  async cutAfter(name: string, step: number): Promise<void> {
    const path = this.file(name);
    const text = await readFile(path, "utf8").catch(() => "");
    let kept = 0;
    for (const line of text.split(/(?<=\n)/)) {
      if (!line.endsWith("\n")) break;
      try {
        if (Number(JSON.parse(line).step) > step) break;
      } catch {
        break;
      }
      kept += Buffer.byteLength(line);
    }
    if (text !== "") await truncate(path, kept);
  }

  /** The steps that a file of whole records ({@link cutAfter}) has lines of; none where there is no such file. */
  async stepsIn(name: string): Promise<number[]> {
    const text = await readFile(this.file(name), "utf8").catch(() => "");
    return text.split("\n").flatMap((line) => (line === "" ? [] : [Number(JSON.parse(line).step)]));
  }

  /** Writes a checkpoint, then drops older ones, and what self-training had made of these. */
  async writeCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const name = `step-${String(checkpoint.step).padStart(9, "0")}.safetensors`;
    await this.write(join(runFiles.checkpoints, name), writeCheckpoint(checkpoint));
    await this.#dropCheckpoints((other) => other !== name);
  }

  async #dropCheckpoints(isOld: (name: string) => boolean): Promise<void> {
    for (const name of await readdir(this.file(runFiles.checkpoints)))
      if (isOld(name)) await this.remove(join(runFiles.checkpoints, name));
  }

  /** Writes what self-training has come to. */
  async writeSelfTraining(checkpoint: Checkpoint): Promise<void> {
    await this.write(join(runFiles.checkpoints, selfTrainingFile), writeCheckpoint(checkpoint));
  }

  /**
   * What self-training had come to, if it had begun with these weights.
   *
   * @param start their hash
   * @throws UserError where it is damaged
   */
  async readSelfTraining(start: string): Promise<Checkpoint | undefined> {
    const name = join(runFiles.checkpoints, selfTrainingFile);
    if (!(await this.has(name))) return undefined;
    const checkpoint = await this.#checkpointIn(name);
    return checkpoint.start === start ? checkpoint : undefined;
  }

  /** Drops what self-training had come to: the run has its result. */
  async dropSelfTraining(): Promise<void> {
    await this.remove(join(runFiles.checkpoints, selfTrainingFile));
  }

  async #checkpointIn(name: string): Promise<Checkpoint> {
    const path = this.file(name);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw fileError(error, path, "a checkpoint");
    });
    return readCheckpoint(bytes, path);
  }

  /**
   * The newest checkpoint, or undefined where the run has none. Older ones are dropped: the run was ended before it could.
   *
   * @throws UserError where it is damaged
   */
  async readCheckpoint(): Promise<Checkpoint | undefined> {
    const names = (await readdir(this.file(runFiles.checkpoints)).catch(() => []))
      .filter((name) => stepCheckpoint.test(name))
      .sort();
    const newest = names.at(-1);
    if (newest === undefined) return undefined;
    const checkpoint = await this.#checkpointIn(join(runFiles.checkpoints, newest));
    await this.#dropCheckpoints((name) => stepCheckpoint.test(name) && name !== newest);
    return checkpoint;
  }
}
