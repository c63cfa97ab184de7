import { withinLimit } from "./evenly-spaced.js";
import type { ColumnCells, TableBlock } from "./table-block.js";
import type { TableSource } from "./table-source.js";

/**
 * The rows of a table that a limit takes, at even distances, where its rows are counted before they are read. All are
 * read, a block at a time; those that are not taken are dropped at once.
 *
 * @returns the table itself where the limit takes all its rows, or nobody knows how many there are
 */
export async function evenRows(source: TableSource, limit: number | undefined): Promise<TableSource> {
  const count = limit === undefined ? undefined : await source.countRows?.();
  const taken = count === undefined ? undefined : withinLimit(count, limit);
  if (taken === undefined) return source;
  const rowOf = (row: number): number => taken[row - 1] + 1;
  return {
    ...source,
    countRows: async () => taken.length,
    async *blocks(needs, options) {
      // The same content and limit could also mean the first rows.
      options.onContent?.("rows at even distances");
      let [before, next] = [0, 0];
      for await (const block of source.blocks(needs, options)) {
        const first = next;
        while (next < taken.length && taken[next] < before + block.count) next++;
        if (next > first) yield pickRows(block, taken.subarray(first, next), before);
        before += block.count;
      }
    },
    place: (row) => source.place(rowOf(row)),
    rowOf,
  };
}

/** @param rows numbers from 0, `before` of which lie in front of the block */
function pickRows({ columns }: TableBlock, rows: Uint32Array, before: number): TableBlock {
  return { count: rows.length, columns: columns.map((cells) => pickCells(cells, rows, before)) };
}

function pickCells(cells: ColumnCells, rows: Uint32Array, before: number): ColumnCells {
  switch (cells.kind) {
    case "numbers":
      // Of a column that is passed over there may be none.
      return { kind: "numbers", values: Float64Array.from(rows, (row) => cells.values[row - before]) };
    case "codes":
      return { ...cells, codes: Int32Array.from(rows, (row) => cells.codes[row - before]) };
    case "cells":
      return { kind: "cells", cells: Array.from(rows, (row) => cells.cells[row - before]) };
  }
}
