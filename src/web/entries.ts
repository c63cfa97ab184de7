/** Finds the runs and studies below a folder, and remembers them while their files do not change. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { runFiles } from "../library/run-folder.js";
import { studyFiles } from "../study/study-folder.js";
import { lockFiles } from "./lock-state.js";
import type { Entry, EntryList, Problem } from "./protocol.js";
import { type ProcessState, readRunEntry } from "./read-run.js";
import { readStudyEntry } from "./read-study.js";

/** Deeper folders are not looked into: a run lies near the folder that the lab was given. */
const deepest = 4;
/** File operations at a time. */
const atOnce = 32;

interface Remembered {
  readonly signature: string;
  readonly entry?: Entry;
  readonly problem?: Problem;
}

/** The newest first. */
export function byTime(first: Entry, second: Entry): number {
  return second.modified - first.modified || (first.id < second.id ? -1 : 1);
}

/** The runs and studies below a folder. */
export class Entries {
  readonly #root: string;
  readonly #processOf: (id: string) => ProcessState | undefined;
  #known = new Map<string, Remembered>();
  #scan: Promise<EntryList> | undefined;

  constructor(root: string, processOf: (id: string) => ProcessState | undefined) {
    this.#root = root;
    this.#processOf = processOf;
  }

  /** Looks again; callers at the same time share one look. */
  list(): Promise<EntryList> {
    this.#scan ??= this.#look().finally(() => {
      this.#scan = undefined;
    });
    return this.#scan;
  }

  async #look(): Promise<EntryList> {
    const found: { id: string; kind: Entry["kind"] }[] = [];
    const problems: Problem[] = [];
    let level = ["."];
    for (let depth = 0; depth <= deepest && level.length > 0; depth++) {
      const next: string[] = [];
      await inParallel(level, async (id) => {
        try {
          const content = await readdir(join(this.#root, id), { withFileTypes: true });
          const names = new Set(content.map(({ name }) => name));
          if (names.has(studyFiles.plan)) found.push({ id, kind: "study" });
          else if (names.has(runFiles.record)) found.push({ id, kind: "run" });
          else
            for (const item of content)
              if (item.isDirectory() && !item.name.startsWith(".") && item.name !== "node_modules")
                next.push(id === "." ? item.name : `${id}/${item.name}`);
        } catch (error) {
          problems.push({ path: id, reason: (error as Error).message });
        }
      });
      level = next;
    }
    const known = new Map<string, Remembered>();
    await inParallel(found, async ({ id, kind }) => {
      const process = this.#processOf(id);
      const signature = await this.#signature(id, kind, process);
      const before = this.#known.get(id);
      // Nothing in the folder changes where a process ends that could not give its lock back.
      const settled = before?.entry?.state !== "running";
      if (before && before.signature === signature && settled) {
        known.set(id, before);
        return;
      }
      try {
        const read = kind === "run" ? readRunEntry : readStudyEntry;
        known.set(id, { signature, entry: await read(join(this.#root, id), id, process) });
      } catch (error) {
        const file = kind === "run" ? runFiles.record : studyFiles.plan;
        known.set(id, { signature, problem: { path: `${id}/${file}`, reason: (error as Error).message } });
      }
    });
    this.#known = known;
    const entries = [...known.values()].flatMap(({ entry }) => (entry ? [entry] : []));
    entries.sort(byTime);
    problems.push(...[...known.values()].flatMap(({ problem }) => (problem ? [problem] : [])));
    return { entries, problems };
  }

  async #signature(id: string, kind: Entry["kind"], process: ProcessState | undefined): Promise<string> {
    const names =
      kind === "run"
        ? [runFiles.record, runFiles.metrics, runFiles.result, lockFiles.run]
        : [studyFiles.plan, studyFiles.trials, studyFiles.summary, lockFiles.study];
    const stats = await Promise.all(
      names.map((name) =>
        stat(join(this.#root, id, name)).then(
          ({ size, mtimeMs }) => `${size}:${mtimeMs}`,
          () => "",
        ),
      ),
    );
    return [...stats, process?.state ?? "", process?.message ?? ""].join(" ");
  }
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
