import { isUtf8 } from "node:buffer";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { userError } from "../errors.js";
import { shorten } from "./classes.js";
import { distinctNames } from "./column-names.js";
import { DelimitedParser, type Stop } from "./delimited-parser.js";
import { checkInterrupted, fileSize, isGzip, readChunks } from "./read-bytes.js";
import { blocksOfRows, type ColumnNeed, type TableBlock } from "./table-block.js";
import { isFormattedNumber, isMissing, numberIn } from "./table-cell.js";

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

/** A row longer than this (in characters) means that the file is no table. */
const longestRow = 1e7;
/** So many rows, and about so many cells, are looked at to tell whether the first row is a header. */
const [sampleRows, sampleCells] = [1000, 1e6];
const newline = 10;

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

/**
 * The rows of a table without its header, in blocks of columns.
 *
 * @param options.onContent is given the file's bytes as they are read, for a hash
 * @throws UserError naming the line for a row with more or fewer cells than the first, or a stray quote
 */
export async function* readBlocks(
  path: string,
  format: TableFormat,
  needs: readonly ColumnNeed[],
  options: {
    signal?: AbortSignal | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
    onContent?: ((bytes: Uint8Array) => void) | undefined;
    /** Is told of rows of another length, which are left out; absent: such a row is an error. */
    onBadRow?: ((reason: string, row: number) => void) | undefined;
  } = {},
): AsyncGenerator<TableBlock> {
  const size = await fileSize(path);
  const width = format.columnCount;
  const parser = new DelimitedParser(needs, format.delimiter.charCodeAt(0));
  const read = withoutMark(
    readChunks(path, {
      gzip: format.gzip,
      signal: options.signal,
      onBytes: (done) => options.onProgress?.(done, size),
    }),
    options.onContent,
  );
  const chunks = format.delimiter === " " ? collapsed(read) : read;
  let header = format.header !== undefined;
  /** Rows of blocks before this one, and rows left out. */
  let [before, left] = [0, 0];
  const leaveOut = (cells: number): void => {
    left++;
    const row = before + parser.count + left;
    options.onBadRow?.(`${path}, row ${row}: ${cells} cells`, row);
  };
  let bytes: Uint8Array = new Uint8Array(0);
  let checked = 0;
  try {
    for (;;) {
      const { value, done } = await chunks.next();
      bytes = joinBytes(bytes.subarray(parser.position), value);
      checked -= parser.position;
      parser.position = 0;
      // No sign of UTF-8 goes across the end of a line.
      const end = done ? bytes.length : bytes.lastIndexOf(newline) + 1;
      if (end > checked) {
        const lines = bytes.subarray(checked, end);
        if (!isUtf8(lines) || lines.includes(0)) throw notText(path);
        checked = end;
      }
      for (;;) {
        // The header's cells need not be what their column's are.
        const stop = header ? passHeader(parser, bytes, done === true) : parser.read(bytes, done === true);
        if (header && stop.why === "block") {
          header = false;
          continue;
        }
        if (stop.why === "length") {
          if (options.onBadRow === undefined) {
            throw badRow(path, `Invalid Record Length: expect ${width}, got ${stop.cells} on line ${parser.lines}`);
          }
          leaveOut(stop.cells);
          continue;
        }
        if (stop.why === "bytes" && bytes.length - parser.position > longestRow) throw longRow(path, parser.lines + 1);
        if (stop.why === "irregular") {
          if (parser.count > 0) {
            before += parser.count;
            yield parser.take();
          }
          const text = decoded(path, bytes.subarray(parser.position), chunks);
          const relaxed = options.onBadRow !== undefined;
          const rows = parseQuoted(path, { ...format, ...options, relaxed }, "", text, parser.lines, width);
          yield* blocksOfRows(
            regular(rows, width, header, leaveOut, () => before++),
            width,
          );
          return;
        }
        if (stop.why === "block" && parser.count > 0) {
          before += parser.count;
          yield parser.take();
          parser.begin();
          continue;
        }
        break;
      }
      if (done) return;
    }
  } finally {
    await chunks.return(undefined);
  }
}

/** Passes over the first line that is not empty. */
function passHeader(parser: DelimitedParser, bytes: Uint8Array, final: boolean): Stop {
  const start = parser.position;
  const line = new DelimitedParser([{ what: "nothing", distinct: 0 }], parser.delimiter);
  line.position = start;
  const stop = line.read(bytes, final, 1);
  if (stop.why === "bytes" || stop.why === "irregular") return stop;
  parser.position = line.position;
  parser.lines += line.lines;
  return { why: "block" };
}

/** Rows of the right length; the header, if it is still to come, is passed over. */
async function* regular(
  rows: AsyncIterable<string[]>,
  width: number,
  header: boolean,
  leaveOut: (cells: number) => void,
  count: () => void,
): AsyncGenerator<string[]> {
  let skip = header;
  for await (const row of rows) {
    if (skip) skip = false;
    else if (row.length === width) {
      count();
      yield row;
    } else leaveOut(row.length);
  }
}

/** Bytes without the mark that some writers put before UTF-8. */
async function* withoutMark(
  chunks: AsyncIterable<Uint8Array>,
  onContent: ((bytes: Uint8Array) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  let first = true;
  for await (const chunk of chunks) {
    const marked = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf;
    const bytes = marked ? chunk.subarray(3) : chunk;
    first = false;
    onContent?.(bytes);
    yield bytes;
  }
}

function joinBytes(rest: Uint8Array, more: Uint8Array | undefined): Uint8Array {
  if (more === undefined || rest.length === 0) return more ?? rest;
  const whole = new Uint8Array(rest.length + more.length);
  whole.set(rest);
  whole.set(more, rest.length);
  return whole;
}

/** The text of the bytes at hand and of those to come. */
async function* decoded(path: string, first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = textDecoder(path);
  yield decoder(first);
  for await (const chunk of rest) yield decoder(chunk);
  yield decoder();
}

interface ParseOptions {
  gzip: boolean;
  delimiter: string;
  /** Rows of any length are handed on. */
  relaxed?: boolean;
  signal?: AbortSignal | undefined;
}

/**
 * Rows of a text. Where no quote has come yet, lines are simply split, which is many times faster than looking at every
 * sign; from the first quote on (or where lines end in the manner of old Macs) csv-parse reads on.
 */
async function* parseRows(path: string, options: ParseOptions): AsyncGenerator<string[]> {
  const texts = readText(path, options);
  // The line that has no end yet, in pieces: joining them with each that comes would take the square of its length.
  let rest: string[] = [];
  let restLength = 0;
  let lines = 0;
  let width: number | undefined;
  try {
    for (;;) {
      const { value = "", done } = await texts.next();
      if (/"|\r(?=[^\n])/.test(value) || (value !== "" && value[0] !== "\n" && rest.at(-1)?.endsWith("\r"))) {
        yield* parseQuoted(path, options, rest.join("") + value, texts, lines, width);
        return;
      }
      const lineEnd = value.lastIndexOf("\n") + 1;
      if (!done && lineEnd === 0) {
        rest.push(value);
        restLength += value.length;
        if (restLength > longestRow) throw longRow(path, lines + 1);
        continue;
      }
      const text = rest.join("") + value;
      const end = done ? text.length : text.length - value.length + lineEnd;
      rest = [text.slice(end)];
      restLength = text.length - end;
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

function longRow(path: string, line: number): Error {
  return userError({
    where: path,
    required: `rows of at most ${longestRow.toLocaleString("en")} characters`,
    got: `a longer one that begins in line ${line}`,
    advice: "Check that it is a table, and that its quotes match",
  });
}

function badRow(path: string, got: string): Error {
  return userError({
    where: path,
    required: "rows of equal length with matching quotes",
    got,
    advice: "Correct that line",
  });
}

/** Decodes UTF-8 piece by piece, and refuses anything else: guessing an encoding would change categories silently. */
function textDecoder(path: string): (chunk?: Uint8Array) => string {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return (chunk) => {
    try {
      const text = chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
      if (!text.includes("\0")) return text;
    } catch {
      // Falls through to the error below.
    }
    throw notText(path);
  };
}

function notText(path: string): Error {
  return userError({
    where: path,
    required: "a table as UTF-8 text",
    got: "other bytes",
    advice: "Save it as UTF-8, or check that it is a table at all",
  });
}

async function* readText(path: string, options: ParseOptions): AsyncGenerator<string> {
  const decode = textDecoder(path);
  const chunks = readChunks(path, options);
  for await (const chunk of options.delimiter === " " ? collapsed(chunks) : chunks) {
    const text = decode(chunk);
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
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
  const line = (lines[0] ?? "").replaceAll(/"[^"]*"/g, "");
  const counts = delimiters.map((mark) => ({ mark, count: line.split(mark).length }));
  const { mark, count } = counts.reduce((best, next) => (next.count > best.count ? next : best));
  // Tabs may be white space among other: doubled, or beside spaces.
  const besides = (one: string) => one.trim() !== "" && one.split("\t").length !== wordsOf(one).length;
  const doubtful = count === 1 || (mark === "\t" && lines.some(besides));
  return doubtful && areSpaced(lines) ? " " : mark;
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

/** Lines with single spaces in place of white space between words, and none around them. */
async function* collapsed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const [tab, carriageReturn, space] = [9, 13, 32];
  let [begun, gap] = [false, false];
  for await (const chunk of chunks) {
    // Before every word a space may stand that came in the chunk before.
    const put = new Uint8Array(chunk.length + 1);
    let length = 0;
    for (const byte of chunk) {
      if (byte === space || byte === tab) gap = true;
      else if (byte === newline || byte === carriageReturn) {
        [begun, gap] = [false, false];
        put[length++] = byte;
      } else {
        if (gap && begun) put[length++] = space;
        [begun, gap] = [true, false];
        put[length++] = byte;
      }
    }
    yield put.subarray(0, length);
  }
}

/**
 * A header has a text over a column of numbers, or else names every column once, without numbers, and does not recur
 * below. The column numbers 0, 1, 2, ..., which pandas writes for nameless columns, are a header too.
 */
function looksLikeHeader(first: readonly string[], rest: readonly (readonly string[])[]): boolean {
  if (rest.length === 0) return false;
  // The first name may be empty: so pandas writes an index.
  const names = first[0] === "" ? first.slice(1) : first;
  if (names.length > 1 && names.every((name, index) => name === String(index))) return true;
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
