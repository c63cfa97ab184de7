import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import sharp from "sharp";
import { type DecodedSample, decodeSample, type PicturePlace, type PictureRequest } from "./decode-picture.js";

/** Pictures under way at once per thread: enough that none waits for its next. */
const perThread = 4;

/**
 * While pools are open the decoder uses one thread for each picture: many pictures are under way at once, and sharing
 * one among threads costs small pictures half their speed. The setting is the process's, so it is put back.
 */
const openPools = { count: 0, threadsBefore: 0 };

interface Waiting {
  readonly resolve: (sample: DecodedSample) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Decodes pictures in worker threads, so that decoding goes on while the main thread is inside a training step. What
 * comes out does not depend on how many there are.
 */
export class PicturePool {
  /** How many pictures to ask for at once. */
  readonly width: number;
  readonly #workers: { worker: Worker; waiting: Map<number, Waiting> }[] = [];
  #next = 0;
  #closed = false;

  /** @param workers how many threads; 0 decodes in this one. Default: one per core, at most 8 */
  constructor(workers = Math.min(8, availableParallelism())) {
    if (openPools.count++ === 0) {
      openPools.threadsBefore = sharp.concurrency();
      sharp.concurrency(1);
    }
    // Run from its TypeScript source (in tests) there is no compiled file that a thread could start from.
    const threads = import.meta.url.endsWith(".ts") ? 0 : workers;
    for (let index = 0; index < threads; index++) this.#start();
    this.width = perThread * Math.max(1, workers);
  }

  /** Decodes one picture. Rejects with an Error that says why it cannot be. */
  decode(place: PicturePlace, request: PictureRequest): Promise<DecodedSample> {
    if (this.#workers.length === 0) return decodeSample(place, request);
    const least = this.#workers.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      // A thread without work does not keep the process alive.
      if (least.waiting.size === 0) least.worker.ref();
      least.waiting.set(id, { resolve, reject });
      least.worker.postMessage({ id, place, request });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (--openPools.count === 0) sharp.concurrency(openPools.threadsBefore);
    await Promise.all(this.#workers.splice(0).map(({ worker }) => worker.terminate()));
  }

  #start(): void {
    const worker = new Worker(new URL("./picture-worker.js", import.meta.url));
    const waiting = new Map<number, Waiting>();
    worker.unref();
    worker.on("message", ({ id, result, error }: { id: number; result?: DecodedSample; error?: string }) => {
      const { resolve, reject } = waiting.get(id)!;
      waiting.delete(id);
      if (waiting.size === 0) worker.unref();
      if (result === undefined) reject(new Error(error));
      else resolve(result);
    });
    const fail = (reason: string) => {
      for (const { reject } of waiting.values()) reject(new Error(reason));
      waiting.clear();
      this.#workers.splice(
        this.#workers.findIndex((seat) => seat.worker === worker),
        1,
      );
    };
    worker.on("error", (error: unknown) => fail(`the decoding thread failed: ${String(error)}`));
    this.#workers.push({ worker, waiting });
  }
}
