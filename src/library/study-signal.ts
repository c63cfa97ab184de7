/** How a busy worker thread learns that its study was stopped. */

/**
 * A signal that is aborted from when the flag is 1. Whoever asks reads the flag itself: a thread that computes without
 * a pause gets no messages and no events.
 *
 * @param flag of four bytes, shared with the thread that raises it
 */
export function signalOfFlag(flag: SharedArrayBuffer): AbortSignal {
  const raised = new Int32Array(flag);
  const controller = new AbortController();
  return Object.defineProperty(controller.signal, "aborted", {
    get() {
      const isRaised = Atomics.load(raised, 0) === 1;
      // Those who wait for the event hear of it as soon as anybody has asked; a second abort does nothing.
      if (isRaised) controller.abort();
      return isRaised;
    },
  });
}
