import { userError } from "../errors.js";
import { defaultCacheFolder, GrowingFile } from "./cache-folder.js";
import { numberClasses } from "./classes.js";
import type { ColumnProfile } from "./column-profile.js";
import type { OpenOptions } from "./dataset.js";
import type { OpenFile } from "./file-samples.js";
import { type FittedColumn, readFitted } from "./fitted-record.js";
import { defaultMemory } from "./sample-array.js";
import { CellEncoder } from "./table-columns.js";
import { isMissing } from "./table-rows.js";
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

  add(row: Float32Array): void {
    if (this.#put + row.length > this.#cells.length && this.#file !== undefined) this.#flush();
    if (row.length > this.#cells.length) this.#file?.append(bytesOf(row));
    else {
      this.#cells.set(row, this.#put);
      this.#put += row.length;
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
  const categorical = columns.map(({ type }) => type !== "numeric");
  const sink = new CellSink(count * columns.length, options);
  const row = new Float32Array(columns.length);
  const bad: string[] = [];
  let [badCount, read, kept, unseen] = [0, 0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  try {
    for await (const line of source.rows({
      signal: options.signal,
      onProgress: (done, total) => options.onProgress?.(total + done, 2 * total),
      onBadRow: options.onBad === "skip" ? () => {} : undefined,
    })) {
      let whole = true;
      for (let place = 0; place < columns.length && whole; place++) {
        const cell = line[columns[place].index];
        const code = encoders[place].encode(cell);
        if (code === undefined) {
          const at = source.place(read + 1);
          if (options.onBad !== "skip") throw notANumber(at, columns[place].name, cell);
          badCount++;
          if (bad.length < 100) bad.push(`${at.where}, row ${at.row}: ${cell} in ${columns[place].name}`);
          whole = false;
          break;
        }
        if (code === -1 && categorical[place] && !isMissing(cell)) unseen++;
        if (!categorical[place]) {
          if (code < min) min = code;
          if (code > max) max = code;
        }
        row[place] = code;
      }
      if (whole) {
        sink.add(row);
        if (labels !== undefined) labels[kept] = classes!.numberOf.get(String(line[label!.index]))!;
        kept++;
      }
      if (++read === count) break;
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
