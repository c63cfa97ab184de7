import type { EventEmitter } from "node:events";
import { beforeEach, expect, test, vi } from "vitest";
import type { BenchSettings } from "../../src/library/study-data.js";
import { threadExecutor } from "../../src/library/study-executors.js";
import type { Job } from "../../src/study/run-study.js";

/** What stands for threads, each of which dies when a test says so. */
const workers: (EventEmitter & { readonly told: readonly unknown[] })[] = vi.hoisted(() => []);

vi.mock("node:worker_threads", async (original) => {
  const events = await import("node:events");
  class FakeWorker extends events.EventEmitter {
    readonly told: unknown[] = [];

    constructor() {
      super();
      workers.push(this);
    }

    postMessage(message: unknown): void {
      this.told.push(message);
    }

    async terminate(): Promise<number> {
      this.emit("exit", 1);
      return 1;
    }
  }
  return { ...(await original<typeof import("node:worker_threads")>()), Worker: FakeWorker };
});

beforeEach(() => {
  workers.length = 0;
});

const settings: BenchSettings = {
  folder: "",
  train: "",
  test: "",
  reading: {},
  dropped: { train: [], unlabelled: [] },
};
const job = { kind: "timing", network: "net", optimizer: { kind: "adam" } } as unknown as Job;
const open = () => threadExecutor(settings, 1, new AbortController().signal);

test("a job fails that is given to a thread which has died meanwhile", async () => {
  const executor = open();
  workers[0].emit("error", new Error("no memory"));
  workers[0].emit("exit", 1);
  await expect(executor.run(job, () => {})).rejects.toThrow("no memory");
  expect(workers[0].told).toEqual([]);
  await executor.close();
});

test("a job fails whose thread dies, and none where the executor is closed", async () => {
  const executor = open();
  const running = executor.run(job, () => {});
  workers[0].emit("exit", 134);
  await expect(running).rejects.toThrow("a worker thread ended with status 134");
  const other = open();
  const done = other.run(job, () => {});
  workers[1].emit("message", { type: "result", result: { kind: "timing" } });
  expect(await done).toEqual({ kind: "timing" });
  await other.close();
  await executor.close();
});
