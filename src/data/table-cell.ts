/** A value in a table: text as a text file has it, a number as a binary one has it, null where there is none. */
export type Cell = string | number | null;

/** The largest number that samples can hold, which are delivered as float32. */
export const largestNumber = (2 - 2 ** -23) * 2 ** 127;

const missingMarks = new Set(["", "?", "na", "n/a", "#n/a", "nan", "null", "<na>"]);

/** Whether a cell says that its value is missing. */
export function isMissing(cell: Cell): boolean {
  if (cell === null) return true;
  if (typeof cell === "number") return Number.isNaN(cell);
  return cell.length <= 4 && missingMarks.has(cell.toLowerCase());
}

/** The number in a cell (infinite for "inf"), or undefined if it is not one. */
export function numberIn(cell: Cell): number | undefined {
  if (typeof cell === "number") return cell;
  if (cell === null) return undefined;
  const value = Number(cell);
  if (!Number.isNaN(value)) return value;
  if (/^[+-]?inf(inity)?$/i.test(cell))
    return cell.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return undefined;
}

/** Whether a cell is a number with a comma in place of the point, such as 3,14, which is no number to a table. */
export function hasDecimalComma(cell: string): boolean {
  return /^[+-]?\d+,\d+$/.test(cell);
}
