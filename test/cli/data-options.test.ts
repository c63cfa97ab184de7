import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defineCommand, readArguments } from "../../src/cli/command.js";
import { readDataOptions, readLabels } from "../../src/cli/data-options.js";
import { paths, required, size } from "../../src/cli/options.js";
import { UsageError, UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const plain = { resize: false, convert: false };

test("columns, header, normalisation and labels become what the library takes", () => {
  expect(
    readDataOptions({
      ...plain,
      columns: ["zip=category", "a=b=number", "3=drop"],
      header: "no",
      normalise: "0.5,0.4/0.2,0.1",
    }),
  ).toEqual({
    ...plain,
    columns: { zip: "category", "a=b": "number", "3": "drop" },
    header: false,
    normalise: { mean: [0.5, 0.4], std: [0.2, 0.1] },
  });
  expect(readDataOptions({ ...plain, header: "auto", normalise: "quantile" })).toMatchObject({
    header: "auto",
    normalise: "quantile",
  });
  expect([readLabels("-1"), readLabels("y")]).toEqual([-1, "y"]);
});

test("names of classes are given one by one, or as a file with one a line", () => {
  const folder = temporaryFolder({ "classes.txt": "\uFEFFant\r\nbig cat\r\n\r\n", "gap.txt": "ant\n\nbee\n" });
  const read = (...classNames: string[]) => readDataOptions({ ...plain, classNames }).classNames;
  expect(read("ant", "big cat")).toEqual(["ant", "big cat"]);
  expect(read(join(folder, "classes.txt"))).toEqual(["ant", "big cat"]);
  // What is amiss with names, openDataset says.
  expect(read(join(folder, "gap.txt"))).toEqual(["ant", "", "bee"]);
  const wide = join(temporaryFolder({ "wide.txt": Buffer.from("\ufeffx\r\ny\r\n", "utf16le") }), "wide.txt");
  expect(() => read(wide)).toThrow(/wide\.txt: required names of classes as UTF-8 text, got other bytes/);
  expect(() => read("ant")).toThrow(/ant: required names of classes with commas in between, or a text file/);
});

test("what does not fit is wrong use, a transform that is none an error", () => {
  expect(() => readDataOptions({ ...plain, columns: ["zip=text"] })).toThrow(UsageError);
  expect(() => readDataOptions({ ...plain, columns: ["zip"] })).toThrow(/NAME=category/);
  expect(() => readDataOptions({ ...plain, columns: ["a=b=drop", "a=b=number"] })).toThrow(/got a=b twice/);
  expect(() => readDataOptions({ ...plain, normalise: "1/0" })).toThrow(UsageError);
  const folder = temporaryFolder({ "t.json": '{"transform":1}', "rubbish.json": "{" });
  expect(readDataOptions({ ...plain, transform: join(folder, "t.json") })).toMatchObject({ fitted: { transform: 1 } });
  for (const name of ["rubbish.json", "none.json"]) {
    expect(() => readDataOptions({ ...plain, transform: join(folder, name) })).toThrow(UserError);
  }
  // Such as a run's other records, a list, a later version's.
  for (const other of ["3", "null", "[1]", '{"headstart":"0.1.0","data":{}}', '{"transform":2}']) {
    writeFileSync(join(folder, "t.json"), other);
    expect(() => readDataOptions({ ...plain, transform: join(folder, "t.json") })).toThrow(
      /t\.json: required a transform\.json of an earlier run, got another content/,
    );
  }
});

test.each([
  ["500MB", 5e8],
  ["4GB", 4e9],
  ["1.5GiB", 1.5 * 2 ** 30],
  ["2 k", 2000],
  ["7", 7],
])("%s is %i bytes", (text, bytes) => {
  expect(size("SIZE", "").read(text, "--memory")).toBe(bytes);
});

test("no bytes", () => {
  for (const text of ["", "0", "-1GB", "many", "4GBps"]) {
    expect(() => size("SIZE", "").read(text, "--memory")).toThrow(UsageError);
  }
  expect(paths("PATH", "").read("a,b", "--data")).toEqual(["a,b"]);
});

test("an option for paths may be given several times", () => {
  const command = defineCommand({
    name: "x",
    description: "",
    options: { data: required(paths("PATH", "data")) },
    run: async () => {},
  });
  expect(readArguments(command, ["--data", "a", "--data", "b"])).toMatchObject({ options: { data: ["a", "b"] } });
  expect(readArguments(command, ["--data", "c"])).toMatchObject({ options: { data: ["c"] } });
  expect(() => readArguments(command, [])).toThrow(UsageError);
});
