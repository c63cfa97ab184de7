import { expect, test } from "vitest";
import { keepingBlocks } from "../../src/data/kept-blocks.js";
import { type ColumnCells, type ColumnNeed, KnownTexts, type TableBlock } from "../../src/data/table-block.js";
import type { TableSource } from "../../src/data/table-source.js";

/** A source of two blocks that uses its arrays again, and counts how often it is read. */
function source(kind: ColumnCells["kind"]): TableSource & { readings: number } {
  const texts = new KnownTexts();
  for (const text of ["a", "b", "c"]) texts.code(text);
  const made = {
    where: "t",
    format: "table",
    header: undefined,
    columnCount: 1,
    bytes: 0,
    readings: 0,
    place: (row: number) => ({ where: "t", row }),
    async *blocks(): AsyncGenerator<TableBlock> {
      made.readings++;
      const [values, codes, cells] = [new Float64Array(2), new Int32Array(2), ["", ""]];
      for (const first of [0, 1]) {
        for (const at of [0, 1]) {
          values[at] = first + at;
          codes[at] = first + at;
          cells[at] = texts.texts[first + at];
        }
        const column: ColumnCells =
          kind === "numbers" ? { kind, values } : kind === "codes" ? { kind, codes, texts } : { kind, cells };
        yield { count: 2, columns: [column] };
      }
    },
  };
  return made;
}

async function readAll(table: TableSource, what: ColumnNeed["what"] = "numbers"): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { columns } of table.blocks([{ what, distinct: 0 }], {})) {
    const [column] = columns;
    found.push(...(column.kind === "numbers" ? column.values : column.kind === "codes" ? column.codes : column.cells));
  }
  return found;
}

test("the second reading comes from memory where it fits, and is the same", async () => {
  for (const [kind, most, readings] of [
    ["numbers", 32, 1],
    ["numbers", 31, 2],
    ["codes", 16, 1],
    ["codes", 15, 2],
    ["cells", 1e9, 2],
  ] as const) {
    const given = source(kind);
    const table = keepingBlocks(given, most);
    const expected = kind === "cells" ? ["a", "b", "b", "c"] : [0, 1, 1, 2];
    expect(await readAll(table)).toEqual(expected);
    expect(await readAll(table)).toEqual(expected);
    expect(given.readings, `${kind}, ${most} bytes`).toBe(readings);
  }
});

test("numbers that were read are not enough where texts are needed then, unless texts were asked for before", async () => {
  for (const [kind, first, second, readings] of [
    ["numbers", "profile", "texts", 2],
    ["numbers", "texts", "texts", 1],
    ["numbers", "profile", "numbers", 1],
    ["codes", "profile", "texts", 1],
  ] as const) {
    const given = source(kind);
    const table = keepingBlocks(given, 1e9);
    expect(await readAll(table, first)).toEqual(await readAll(table, second));
    expect(given.readings, `${kind}, ${first}, ${second}`).toBe(readings);
  }
});
