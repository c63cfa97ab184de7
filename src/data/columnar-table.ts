import { createHash } from "node:crypto";
import { userError } from "../errors.js";
import { distinctNames } from "./column-names.js";
import { type BatchColumn, type CodedTexts, type ColumnarFile, isCoded, valuesOf } from "./columnar-file.js";
import { dateText } from "./date-text.js";
import { checkInterrupted, fileSize, readChunks } from "./read-bytes.js";
import { RowNumbers } from "./row-numbers.js";
import {
  blocksOfRows,
  type ColumnCells,
  type ColumnNeed,
  KnownTexts,
  rowsPerBlock,
  type TableBlock,
} from "./table-block.js";
import type { Cell } from "./table-cell.js";
import type { RowOptions, TableSource } from "./table-source.js";

/** How many columns a list column becomes; undefined for columns of single values. */
type Widths = ReadonlyMap<string, number | undefined>;

/** A Parquet or Arrow file of numbers, texts and lists; lists of one length become as many columns. */
export async function columnarTable(file: ColumnarFile): Promise<TableSource> {
  const widths = await listWidths(file);
  const header = distinctNames(
    file.columns.flatMap((name) => {
      const width = widths.get(name);
      return width === undefined ? [name] : Array.from({ length: width }, (_, index) => `${name}[${index}]`);
    }),
  );
  const usual = [...file.classNames.keys()];
  const numbers = new RowNumbers();
  return {
    where: file.where,
    format: file.format,
    header,
    columnCount: header.length,
    bytes: await fileSize(file.where),
    classNames: file.classNames,
    usualLabel: usual.length === 1 ? usual[0] : undefined,
    countRows: () => file.countRows(),
    blocks(needs, options) {
      numbers.clear();
      return columnarBlocks(file, widths, needs, options, numbers);
    },
    place: (row) => ({ where: file.where, row: numbers.inFile(row) }),
  };
}

async function listWidths(file: ColumnarFile): Promise<Widths> {
  for await (const batch of file.batches()) {
    return new Map(
      file.columns.map((name) => {
        const values = batch.get(name) ?? [];
        if (isCoded(values) || ArrayBuffer.isView(values)) return [name, undefined];
        const found = Array.from(values).find((value) => isList(value));
        return [name, found === undefined ? undefined : flatten(found).length];
      }),
    );
  }
  return new Map();
}

async function* columnarBlocks(
  file: ColumnarFile,
  widths: Widths,
  needs: readonly ColumnNeed[],
  options: RowOptions,
  numbers: RowNumbers,
): AsyncGenerator<TableBlock> {
  if (options.onContent !== undefined) options.onContent(await fileDigest(file.where, options.signal));
  const total = await fileSize(file.where);
  const plain = file.columns.every((name) => widths.get(name) === undefined);
  if (!plain) {
    yield* blocksOfRows(columnarRows(file, widths, needs.length, options, numbers), needs.length);
    return;
  }
  const size = rowsPerBlock(needs.length);
  const known = needs.map(() => new KnownTexts());
  let row = 0;
  for await (const batch of file.batches(options.signal)) {
    const columns = file.columns.map((name) => batch.get(name)!);
    const count = lengthOf(columns[0] ?? []);
    const brought = columns.map((): number[] => []);
    for (let first = 0; first < count; first += size) {
      const end = Math.min(first + size, count);
      yield {
        count: end - first,
        columns: columns.map((values, index) =>
          blockOf(values, first, end, needs[index], known[index], brought[index]),
        ),
      };
      row += end - first;
      options.onProgress?.(bytesRead(file, row, needs.length, total), total);
      checkInterrupted(options.signal);
    }
  }
  options.onProgress?.(total, total);
}

/** About how many bytes of a file its first rows are: compressed as they are, nobody knows it. */
function bytesRead(file: ColumnarFile, row: number, columns: number, total: number): number {
  const share = file.rowCount === undefined ? (row * columns * 4) / total : row / Math.max(1, file.rowCount);
  return Math.floor(total * Math.min(1, share));
}

function lengthOf(column: BatchColumn): number {
  return isCoded(column) ? column.codes.length : column.length;
}

/**
 * A part of a column in the form that costs least.
 *
 * @param brought places in the list of known texts of what the column's own list has, as far as they are known
 */
function blockOf(
  values: BatchColumn,
  first: number,
  end: number,
  need: ColumnNeed,
  known: KnownTexts,
  brought: number[],
): ColumnCells {
  const numbers = new Float64Array(need.what === "nothing" ? 0 : end - first);
  if (need.what === "nothing") return { kind: "numbers", values: numbers };
  if (isCoded(values)) {
    const part = { codes: values.codes.subarray(first, end), texts: values.texts };
    return codedBlock(part, need.distinct, known, brought);
  }
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    for (let at = first; at < end; at++) numbers[at - first] = Number(values[at]);
    return { kind: "numbers", values: numbers };
  }
  if (ArrayBuffer.isView(values)) {
    numbers.set((values as Float64Array).subarray(first, end));
    return { kind: "numbers", values: numbers };
  }
  const cells: Cell[] = new Array(end - first);
  let [onlyNumbers, onlyTexts] = [true, known.texts.length <= need.distinct + 16];
  for (let at = first; at < end; at++) {
    const cell = cellOf(values[at]);
    cells[at - first] = cell;
    if (typeof cell === "string") onlyNumbers = false;
    else {
      if (cell !== null) onlyTexts = false;
      numbers[at - first] = cell ?? Number.NaN;
    }
  }
  if (onlyNumbers) return { kind: "numbers", values: numbers };
  if (!onlyTexts) return { kind: "cells", cells };
  // An empty text says that a value is missing, as null does.
  const codes = Int32Array.from(cells, (cell) => known.code(cell === null ? "" : (cell as string)));
  return { kind: "codes", codes, texts: known };
}

/** @param distinct how many different texts are of use at most, see {@link ColumnNeed} @param brought as {@link blockOf} has it */
function codedBlock({ codes, texts }: CodedTexts, distinct: number, known: KnownTexts, brought: number[]): ColumnCells {
  if (codes.every((code) => code < 0)) {
    return { kind: "numbers", values: new Float64Array(codes.length).fill(Number.NaN) };
  }
  if (known.texts.length > distinct + 16) {
    return { kind: "cells", cells: Array.from(codes, (code) => (code < 0 ? null : texts[code].trim())) };
  }
  const own = new Int32Array(codes.length);
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    // An empty text says that a value is missing, as null does.
    if (code < 0) own[at] = known.code("");
    else {
      brought[code] ??= known.code(texts[code].trim());
      own[at] = brought[code];
    }
  }
  return { kind: "codes", codes: own, texts: known };
}

async function* columnarRows(
  file: ColumnarFile,
  widths: Widths,
  width: number,
  options: RowOptions,
  numbers: RowNumbers,
): AsyncGenerator<Cell[]> {
  const total = await fileSize(file.where);
  let row = 0;
  for await (const batch of file.batches(options.signal)) {
    const columns = file.columns.map((name) => ({
      name,
      values: valuesOf(batch.get(name)!),
      width: widths.get(name),
    }));
    const count = columns[0]?.values.length ?? 0;
    for (let at = 0; at < count; at++) {
      row++;
      const cells: Cell[] = new Array(width);
      let put = 0;
      let bad: string | undefined;
      for (const column of columns) {
        const value = column.values[at];
        if (column.width === undefined) {
          cells[put++] = cellOf(value);
          continue;
        }
        const list = value === null || value === undefined ? [] : flatten(value);
        if (list.length !== column.width && list.length !== 0) {
          bad = `${list.length} values in ${column.name}`;
          if (options.onBadRow === undefined) {
            throw userError({
              where: file.where,
              required: `lists of ${column.width} values in ${column.name}`,
              got: `${list.length} in row ${row}`,
              advice: "Make the lists equally long, or have such rows skipped with --on-bad skip",
            });
          }
        }
        for (let index = 0; index < column.width; index++) cells[put++] = cellOf(list[index]);
      }
      if (bad === undefined) yield cells;
      else {
        numbers.leaveOut(row);
        options.onBadRow?.(`${file.where}, row ${row}: ${bad}`);
      }
      if (row % 4096 === 0) options.onProgress?.(bytesRead(file, row, width, total), total);
    }
  }
  options.onProgress?.(total, total);
}

function isList(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof Uint8Array));
}

/** The values of a list of lists, in order. */
function flatten(value: unknown): unknown[] {
  if (Array.isArray(value)) return value.some(isList) ? value.flatMap(flatten) : value;
  return Array.from(value as ArrayLike<unknown>);
}

function cellOf(value: unknown): Cell {
  switch (typeof value) {
    case "number":
      return value;
    case "string":
      return value.trim();
    case "bigint":
    case "boolean":
      return Number(value);
    default:
      return value instanceof Date ? dateText(value) : null;
  }
}

async function fileDigest(path: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const hash = createHash("sha256");
  for await (const chunk of readChunks(path, { gzip: false, signal })) hash.update(chunk);
  checkInterrupted(signal);
  return hash.digest();
}
