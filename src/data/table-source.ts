import { userError } from "../errors.js";
import { shorten } from "./classes.js";
import type { OpenOptions } from "./dataset.js";
import { fileSize } from "./read-bytes.js";
import { RowNumbers } from "./row-numbers.js";
import { type ColumnCells, type ColumnNeed, KnownTexts, type TableBlock } from "./table-block.js";
import { readFormat } from "./table-format.js";
import { readBlocks } from "./table-rows.js";

/** A table whatever it is stored as: blocks of rows, in order, as often as they are asked for. */
export interface TableSource {
  readonly where: string;
  /** What kind it is, for the record. */
  readonly format: string;
  readonly header: readonly string[] | undefined;
  readonly columnCount: number;
  /** What the user should know of how it is read, in sentences. */
  readonly notes?: readonly string[] | undefined;
  /** Of its file, as progress counts them. */
  readonly bytes: number;
  /** What a column's class numbers stand for, where the source says it. */
  readonly classNames?: ReadonlyMap<string, readonly string[]> | undefined;
  /** The column to take for the label where none is asked for. */
  readonly usualLabel?: string | undefined;
  /** Counts the rows that {@link blocks} gives, at most; absent where that takes as long as reading them. */
  countRows?(): Promise<number>;
  /** @param needs what is needed of each column */
  blocks(needs: readonly ColumnNeed[], options: RowOptions): AsyncGenerator<TableBlock>;
  /** The file and the row in it (from 1) of a row counted over all blocks from 1. */
  place(row: number): { where: string; row: number };
  /** The number that such a row has in the whole table, where the blocks give only some rows. */
  rowOf?(row: number): number;
}

export interface RowOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Is given what identifies the content, for a hash. */
  readonly onContent?: ((content: string | Uint8Array) => void) | undefined;
  /** Is told of rows that are left out because they are damaged; absent: such a row is an error. */
  readonly onBadRow?: ((reason: string) => void) | undefined;
}

/** Tables of one kind, one after another. @throws UserError if their columns differ */
export function joinTables(sources: readonly TableSource[]): TableSource {
  if (sources.length === 1) return sources[0];
  const [first] = sources;
  for (const source of sources) {
    const names = source.header?.join("\0");
    if (source.columnCount === first.columnCount && names === first.header?.join("\0")) continue;
    throw userError({
      where: source.where,
      required: `the columns of ${first.where} (${first.header === undefined ? first.columnCount : shorten(first.header)})`,
      got: source.header === undefined ? `${source.columnCount} columns` : shorten(source.header),
      advice: "Give tables of one kind",
    });
  }
  const ends: number[] = [];
  const bytes = sources.reduce((sum, source) => sum + source.bytes, 0);
  const counted = sources.every(({ countRows }) => countRows !== undefined);
  const countRows = async () => {
    const counts = await Promise.all(sources.map((source) => source.countRows?.() ?? 0));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  return {
    ...first,
    bytes,
    where: `${first.where} and ${sources.length - 1} more`,
    ...(counted ? { countRows } : {}),
    async *blocks(needs, options) {
      let count = 0;
      let before = 0;
      const texts = needs.map(() => new SharedTexts());
      for (const [index, source] of sources.entries()) {
        const start = before;
        const onProgress = (done: number) => options.onProgress?.(start + done, bytes);
        for await (const block of source.blocks(needs, { ...options, onProgress })) {
          count += block.count;
          ends[index] = count;
          yield { count: block.count, columns: block.columns.map((cells, column) => texts[column].bring(cells)) };
        }
        ends[index] = count;
        before += source.bytes;
      }
    },
    place(row) {
      const index = Math.max(
        0,
        ends.findIndex((end) => row <= end),
      );
      return sources[index].place(row - (ends[index - 1] ?? 0));
    },
  };
}

/** One list of texts for a column of several tables, each of which has a list of its own. */
class SharedTexts {
  readonly #texts = new KnownTexts();
  #brought: KnownTexts | undefined;
  /** By the place of a text in the list of the table at hand. */
  #codes: number[] = [];

  /** The same cells with places in the one list. */
  bring(cells: ColumnCells): ColumnCells {
    if (cells.kind !== "codes") return cells;
    if (this.#brought !== cells.texts) [this.#brought, this.#codes] = [cells.texts, []];
    const { texts } = cells.texts;
    const codes = this.#codes;
    for (let at = codes.length; at < texts.length; at++) codes.push(this.#texts.code(texts[at]));
    return { kind: "codes", codes: cells.codes.map((code) => codes[code]), texts: this.#texts };
  }
}

/** A CSV or TSV file, plain or gzipped. */
export async function textTable(path: string, options: Pick<OpenOptions, "header" | "onBad">): Promise<TableSource> {
  const format = await readFormat(path, options.header ?? "auto", options.onBad === "skip");
  const numbers = new RowNumbers();
  return {
    where: path,
    format: "table",
    header: format.header,
    notes: format.notes,
    columnCount: format.columnCount,
    bytes: await fileSize(path),
    blocks(needs, { onBadRow, ...others }) {
      numbers.clear();
      const leaveOut = (reason: string, row: number) => {
        numbers.leaveOut(row);
        onBadRow?.(reason);
      };
      return readBlocks(path, format, needs, { ...others, onBadRow: onBadRow && leaveOut });
    },
    place: (row) => ({ where: path, row: numbers.inFile(row) }),
  };
}
