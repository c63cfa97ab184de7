import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { evenRows } from "../../src/data/even-rows.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { KnownTexts, type TableBlock } from "../../src/data/table-block.js";
import { openTableSource } from "../../src/data/table-dataset.js";
import type { TableSource } from "../../src/data/table-source.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

const fixture = (name: string) => join(import.meta.dirname, "../fixtures/columnar", name);

/** Rows of a number that counts them, one that does not, and a class of three rows each, in blocks of four rows. */
function source(count: number, odd: (row: number) => number = (row) => row * row): TableSource {
  return {
    where: "t",
    format: "parquet",
    header: ["id", "x", "kind"],
    columnCount: 3,
    bytes: 0,
    place: (row) => ({ where: "t", row }),
    countRows: async () => count,
    async *blocks(): AsyncGenerator<TableBlock> {
      const texts = new KnownTexts();
      for (let first = 0; first < count; first += 4) {
        const rows = Array.from({ length: Math.min(4, count - first) }, (_, at) => first + at);
        yield {
          count: rows.length,
          columns: [
            { kind: "numbers", values: Float64Array.from(rows) },
            { kind: "cells", cells: rows.map(odd) },
            { kind: "codes", codes: Int32Array.from(rows, (row) => texts.code(`k${Math.floor(row / 3)}`)), texts },
          ],
        };
      }
    },
  };
}

describe("rows at even distances", () => {
  test("of a table whose rows are counted, labels with them, also where it is read twice", async () => {
    for (const memory of [1e6, 1]) {
      const options = { labels: "kind", limit: 4, normalise: "none", memory, cache: temporaryFolder() } as const;
      const dataset = await openTableSource(source(12), options);
      // The index is left out as in the whole table.
      expect(dataset.shape).toEqual([1]);
      expect(dataset.record.notes).toEqual(["id left out: counts the rows"]);
      expect([...(await readAll(dataset))]).toEqual([0, 9, 36, 81]);
      expect([...dataset.labels!]).toEqual([0, 1, 2, 3]);
      expect(dataset.classNames).toEqual(["k0", "k1", "k2", "k3"]);
    }
  });

  test("keep their numbers in the file for messages", async () => {
    const rows = source(12, (row) => (row === 6 ? Number.POSITIVE_INFINITY : row));
    const open = (onBad: "fail" | "skip") => openTableSource(rows, { limit: 4, onBad });
    await expect(open("fail")).rejects.toThrow(/t: .* got an infinite or larger one in row 7, x/);
    expect((await open("skip")).record.badRows).toMatchObject({ count: 1, rows: ["t, row 7: Infinity in x"] });
  });

  test("are no other table than all of them where the limit is not reached, and another than the first", async () => {
    const given = source(12);
    expect(await evenRows(given, undefined)).toBe(given);
    expect(await evenRows(given, 12)).toBe(given);
    const { countRows: _, ...uncounted } = given;
    expect(await evenRows(uncounted, 4)).toBe(uncounted);
    const first = await openTableSource(uncounted, {
      limit: 4,
      normalise: "none",
      columns: { id: "drop" },
      labels: "kind",
    });
    expect([...(await readAll(first))]).toEqual([0, 1, 4, 9]);
    const even = await openTableSource(given, { limit: 4, normalise: "none", columns: { id: "drop" }, labels: "kind" });
    expect(even.hash).not.toBe(first.hash);
  });

  test.each(["t-snappy.parquet", "t-lz4.feather", "t-stream.arrow"])(
    "of %s, and of several such files",
    async (name) => {
      const options = { normalise: "none", columns: { a: "drop", b: "drop", c: "drop", v: "drop" } } as const;
      const folder = temporaryFolder();
      const [, ending] = name.split(".");
      for (const part of [0, 1, 2]) cpSync(fixture(name), join(folder, `part-${part}.${ending}`));
      const columns = { a: "drop", b: "drop", c: "drop", "v[0]": "drop", "v[1]": "drop" } as const;
      const one = await openDataset(fixture(name), { ...options, columns, limit: 2 });
      expect([...(await readAll(one))]).toEqual([1, 3]);
      const several = await openDataset(join(folder, "part-*"), { ...options, columns, limit: 8 });
      // 0, 1, 3, 4, 6, 7, 9 and 10 of twelve.
      expect([...(await readAll(several))]).toEqual([1, 2, 4, 1, 3, 4, 2, 3]);
    },
  );
});

describe("of text, whose rows nobody has counted, the first are taken", () => {
  const open = (kinds: readonly string[], limit: number | undefined, shape?: readonly number[]) => {
    const lines = kinds.map((kind, row) => `${row % 7},${row % 5},${kind}`);
    const path = join(temporaryFolder({ "t.csv": `a,b,kind\n${lines.join("\n")}\n` }), "t.csv");
    return openDataset(path, { labels: "kind", limit, shape });
  };
  const sorted = Array.from({ length: 90 }, (_, row) => ["ant", "bee", "cat"][Math.floor(row / 30)]);
  const mixed = Array.from({ length: 90 }, (_, row) => ["ant", "bee", "cat"][row % 3]);

  test("and a note says so where they are sorted by class", async () => {
    const advice = "of such a file a limit takes the first rows, so shuffle it, or save it as Parquet";
    expect((await open(sorted, 40)).record.notes).toEqual([
      `the first 40 rows are sorted by class (ant, bee): ${advice}`,
    ]);
    expect((await open(sorted, 30)).record.notes).toEqual([`the first 30 rows are all of the class ant: ${advice}`]);
    expect((await open(sorted, 40, [2, 1])).record.notes).toEqual([
      `the first 40 rows are sorted by class (ant, bee): ${advice}`,
    ]);
  });

  test("and nothing is said where they are not, are all, or are too few to tell", async () => {
    expect((await open(mixed, 40)).record.notes).toEqual([]);
    expect((await open(sorted, 91)).record.notes).toEqual([]);
    expect((await open(sorted, undefined)).record.notes).toEqual([]);
    expect((await open(sorted, 12)).record.notes).toEqual([]);
  });
});
