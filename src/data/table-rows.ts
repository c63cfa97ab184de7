/** The rows of a table's file, in blocks of columns. */
import { isUtf8 } from "node:buffer";
import { DelimitedParser, type Stop } from "./delimited-parser.js";
import { fileSize, readChunks } from "./read-bytes.js";
import { blocksOfRows, type ColumnNeed, type TableBlock } from "./table-block.js";
import type { TableFormat } from "./table-format.js";
import { badRow, collapsed, longestRow, longRow, notText, parseQuoted, textDecoder } from "./table-text.js";

const newline = 10;

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
  const text = new CheckedText(path);
  let header = format.header !== undefined;
  /** Rows of blocks before this one, and rows left out. */
  let [before, left] = [0, 0];
  const leaveOut = (cells: number): void => {
    left++;
    const row = before + parser.count + left;
    options.onBadRow?.(`${path}, row ${row}: ${cells} cells`, row);
  };
  try {
    for (;;) {
      const { value, done = false } = await chunks.next();
      text.advance(parser.position, value, done);
      parser.position = 0;
      for (;;) {
        // The header's cells need not be what their column's are.
        const stop = header ? passHeader(parser, text.bytes, done) : parser.read(text.bytes, done);
        if (stop.why === "length") {
          if (options.onBadRow === undefined) {
            throw badRow(path, `Invalid Record Length: expect ${width}, got ${stop.cells} on line ${parser.lines}`);
          }
          leaveOut(stop.cells);
        } else if (stop.why === "block" && header) header = false;
        else if (stop.why === "block" && parser.count > 0) {
          before += parser.count;
          yield parser.take();
          parser.begin();
        } else if (stop.why === "irregular") {
          if (parser.count > 0) {
            before += parser.count;
            yield parser.take();
          }
          const rest = decoded(path, text.bytes.subarray(parser.position), chunks);
          const relaxed = options.onBadRow !== undefined;
          const rows = parseQuoted(path, { ...format, ...options, relaxed }, "", rest, parser.lines, width);
          yield* blocksOfRows(
            regular(rows, width, header, leaveOut, () => before++),
            width,
          );
          return;
        } else {
          const unread = text.bytes.length - parser.position;
          if (stop.why === "bytes" && unread > longestRow) throw longRow(path, parser.lines + 1);
          break;
        }
      }
      if (done) return;
    }
  } finally {
    await chunks.return(undefined);
  }
}

/** The bytes of a file that have been read and not parsed yet: UTF-8, as far as whole lines of them are there. */
class CheckedText {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #path: string;
  #checked = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Drops the bytes that have been parsed, and adds those that have come.
   *
   * @param final whether they are the last ones
   * @throws UserError where they are no text
   */
  advance(parsed: number, more: Uint8Array | undefined, final: boolean): void {
    this.bytes = joinBytes(this.bytes.subarray(parsed), more);
    this.#checked -= parsed;
    // No sign of UTF-8 goes across the end of a line.
    const end = final ? this.bytes.length : this.bytes.lastIndexOf(newline) + 1;
    if (end <= this.#checked) return;
    const lines = this.bytes.subarray(this.#checked, end);
    if (!isUtf8(lines) || lines.includes(0)) throw notText(this.#path);
    this.#checked = end;
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
