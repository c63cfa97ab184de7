import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type DecodedSample, decodeSample, type PicturePlace, type PictureRequest } from "./decode-picture.js";
import type { PictureSize } from "./picture-shape.js";
import { sharp } from "./sharp.js";

/** Pictures under way at once per thread: enough that none waits for its next. */
const perThread = 4;

/**
 * While pools are open the decoder uses one thread for each picture: many pictures are under way at once, and sharing
 * one among threads costs small pictures half their speed. The setting is the process's, so it is put back.
 */
const openPools = { count: 0, threadsBefore: 0 };

/** Most bytes of decoded pictures in one message: each message costs as much as decoding some small pictures does. */
const bytesPerMessage = 2e6;

/** A picture for a thread to decode. */
export interface PictureJob {
  readonly id: number;
  readonly place: PicturePlace;
  readonly request: PictureRequest;
}

/** What became of it; the sample is a part of the message's buffer. */
export type DecodedJob =
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly size: PictureSize; readonly start?: number; readonly length?: number };

interface Waiting {
  readonly resolve: (sample: DecodedSample) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Decodes pictures in worker threads, so that decoding goes on while the main thread is inside a training step. What
 * comes out does not depend on how many there are.
 */
export class PicturePool {
  readonly #workers: { worker: Worker; waiting: Map<number, Waiting> }[] = [];
  /** Asked for since the last messages went out. */
  readonly #asked: (PictureJob & Waiting)[] = [];
  #next = 0;
  #closed = false;

  /** Decodes in this thread until {@link start} is called. */
  constructor() {
    if (openPools.count++ === 0) {
      openPools.threadsBefore = sharp.concurrency();
      sharp.concurrency(1);
    }
  }

  /** How many pictures to ask for at once. */
  get width(): number {
    return perThread * Math.max(1, this.#workers.length);
  }

  /** @param workers how many threads; 0 goes on in this one. Default: one per core, at most 8 */
  start(workers = Math.min(8, availableParallelism())): void {
    // Run from its TypeScript source (in tests) there is no compiled file that a thread could start from.
    const threads = import.meta.url.endsWith(".ts") ? 0 : workers;
    for (let index = 0; index < threads; index++) this.#start();
  }

  /** Decodes one picture. Rejects with an Error that says why it cannot be. */
  decode(place: PicturePlace, request: PictureRequest): Promise<DecodedSample> {
    if (this.#workers.length === 0) return decodeSample(place, request);
    return new Promise((resolve, reject) => {
      // What is asked for in one go is sent in few messages.
      if (this.#asked.length === 0) queueMicrotask(() => this.#send());
      this.#asked.push({ id: this.#next++, place, request, resolve, reject });
    });
  }

  #send(): void {
    const asked = this.#asked.splice(0);
    const length = Math.min(
      Math.max(1, Math.floor(bytesPerMessage / Math.max(...asked.map(({ request }) => bytesOf(request))))),
      Math.ceil(asked.length / Math.max(1, this.#workers.length)),
    );
    for (let first = 0; first < asked.length; first += length) {
      const jobs = asked.slice(first, first + length);
      if (this.#workers.length === 0) {
        for (const { place, request, resolve, reject } of jobs) decodeSample(place, request).then(resolve, reject);
        continue;
      }
      const least = this.#workers.reduce((a, b) => (b.waiting.size < a.waiting.size ? b : a));
      // A thread without work does not keep the process alive.
      if (least.waiting.size === 0) least.worker.ref();
      for (const { id, resolve, reject } of jobs) least.waiting.set(id, { resolve, reject });
      least.worker.postMessage(jobs.map(({ id, place, request }): PictureJob => ({ id, place, request })));
    }
  }

  /** Ends the threads. What they have not decoded yet is rejected. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (--openPools.count === 0) sharp.concurrency(openPools.threadsBefore);
    const workers = this.#workers.splice(0);
    await Promise.all(workers.map(({ worker }) => worker.terminate()));
    for (const { waiting } of workers)
      for (const { reject } of waiting.values()) reject(new Error("the pictures were closed while they were decoded"));
  }

  #start(): void {
    const worker = new Worker(new URL("./picture-worker.js", import.meta.url));
    const waiting = new Map<number, Waiting>();
    worker.unref();
    worker.on("message", ({ answers, samples }: { answers: readonly DecodedJob[]; samples: Uint8Array }) => {
      for (const answer of answers) {
        const { resolve, reject } = waiting.get(answer.id)!;
        waiting.delete(answer.id);
        if ("error" in answer) reject(new Error(answer.error));
        else if (answer.start === undefined) resolve(answer.size);
        // A part of the buffer: a batch is read, and the buffer let go, at about one time.
        else resolve({ ...answer.size, sample: samples.subarray(answer.start, answer.start + answer.length!) });
      }
      // A thread that is being ended must keep the process alive until it has ended: that is waited for.
      if (waiting.size === 0 && !this.#closed) worker.unref();
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

/** Bytes of what a picture becomes. */
function bytesOf({ target, decoded }: PictureRequest): number {
  const size = decoded ?? target;
  return size === undefined ? 1 : size.channels * size.height * size.width;
}
