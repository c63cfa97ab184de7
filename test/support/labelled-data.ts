/** Data sets of which nothing but the labels matters. */
import type { Dataset } from "../../src/data/dataset.js";

/** @param targets numbers to predict, sample by sample */
export function labelled(labels: readonly number[] | undefined, targets?: readonly number[], width = 1): Dataset {
  return {
    where: "data",
    count: labels?.length ?? (targets?.length ?? 0) / width,
    ...(labels ? { labels: Int32Array.from(labels) } : {}),
    ...(targets
      ? { targets: { names: Array.from({ length: width }, (_, at) => `y${at}`), values: Float64Array.from(targets) } }
      : {}),
  } as Partial<Dataset> as Dataset;
}
