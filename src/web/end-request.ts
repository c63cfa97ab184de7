/** How the lab asks a command to end where a signal would end it at once: a file that comes to be there. */
import { existsSync } from "node:fs";

/** The environment variable that tells a started command which file. */
export const endFileVariable = "HEADSTART_END_FILE";

/**
 * Looks for a file now and then, and calls `end` once when it is there. The process's own end does not wait for that.
 *
 * @param interval milliseconds between two looks
 */
export function onEndRequest(file: string, end: () => void, interval = 500): void {
  const timer = setInterval(() => {
    if (!existsSync(file)) return;
    clearInterval(timer);
    end();
  }, interval);
  timer.unref();
}
