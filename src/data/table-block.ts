import type { Cell } from "./table-cell.js";
import { isMissing, numberIn } from "./table-cell.js";

/** The cells of one column in neighbouring rows, in the form that costs least. */
export type ColumnCells =
  /** Numbers; NaN stands for a missing value. */
  | { readonly kind: "numbers"; readonly values: Float64Array }
  /** Places in a list of texts, which grows from block to block. */
  | { readonly kind: "codes"; readonly codes: Int32Array; readonly texts: KnownTexts }
  | { readonly kind: "cells"; readonly cells: readonly Cell[] };

/** Neighbouring rows of a table, column by column. It holds until the next block is asked for. */
export interface TableBlock {
  readonly count: number;
  readonly columns: readonly ColumnCells[];
}

/** What a reader of blocks needs of a column. */
export interface ColumnNeed {
  /**
   * - `profile`: every distinct text as long as there are at most {@link distinct}, after that numbers as numbers
   * - `numbers`: the numbers
   * - `texts`: each cell's text
   * - `nothing`: the column is passed over
   */
  readonly what: "profile" | "numbers" | "texts" | "nothing";
  readonly distinct: number;
}

/** About so many cells make a block; in wide tables more, or the work for each column would come with each row. */
const cellsPerBlock = 1 << 17;
const cellsPerWideBlock = 1 << 21;

/** How many rows a block has: few where there are many columns, so that blocks always need about the same memory. */
export function rowsPerBlock(columnCount: number): number {
  const usual = Math.floor(cellsPerBlock / columnCount);
  return Math.max(1, Math.min(4096, usual), Math.min(64, Math.floor(cellsPerWideBlock / columnCount)));
}

/** Distinct texts of a column, and what each of them says. */
export class KnownTexts {
  readonly texts: string[] = [];
  /** The number in each text; NaN where it is another text, or says that the value is missing. */
  readonly numbers: number[] = [];
  /** Whether each text says that the value is missing. */
  readonly missing: boolean[] = [];
  /** Texts that are neither numbers nor missing values. */
  others = 0;
  readonly #codes = new Map<string, number>();

  code(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    const code = this.texts.length;
    const missing = isMissing(text);
    const value = missing ? undefined : numberIn(text);
    if (!missing && value === undefined) this.others++;
    this.texts.push(text);
    this.missing.push(missing);
    this.numbers.push(value ?? Number.NaN);
    this.#codes.set(text, code);
    return code;
  }
}

/** The cell of a row, for messages. */
export function cellAt(cells: ColumnCells, row: number): Cell {
  if (cells.kind === "numbers") return cells.values[row];
  return cells.kind === "codes" ? cells.texts.texts[cells.codes[row]] : cells.cells[row];
}

/** The number in the cell of a row; NaN where there is none. */
export function numberAt(cells: ColumnCells, row: number): number {
  if (cells.kind === "numbers") return cells.values[row];
  return cells.kind === "codes" ? cells.texts.numbers[cells.codes[row]] : (numberIn(cells.cells[row]) ?? Number.NaN);
}

/** Rows of cells as blocks of columns. */
export async function* blocksOfRows(
  rows: AsyncIterable<readonly Cell[]>,
  columnCount: number,
): AsyncGenerator<TableBlock> {
  const size = rowsPerBlock(columnCount);
  let columns: Cell[][] = Array.from({ length: columnCount }, () => []);
  let count = 0;
  const block = (): TableBlock => ({ count, columns: columns.map((cells) => ({ kind: "cells", cells })) });
  for await (const row of rows) {
    for (let index = 0; index < columnCount; index++) columns[index].push(row[index]);
    if (++count < size) continue;
    yield block();
    columns = Array.from({ length: columnCount }, () => []);
    count = 0;
  }
  if (count > 0) yield block();
}
