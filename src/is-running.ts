/** Whether a process is there. */

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
