import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openArrow } from "../../src/data/arrow-file.js";
import { type ColumnarFile, isCoded, valuesOf } from "../../src/data/columnar-file.js";
import { openParquet } from "../../src/data/parquet-file.js";

const fixture = (name: string) => join(import.meta.dirname, "../fixtures/columnar", name);

/** What is the same to a table: NaN and null, whole numbers of both kinds, dates and numbers, space around texts. */
function asCell(value: unknown): unknown {
  if (typeof value === "string") return value.trim();
  if (value instanceof Date) return value.getTime();
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  return typeof value === "number" && Number.isNaN(value) ? null : value;
}

async function columnsOf(file: ColumnarFile): Promise<Map<string, unknown[]>> {
  const columns = new Map(file.columns.map((name): [string, unknown[]] => [name, []]));
  for await (const batch of file.batches())
    for (const [name, values] of batch) columns.get(name)!.push(...Array.from(valuesOf(values), asCell));
  return columns;
}

test("a table has the values that it has as Parquet", async () => {
  const path = fixture("kinds.feather");
  const arrow = await openArrow(path, readFileSync(path));
  const found = await columnsOf(arrow);
  const expected = await columnsOf(await openParquet(fixture("kinds-groups.parquet")));
  for (const name of ["struct", "bytes"]) expected.delete(name);
  // Parquet's are a factor of 0.01, which is a little off.
  expected.set(
    "decimal",
    expected.get("decimal")!.map((value) => Number((value as number).toFixed(2))),
  );
  for (const [name, values] of expected) expect(found.get(name), name).toEqual(values);
  for await (const batch of arrow.batches()) {
    for (const name of ["text", "text_gaps", "text_unique"]) expect(isCoded(batch.get(name)!), name).toBe(true);
    expect(batch.get("double_gaps")).toBeInstanceOf(Float64Array);
  }
});

test("decimals are the nearest numbers: negative ones, large ones, gaps and lists of them", async () => {
  const path = join(import.meta.dirname, "../fixtures/decimals.feather");
  const found = await columnsOf(await openArrow(path, readFileSync(path)));
  expect(found.get("price")).toEqual([-1.25, null, Number("1234567890123456789.5"), 0.01]);
  expect(found.get("pair")!.map((list) => Array.from(list as ArrayLike<number>))).toEqual([
    [0.5, -0.5],
    [1, -1],
    [1.5, -1.5],
    [2, -2],
  ]);
});
