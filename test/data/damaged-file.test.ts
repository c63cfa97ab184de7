import { expect, test } from "vitest";
import { damagedFile } from "../../src/data/damaged-file.js";
import { InterruptedError, userError } from "../../src/errors.js";

const message = (error: unknown) => damagedFile(error, "a.parquet", "a whole Parquet file").message;

test("what is said of the file is handed on, what the language says of a reader is not", () => {
  expect(message(new Error("a page without its dictionary."))).toBe(
    "a.parquet: required a whole Parquet file, got a page without its dictionary. The file is damaged: fetch or save it again.",
  );
  for (const error of [
    new TypeError("x is undefined"),
    new RangeError("Invalid array length"),
    new SyntaxError("in JSON"),
    "text",
  ]) {
    expect(message(error)).toMatch(/got one that is cut off or damaged\. /);
  }
});

test("problems of the disk, interruptions and what is for the user already stay what they are", () => {
  expect(message(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }))).toMatch(/got an input\/output error/);
  const kept = [
    new InterruptedError("stopped"),
    userError({ where: "here", required: "this", got: "that", advice: "Change it" }),
  ];
  for (const error of kept) expect(damagedFile(error, "a.parquet", "a whole Parquet file")).toBe(error);
});
