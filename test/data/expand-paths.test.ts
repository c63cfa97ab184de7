import { join } from "node:path";
import { expect, test } from "vitest";
import { expandPaths } from "../../src/data/expand-paths.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const files = { "t-1.csv": "", "t-2.csv": "", "t-10.csv": "", "odd[1].csv": "", "deep/a.csv": "" };

test.each([
  ["t-?.csv", ["t-1.csv", "t-2.csv"]],
  ["t-[!1].csv", ["t-2.csv"]],
  ["t-[^1].csv", ["t-2.csv"]],
  ["**/a.csv", ["deep/a.csv"]],
  ["t-{1..2}.csv", ["t-1.csv", "t-2.csv"]],
  ["odd[1].csv", ["odd[1].csv"]],
  ["d*", ["deep"]],
])("finds the files of %s", async (pattern, expected) => {
  const folder = temporaryFolder(files);
  const found = await expandPaths([join(folder, pattern)], {});
  expect(found.map(({ path }) => path)).toEqual(expected.map((name) => join(folder, name)));
});

test("says where nothing fits", async () => {
  await expect(expandPaths([join(temporaryFolder(files), "*.tsv")], {})).rejects.toThrow(
    /required files that fit the pattern/,
  );
});

test.each<[string[], string]>([
  [[], "none"],
  [["a.csv", ""], "an empty one"],
])("refuses %j", async (given, got) => {
  await expect(expandPaths(given, {})).rejects.toThrow(`data: required at least one path, got ${got}. Name the data.`);
});
