import { describe, expect, test } from "vitest";
import { chooseRemoteFiles } from "../../src/data/choose-remote-files.js";

const names = [
  "README.md",
  "a.csv",
  "b.csv",
  "deep/a.csv",
  "deep/er/c.csv",
  "deep/er/x[1].csv",
  ".hidden/d.csv",
  "t-1.parquet",
  "t-2.parquet",
  "t-10.parquet",
];

describe("chooseRemoteFiles", () => {
  test.each([
    ["*.csv", ["a.csv", "b.csv"]],
    ["**/*.csv", ["a.csv", "b.csv", "deep/a.csv", "deep/er/c.csv", "deep/er/x[1].csv"]],
    ["deep/**", ["deep/a.csv", "deep/er/c.csv", "deep/er/x[1].csv"]],
    ["t-?.parquet", ["t-1.parquet", "t-2.parquet"]],
    ["t-[!1].parquet", ["t-2.parquet"]],
    ["{a,deep/a}.csv", ["a.csv", "deep/a.csv"]],
    ["{a,deep/{a,er/c}}.csv", ["a.csv", "deep/a.csv", "deep/er/c.csv"]],
    ["!(a|t-*).csv", ["b.csv"]],
    ["*.CSV", undefined],
    ["deep*", undefined],
  ])("takes what the pattern %s fits", (pattern, expected) => {
    expect(chooseRemoteFiles(names, pattern)).toEqual(expected);
  });

  test("a name is itself, whatever signs it has", () => {
    expect(chooseRemoteFiles(names, "deep/er/x[1].csv")).toEqual(["deep/er/x[1].csv"]);
  });

  test("of a folder, the shards, else the tables", () => {
    expect(chooseRemoteFiles(names, "")).toEqual(["t-1.parquet", "t-10.parquet", "t-2.parquet"]);
    expect(chooseRemoteFiles(names, "deep/er")).toEqual(["deep/er/c.csv", "deep/er/x[1].csv"]);
    expect(chooseRemoteFiles(names, "nothing/")).toBeUndefined();
  });

  test("of a folder, nothing that is hidden, unless the folder itself is", () => {
    const pictures = ["p/cat/1.png", "p/cat/._1.png", "p/.thumbnails/1.png", "p/__MACOSX/cat/1.png", ".cache/2.png"];
    expect(chooseRemoteFiles(pictures, "p")).toEqual(["p/cat/1.png"]);
    expect(chooseRemoteFiles(pictures, "")).toEqual(["p/cat/1.png"]);
    expect(chooseRemoteFiles(pictures, ".cache")).toEqual([".cache/2.png"]);
  });
});
