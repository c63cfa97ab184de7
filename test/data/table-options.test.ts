import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { embeddingSize } from "../../src/data/embedding-codes.js";
import { inverseNormal, normalScore } from "../../src/data/normal-score.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { savedTransform } from "../../src/data/saved-transform.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

const rows = Array.from({ length: 300 }, (_, row) => `${row % 7},${Math.exp(row / 30)},c${row % 11},${row % 2}`);
const csv = (lines: readonly string[] = rows) => {
  const folder = temporaryFolder({ "t.csv": `zip,price,colour,y\n${lines.join("\n")}\n` });
  return { path: join(folder, "t.csv"), cache: folder };
};

test("classes that are named keep their places, and ask for labels that are classes", async () => {
  const { path } = csv();
  const classNames = ["no", "yes", "unknown"];
  const dataset = await openDataset(path, { labels: "y", classNames });
  expect([...dataset.labels!.subarray(0, 3)]).toEqual([0, 1, 0]);
  expect([dataset.classNames, savedTransform(dataset.record).classNames]).toEqual([classNames, classNames]);
  // They are classes for certain, which whole numbers are not otherwise.
  expect(dataset.targets).toBeUndefined();
  const other = await openDataset(path, { labels: "y", classNames: ["yes", "no", "unknown"] });
  expect(other.hash).not.toBe(dataset.hash);
  await expect(openDataset(path, { classNames })).rejects.toThrow(
    /t\.csv: required labels, since names of classes are given \(no, yes, unknown\), got none/,
  );
  await expect(openDataset(path, { labels: "y", classNames, task: "regression" })).rejects.toThrow(
    /class names: required labels that are classes/,
  );
  await openDataset(path, { classNames, task: "none" });
});

describe("columns", () => {
  test("are what the user says: categories of numbers, dropped ones, numbers", async () => {
    const { path } = csv();
    const dataset = await openDataset(path, { labels: "y", columns: { zip: "category", "2": "drop" } });
    expect(dataset.shape).toEqual([7 + 11]);
    expect(dataset.record.notes).toEqual(["price left out: as asked"]);
    await expect(openDataset(path, { columns: { size: "number" } })).rejects.toThrow(/a column size.*zip, price/);
    await expect(openDataset(path, { columns: { colour: "number" } })).rejects.toThrow(
      /numbers in colour.*"c0" in row 1/,
    );
  });

  test("quantile scaling makes a skewed column standard normal, and the median what is missing", async () => {
    const { path } = csv([...rows, ",,c1,0"]);
    const dataset = await openDataset(path, {
      normalise: "quantile",
      columns: { zip: "drop", colour: "drop" },
      labels: "y",
    });
    const values = await readAll(dataset);
    const price = Array.from({ length: 300 }, (_, row) => values[2 * row]);
    const mean = price.reduce((sum, value) => sum + value, 0) / 300;
    const deviation = Math.sqrt(price.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 300);
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(deviation - 1)).toBeLessThan(0.03);
    expect(price.every((value, row) => row === 0 || value >= price[row - 1])).toBe(true);
    expect([...values.slice(-2)]).toEqual([0, 1]);
  });

  test("categories may be given codes of an embedding's size, the same for all data of the transform", async () => {
    const { path } = csv();
    const dataset = await openDataset(path, {
      categories: "embedding",
      columns: { zip: "drop", price: "drop", y: "drop" },
    });
    expect(dataset.shape).toEqual([embeddingSize(11)]);
    const values = await readAll(dataset);
    const width = embeddingSize(11);
    const code = (row: number) => [...values.slice(row * width, (row + 1) * width)];
    expect(code(0)).toEqual(code(11));
    expect(code(0)).not.toEqual(code(1));
    const fitted = JSON.parse(JSON.stringify(savedTransform(dataset.record)));
    const other = csv(["1,2,c5,0", "1,2,new,1"]);
    const again = await readAll(await openDataset(other.path, { fitted }));
    expect([...again.slice(0, width)]).toEqual(code(5));
    expect([...again.slice(width)]).toEqual(new Array(width).fill(0));
  });
});

test("the saved transform treats other rows alike, for every scaling", async () => {
  for (const normalise of ["standard", "quantile", "none"]) {
    const first = await openDataset(csv().path, { normalise, labels: "y" });
    const fitted = JSON.parse(JSON.stringify(savedTransform(first.record)));
    expect(Object.keys(fitted)).toEqual(expect.arrayContaining(["transform", "kind", "shape", "table", "classNames"]));
    const second = await openDataset(csv(rows.slice(100, 110)).path, { fitted });
    expect(await readAll(second)).toEqual((await readAll(first)).slice(100 * first.shape[0], 110 * first.shape[0]));
    expect([...second.labels!]).toEqual([...first.labels!.slice(100, 110)]);
  }
});

test("categories that look like numbers are told by their texts where other data has more of them", async () => {
  const known = Array.from({ length: 90 }, (_, place) => String(place).padStart(5, "0"));
  const write = (zips: readonly string[]) => {
    const folder = temporaryFolder({ "t.csv": `zip,a\n${zips.map((zip, row) => `${zip},${row}`).join("\n")}\n` });
    return { path: join(folder, "t.csv"), cache: folder };
  };
  const own = write([...known, ...known]);
  const { record, shape } = await openDataset(own.path, { columns: { zip: "category" } });
  // More different ones than a column is looked at for, before those that are known.
  const strangers = Array.from({ length: 200 }, (_, place) => String(30_000 + place));
  const { path, cache } = write([...strangers, ...Array.from({ length: 100 }, () => known).flat()]);
  for (const memory of [1e8, 20_000]) {
    const other = await openDataset(path, { fitted: record, memory, cache });
    const values = await readAll(other);
    const ones = values.filter((value, at) => at % shape[0] < known.length && value === 1).length;
    expect([other.count, ones], `${memory} bytes`).toEqual([9200, 9000]);
  }
});

test("a table beyond memory delivers what it delivers in memory", async () => {
  const { path, cache } = csv([...rows, ",,,1"]);
  for (const more of [{}, { shape: [3] as number[], columns: { colour: "drop", y: "drop" } as const }]) {
    const memory = await openDataset(path, more).catch((error: Error) => error);
    const disk = await openDataset(path, { ...more, memory: 2000, cache }).catch((error: Error) => error);
    if (memory instanceof Error || disk instanceof Error) {
      expect(String(disk)).toBe(String(memory));
      continue;
    }
    expect(await readAll(disk)).toEqual(await readAll(memory));
    expect(disk.hash).toBe(memory.hash);
    expect(disk.range).toEqual(memory.range);
    expect(disk.blocks).toBeDefined();
  }
});

test("damaged rows are an error with file and row, or left out and counted", async () => {
  const lines = rows.slice();
  lines[3] = "1,2";
  lines[5] = "1,-inf,c1,0";
  const { path, cache } = csv(lines);
  await expect(openDataset(path)).rejects.toThrow(/line 5/);
  lines[3] = rows[3];
  const infinite = csv(lines);
  await expect(openDataset(infinite.path)).rejects.toThrow(
    /t\.csv: required finite numbers of at most 3.4e38, got an infinite or larger one in row 6/,
  );
  await expect(openDataset([csv().path, infinite.path])).rejects.toThrow(/infinite or larger one in row 6/);
  for (const memory of [1e6, 2000]) {
    const dataset = await openDataset(path, { onBad: "skip", memory, cache, labels: "y" });
    expect(dataset.count).toBe(298);
    expect(dataset.labels).toHaveLength(298);
    expect(dataset.record.badRows).toMatchObject({
      count: 2,
      rows: [expect.stringContaining("row 4: 2 cells"), expect.stringContaining("row 6: -inf in price")],
    });
  }
});

test("normal scores", () => {
  expect(inverseNormal(0.975)).toBeCloseTo(1.959963985, 7);
  expect(inverseNormal(0.001)).toBeCloseTo(-3.090232306, 7);
  expect(normalScore(1, [1, 2, 3])).toBeCloseTo(inverseNormal(1 / 6), 12);
  expect(normalScore(2, [1, 2, 3])).toBeCloseTo(0, 12);
  expect(normalScore(2.5, [1, 2, 3])).toBeCloseTo(inverseNormal(4 / 6), 12);
  // Of equal knots the middle, and never beyond the ends.
  expect(normalScore(5, [5, 5, 5, 9])).toBeCloseTo(inverseNormal(1.5 / 4), 12);
  expect(normalScore(-100, [1, 2, 3])).toBe(normalScore(1, [1, 2, 3]));
  expect(normalScore(100, [1, 2, 3])).toBe(normalScore(3, [1, 2, 3]));
});
