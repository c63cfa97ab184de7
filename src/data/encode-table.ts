import { userError } from "../errors.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { numberClasses } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import type { OpenFile } from "./file-samples.js";
import { type FittedColumn, readFitted } from "./fitted-record.js";
import { defaultMemory } from "./sample-array.js";
import { type ColumnCells, type ColumnNeed, cellAt } from "./table-block.js";
import { isMissing } from "./table-cell.js";
import { CellEncoder } from "./table-columns.js";
import type { TableSource } from "./table-source.js";

/** A table's rows as one number a cell, see {@link CellEncoder}. */
export interface EncodedRows {
  readonly count: number;
  /** In memory, or in a file if they do not fit there. */
  readonly cells: Float32Array | OpenFile;
  readonly labels?: Int32Array;
  readonly classNames?: readonly string[];
  /** Cells of categories that the columns do not know. */
  readonly unseen: number;
  /** Rows that were left out, the first few, and how many. */
  readonly bad: { readonly count: number; readonly rows: readonly string[] };
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

/**
 * Encodes the cells of the chosen columns, row after row, and numbers the classes. With the option to skip, rows with
 * a cell that is no finite number are left out and counted.
 */
export async function encodeRows(
  source: TableSource,
  columns: readonly FittedColumn[],
  label: ColumnProfile | undefined,
  count: number,
  options: OpenOptions,
): Promise<EncodedRows> {
  const fitted = readFitted(options.fitted)?.classNames;
  const names = label && source.classNames?.get(label.name);
  const classes = label && numberClasses(label.distinct, fitted, source.where);
  const labels = classes && new Int32Array(count);
  const encoders = columns.map((column) => new CellEncoder(column));
  const needs: ColumnNeed[] = Array.from({ length: source.columnCount }, () => ({ what: "nothing", distinct: 0 }));
  for (const column of columns) {
    needs[column.index] =
      column.type === "numeric"
        ? { what: "numbers", distinct: 0 }
        : { what: "texts", distinct: column.categories.length };
  }
  if (label !== undefined) needs[label.index] = { what: "texts", distinct: label.distinct.size };
  const sink = new CellSink(count * columns.length, options);
  const width = columns.length;
  const numbersOfTexts: number[] = [];
  const numbersOfNumbers = new Map<number, number>();
  /** The class number of a label; worked out once for each text or number. */
  const classNumber = (given: ColumnCells, row: number): number => {
    const find = () => classes!.numberOf.get(String(cellAt(given, row)))!;
    if (given.kind === "cells") return find();
    if (given.kind === "codes") {
      numbersOfTexts[given.codes[row]] ??= find();
      return numbersOfTexts[given.codes[row]];
    }
    let number = numbersOfNumbers.get(given.values[row]);
    if (number === undefined) {
      number = find();
      numbersOfNumbers.set(given.values[row], number);
    }
    return number;
  };
  let cells = new Float32Array(0);
  const bad: string[] = [];
  let [badCount, read, kept, unseen] = [0, 0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  try {
    for await (const block of source.blocks(needs, {
      signal: options.signal,
      onProgress: (done, total) => options.onProgress?.(total + done, 2 * total),
      onBadRow: options.onBad === "skip" ? () => {} : undefined,
    })) {
      const rows = Math.min(block.count, count - read);
      if (cells.length < rows * width) cells = new Float32Array(rows * width);
      /** The first column of each row that cannot be encoded. */
      const badColumns = new Map<number, number>();
      for (let place = 0; place < width; place++) {
        const column = block.columns[columns[place].index];
        encoders[place].encodeBlock(column, rows, cells, place, width, (row) => {
          if (!badColumns.has(row)) badColumns.set(row, place);
        });
      }
      for (const row of [...badColumns.keys()].sort((a, b) => a - b)) {
        const { index, name } = columns[badColumns.get(row)!];
        const at = source.place(read + row + 1);
        const cell = cellAt(block.columns[index], row);
        if (options.onBad !== "skip") throw notANumber(at, name, cell);
        badCount++;
        if (bad.length < 100) bad.push(`${at.where}, row ${at.row}: ${cell} in ${name}`);
      }
      for (let place = 0; place < width; place++) {
        const column = columns[place];
        const given = block.columns[column.index];
        for (let row = 0, at = place; row < rows; row++, at += width) {
          if (badColumns.size > 0 && badColumns.has(row)) continue;
          const code = cells[at];
          if (column.type === "numeric") {
            if (code < min) min = code;
            if (code > max) max = code;
          } else if (code === -1 && !isMissing(cellAt(given, row))) unseen++;
        }
      }
      let put = 0;
      for (let row = 0; row < rows; row++) {
        if (badColumns.size > 0 && badColumns.has(row)) continue;
        // Rows that are left out are closed up.
        if (put < row) cells.copyWithin(put * width, row * width, (row + 1) * width);
        if (labels !== undefined) labels[kept + put] = classNumber(block.columns[label!.index], row);
        put++;
      }
      kept += put;
      sink.add(cells.subarray(0, put * width));
      read += rows;
      if (read === count) break;
    }
  } catch (error) {
    sink.discard();
    throw error;
  }
  return {
    count: kept,
    cells: sink.finish(),
    ...(labels === undefined
      ? {}
      : { labels: labels.subarray(0, kept), classNames: fitted ?? names ?? classes!.classNames }),
    unseen,
    bad: { count: badCount, rows: bad },
    range: { min, max },
  };
}

function notANumber(at: { where: string; row: number }, column: string, cell: unknown): Error {
  return userError({
    where: at.where,
    required: `finite numbers in ${column}`,
    got: `"${cell}" in row ${at.row}`,
    advice: "Correct it, leave the cell empty, or have such rows skipped",
  });
}
