/** A worker thread of a study: does the jobs that it is sent, one at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { InterruptedError, UserError } from "../errors.js";
import { StudyBench } from "./study-bench.js";
import type { FromWorker, ToWorker, WorkerStart } from "./study-executors.js";
import { signalOfFlag } from "./study-signal.js";

const port = parentPort;
if (!port) throw new Error("this file is the entry of a worker thread");
const { settings, stop } = workerData as WorkerStart;
const signal = signalOfFlag(stop);
const say = (message: FromWorker): void => port.postMessage(message);
const bench = StudyBench.open(settings);

/** Milliseconds between two reports of progress. */
const reportEvery = 200;

port.on("message", async (message: ToWorker) => {
  if (message.type === "end") {
    // With nobody left to hear, the thread ends when nothing is under way any more.
    const closed = bench.then((opened) => opened.close());
    await closed.catch(() => {}).finally(() => port.close());
    return;
  }
  try {
    const opened = await bench;
    if (message.type === "plan") {
      opened.usePlan(message.plan);
      return;
    }
    let last = 0;
    const result = await opened.run(message.job, signal, (step, steps) => {
      if (performance.now() - last < reportEvery) return;
      last = performance.now();
      say({ type: "progress", step, steps });
    });
    say({ type: "result", result });
  } catch (error) {
    const kind =
      error instanceof UserError
        ? "user"
        : error instanceof InterruptedError || (error instanceof Error && error.name === "AbortError")
          ? "interrupted"
          : "bug";
    const known = error instanceof Error ? error : new Error(String(error));
    say({ type: "error", kind, message: known.message, ...(known.stack === undefined ? {} : { stack: known.stack }) });
  }
});
