import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { OpenOptions } from "../../src/data/dataset.js";
import { type Survey, surveyRows } from "../../src/data/survey-table.js";
import { textTable } from "../../src/data/table-source.js";
import { temporaryFolder } from "../support/temporary-folder.js";

async function survey(text: string, options: OpenOptions = {}, ...labels: number[]): Promise<Survey> {
  const path = join(temporaryFolder({ "t.csv": text }), "t.csv");
  const source = await textTable(path, options);
  const columns = labels.map((index) => ({ name: source.header?.[index] ?? "", index }));
  return surveyRows(path, source, source, columns, options);
}

test("profiles hold what a column's cells are, and where the first odd ones stand", async () => {
  const { count, profiles, bad } = await survey("a,b,c\n1,x,\n2,y,5\ninf,x,6\n4,z,7\n");
  expect([count, bad.count]).toEqual([4, 0]);
  const [a, b, c] = profiles;
  expect([a.numbers, a.infinite, a.firstInfinite, a.texts]).toEqual([3, 1, 3, 0]);
  expect([b.texts, b.firstText, [...b.distinct].sort()]).toEqual([4, { row: 1, cell: "x" }, ["x", "y", "z"]]);
  expect([c.missing, c.firstMissing, c.mean, c.min, c.max]).toEqual([1, 1, 6, 5, 7]);
});

test("rows that fit no table are errors, or counted and named; a limit ends the reading", async () => {
  const text = "a,b\n1,2\n3\n5,6\n7,8\n";
  await expect(survey(text)).rejects.toThrow(/expect 2, got 1 on line 3/);
  const { count, bad, hash } = await survey(text, { onBad: "skip" });
  expect(count).toBe(3);
  expect(bad).toEqual({ count: 1, rows: [expect.stringMatching(/t\.csv, row 2: 1 cells$/)] });
  const limited = await survey(text, { onBad: "skip", limit: 2 });
  expect([limited.count, limited.profiles[0].max]).toEqual([2, 5]);
  expect(limited.hash).not.toBe(hash);
  expect((await survey(text, { onBad: "skip" })).hash).toBe(hash);
});

test("a wide table's columns are found to hold what they hold in a narrow one, rows left out or not", async () => {
  const cells = ["1", "x", "", "4", "y", "2", "z", "2"];
  const text = (width: number) =>
    Array.from({ length: 4 }, (_, row) =>
      Array.from({ length: width - (row === 2 ? 1 : 0) }, (_, column) => cells[(row * 3 + column) % 8]).join(","),
    ).join("\n");
  const options = { onBad: "skip", header: false } as const;
  const [narrow, wide] = [await survey(text(16), options), await survey(text(1600), options)];
  expect([narrow.count, wide.count, wide.bad.count]).toEqual([3, 3, 1]);
  for (const profile of narrow.profiles) {
    const other = wide.profiles[profile.index];
    for (const field of ["missing", "numbers", "texts", "mean", "min", "max", "firstText", "firstMissing"] as const)
      expect(other[field], `${field} of column ${profile.index}`).toEqual(profile[field]);
    // Of columns of numbers alone it is known only whether there are two.
    if (profile.texts > 0) expect([...other.distinct].sort()).toEqual([...profile.distinct].sort());
    else expect(other.distinct.size).toBe(Math.min(2, profile.distinct.size));
  }
});

describe("label columns", () => {
  test.each([
    [
      "a gap",
      "a,y\n1,1\n2,\n",
      "regression",
      [1],
      /a number in every row of the label column \(y\), got 1 rows without/,
    ],
    ["fractions", "a,y\n1,1.5\n2,2\n", "classification", [1], /got fractions such as 1\.5/],
    [
      "texts",
      "a,y\n1,1\n2,b\n",
      "regression",
      [1],
      /a number in every row of the label column \(y\), got "b" in row 2/,
    ],
    ["several", "a,y\n1,1\n2,2\n", "classification", [0, 1], /got 2 label columns/],
  ] as const)("are refused with %s where the task cannot have them", async (_, text, task, labels, message) => {
    await expect(survey(text, { task }, ...labels)).rejects.toThrow(message);
    await expect(survey(text, { task: "none" }, ...labels)).resolves.toMatchObject({ count: 2 });
  });
});

test("what the user says of a column goes by name or number, and must be there", async () => {
  const { profiles } = await survey("a,b\n1,2\n3,4\n", { columns: { a: "category", 2: "drop" } });
  expect(profiles.map(({ choice }) => choice)).toEqual(["category", "drop"]);
  await expect(survey("a,b\n1,2\n3,4\n", { columns: { c: "drop" } })).rejects.toThrow(/a column c, .* got a, b/);
  await expect(survey("1,2\n3,4\n", { columns: { 3: "drop" } })).rejects.toThrow(/got 2 columns without names/);
});
