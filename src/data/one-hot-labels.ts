/** Labels that are written as one-hot codes. */
import { type KnownClasses, knownClassNames, numberClasses } from "./classes.js";
import type { RawArray } from "./sample-array.js";

/**
 * The classes of labels [N, classes] of which every row is 1 at one column and 0 at all others: a class is its column.
 *
 * @param known classes that are known already: by column where they are as many as the columns
 * @returns undefined where the labels are no such codes
 * @throws UserError if there is a class that is not among the known ones
 */
export function classesOfOneHot(
  { data, dims }: RawArray,
  known: KnownClasses,
  where: string,
): { labels: Int32Array; classNames: readonly string[] } | undefined {
  const [rows, width] = dims;
  if (dims.length !== 2 || width < 2) return undefined;
  const labels = new Int32Array(rows).fill(-1);
  for (let at = 0; at < rows * width; at++) {
    if (data[at] === 0) continue;
    const row = Math.floor(at / width);
    if (data[at] !== 1 || labels[row] >= 0) return undefined;
    labels[row] = at % width;
  }
  if (rows === 0 || labels.includes(-1)) return undefined;
  const fittedNames = knownClassNames(known);
  if (fittedNames?.length === width) return { labels, classNames: fittedNames };
  const names = Array.from({ length: width }, (_, column) => String(column));
  if (fittedNames === undefined) return { labels, classNames: names };
  const { classNames, numberOf } = numberClasses(new Set(Array.from(labels, String)), fittedNames, where);
  return { labels: labels.map((column) => numberOf.get(names[column])!), classNames };
}

/** Says in a sentence that labels of such a width were taken for classes. */
export function oneHotNote(width: number): string {
  return `the labels are one-hot, a single 1 in every row: taken for ${width} classes, numbered by column from 0`;
}
