import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

const fixture = (name: string) => join(import.meta.dirname, "../fixtures/columnar", name);

describe("tables as pyarrow writes them", () => {
  test.each([
    ...["none", "snappy", "gzip", "zstd", "lz4", "brotli"].map((packing) => `t-${packing}.parquet`),
    ...["uncompressed", "lz4", "zstd"].map((packing) => `t-${packing}.feather`),
    "t-stream.arrow",
  ])("%s: numbers with a gap, texts, booleans and lists", async (name) => {
    const dataset = await openDataset(fixture(name), { normalise: "none" });
    expect(dataset.count).toBe(4);
    const columns = (dataset.record.table as { columns: { name: string; type: string }[] }).columns;
    expect(columns.map((column) => column.name)).toEqual(["a", "n", "c", "v[0]", "v[1]", "b"]);
    // a, whether a is missing, n, c one-hot, v, b
    expect([...(await readAll(dataset))].map((value) => Math.round(value * 100) / 100)).toEqual(
      [
        [1.5, 0, 1, 1, 0, 1, 2, 1],
        [2.5, 0, 2, 0, 1, 3, 4, 0],
        [2.67, 1, 3, 1, 0, 5, 6, 1],
        [4, 0, 4, 0, 1, 7, 8, 1],
      ].flat(),
    );
  });

  test("a list column is a sample where the model takes signals", async () => {
    const dataset = await openDataset(fixture("t-snappy.parquet"), {
      columns: { a: "drop", n: "drop", b: "drop", c: "drop" },
      shape: [2],
      normalise: "none",
    });
    expect([...(await readAll(dataset))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test.each(["twins.parquet", "twins.feather"])("%s: two columns of one name are two columns", async (name) => {
    const dataset = await openDataset(join(import.meta.dirname, "../fixtures", name), { normalise: "none" });
    const { columns } = dataset.record.table as { columns: { name: string }[] };
    expect(columns.map((column) => column.name)).toEqual(["a", "b", "a.1"]);
    expect([...(await readAll(dataset))]).toEqual([1, 10, 100, 2, 20, 200, 4, 30, 300]);
  });

  test.each(["dates.parquet", "dates.feather"])("%s: dates are texts, as in CSV, and a note says so", async (name) => {
    const dataset = await openDataset(join(import.meta.dirname, "../fixtures", name), { normalise: "none" });
    const { columns } = dataset.record.table as {
      columns: { name: string; categories?: string[]; missing?: boolean }[];
    };
    const days = { categories: ["1969-12-31", "2024-01-31"], missing: true };
    const times = { categories: ["2024-01-31 17:05:00", "2024-01-31 17:05:00.250", "2024-02-01"], missing: true };
    expect(columns).toEqual([
      expect.objectContaining({ name: "a", type: "numeric" }),
      ...["day", "day64"].map((column) => ({ type: "categorical", name: column, index: expect.any(Number), ...days })),
      ...["when", "zone", "coded", "pair[0]", "pair[1]"].map((column) => {
        return { type: "categorical", name: column, index: expect.any(Number), ...times };
      }),
    ]);
    expect((dataset.record.notes as string[])[0]).toMatch(/^day looks like dates \("2024-01-31"\).*day=drop/);
    expect((dataset.record.notes as string[])[2]).toMatch(/^when looks like dates \("2024-01-31 17:05:00"\)/);
  });

  test("several shards are one table, and a folder's training shards are taken", async () => {
    const folder = temporaryFolder({ "README.md": "about" });
    for (const part of ["train-0", "train-1", "test-0"]) {
      cpSync(fixture("t-snappy.parquet"), join(folder, "data", `${part}.parquet`));
    }
    expect((await openDataset(folder)).count).toBe(8);
    expect((await openDataset(join(folder, "data/*.parquet"))).count).toBe(12);
    expect((await openDataset(join(folder, "data/t*-{0,1}.parquet"))).count).toBe(12);
    await expect(openDataset(join(folder, "*.tar"))).rejects.toThrow(/fit the pattern/);
    await expect(openDataset([join(folder, "data/test-0.parquet"), fixture("pictures.parquet")])).rejects.toThrow(
      /data of one kind/,
    );
  });
});

describe("pictures", () => {
  test.each(["pictures.parquet", "pictures.arrow"])("%s: structs of bytes and path, with class names", async (name) => {
    const dataset = await openDataset(fixture(name), { normalise: "none" });
    expect(dataset.shape).toEqual([3, 4, 4]);
    expect(dataset.classNames).toEqual(["cat", "dog"]);
    expect([...dataset.labels!]).toEqual([0, 1, 1]);
    expect([...new Set(await readAll(dataset))]).toEqual([10, 20, 30]);
  });

  test("plain bytes, with texts for classes", async () => {
    const dataset = await openDataset(fixture("bytes.parquet"), { normalise: "none" });
    expect(dataset.classNames).toEqual(["p", "q"]);
    expect(dataset.count).toBe(2);
  });

  test("more bytes than memory allows go to disk", async () => {
    const cache = temporaryFolder();
    const dataset = await openDataset(fixture("pictures.parquet"), { normalise: "none", memory: 100, cache });
    expect([...new Set(await readAll(dataset))]).toEqual([10, 20, 30]);
    expect([...dataset.labels!]).toEqual([0, 1, 1]);
  });
});

test.each(["t-snappy.parquet", "t-lz4.feather", "t-stream.arrow"])("%s: a damaged file is refused", async (name) => {
  const bytes = readFileSync(fixture(name));
  const folder = temporaryFolder();
  const path = join(folder, name);
  for (const length of [9, 200, bytes.length - 30]) {
    writeFileSync(path, bytes.subarray(0, length));
    // A stream may end after a whole batch: then it only is shorter.
    const outcome = await openDataset(path).then(
      (dataset) => dataset.count,
      (error: Error) => error.name,
    );
    expect([`UserError`, 0, 2, 4]).toContain(outcome);
    if (!name.endsWith("stream.arrow")) expect(outcome).toBe("UserError");
  }
});

test("an Arrow message of a kind that there is not is refused, and not read for ever", async () => {
  const bytes = readFileSync(fixture("t-lz4.feather"));
  // The kind of the record batch's message.
  expect(bytes[388]).toBe(12);
  bytes[388] = 93;
  const path = join(temporaryFolder(), "t.feather");
  writeFileSync(path, bytes);
  await expect(openDataset(path)).rejects.toThrow(
    /required a whole Arrow or Feather file, got one that is cut off or damaged/,
  );
});

test("an Arrow file that is cut off is said to be so, wherever it ends", async () => {
  const whole = readFileSync(fixture("t-uncompressed.feather"));
  for (const length of [40, Math.floor(whole.length / 2), whole.length - 12]) {
    const path = join(temporaryFolder({ "t.feather": whole.subarray(0, length) }), "t.feather");
    const opening = openDataset(path, {});
    await expect(opening).rejects.toThrow(/required a whole Arrow or Feather file/);
    await expect(opening).rejects.not.toThrow(/undefined|reading '|not a function/);
  }
});
