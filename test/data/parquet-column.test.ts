import { readdirSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { expect, test } from "vitest";
import { isCoded, valuesOf } from "../../src/data/columnar-file.js";
import { openParquet } from "../../src/data/parquet-file.js";

const folder = join(import.meta.dirname, "../fixtures/columnar");

/** As a column of numbers has it: NaN for null, in one type. */
function asNumber(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  return value instanceof Date ? value.getTime() : value;
}

test.each(readdirSync(folder).filter((name) => name.endsWith(".parquet")))(
  "%s: has the values that the reader as a whole gives",
  async (name) => {
    const file = await asyncBufferFromFile(join(folder, name));
    const expected = await parquetReadObjects({ file, compressors, utf8: false });
    const { columns, batches } = await openParquet(join(folder, name));
    const found = new Map(columns.map((column): [string, unknown[]] => [column, []]));
    for await (const batch of batches())
      for (const column of columns) found.get(column)!.push(...Array.from(valuesOf(batch.get(column)!)));
    for (const column of columns) {
      expect(found.get(column)!.map(asNumber), column).toEqual(expected.map((row) => asNumber(row[column])));
    }
  },
);

test("numbers come in typed arrays and texts as places in a list, whatever encoding they have", async () => {
  for (const name of ["groups", "pages-v2", "small-dictionaries", "encodings", "required"]) {
    const { batches } = await openParquet(join(folder, `kinds-${name}.parquet`));
    for await (const batch of batches()) {
      const others = [...batch].filter(([, values]) => !isCoded(values) && !(values instanceof Float64Array));
      expect(others.map(([column]) => column)).toEqual(["date_gaps", "timestamp", "bytes", "list", "struct"]);
      const texts = [...batch].filter(([, values]) => isCoded(values)).map(([column]) => column);
      // Where a group has nothing but nulls, it has no texts.
      expect(texts).toEqual(expect.arrayContaining(["text", "text_gaps", "text_unique", "category"]));
    }
  }
});
