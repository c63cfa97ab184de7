/** The text of a table's file, and its rows where they must be looked at sign by sign. */
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { userError } from "../errors.js";
import { checkInterrupted, readChunks } from "./read-bytes.js";

/** A row longer than this (in characters) means that the file is no table. */
export const longestRow = 1e7;
const newline = 10;

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
export async function* parseRows(path: string, options: ParseOptions): AsyncGenerator<string[]> {
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
export async function* parseQuoted(
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

/** The error for a row that does not end. */
export function longRow(path: string, line: number): Error {
  return userError({
    where: path,
    required: `rows of at most ${longestRow.toLocaleString("en")} characters`,
    got: `a longer one that begins in line ${line}`,
    advice: "Check that it is a table, and that its quotes match",
  });
}

/** The error for a row that fits no table. */
export function badRow(path: string, got: string): Error {
  return userError({
    where: path,
    required: "rows of equal length with matching quotes",
    got,
    advice: "Correct that line",
  });
}

/** Decodes UTF-8 piece by piece, and refuses anything else: guessing an encoding would change categories silently. */
export function textDecoder(path: string): (chunk?: Uint8Array) => string {
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

/** The error for bytes that are no text in UTF-8. */
export function notText(path: string): Error {
  return userError({
    where: path,
    required: "a table as UTF-8 text",
    got: "other bytes",
    advice: "Save it as UTF-8, or check that it is a table at all",
  });
}

/** A file's text in pieces; with a space for delimiter, single spaces stand for white space. @throws UserError where it is no text */
export async function* readText(path: string, options: ParseOptions): AsyncGenerator<string> {
  const decode = textDecoder(path);
  const chunks = readChunks(path, options);
  for await (const chunk of options.delimiter === " " ? collapsed(chunks) : chunks) {
    const text = decode(chunk);
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
}

/** Lines with single spaces in place of white space between words, and none around them. */
export async function* collapsed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
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
