import type { ColumnCells, ColumnNeed, TableBlock } from "./table-block.js";
import type { TableSource } from "./table-source.js";

/** What a first reading has brought. */
interface KeptReading {
  readonly needs: readonly ColumnNeed[];
  readonly blocks: TableBlock[];
}

/**
 * A table whose first reading is kept in memory, where it takes at most so many bytes, so that the second need not
 * decode the file again. Columns of free text are not worth that: with one of them nothing is kept.
 */
export function keepingBlocks(source: TableSource, most: number): TableSource {
  let kept: KeptReading | undefined;
  let isRead = false;
  return {
    ...source,
    async *blocks(needs, options) {
      if (isRead) {
        const known = kept;
        // There is no third reading: the memory is wanted for the encoded rows.
        kept = undefined;
        yield* known !== undefined && isEnough(known, needs) ? known.blocks : source.blocks(needs, options);
        return;
      }
      kept = { needs, blocks: [] };
      let bytes = 0;
      for await (const block of source.blocks(needs, options)) {
        const columns = kept && copyOf(block.columns);
        bytes += (columns ?? []).reduce((sum, column) => sum + bytesOf(column), 0);
        if (columns === undefined || bytes > most) kept = undefined;
        else kept?.blocks.push({ count: block.count, columns });
        // Whoever asks for no more has no need of more the second time either.
        isRead = true;
        yield block;
      }
    },
  };
}

/** Whether what was read says what is needed now: a text that was read as a number, such as 007, is lost. */
function isEnough(kept: KeptReading, needs: readonly ColumnNeed[]): boolean {
  return needs.every(
    ({ what }, index) =>
      what !== "texts" ||
      kept.needs[index].what === "texts" ||
      kept.blocks.every(({ columns }) => columns[index].kind !== "numbers"),
  );
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
