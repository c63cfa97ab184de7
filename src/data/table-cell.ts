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

/** A comma in place of the point, or groups of three digits with one sign between all of them. */
const decimalComma = /^[+-]?\d+,\d+$/;
const grouped = /^[+-]?\d{1,3}([,.'’_ \u00a0\u2009\u202f])\d{3}(?:\1\d{3})*(?:(?!\1)[.,]\d+)?$/;
/** Signs of currencies, and of percent. */
const signs = "%$€£¥₩₹";
const leadingSign = /^([+-]?)[$€£¥₩₹] ?(?=[\d.])/;
const trailingSign = /(?<=\d) ?[%$€£¥₩₹]$/;

/**
 * Whether a cell is a number as people write it, with a decimal comma, separators of thousands, a currency or a percent
 * sign, such as 3,14 or 1.234,5 or 1 234 or $5, which is no number to a table.
 */
export function isFormattedNumber(cell: string): boolean {
  // Words, which most cells are that come here, are told sooner by their last letter.
  const last = cell.charCodeAt(cell.length - 1);
  return ((last >= 48 && last <= 57) || signs.includes(cell.at(-1) ?? "")) && plainNumbers(cell).length > 0;
}

/** The numbers, as a table takes them, that a {@link isFormattedNumber} can stand for: 1,234 is 1234 or 1.234. */
export function plainNumbers(cell: string): string[] {
  const bare = cell.replace(leadingSign, "$1").replace(trailingSign, "");
  if (bare !== cell && numberIn(bare) !== undefined) return [bare];
  const plain: string[] = [];
  const [, separator] = grouped.exec(bare) ?? [];
  if (separator !== undefined) plain.push(bare.replaceAll(separator, "").replace(",", "."));
  if (decimalComma.test(bare)) plain.push(bare.replace(",", "."));
  return plain;
}
