/** How a table's file is written, found out from its first rows. */
import { userError } from "../errors.js";
import { shorten } from "./classes.js";
import { distinctNames } from "./column-names.js";
import { isGzip } from "./read-bytes.js";
import { isFormattedNumber, isMissing, numberIn } from "./table-cell.js";
import { parseRows, readText } from "./table-text.js";

/** How a table's file is written. */
export interface TableFormat {
  readonly gzip: boolean;
  /** The sign between cells; a space stands for any white space. */
  readonly delimiter: string;
  /** The names in the header line, told apart where some are equal, or undefined if there is none. */
  readonly header: readonly string[] | undefined;
  readonly columnCount: number;
  /** What the user should know of how it is read, in sentences. */
  readonly notes: readonly string[];
}

/** So many rows, and about so many cells, are looked at to tell whether the first row is a header. */
const [sampleRows, sampleCells] = [1000, 1e6];

/**
 * Finds out a table's delimiter, header and number of columns from its first rows.
 *
 * @param relaxed passes over rows of another length than the first
 */
export async function readFormat(path: string, header: boolean | "auto", relaxed = false): Promise<TableFormat> {
  const gzip = await isGzip(path);
  const delimiter = await findDelimiter(path, gzip);
  const sample: string[][] = [];
  for await (const row of parseRows(path, { gzip, delimiter, relaxed })) {
    if (sample.length === 0 || row.length === sample[0].length) sample.push(row);
    if (sample.length === sampleRows || (sample.length > 2 && sample.length * sample[0].length >= sampleCells)) break;
  }
  const [first] = sample;
  if (first === undefined) {
    throw userError({ where: path, required: "a table with rows", got: "an empty file", advice: "Check the path" });
  }
  const hasHeader = header === "auto" ? looksLikeHeader(first, sample.slice(1)) : header;
  const doubtful = header === "auto" && !hasHeader && mayBeHeader(first, sample.slice(1));
  const notes = doubtful
    ? [`the first row (${shorten(first)}) is taken for a sample; if it names the columns, say so (header: yes)`]
    : [];
  return { gzip, delimiter, notes, header: hasHeader ? distinctNames(first) : undefined, columnCount: first.length };
}

/** The signs that may stand between cells. Where several are in a line equally often, the first counts. */
const delimiters = [",", ";", "\t", "|"];

/**
 * Tab for .tsv and .tab; else the sign that is most frequent in the first line, outside quotes; white space where there is
 * none, and the lines are numbers with white space between them.
 */
async function findDelimiter(path: string, gzip: boolean): Promise<string> {
  if (/\.(tsv|tab)(\.gz)?$/i.test(path)) return "\t";
  let lines: string[] = [];
  for await (const text of readText(path, { gzip, delimiter: "" })) {
    lines = text.trimStart().split(/\r?\n/, 100);
    break;
  }
  requireNoComment(path, lines);
  const { mark, count } = mostFrequent(lines[0] ?? "");
  // Tabs may be white space among other: doubled, or beside spaces.
  const besides = (one: string) => one.trim() !== "" && one.split("\t").length !== wordsOf(one).length;
  const doubtful = count === 1 || (mark === "\t" && lines.some(besides));
  return doubtful && areSpaced(lines) ? " " : mark;
}

/** The sign that stands most often in a line, outside quotes, and how many cells that makes. */
function mostFrequent(line: string): { readonly mark: string; readonly count: number } {
  const unquoted = line.replaceAll(/"[^"]*"/g, "");
  const counts = delimiters.map((mark) => ({ mark, count: unquoted.split(mark).length }));
  return counts.reduce((best, next) => (next.count > best.count ? next : best));
}

/** @throws UserError where the table begins with a comment, as loggers and numpy.savetxt write it, and not with a header */
function requireNoComment(path: string, lines: readonly string[]): void {
  const [first, second] = lines;
  if (!first?.startsWith("#") || !second) return;
  const { mark, count } = mostFrequent(second);
  const cellsOf = (line: string): number => (count > 1 ? line.split(mark).length : wordsOf(line).length);
  if (!second.startsWith("#") && cellsOf(first) === cellsOf(second)) return;
  throw userError({
    where: path,
    required: "a table that begins with the names of its columns or a sample",
    got: `a first line that begins with # (${shorten([first])})`,
    advice: "Remove lines of comments, and the # in front of the columns' names",
  });
}

function wordsOf(line: string): string[] {
  return line.trim().split(/\s+/);
}

/** Whether lines hold equally many words, of which some are numbers in all lines but the first, which may be a header. */
function areSpaced(lines: readonly string[]): boolean {
  // The last may be cut off.
  const rows = lines.slice(0, lines.length > 2 ? -1 : undefined).map(wordsOf);
  const filled = rows.filter(([word]) => word !== "");
  const [first, ...rest] = filled;
  if (first === undefined || first.length < 2 || rest.length === 0) return false;
  return rest.every((row) => row.length === first.length && row.some((word) => numberIn(word) !== undefined));
}

/**
 * A header has a text over a column of numbers, or else names every column once, without numbers, and does not recur
 * below: so does a line of texts with nothing below it. The column numbers 0, 1, 2, ..., which pandas writes for nameless columns,
 * are a header too, where something stands below.
 */
function looksLikeHeader(first: readonly string[], rest: readonly (readonly string[])[]): boolean {
  // The first name may be empty: so pandas writes an index.
  const names = first[0] === "" ? first.slice(1) : first;
  if (rest.length > 0 && names.length > 1 && names.every((name, index) => name === String(index))) return true;
  const overNumbers = first.some((name, column) => {
    const cells = rest.map((row) => row[column]).filter((cell) => !isMissing(cell));
    return isText(name) && cells.length > 0 && cells.every(isNumber);
  });
  if (overNumbers) return true;
  if (new Set(first).size < first.length || !names.every(isText)) return false;
  const overNothing = first.some((_, column) => rest.every((row) => isMissing(row[column])));
  return overNothing || !first.some((name, column) => rest.some((row) => row[column] === name));
}

/**
 * Whether a first row that was not taken for a header has a text of its own over texts that recur, or numbers that count
 * the columns, as years do.
 */
function mayBeHeader(first: readonly string[], rest: readonly (readonly string[])[]): boolean {
  if (first.length > 2 && first.every((name, column) => name !== "" && Number(name) === Number(first[0]) + column)) {
    return true;
  }
  return first.some((name, column) => {
    const below = new Set(rest.map((row) => row[column]));
    return isText(name) && !below.has(name) && below.size <= rest.length / 2;
  });
}

/** With a decimal comma or separators of thousands too: such cells are no numbers to the table, but no names either. */
function isNumber(cell: string): boolean {
  return numberIn(cell) !== undefined || isFormattedNumber(cell);
}

function isText(cell: string): boolean {
  return !isMissing(cell) && !isNumber(cell);
}
