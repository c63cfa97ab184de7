/** Whether a process is writing to a run's or study's folder, as its lock says. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isHeld } from "../study/lock-folder.js";

/** Names of the locks, which {@link lockFolder} makes. */
export const lockFiles = { run: "run.lock", study: "study.lock" } as const;

/**
 * @returns whether the folder is written to; undefined where nobody can tell: a process of another machine holds the
 *   lock, or what it holds cannot be read
 */
export async function isWrittenTo(folder: string, kind: "run" | "study"): Promise<boolean | undefined> {
  const content = await readFile(join(folder, lockFiles[kind]), "utf8").catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? null : "",
  );
  // Who ends gives the lock back.
  return content === null ? false : isHeld(content);
}
