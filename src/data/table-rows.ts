import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { userError } from "../errors.js";
import { checkInterrupted, fileSize, isGzip, readChunks } from "./read-bytes.js";

/** How a table's file is written. */
export interface TableFormat {
  readonly gzip: boolean;
  readonly delimiter: string;
  /** The names in the header line, or undefined if there is none. */
  readonly header: readonly string[] | undefined;
  readonly columnCount: number;
}

/** A row longer than this (in characters) means that the file is no table. */
const longestRow = 1e7;

/** A value in a table: text as a text file has it, a number as a binary one has it, null where there is none. */
export type Cell = string | number | null;

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
    if (sample.length === 1000) break;
  }
  const [first] = sample;
  if (first === undefined) {
    throw userError({ where: path, required: "a table with rows", got: "an empty file", advice: "Check the path" });
  }
  const hasHeader = header === "auto" ? looksLikeHeader(first, sample.slice(1)) : header;
  return { gzip, delimiter, header: hasHeader ? first : undefined, columnCount: first.length };
}

/**
 * The rows of a table, trimmed, without its header.
 *
 * @param onText is given the file's text as it is read, for a hash
 * @throws UserError naming the line for a row with more or fewer cells than the first, or a stray quote
 */
export async function* readRows(
  path: string,
  format: TableFormat,
  options: {
    signal?: AbortSignal | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
    onText?: ((text: string) => void) | undefined;
    /** Is told of rows of another length, which are left out; absent: such a row is an error. */
    onBadRow?: ((reason: string, row: number) => void) | undefined;
  } = {},
): AsyncGenerator<string[]> {
  const size = await fileSize(path);
  let skip = format.header !== undefined;
  let line = 0;
  for await (const row of parseRows(path, {
    ...format,
    relaxed: options.onBadRow !== undefined,
    signal: options.signal,
    onText: options.onText,
    onBytes: (done) => options.onProgress?.(done, size),
  })) {
    line++;
    if (skip) skip = false;
    else if (row.length === format.columnCount) yield row;
    else {
      const number = line - (format.header === undefined ? 0 : 1);
      options.onBadRow?.(`${path}, row ${number}: ${row.length} cells`, number);
    }
  }
}

interface ParseOptions {
  gzip: boolean;
  delimiter: string;
  /** Rows of any length are handed on. */
  relaxed?: boolean;
  signal?: AbortSignal | undefined;
  onText?: ((text: string) => void) | undefined;
  onBytes?: ((done: number) => void) | undefined;
}

/**
 * Rows of a text. Where no quote has come yet, lines are simply split, which is many times faster than looking at every
 * sign; from the first quote on (or where lines end in the manner of old Macs) csv-parse reads on.
 */
async function* parseRows(path: string, options: ParseOptions): AsyncGenerator<string[]> {
  const texts = readText(path, options);
  let rest = "";
  let lines = 0;
  let width: number | undefined;
  try {
    for (;;) {
      const { value, done } = await texts.next();
      const text = done ? rest : rest + value;
      if (/"|\r(?=[^\n])/.test(text) || text.length > longestRow + (value?.length ?? 0)) {
        yield* parseQuoted(path, options, text, texts, lines, width);
        return;
      }
      const end = done ? text.length : text.lastIndexOf("\n") + 1;
      rest = text.slice(end);
      if (end > 0) {
        const whole = text.slice(0, text[end - 1] === "\n" ? end - 1 : end);
        for (const line of whole.split("\n")) {
          lines++;
          const row = line.split(options.delimiter);
          for (let index = 0; index < row.length; index++) row[index] = row[index].trim();
          if (row.length === 1 && row[0] === "") continue;
          width ??= row.length;
          if (row.length !== width && options.relaxed !== true) {
            throw badRow(path, `Invalid Record Length: expect ${width}, got ${row.length} on line ${lines}`);
          }
          yield row;
        }
      }
      if (done) return;
    }
  } finally {
    await texts.return(undefined);
  }
}

/**
 * Reads on with csv-parse.
 *
 * @param first the text at hand, which begins a line
 * @param lines how many lines have come before, and with how many cells
 */
async function* parseQuoted(
  path: string,
  options: ParseOptions,
  first: string,
  texts: AsyncGenerator<string>,
  lines: number,
  width: number | undefined,
): AsyncGenerator<string[]> {
  const text = Readable.from(
    (async function* () {
      yield first;
      yield* texts;
    })(),
  );
  const parser = parse({
    delimiter: options.delimiter,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: options.relaxed === true,
    max_record_size: longestRow,
  });
  text.on("error", (error) => parser.destroy(error));
  text.pipe(parser);
  try {
    for await (const row of parser as AsyncIterable<string[]>) {
      if (width !== undefined && row.length !== width && options.relaxed !== true) {
        throw badRow(path, `Invalid Record Length: expect ${width}, got ${row.length} after line ${lines}`);
      }
      yield row;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    checkInterrupted(options.signal);
    throw badRow(
      path,
      error.message.replaceAll(/\s+/g, " ").replace(/(?<=\bline )\d+/, (line) => String(Number(line) + lines)),
    );
  } finally {
    text.destroy();
    parser.destroy();
  }
}

function badRow(path: string, got: string): Error {
  return userError({
    where: path,
    required: "rows of equal length with matching quotes",
    got,
    advice: "Correct that line",
  });
}

/** A file as text, refused where it is not UTF-8: guessing an encoding would change categories silently. */
async function* readText(path: string, options: ParseOptions): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      const text = chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
      if (!text.includes("\0")) return text;
    } catch {
      // Falls through to the error below.
    }
    throw userError({
      where: path,
      required: "a table as UTF-8 text",
      got: "other bytes",
      advice: "Save it as UTF-8, or check that it is a table at all",
    });
  };
  for await (const chunk of readChunks(path, options)) {
    const text = decode(chunk);
    options.onText?.(text);
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
}

/** Tab for .tsv and .tab; else the most frequent of comma, semicolon and tab in the first line, outside quotes. */
async function findDelimiter(path: string, gzip: boolean): Promise<string> {
  if (/\.(tsv|tab)(\.gz)?$/i.test(path)) return "\t";
  let line = "";
  for await (const text of readText(path, { gzip, delimiter: "" })) {
    line = text
      .trimStart()
      .split(/\r?\n/, 1)[0]
      .replaceAll(/"[^"]*"/g, "");
    break;
  }
  const counts = [",", ";", "\t"].map((mark) => ({ mark, count: line.split(mark).length }));
  return counts.reduce((best, next) => (next.count > best.count ? next : best)).mark;
}

/**
 * A header names every column once, without numbers, and either stands over numbers or does not recur below. The
 * column numbers 0, 1, 2, ..., which pandas writes for nameless columns, are a header too.
 */
function looksLikeHeader(first: readonly string[], rest: readonly (readonly string[])[]): boolean {
  if (rest.length === 0) return false;
  // The first name may be empty: so pandas writes an index.
  const names = first[0] === "" ? first.slice(1) : first;
  if (names.length > 1 && names.every((name, index) => name === String(index))) return true;
  if (new Set(first).size < first.length) return false;
  if (names.some((name) => isMissing(name) || numberIn(name) !== undefined)) return false;
  const overNumbers = first.some((_, column) =>
    rest.every((row) => isMissing(row[column]) || numberIn(row[column]) !== undefined),
  );
  return overNumbers || !first.some((name, column) => rest.some((row) => row[column] === name));
}
