import { RandomStream } from "../random/stream.js";

/**
 * The order in which a run sees its samples: each epoch is a permutation of its own, drawn from the seed, so that the
 * batch of any step can be told from the step alone and a resumed run continues exactly. The last samples of an epoch
 * that do not fill a batch are left out (others each time); with fewer samples than a batch takes, a batch goes
 * through permutations one after another.
 */
export class BatchOrder {
  readonly count: number;
  readonly batchSize: number;
  readonly seed: number;
  /** Whole batches in an epoch, at least 1. */
  readonly batchesPerEpoch: number;
  #epoch = -1;
  #permutation = new Uint32Array(0);

  /**
   * @param count how many samples there are
   * @param batchSize how many a batch has
   * @param seed the run's seed
   */
  constructor(count: number, batchSize: number, seed: number) {
    if (!(count > 0 && batchSize > 0)) throw new RangeError(`no batches of ${batchSize} among ${count} samples`);
    this.count = count;
    this.batchSize = batchSize;
    this.seed = seed;
    this.batchesPerEpoch = Math.max(1, Math.floor(count / batchSize));
  }

  /** The samples of the batch of a step, counted from 0. */
  indices(step: number): Uint32Array {
    if (this.count >= this.batchSize) {
      const start = (step % this.batchesPerEpoch) * this.batchSize;
      return this.#order(Math.floor(step / this.batchesPerEpoch)).slice(start, start + this.batchSize);
    }
    const batch = new Uint32Array(this.batchSize);
    for (let place = 0; place < this.batchSize; place++) {
      const drawn = step * this.batchSize + place;
      batch[place] = this.#order(Math.floor(drawn / this.count))[drawn % this.count];
    }
    return batch;
  }

  /** The permutation of an epoch; the last one is kept. */
  #order(epoch: number): Uint32Array {
    if (epoch !== this.#epoch) {
      this.#permutation = Uint32Array.from(new RandomStream(this.seed, "order", epoch).permutation(this.count));
      this.#epoch = epoch;
    }
    return this.#permutation;
  }
}

/** The samples of one step's batch; for many steps in a row a {@link BatchOrder} keeps the epoch's permutation. */
export function batchIndices(count: number, batchSize: number, seed: number, step: number): Uint32Array {
  return new BatchOrder(count, batchSize, seed).indices(step);
}
