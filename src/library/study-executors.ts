/** The two ways to do a study's jobs: here, one after another, or in worker threads, side by side. */
import { Worker } from "node:worker_threads";
import { InterruptedError, UserError } from "../errors.js";
import type { StudyPlan } from "../study/plan.js";
import type { Executor, Job, JobResult } from "../study/run-study.js";
import type { StudyData } from "../study/run-trial.js";
import { StudyBench } from "./study-bench.js";
import type { BenchSettings } from "./study-data.js";

/** Does jobs in this thread. */
export async function localExecutor(
  settings: BenchSettings,
  data: StudyData,
  signal: AbortSignal,
  onNote?: (message: string) => void,
): Promise<Executor> {
  const bench = await StudyBench.open(settings, data, onNote);
  return {
    workers: 1,
    usePlan: async (plan) => bench.usePlan(plan),
    run: (job, onProgress) => bench.run(job, signal, onProgress),
    close: () => bench.close(),
  };
}

/** What a worker is told. */
export type ToWorker =
  | { readonly type: "plan"; readonly plan: StudyPlan }
  | { readonly type: "job"; readonly job: Job }
  | { readonly type: "end" };

/** What a worker says. */
export type FromWorker =
  | { readonly type: "progress"; readonly step: number; readonly steps: number }
  | { readonly type: "result"; readonly result: JobResult }
  | {
      readonly type: "error";
      readonly kind: "user" | "interrupted" | "bug";
      readonly message: string;
      readonly stack?: string;
    };

/** What a worker starts with. `stop` is shared: a busy thread reads it between two steps, where no message would come through. */
export interface WorkerStart {
  readonly settings: BenchSettings;
  readonly stop: SharedArrayBuffer;
}

/** Milliseconds that a thread has to come to its own end. */
const grace = 10_000;

interface Seat {
  readonly worker: Worker;
  /** Settles when the thread has ended. */
  readonly ended: Promise<void>;
  /** Of what the worker has died, also where it had nothing to do. */
  death?: Error;
  /** Called when the worker dies. */
  fail: (error: Error) => void;
  onMessage: (message: FromWorker) => void;
}

/** Does jobs in worker threads, each with the study's data of its own. */
export function threadExecutor(settings: BenchSettings, count: number, signal: AbortSignal): Executor {
  const stop = new SharedArrayBuffer(4);
  const raise = (): void => {
    Atomics.store(new Int32Array(stop), 0, 1);
  };
  signal.addEventListener("abort", raise);
  if (signal.aborted) raise();
  const workerData: WorkerStart = { settings, stop };
  const seats = Array.from({ length: count }, (): Seat => {
    const worker = new Worker(new URL("./study-worker.js", import.meta.url), { workerData });
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    const seat: Seat = { worker, ended, fail: () => {}, onMessage: () => {} };
    worker.on("message", (message: FromWorker) => seat.onMessage(message));
    const die = (error: Error): void => {
      seat.death ??= error;
      seat.fail(seat.death);
    };
    worker.on("error", (error: unknown) => die(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => die(new Error(`a worker thread ended with status ${code}`)));
    return seat;
  });
  const free = [...seats];
  return {
    workers: count,
    async usePlan(plan) {
      for (const { worker } of seats) worker.postMessage({ type: "plan", plan } satisfies ToWorker);
    },
    run(job, onProgress) {
      const seat = free.pop();
      if (!seat) throw new Error("more jobs than workers");
      return new Promise<JobResult>((resolve, reject) => {
        // Nobody would answer.
        if (seat.death) return reject(seat.death);
        seat.fail = reject;
        seat.onMessage = (message) => {
          if (message.type === "progress") return onProgress(message.step, message.steps);
          free.push(seat);
          if (message.type === "result") return resolve(message.result);
          if (message.kind === "user") return reject(new UserError(message.message));
          if (message.kind === "interrupted") return reject(new InterruptedError(message.message));
          const error = new Error(message.message);
          if (message.stack !== undefined) error.stack = message.stack;
          reject(error);
        };
        seat.worker.postMessage({ type: "job", job } satisfies ToWorker);
      });
    },
    async close() {
      raise();
      signal.removeEventListener("abort", raise);
      for (const seat of seats) seat.fail = () => {};
      await Promise.all(seats.map(endOf));
    },
  };
}

/**
 * Ends a thread. One that is ended from outside while ONNX Runtime still answers it takes the whole process with it, so it is
 * asked first.
 */
async function endOf({ worker, ended }: Seat): Promise<void> {
  worker.postMessage({ type: "end" } satisfies ToWorker);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, grace);
  });
  await Promise.race([ended, late]);
  clearTimeout(timer);
  await worker.terminate();
}
