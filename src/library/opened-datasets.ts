/** The data sets that a run or a study opens, so that each is closed however that ends. */
import type { Dataset, OpenOptions } from "../data/dataset.js";
import { openDataset } from "../data/open-dataset.js";

/** Opens data sets, and closes them again. */
export class OpenedDatasets {
  readonly #signal: AbortSignal | undefined;
  readonly #open = new Set<Dataset>();

  /** @param signal ends reading early */
  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** @throws UserError and InterruptedError as {@link openDataset} does */
  async open(path: string | readonly string[], options: Omit<OpenOptions, "signal">): Promise<Dataset> {
    const dataset = await openDataset(path, { ...options, signal: this.#signal });
    this.#open.add(dataset);
    return dataset;
  }

  /** Closes one that is not needed any more. */
  async close(dataset: Dataset): Promise<void> {
    this.#open.delete(dataset);
    await dataset.close?.();
  }

  /** Closes all that are still open: what was made of them cannot be read any more. */
  async closeAll(): Promise<void> {
    for (const dataset of [...this.#open]) await this.close(dataset);
  }
}
