import { RandomStream } from "../random/stream.js";

/**
 * How a data set larger than memory wants to be shuffled: by runs of neighbouring samples that are read at once, then
 * within a buffer of several runs.
 */
export interface ShuffleBlocks {
  /** Neighbouring samples that are read together. */
  readonly size: number;
  /** How many blocks are mixed with each other. */
  readonly perBuffer: number;
}

/**
 * The order in which a run sees its samples: each epoch is a permutation of its own, drawn from the seed, so that the
 * batch of any step can be told from the step alone and a resumed run continues exactly. The last samples of an epoch
 * that do not fill a batch are left out (others each time); with fewer samples than a batch takes, a batch goes
 * through permutations one after another.
 *
 * With blocks, the permutation is one of blocks, and of the samples within each buffer of blocks: every sample still
 * comes once an epoch, but only a buffer's blocks are needed at a time. Nothing depends on who reads, nor when.
 */
export class BatchOrder {
  readonly count: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Whole batches in an epoch, at least 1. */
  readonly batchesPerEpoch: number;
  readonly #blocks: ShuffleBlocks;
  readonly #blockCount: number;
  readonly #bufferCount: number;
  #epoch = -1;
  #blockOrder: Uint32Array = new Uint32Array(0);
  /** Where the block that is shorter than the others stands in the epoch's order. */
  #shortPlace = 0;
  /** The last buffers' orders by epoch and buffer; two, because a batch may straddle two. */
  readonly #buffers = new Map<number, Uint32Array>();

  /**
   * @param count how many samples there are
   * @param batchSize how many a batch has
   * @param seed the run's seed
   * @param blocks as the data set has them; absent: one permutation of all samples
   * @param purpose names the stream of random numbers: two orders that a step uses side by side must not share it
   */
  constructor(
    count: number,
    batchSize: number,
    seed: number,
    blocks?: ShuffleBlocks,
    readonly purpose = "order",
  ) {
    if (!(count > 0 && batchSize > 0)) throw new RangeError(`no batches of ${batchSize} among ${count} samples`);
    this.count = count;
    this.batchSize = batchSize;
    this.seed = seed;
    this.batchesPerEpoch = Math.max(1, Math.floor(count / batchSize));
    this.#blocks = blocks ?? { size: count, perBuffer: 1 };
    this.#blockCount = Math.ceil(count / this.#blocks.size);
    this.#bufferCount = Math.ceil(this.#blockCount / this.#blocks.perBuffer);
  }

  /** Whether samples are shuffled by blocks. */
  get blocked(): boolean {
    return this.#blockCount > 1;
  }

  /** The samples of the batch of a step, counted from 0. */
  indices(step: number): Uint32Array {
    const batch = new Uint32Array(this.batchSize);
    if (this.count >= this.batchSize) {
      this.#fill(batch, Math.floor(step / this.batchesPerEpoch), (step % this.batchesPerEpoch) * this.batchSize);
      return batch;
    }
    for (let place = 0; place < this.batchSize; ) {
      const drawn = step * this.batchSize + place;
      const from = drawn % this.count;
      const length = Math.min(this.count - from, this.batchSize - place);
      this.#fill(batch.subarray(place, place + length), Math.floor(drawn / this.count), from);
      place += length;
    }
    return batch;
  }

  /**
   * What is worth reading before a step is asked for: its own samples and, with blocks, a sample of each of the next
   * buffer's blocks whose turn it is, so that all of them have come when the buffer begins.
   */
  ahead(step: number): Uint32Array {
    const own = this.indices(step);
    const { size, perBuffer } = this.#blocks;
    if (this.#bufferCount === 1 || this.count < this.batchSize) return own;
    const epoch = Math.floor(step / this.batchesPerEpoch);
    const position = (step % this.batchesPerEpoch) * this.batchSize;
    const buffer = this.#bufferAt(epoch, position);
    const next = buffer + 1 < this.#bufferCount ? { epoch, buffer: buffer + 1 } : { epoch: epoch + 1, buffer: 0 };
    const start = this.#bufferStart(epoch, buffer);
    const length = this.#bufferStart(epoch, buffer + 1) - start;
    const share = (at: number) => Math.ceil((perBuffer * Math.min(length, at - start)) / length);
    const [first, end] = [share(position), share(position + this.batchSize)];
    this.#prepare(next.epoch);
    const from = next.buffer * perBuffer;
    const blocks = this.#blockOrder.slice(from + first, Math.min(from + perBuffer, from + end));
    return Uint32Array.from([...own, ...blocks.map((block) => block * size)]);
  }

  /** Takes a run of an epoch's order. */
  #fill(target: Uint32Array, epoch: number, position: number): void {
    let buffer = this.#bufferAt(epoch, position);
    for (let done = 0; done < target.length; buffer++) {
      const order = this.#bufferOrder(epoch, buffer);
      const from = position + done - this.#bufferStart(epoch, buffer);
      const part = order.subarray(from, from + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  /** Position in the epoch at which a buffer begins: all blocks have the same size, but one. */
  #bufferStart(epoch: number, buffer: number): number {
    this.#prepare(epoch);
    const { size, perBuffer } = this.#blocks;
    const place = Math.min(buffer * perBuffer, this.#blockCount);
    const shortfall = this.#blockCount * size - this.count;
    return place * size - (this.#shortPlace < place ? shortfall : 0);
  }

  #bufferAt(epoch: number, position: number): number {
    const { size, perBuffer } = this.#blocks;
    const buffer = Math.min(Math.floor(position / (size * perBuffer)), this.#bufferCount - 1);
    // The short block may have moved the next buffers' beginnings down.
    return buffer + 1 < this.#bufferCount && this.#bufferStart(epoch, buffer + 1) <= position ? buffer + 1 : buffer;
  }

  #bufferOrder(epoch: number, buffer: number): Uint32Array {
    const key = epoch * this.#bufferCount + buffer;
    const known = this.#buffers.get(key);
    if (known !== undefined) return known;
    const { size, perBuffer } = this.#blocks;
    this.#prepare(epoch);
    const from = buffer * perBuffer;
    const samples: number[] = [];
    if (this.#blockCount > 1) {
      for (const block of this.#blockOrder.subarray(from, from + perBuffer)) {
        const end = Math.min((block + 1) * size, this.count);
        for (let sample = block * size; sample < end; sample++) samples.push(sample);
      }
    }
    const length = this.#blockCount > 1 ? samples.length : this.count;
    const order = new RandomStream(this.seed, this.purpose, key).permutation(length);
    if (this.#blockCount > 1) for (let place = 0; place < length; place++) order[place] = samples[order[place]];
    if (this.#buffers.size > 1) this.#buffers.delete(this.#buffers.keys().next().value!);
    this.#buffers.set(key, order);
    return order;
  }

  #prepare(epoch: number): void {
    if (this.#blockCount === 1 || epoch === this.#epoch) return;
    this.#blockOrder = new RandomStream(this.seed, `${this.purpose}/blocks`, epoch).permutation(this.#blockCount);
    this.#shortPlace = this.#blockOrder.indexOf(this.#blockCount - 1);
    this.#epoch = epoch;
  }
}

/** Batches that are read or decoded ahead: some may take longer than others, and a step must not wait for the longest. */
const batchesAhead = 4;

/**
 * Has a data set begin to read what the steps after this one will ask for, up to the step `end` (exclusive). Blocks are
 * read one batch ahead, because each is kept for many batches anyway.
 */
export function prepareAhead(
  dataset: { prepare?(indices: ArrayLike<number>): void },
  order: BatchOrder,
  step: number,
  end: number,
): void {
  const last = Math.min(end - 1, step + (order.blocked ? 1 : batchesAhead));
  for (let next = step + 1; next <= last; next++) dataset.prepare?.(order.ahead(next));
}

/** The samples of one step's batch; for many steps in a row a {@link BatchOrder} keeps the epoch's permutation. */
export function batchIndices(count: number, batchSize: number, seed: number, step: number): Uint32Array {
  return new BatchOrder(count, batchSize, seed).indices(step);
}
