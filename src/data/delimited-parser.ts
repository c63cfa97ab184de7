import { ByteDictionary, textOf } from "./byte-dictionary.js";
import { type ColumnCells, type ColumnNeed, rowsPerBlock, type TableBlock } from "./table-block.js";
import { type Cell, isMissing, numberIn } from "./table-cell.js";

const newline = 10;
const carriageReturn = 13;
const space = 32;
const quote = 34;
const tab = 9;

/** The powers of ten that a double holds exactly. */
const powers = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** What becomes of a column's cells now. */
type Mode = "codes" | "numbers" | "cells" | "nothing";

/** What a column has none of: a table may have a hundred thousand columns. */
const noCodes = new Int32Array(0);
const noValues = new Float64Array(0);

/** The column of a block that is being filled. */
class Column {
  mode: Mode;
  readonly #need: ColumnNeed;
  readonly dictionary: ByteDictionary;
  codes = noCodes;
  values = noValues;
  cells: Cell[] = [];

  constructor(need: ColumnNeed, rows: number) {
    this.#need = need;
    this.mode = need.what === "nothing" ? "nothing" : need.what === "numbers" ? "numbers" : "codes";
    this.dictionary = this.mode === "codes" ? new ByteDictionary() : noDictionary;
    if (this.mode === "codes") this.codes = new Int32Array(rows);
    if (this.mode === "numbers") this.values = new Float64Array(rows);
  }

  /** Begins a block: a column of too many texts is read in another way from now on. */
  begin(rows: number): void {
    if (this.cells.length > 0) this.cells = [];
    // One text among numbers is no reason to keep all cells that follow one by one.
    if (this.mode === "cells" && this.values.length > 0) this.mode = "numbers";
    const { what, distinct } = this.#need;
    // Some of the known texts stand for missing values.
    if (this.mode !== "codes" || this.dictionary.known.texts.length <= distinct + 16) return;
    this.mode = what === "profile" && this.dictionary.known.others === 0 ? "numbers" : "cells";
    this.codes = noCodes;
    if (this.mode === "numbers") this.values = new Float64Array(rows);
  }

  finish(count: number): ColumnCells {
    switch (this.mode) {
      case "codes":
        return { kind: "codes", codes: this.codes.subarray(0, count), texts: this.dictionary.known };
      case "numbers":
        return { kind: "numbers", values: this.values.subarray(0, count) };
      default:
        return { kind: "cells", cells: this.cells };
    }
  }

  put(row: number, text: string): void {
    if (this.mode === "codes") this.codes[row] = this.dictionary.known.code(text);
    else if (this.mode === "cells") this.cells[row] = text;
    else if (this.mode === "numbers") {
      const value = isMissing(text) ? Number.NaN : numberIn(text);
      // Infinite ones are told as they stand in the file.
      if (value !== undefined && Math.abs(value) !== Number.POSITIVE_INFINITY) {
        this.values[row] = value;
        return;
      }
      // A text among numbers: from here on the column's cells are kept one by one.
      this.mode = "cells";
      this.cells = Array.from(this.values.subarray(0, row));
      this.cells[row] = text;
    }
  }
}

const noDictionary = new ByteDictionary();

/** What stopped the parser. */
export type Stop =
  /** The block is full; or all rows are read, and it holds the last of them. */
  | { readonly why: "block" }
  /** The bytes end within a row that begins at the position. */
  | { readonly why: "bytes" }
  /** A stray quote, or a carriage return within a line: another reader must read on from the position, a row's start. */
  | { readonly why: "irregular" }
  | { readonly why: "length"; readonly cells: number };

/**
 * Cells of delimited text (RFC 4180, with any delimiter), straight from its bytes into columns of numbers and codes:
 * most cells never become strings. White space around cells is left out, and so are empty lines.
 */
export class DelimitedParser {
  /** Where the next row begins in the bytes that were given last. */
  position = 0;
  /** Lines before that. */
  lines = 0;
  readonly #columns: Column[];
  readonly delimiter: number;
  readonly #size: number;
  #count = 0;

  constructor(needs: readonly ColumnNeed[], delimiter: number) {
    this.delimiter = delimiter;
    this.#size = rowsPerBlock(needs.length);
    this.#columns = needs.map((need) => new Column(need, this.#size));
  }

  get count(): number {
    return this.#count;
  }

  /** The block that was filled; a new one begins. */
  take(): TableBlock {
    const block = { count: this.#count, columns: this.#columns.map((column) => column.finish(this.#count)) };
    this.#count = 0;
    return block;
  }

  /** After {@link take}'s block has been used. */
  begin(): void {
    for (const column of this.#columns) column.begin(this.#size);
  }

  /**
   * Reads rows from {@link position} on until something stops it.
   *
   * @param final whether the text ends with these bytes
   * @param most stops after so many rows
   */
  read(bytes: Uint8Array, final: boolean, most = this.#size): Stop {
    const columns = this.#columns;
    const width = columns.length;
    const delimiter = this.delimiter;
    // A row that is not whole must leave no trace: half a number is a text.
    const end = final ? bytes.length : bytes.lastIndexOf(newline) + 1;
    while (this.#count < most) {
      const rowStart = this.position;
      if (rowStart >= end) return { why: final ? "block" : "bytes" };
      const row = this.#count;
      let at = rowStart;
      let column = 0;
      let lines = 1;
      let blank = true;
      let closed = false;
      while (!closed) {
        while (at < end && (bytes[at] === space || (bytes[at] === tab && delimiter !== tab))) at++;
        const target = column < width ? columns[column] : undefined;
        let stop = target?.mode === "numbers" ? readNumber(bytes, at, end, delimiter, target.values, row) : notRead;
        if (stop === notRead && at < end && bytes[at] === quote) {
          const found = this.#quoted(bytes, at, final);
          if (found === "bytes" || found === "irregular") return { why: found };
          target?.put(row, found.text);
          lines += found.lines;
          at = found.end;
          blank = false;
        } else {
          if (stop === notRead) stop = readText(bytes, at, end, delimiter, target, row);
          if (stop === notRead) return { why: "irregular" };
          if (stop > at) blank = false;
          at = stop;
        }
        column++;
        if (at < end && bytes[at] === delimiter) {
          at++;
          blank = false;
          continue;
        }
        if (at < end && bytes[at] === carriageReturn) {
          if (at + 1 < end && bytes[at + 1] !== newline) return { why: "irregular" };
          at++;
        }
        if (at >= end && !final) return { why: "bytes" };
        at++;
        closed = true;
      }
      this.position = at;
      this.lines += lines;
      if (blank && column === 1) continue;
      if (column !== width) return { why: "length", cells: column };
      this.#count++;
    }
    return { why: "block" };
  }

  /** A cell in quotes, doubled ones standing for one; what lies between quotes is not trimmed. */
  #quoted(
    bytes: Uint8Array,
    start: number,
    final: boolean,
  ): { text: string; end: number; lines: number } | "bytes" | "irregular" {
    let doubled = false;
    for (let close = bytes.indexOf(quote, start + 1); close >= 0; close = bytes.indexOf(quote, close + 2)) {
      if (close + 1 >= bytes.length && !final) return "bytes";
      if (bytes[close + 1] === quote) {
        doubled = true;
        continue;
      }
      let end = close + 1;
      while (end < bytes.length && (bytes[end] === space || (bytes[end] === tab && this.delimiter !== tab))) end++;
      if (end >= bytes.length && !final) return "bytes";
      const next = bytes[end];
      if (end < bytes.length && next !== this.delimiter && next !== newline && next !== carriageReturn) {
        return "irregular";
      }
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + start + 1, close - start - 1).toString();
      const lines = text.split("\n").length - 1;
      return { text: doubled ? text.replaceAll('""', '"') : text, end, lines };
    }
    return final ? "irregular" : "bytes";
  }
}

/** Where a cell ends that is not what was looked for. */
const notRead = -1;

/**
 * Reads a number as most are written: digits, a point, digits; anything else is left to be read as a text.
 *
 * @returns where its cell ends
 */
function readNumber(
  bytes: Uint8Array,
  from: number,
  end: number,
  delimiter: number,
  values: Float64Array,
  row: number,
): number {
  let at = from;
  let mantissa = 0;
  let fraction = 0;
  const sign = bytes[at];
  if (sign === 45 || sign === 43) at++;
  const first = at;
  let byte = bytes[at];
  while (byte >= 48 && byte <= 57) {
    mantissa = mantissa * 10 + (byte - 48);
    byte = bytes[++at];
  }
  let digits = at - first;
  if (byte === 46) {
    byte = bytes[++at];
    const point = at;
    while (byte >= 48 && byte <= 57) {
      mantissa = mantissa * 10 + (byte - 48);
      byte = bytes[++at];
    }
    fraction = at - point;
    digits += fraction;
  }
  const ends = at < end && (byte === delimiter || byte === newline || byte === carriageReturn);
  // Below 2^53 the digits make a number exactly, and so do the powers of ten to 10^22: the quotient rounds once.
  if (!ends || digits === 0 || mantissa >= 9007199254740992 || fraction >= powers.length) return notRead;
  const value = fraction === 0 ? mantissa : mantissa / powers[fraction];
  values[row] = sign === 45 ? -value : value;
  return at;
}

/** Reads a cell without quotes. @returns where it ends, or {@link notRead} where a quote stands in it */
function readText(
  bytes: Uint8Array,
  from: number,
  end: number,
  delimiter: number,
  target: Column | undefined,
  row: number,
): number {
  let at = from;
  let hash = 0;
  for (; at < end; at++) {
    const byte = bytes[at];
    if (byte === delimiter || byte === newline || byte === carriageReturn) break;
    if (byte === quote) return notRead;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  if (target === undefined || target.mode === "nothing") return at;
  let to = at;
  while (to > from && (bytes[to - 1] === space || bytes[to - 1] === tab)) to--;
  if (target.mode === "codes") {
    // Trailing white space was hashed: such cells are hashed again.
    target.codes[row] = target.dictionary.code(bytes, from, to, to < at ? undefined : hash);
  } else if (target.mode === "numbers" && to === from) target.values[row] = Number.NaN;
  else target.put(row, textOf(bytes, from, to));
  return at;
}
