/**
 * The commands that the page starts. Each runs in a process of its own, which outlives the server: its files in the lab's
 * folder say which process works on which run, so that a new server finds it again.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import writeFileAtomic from "write-file-atomic";
import { beginOf, isAlive } from "../is-running.js";
import { shellWord } from "../library/shell-word.js";
import { endFileVariable } from "./end-request.js";
import { isOfThisBoot } from "./process-life.js";
import type { ProcessState } from "./read-run.js";
import { Refusal } from "./refusal.js";

/** Where process records and logs lie, below the lab's folder. */
export const labFolder = ".headstart-lab";

/** A command that was started here. */
export interface StartedProcess {
  /** The entry that it works on. */
  readonly id: string;
  readonly kind: "run" | "study";
  /** The command line without the program. */
  readonly words: readonly string[];
  /** When, in milliseconds since 1970. */
  readonly started: number;
}

interface ProcessRecord extends StartedProcess {
  readonly pid: number;
  /** When the process began, in the system's own unit: a later process of the same number is another. */
  readonly began: string | null;
  readonly wish: "run" | "pause" | "stop";
  readonly exitCode: number | null;
}

export interface StartOptions {
  readonly id: string;
  readonly kind: "run" | "study";
  readonly words: readonly string[];
}

/** Processes by the entry that they work on. */
export class Processes {
  readonly #root: string;
  /** The program and its first words, such as node and main.js. */
  readonly #program: readonly string[];
  readonly #asksByFile: boolean;
  readonly #records = new Map<string, ProcessRecord>();

  /**
   * @param asksByFile ask a process to end by a file rather than a signal. Windows ends at once what is sent a signal, and
   *   only Linux tells whether a process of a number is still the one that was started.
   */
  constructor(root: string, program: readonly string[], asksByFile = process.platform !== "linux") {
    this.#root = root;
    this.#program = program;
    this.#asksByFile = asksByFile;
    const folder = join(root, labFolder);
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (!name.endsWith(".json")) continue;
      try {
        const record = JSON.parse(readFileSync(join(folder, name), "utf8")) as ProcessRecord;
        if (typeof record.id === "string" && `${keyOf(record.id)}.json` === name && Array.isArray(record.words))
          this.#records.set(record.id, { ...record, started: record.started ?? 0 });
      } catch {
        // A torn record: its run is shown as one that was started elsewhere.
      }
    }
  }

  /** All entries that were started here. */
  get all(): readonly StartedProcess[] {
    return [...this.#records.values()];
  }

  /** The command behind an entry, and the last of what it said. @throws UserError where it was not started here */
  commandOf(id: string): { readonly words: readonly string[]; readonly log: string } {
    return { words: this.#get(id).words, log: tailOf(this.#logFile(id)) };
  }

  /** Lets go of what is known of an entry's process, which must have ended. */
  forget(id: string): void {
    if (!this.#records.delete(id)) return;
    for (const file of [this.#recordFile(id), this.#logFile(id), this.#endFile(id)]) rmSync(file, { force: true });
  }

  /** What is known of an entry's process; undefined for one that was not started here. */
  stateOf(id: string): ProcessState | undefined {
    const record = this.#records.get(id);
    if (!record) return undefined;
    const log = tailOf(this.#logFile(id));
    const command = commandLine(record.words);
    if (alive(record)) return { state: "running", command, log, ...(record.wish === "run" ? {} : { ending: true }) };
    if (record.wish === "pause") return { state: "paused", command, log };
    if (record.wish === "stop") return { state: "stopped", command, log };
    const message = /^headstart: (.*)$/m.exec(log.split("\n").reverse().join("\n"))?.[1];
    // Null where it ended while no server was there to see how.
    if (record.exitCode === 0 || (message === undefined && record.exitCode === null))
      return { state: "ended", command, log };
    if (message !== undefined) return { state: "failed", command, log, message };
    return { state: "ended", command, log, message: silentEnd(record.exitCode) };
  }

  /** Starts a command. @throws UserError where one works on this entry already */
  async start({ id, kind, words }: StartOptions): Promise<void> {
    const before = this.#records.get(id);
    if (before && alive(before))
      throw Refusal.of("still-runs", {
        where: id,
        required: "a run that nobody works on",
        got: "one that runs",
        advice: "Pause it first.",
      });
    mkdirSync(join(this.#root, labFolder), { recursive: true });
    rmSync(this.#endFile(id), { force: true });
    const log = openSync(this.#logFile(id), "w");
    const [program, ...first] = this.#program;
    try {
      // Its standard output would be one record a step, and all that matters lies in the run's folder.
      const place = words.includes("--") ? words.indexOf("--") : words.length;
      const child = spawn(program, [...first, ...words.slice(0, place), "--json", ...words.slice(place)], {
        cwd: this.#root,
        detached: true,
        windowsHide: true,
        stdio: ["ignore", "ignore", log],
        env: { ...process.env, [endFileVariable]: this.#endFile(id) },
      });
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", reject);
      });
      const pid = child.pid ?? 0;
      const started = Date.now();
      await this.#keep({ id, kind, words, started, pid, began: beginOf(pid), wish: "run", exitCode: null });
      child.on("exit", (exitCode, signal) => {
        const record = this.#records.get(id);
        // As a shell counts what a signal has ended.
        const status = exitCode ?? 128 + (signal ? constants.signals[signal] : 0);
        if (record?.pid === pid) void this.#keep({ ...record, exitCode: status }).catch(() => {});
      });
      child.unref();
    } finally {
      closeSync(log);
    }
  }

  /** Asks an entry's process to come to an end with a checkpoint. Asked again it stays at that. */
  async end(id: string, wish: "pause" | "stop"): Promise<void> {
    const record = this.#get(id);
    await this.#keep({ ...record, wish });
    // A second signal would not ask: it would end the process at once, without a checkpoint.
    if (record.wish !== "run" || !alive(record)) return;
    if (this.#asksByFile) writeFileSync(this.#endFile(id), "");
    else process.kill(record.pid, "SIGTERM");
  }

  /** Goes on with an entry where it stands, with other step counts where they are given. */
  async resume(id: string, steps?: number): Promise<void> {
    const { kind, words } = this.#get(id);
    const kept = words.filter((word) => word !== "--resume" && word !== "--overwrite");
    const place = kept.indexOf("--");
    const before = kept
      .slice(0, place)
      .filter((word) => steps === undefined || !/^--(steps|epochs|minutes)=/.test(word));
    const added = [...(kind === "run" ? ["--resume"] : []), ...(steps === undefined ? [] : [`--steps=${steps}`])];
    await this.start({ id, kind, words: [...before, ...added, ...kept.slice(place)] });
  }

  #get(id: string): ProcessRecord {
    const record = this.#records.get(id);
    if (record) return record;
    throw Refusal.of("started-elsewhere", {
      where: id,
      required: "a run that was started on this page",
      got: "one that was started elsewhere",
      advice: "Control it where it was started: Ctrl-C there, and --resume.",
    });
  }

  #logFile(id: string): string {
    return join(this.#root, labFolder, `${keyOf(id)}.log`);
  }

  #recordFile(id: string): string {
    return join(this.#root, labFolder, `${keyOf(id)}.json`);
  }

  #endFile(id: string): string {
    return join(this.#root, labFolder, `${keyOf(id)}.end`);
  }

  async #keep(record: ProcessRecord): Promise<void> {
    this.#records.set(record.id, record);
    await writeFileAtomic(this.#recordFile(record.id), `${JSON.stringify(record)}\n`);
  }
}

/** The words as a shell takes them, with the program's name. */
export function commandLine(words: readonly string[], platform = process.platform): string {
  const shown = words.filter((word, index) => word !== "--" || /^-/.test(words[index + 1] ?? ""));
  return ["headstart", ...shown.map((word) => shellWord(word, platform))].join(" ");
}

/** What is said of a command that ended without a word of its own. */
function silentEnd(status: number | null): string {
  const killed = status === 128 + constants.signals.SIGKILL;
  return `The command ended with status ${status} and said nothing${killed ? ": it was killed, perhaps for want of memory" : ""}.`;
}

function keyOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 16);
}

function alive({ pid, began, started, exitCode }: ProcessRecord): boolean {
  return (
    exitCode === null && pid > 0 && isAlive(pid) && beginOf(pid) === began && (began !== null || isOfThisBoot(started))
  );
}

const tailBytes = 4096;

/** The last of a file, without the rest being read: the log of a long study grows. */
function tailOf(file: string): string {
  let opened: number | undefined;
  try {
    opened = openSync(file, "r");
    const tail = Buffer.alloc(tailBytes);
    const length = readSync(opened, tail, 0, tailBytes, Math.max(0, fstatSync(opened).size - tailBytes));
    return tail.toString("utf8", 0, length);
  } catch {
    return "";
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}
