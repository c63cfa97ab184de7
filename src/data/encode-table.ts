import { userError } from "../errors.js";
import { afterBadRows, BadRows } from "./bad-rows.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import type { FileSegment, OpenFile } from "./file-samples.js";
import type { FittedColumn } from "./fitted-record.js";
import { defaultMemory } from "./sample-array.js";
import type { SampleLabels } from "./sample-labels.js";
import { type ColumnNeed, cellAt, type TableBlock } from "./table-block.js";
import { isMissing } from "./table-cell.js";
import { CellEncoder } from "./table-columns.js";
import { LabelSink } from "./table-labels.js";
import type { TableSource } from "./table-source.js";

/** A table's rows as one number a cell, see {@link CellEncoder}. */
export interface EncodedRows {
  readonly count: number;
  /** In memory, or in a file if they do not fit there. */
  readonly cells: Float32Array | OpenFile;
  readonly labelled: SampleLabels;
  /** Cells of categories that the columns do not know. */
  readonly unseen: number;
  /** Rows that were left out. */
  readonly bad: BadRows;
  /** Range of the numeric columns' encoded cells. */
  readonly range: { readonly min: number; readonly max: number };
}

/** Numbers that are gathered before they are written to a file. */
const pieceLength = 1 << 18;

/** Collects cells: in memory as long as they fit there, else in a file. */
class CellSink {
  readonly #cells: Float32Array;
  readonly #file: GrowingFile | undefined;
  #put = 0;

  constructor(length: number, options: Pick<OpenOptions, "memory" | "cache">) {
    const large = length * 4 > (options.memory ?? defaultMemory());
    this.#file = large ? new GrowingFile(options.cache ?? defaultCacheFolder()) : undefined;
    this.#cells = new Float32Array(large ? pieceLength : length);
  }

  add(rows: Float32Array): void {
    if (this.#put + rows.length > this.#cells.length && this.#file !== undefined) this.#flush();
    if (rows.length > this.#cells.length) this.#file?.append(bytesOf(rows));
    else {
      this.#cells.set(rows, this.#put);
      this.#put += rows.length;
    }
  }

  finish(): Float32Array | OpenFile {
    if (this.#file === undefined) return this.#cells.subarray(0, this.#put);
    this.#flush();
    return this.#file.keepWhileOpen();
  }

  discard(): void {
    this.#file?.discard();
  }

  #flush(): void {
    this.#file?.append(bytesOf(this.#cells.subarray(0, this.#put)));
    this.#put = 0;
  }
}

function bytesOf(cells: Float32Array): Uint8Array {
  return new Uint8Array(cells.buffer, cells.byteOffset, cells.byteLength);
}

/** Encodes the cells of blocks, one after another, and takes note of what it finds. */
class BlockEncoder {
  /** Cells of categories that the columns do not know. */
  unseen = 0;
  /** Range of the numeric columns' encoded cells. */
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  /** Of the block at hand, row after row. */
  #cells = new Float32Array(0);
  readonly #columns: readonly FittedColumn[];
  readonly #encoders: readonly CellEncoder[];

  constructor(columns: readonly FittedColumn[]) {
    this.#columns = columns;
    this.#encoders = columns.map((column) => new CellEncoder(column));
  }

  /** Encodes the first rows of a block. @returns for each row that cannot be encoded the place of the first column why */
  encode(block: TableBlock, rows: number): ReadonlyMap<number, number> {
    const width = this.#columns.length;
    if (this.#cells.length < rows * width) this.#cells = new Float32Array(rows * width);
    const badColumns = new Map<number, number>();
    for (let place = 0; place < width; place++) {
      const column = block.columns[this.#columns[place].index];
      this.#encoders[place].encodeBlock(column, rows, this.#cells, place, width, (row) => {
        if (!badColumns.has(row)) badColumns.set(row, place);
      });
    }
    this.#measure(block, rows, badColumns);
    return badColumns;
  }

  #measure({ columns: given }: TableBlock, rows: number, bad: ReadonlyMap<number, unknown>): void {
    const width = this.#columns.length;
    for (let place = 0; place < width; place++) {
      const { type, index } = this.#columns[place];
      for (let row = 0, at = place; row < rows; row++, at += width) {
        if (bad.size > 0 && bad.has(row)) continue;
        const code = this.#cells[at];
        if (type === "numeric") {
          if (code < this.min) this.min = code;
          if (code > this.max) this.max = code;
        } else if (code === -1 && !isMissing(cellAt(given[index], row))) this.unseen++;
      }
    }
  }

  /**
   * The encoded cells without those of some rows, valid until the next block.
   *
   * @param take is told of each row that stays, and which one it is among them
   */
  without(bad: ReadonlyMap<number, unknown>, rows: number, take: (row: number, place: number) => void): Float32Array {
    const width = this.#columns.length;
    let put = 0;
    for (let row = 0; row < rows; row++) {
      if (bad.size > 0 && bad.has(row)) continue;
      // Rows that are left out are closed up.
      if (put < row) this.#cells.copyWithin(put * width, row * width, (row + 1) * width);
      take(row, put);
      put++;
    }
    return this.#cells.subarray(0, put * width);
  }
}

/** What is needed of each of a table's columns. */
function needsOf(source: TableSource, columns: readonly FittedColumn[], labels: LabelSink): readonly ColumnNeed[] {
  const needs: ColumnNeed[] = Array.from({ length: source.columnCount }, () => ({ what: "nothing", distinct: 0 }));
  for (const column of columns) {
    needs[column.index] =
      column.type === "numeric"
        ? { what: "numbers", distinct: 0 }
        : { what: "texts", distinct: column.categories.length };
  }
  labels.need(needs);
  return needs;
}

/**
 * Encodes the cells of the chosen columns, row after row, and numbers the classes. With the option to skip, rows with
 * a cell that is no finite number are left out and counted.
 *
 * @throws UserError for such a row without it, and where no row is left
 */
export async function encodeRows(
  source: TableSource,
  columns: readonly FittedColumn[],
  label: readonly ColumnProfile[],
  count: number,
  options: OpenOptions,
): Promise<EncodedRows> {
  const labels = new LabelSink(source, label, count, options);
  const encoder = new BlockEncoder(columns);
  const sink = new CellSink(count * columns.length, options);
  const bad = new BadRows();
  let [read, kept] = [0, 0];
  const refuse = (row: number, column: FittedColumn, block: TableBlock): void => {
    const at = source.place(read + row + 1);
    const cell = cellAt(block.columns[column.index], row);
    if (options.onBad !== "skip") throw notANumber(at, column.name, cell);
    bad.add(`${at.where}, row ${at.row}: ${cell} in ${column.name}`);
  };
  try {
    for await (const block of source.blocks(needsOf(source, columns, labels), {
      signal: options.signal,
      onProgress: (done, total) => options.onProgress?.(total + done, 2 * total),
      onBadRow: options.onBad === "skip" ? () => {} : undefined,
    })) {
      const rows = Math.min(block.count, count - read);
      const badColumns = encoder.encode(block, rows);
      for (const row of [...badColumns.keys()].sort((a, b) => a - b)) refuse(row, columns[badColumns.get(row)!], block);
      sink.add(encoder.without(badColumns, rows, (row, place) => labels.add(block, row, kept + place, read)));
      kept += rows - badColumns.size;
      read += rows;
      if (read === count) break;
    }
    if (kept === 0) throw nothingUsable(source.where, bad);
  } catch (error) {
    sink.discard();
    throw error;
  }
  // What comes from memory tells of no progress.
  options.onProgress?.(2 * source.bytes, 2 * source.bytes);
  const { unseen, min, max } = encoder;
  return { count: kept, cells: sink.finish(), labelled: labels.finish(kept), unseen, bad, range: { min, max } };
}

/** Encoded cells in a file, as samples. */
export function cellSegment(file: OpenFile, columnCount: number): FileSegment {
  return {
    file,
    start: 0,
    count: file.length / (4 * columnCount),
    valueBytes: 4,
    decode: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  };
}

function nothingUsable(where: string, bad: BadRows): Error {
  return userError({
    where,
    required: "at least one usable row",
    got: `none${afterBadRows(bad)}`,
    advice: "Say what the columns are (--columns NAME=number, category or drop), or mend the rows",
  });
}

function notANumber(at: { where: string; row: number }, column: string, cell: unknown): Error {
  return userError({
    where: at.where,
    required: `finite numbers in ${column}`,
    got: `"${cell}" in row ${at.row}`,
    advice: "Correct it, leave the cell empty, or have such rows skipped with --on-bad skip",
  });
}
