/** Keeps two studies, or two runs, from writing into one folder at once. */
import { randomUUID } from "node:crypto";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileError, userError } from "../errors.js";
import { beginOf, isAlive } from "../is-running.js";
import { linkOrCopy } from "./link-or-copy.js";

/** What writes into a folder that is locked. */
type Occupant = "study" | "run";

/** What the lock's file says of the process that holds it. */
interface Holder {
  readonly process: number;
  readonly host: string;
  readonly since: string;
  /** When the process began, see {@link beginOf}: a later process of the same number is another. */
  readonly began?: string | null;
}

/**
 * Makes the lock's file, or takes over that of a process of this machine which does not run any more.
 *
 * @param path of the file
 * @returns gives the lock back
 * @throws UserError where another study or run holds it, or nobody can tell whether one does
 */
export async function lockFolder(path: string, occupant: Occupant): Promise<() => Promise<void>> {
  const holder: Holder = {
    process: process.pid,
    host: hostname(),
    since: new Date().toISOString(),
    began: beginOf(process.pid),
  };
  const own = `${JSON.stringify(holder)}\n`;
  if (!(await create(path, own))) {
    const found = await readFile(path, "utf8").catch(() => "");
    // What cannot be understood, or comes from another machine, may be held.
    if (isHeld(found) ?? true) throw held(path, found, occupant);
    // Two of them may find the same stale lock: moving it away shows whose it was, and a live one goes back.
    const aside = `${path}.${randomUUID()}`;
    await rename(path, aside).catch(() => {});
    const moved = await readFile(aside, "utf8").catch(() => "");
    if (moved !== "" && moved !== found) {
      await create(path, moved);
      await rm(aside, { force: true });
      throw held(path, moved, occupant);
    }
    await rm(aside, { force: true });
    if (!(await create(path, own))) throw held(path, await readFile(path, "utf8").catch(() => ""), occupant);
  }
  await removeAsides(path);
  return async () => {
    if ((await readFile(path, "utf8").catch(() => "")) === own) await rm(path, { force: true });
  };
}

/** Makes a file, whole from its first moment on; false where there is one. */
async function create(path: string, content: string): Promise<boolean> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await writeFile(aside, content);
    await linkOrCopy(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw fileError(error, path, "a place to write to");
  } finally {
    await rm(aside, { force: true });
  }
}

/** Whether a name is that of a lock, or of one as it is made or moved away. */
export function isOfLock(name: string, lock: string): boolean {
  return name === lock || (name.startsWith(`${lock}.`) && /^[0-9a-f-]+$/.test(name.slice(lock.length + 1)));
}

/** Removes what processes that do not run any more have left beside a lock; one that lives may be about to put it back. */
async function removeAsides(path: string): Promise<void> {
  const [folder, lock] = [dirname(path), basename(path)];
  for (const name of await readdir(folder).catch((): string[] => [])) {
    if (name === lock || !isOfLock(name, lock)) continue;
    const aside = join(folder, name);
    if (isHeld(await readFile(aside, "utf8").catch(() => "")) === false) await rm(aside, { force: true });
  }
}

function readHolder(content: string): Holder | undefined {
  try {
    const found = JSON.parse(content) as Partial<Holder> | null;
    return Number.isInteger(found?.process) && typeof found?.host === "string" ? (found as Holder) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether the process that a lock names is there.
 *
 * @param content of the lock's file
 * @returns undefined where nobody can tell: it is of another machine, or cannot be understood
 */
export function isHeld(content: string): boolean | undefined {
  const holder = readHolder(content);
  if (!holder || holder.host !== hostname() || holder.process <= 0) return undefined;
  if (!isAlive(holder.process)) return false;
  const begin = beginOf(holder.process);
  // The machine, or a container, may have been started again, and the number given to another process.
  if (typeof holder.began === "string" && begin !== null) return holder.began === begin;
  return holder.process !== process.pid || Date.parse(holder.since) >= performance.timeOrigin;
}

function held(path: string, content: string, occupant: Occupant): Error {
  const holder = readHolder(content);
  return userError({
    where: path,
    required: `a folder that no other ${occupant} is writing to`,
    got: holder ? `one of process ${holder.process} on ${holder.host}, since ${holder.since}` : "a lock",
    advice: `Wait until that ${occupant} ends, or choose another --output; if none runs, remove this file.`,
  });
}
