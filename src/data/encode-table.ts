import { userError } from "../errors.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { type Classes, knownClassNames, noNumberOfName, numberByKnown, numberNamedClasses } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import type { OpenFile } from "./file-samples.js";
import type { FittedColumn } from "./fitted-record.js";
import { defaultMemory } from "./sample-array.js";
import type { SampleLabels } from "./sample-labels.js";
import { type ColumnCells, type ColumnNeed, cellAt, numberAt, type TableBlock } from "./table-block.js";
import { isMissing } from "./table-cell.js";
import { CellEncoder } from "./table-columns.js";
import type { TableSource } from "./table-source.js";

/** A table's rows as one number a cell, see {@link CellEncoder}. */
export interface EncodedRows {
  readonly count: number;
  /** In memory, or in a file if they do not fit there. */
  readonly cells: Float32Array | OpenFile;
  readonly labelled: SampleLabels;
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

/** Collects the labels of rows: as classes, as numbers, or as both where they can be either and nothing was asked for. */
class LabelSink {
  readonly #columns: readonly ColumnProfile[];
  readonly #classes: Classes | undefined;
  readonly #labels: Int32Array | undefined;
  readonly #values: Float64Array | undefined;
  readonly #source: TableSource;
  /** Names in the file, whose numbers the labels are. */
  readonly #names: readonly string[] | undefined;
  readonly #classesOfTexts: (number | undefined)[] = [];
  readonly #classesOfNumbers = new Map<number, number | undefined>();

  constructor(source: TableSource, columns: readonly ColumnProfile[], count: number, options: OpenOptions) {
    this.#source = source;
    this.#columns = columns;
    if (columns.length === 0 || options.task === "none") return;
    const kinds = columns.map(labelKinds);
    const numbers = options.task !== "classification" && kinds.every((kind) => kind.numbers);
    if (numbers) this.#values = new Float64Array(count * columns.length);
    if (options.task === "regression" || columns.length > 1 || !kinds[0].classes) return;
    const [label] = columns;
    this.#names = source.classNames?.get(label.name);
    this.#classes =
      this.#names === undefined
        ? numberByKnown(label.distinct, options, source.where)
        : numberNamedClasses(label.distinct, this.#names, knownClassNames(options), source.where);
    this.#labels = new Int32Array(count);
  }

  /** Enters what it needs of a table's columns. */
  need(needs: ColumnNeed[]): void {
    const asNumbers = this.#labels === undefined;
    if (asNumbers && this.#values === undefined) return;
    for (const { index, distinct } of this.#columns)
      needs[index] = asNumbers ? { what: "numbers", distinct: 0 } : { what: "texts", distinct: distinct.size };
  }

  /**
   * Takes the labels of a block's row as those of the sample at a place.
   *
   * @param before rows in front of the block
   * @throws UserError where a label is no number of the file's names
   */
  add({ columns }: TableBlock, row: number, place: number, before: number): void {
    if (this.#labels !== undefined) {
      const cells = columns[this.#columns[0].index];
      const number = this.#classAt(cells, row);
      if (number === undefined) {
        const at = this.#source.place(before + row + 1);
        throw noNumberOfName(String(cellAt(cells, row)), this.#names ?? [], `${at.where}, row ${at.row}`);
      }
      this.#labels[place] = number;
    }
    if (this.#values === undefined) return;
    const width = this.#columns.length;
    for (let column = 0; column < width; column++)
      this.#values[place * width + column] = numberAt(columns[this.#columns[column].index], row);
  }

  /** The class number of a label, −1 where there is none; worked out once for each text or number. */
  #classAt(given: ColumnCells, row: number): number | undefined {
    const find = () => {
      const cell = cellAt(given, row);
      return isMissing(cell) ? -1 : this.#classes!.numberOf.get(String(cell));
    };
    if (given.kind === "cells") return find();
    if (given.kind === "codes") {
      this.#classesOfTexts[given.codes[row]] ??= find();
      return this.#classesOfTexts[given.codes[row]];
    }
    let number = this.#classesOfNumbers.get(given.values[row]);
    if (number === undefined) {
      number = find();
      this.#classesOfNumbers.set(given.values[row], number);
    }
    return number;
  }

  finish(count: number): SampleLabels {
    const names = this.#columns.map(({ name }) => name);
    return {
      ...(this.#labels === undefined
        ? {}
        : { labels: this.#labels.subarray(0, count), classNames: this.#classes!.classNames }),
      ...(this.#values === undefined
        ? {}
        : { targets: { names, values: this.#values.subarray(0, count * names.length) } }),
    };
  }
}

/** What the cells of a label column can be taken for. */
export function labelKinds(profile: ColumnProfile): { classes: boolean; numbers: boolean } {
  const text = profile.choice === "category" || profile.texts > 0;
  const whole = text || [...profile.distinct].every((cell) => Number.isInteger(Number(cell)));
  return {
    classes: !profile.hasTooManyValues && whole && profile.choice !== "number",
    numbers: !text && profile.infinite === 0 && profile.numbers > 0 && profile.missing === 0,
  };
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
  label: readonly ColumnProfile[],
  count: number,
  options: OpenOptions,
): Promise<EncodedRows> {
  const labels = new LabelSink(source, label, count, options);
  const encoders = columns.map((column) => new CellEncoder(column));
  const needs: ColumnNeed[] = Array.from({ length: source.columnCount }, () => ({ what: "nothing", distinct: 0 }));
  for (const column of columns) {
    needs[column.index] =
      column.type === "numeric"
        ? { what: "numbers", distinct: 0 }
        : { what: "texts", distinct: column.categories.length };
  }
  labels.need(needs);
  const sink = new CellSink(count * columns.length, options);
  const width = columns.length;
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
        labels.add(block, row, kept + put, read);
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
  // What comes from memory tells of no progress.
  options.onProgress?.(2 * source.bytes, 2 * source.bytes);
  return {
    count: kept,
    cells: sink.finish(),
    labelled: labels.finish(kept),
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
    advice: "Correct it, leave the cell empty, or have such rows skipped with --on-bad skip",
  });
}
