/** What every device offers: run a graph on tensors. */
import type { Tensor } from "../graph/tensor.js";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A graph made ready to run on a device. */
export interface Session {
  /**
   * Runs the graph once.
   *
   * @param feeds every graph input by name
   * @param targets preallocated tensors that receive these outputs in place; they must not be fed in the same run
   * @returns every graph output by name; those of `targets` are the very tensors given
   */
  run(feeds: Tensors, targets?: Tensors): Promise<Tensors>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** How to run. */
export interface SessionOptions {
  /** Threads for one operator; default: as many as the machine offers. */
  readonly threads?: number;
}
