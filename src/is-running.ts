/** Whether a process is there, and since when. */
import { readFileSync } from "node:fs";

/** True unless there is no such process on this machine: one that may not be asked is there, as is one that waits for its parent. */
export function isRunning(pid: number): boolean {
  try {
    // Signal 0 only asks.
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** True unless there is no such process on this machine, or one that has ended and that nobody has asked for its status. */
export function isAlive(pid: number): boolean {
  return isRunning(pid) && statusOf(pid)?.[0] !== "Z";
}

/** When a process began, in the system's own unit; null where the system does not say: only Linux has it as a file. */
export function beginOf(pid: number): string | null {
  return statusOf(pid)?.[19] ?? null;
}

/** The fields behind a process's name, of which the first is its state. */
function statusOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}
