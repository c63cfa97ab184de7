/** Makes room in long computations on the main thread. */
import { setImmediate } from "node:timers/promises";
import { InterruptedError } from "../errors.js";

/**
 * Lets everything else run that waits, such as a signal from the keyboard, between two parts of a computation.
 *
 * @param doing what is computed, as in "stopped while measuring"
 * @throws InterruptedError where the signal aborts
 */
export async function letOthersRun(signal: AbortSignal | undefined, doing: string): Promise<void> {
  await setImmediate();
  if (signal?.aborted) throw new InterruptedError(`stopped while ${doing}`);
}
