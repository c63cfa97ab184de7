import { shorten } from "./classes.js";
import type { Dataset } from "./dataset.js";
import { knownLabels } from "./sample-labels.js";

/** Of fewer rows one cannot tell whether they are sorted or lie so by chance. */
const fewest = 20;

/** Says of the first rows of a table that they are sorted by class, in a sentence; undefined where they are not. */
export function firstRowsNote({ labels, classNames }: Pick<Dataset, "labels" | "classNames">): string | undefined {
  const known = Array.from(knownLabels(labels), (row) => labels![row]);
  if (known.length < fewest) return undefined;
  // A class that comes again after another one is there twice.
  const runs = known.filter((label, row) => row === 0 || label !== known[row - 1]);
  if (new Set(runs).size < runs.length) return undefined;
  const names = runs.map((label) => classNames?.[label] ?? String(label));
  const what = names.length === 1 ? `all of the class ${names[0]}` : `sorted by class (${shorten(names)})`;
  return (
    `the first ${known.length} rows are ${what}: of such a file a limit takes the first rows, so shuffle it, or save it ` +
    "as Parquet"
  );
}
