import type { ColumnCells, TableBlock } from "./table-block.js";
import type { TableSource } from "./table-source.js";

/**
 * A table whose first reading is kept in memory, where it takes at most so many bytes, so that the second need not
 * decode the file again. Columns of free text are not worth that: with one of them nothing is kept.
 */
export function keepingBlocks(source: TableSource, most: number): TableSource {
  let kept: TableBlock[] | undefined;
  let bytes = 0;
  let read = false;
  return {
    ...source,
    async *blocks(needs, options) {
      if (read && kept !== undefined) {
        const blocks = kept;
        // There is no third reading: the memory is wanted for the encoded rows.
        kept = undefined;
        yield* blocks;
        return;
      }
      read = false;
      kept = [];
      bytes = 0;
      for await (const block of source.blocks(needs, options)) {
        const columns = kept && copyOf(block.columns);
        bytes += (columns ?? []).reduce((sum, column) => sum + bytesOf(column), 0);
        if (columns === undefined || bytes > most) kept = undefined;
        else kept?.push({ count: block.count, columns });
        // Whoever asks for no more has no need of more the second time either.
        read = true;
        yield block;
      }
    },
  };
}

/** Blocks hold until the next one only. */
function copyOf(columns: readonly ColumnCells[]): ColumnCells[] | undefined {
  const copies: ColumnCells[] = [];
  for (const column of columns) {
    if (column.kind === "cells") return undefined;
    copies.push(
      column.kind === "numbers"
        ? { kind: "numbers", values: column.values.slice() }
        : { ...column, codes: column.codes.slice() },
    );
  }
  return copies;
}

function bytesOf(column: ColumnCells): number {
  if (column.kind === "numbers") return column.values.byteLength;
  return column.kind === "codes" ? column.codes.byteLength : 0;
}
