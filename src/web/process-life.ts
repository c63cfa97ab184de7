/** Whether a process lives, and since when. */
import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import { isRunning } from "../is-running.js";

/** True unless there is no such process on this machine, or one that has ended and that nobody has asked for its status. */
export function isAlive(pid: number): boolean {
  return isRunning(pid) && statusOf(pid)?.[0] !== "Z";
}

/** When a process began, in the system's own unit; null where the system does not say: only Linux has it as a file. */
export function beginOf(pid: number): string | null {
  return statusOf(pid)?.[19] ?? null;
}

/** How far two clocks of one machine may be apart, in milliseconds. */
const apart = 60_000;

/**
 * False for what began before the machine did: its number may be another's by now.
 *
 * @param started milliseconds since 1970
 * @param seconds that the machine has been up
 */
export function isOfThisBoot(started: number, now = Date.now(), seconds = uptime()): boolean {
  return started + apart >= now - 1000 * seconds;
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
