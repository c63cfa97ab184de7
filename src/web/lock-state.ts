/** Whether a process is writing to a run's or study's folder, as its lock says. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive } from "./process-life.js";

/** Names of the locks, which {@link lockFolder} makes. */
export const lockFiles = { run: "run.lock", study: "study.lock" } as const;

/**
 * @returns whether the folder is written to; undefined where nobody can tell: a process of another machine holds the
 *   lock, or what it holds cannot be read
 */
export async function isWrittenTo(folder: string, kind: "run" | "study"): Promise<boolean | undefined> {
  const content = await readFile(join(folder, lockFiles[kind]), "utf8").catch((error: NodeJS.ErrnoException) =>
    error.code === "ENOENT" ? null : undefined,
  );
  // Who ends gives the lock back.
  if (content === null) return false;
  const { process: number, host } = parsed(content);
  if (!Number.isInteger(number) || Number(number) <= 0 || host !== hostname()) return undefined;
  return isAlive(Number(number));
}

function parsed(content: string | undefined): { readonly process?: unknown; readonly host?: unknown } {
  try {
    return (JSON.parse(content ?? "") as object | null) ?? {};
  } catch {
    return {};
  }
}
