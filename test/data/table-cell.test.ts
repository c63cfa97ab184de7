import { expect, test } from "vitest";
import { isFormattedNumber, numberIn, plainNumbers } from "../../src/data/table-cell.js";

test.each([
  ["3,14", ["3.14"]],
  ["-0,5", ["-0.5"]],
  ["1,234", ["1234", "1.234"]],
  ["12,345,678", ["12345678"]],
  ["1,234.5", ["1234.5"]],
  ["1.234,5", ["1234.5"]],
  ["1.234.567", ["1234567"]],
  ["+1 234", ["+1234"]],
  ["1\u00a0234\u00a0567,89", ["1234567.89"]],
  ["1\u202f234", ["1234"]],
  ["1'234", ["1234"]],
  ["1’234.5", ["1234.5"]],
  ["1_234", ["1234"]],
  ["$5", ["5"]],
  ["-$1,234.50", ["-1234.50"]],
  ["€ 0.5", ["0.5"]],
  ["1.234,5 €", ["1234.5"]],
  ["12%", ["12"]],
  ["-0,5 %", ["-0.5"]],
  ["₩1,234", ["1234", "1.234"]],
])("%s is a number as people write it: %j", (cell, plain) => {
  expect(numberIn(cell)).toBeUndefined();
  expect(isFormattedNumber(cell)).toBe(true);
  expect(plainNumbers(cell)).toEqual(plain);
  for (const number of plain) expect(numberIn(number)).toBeDefined();
});

test.each([
  "",
  "word",
  "1,23,4",
  "1,234,5",
  "1,234 567",
  "12 34",
  "1234 567",
  "1,2 m",
  "2020-01-02",
  "12:30",
  "1.2.3",
  ",5",
  "%",
  "$",
  "5%%",
  "a$",
  "$a",
])("%j is none", (cell) => {
  expect(isFormattedNumber(cell)).toBe(false);
  expect(plainNumbers(cell)).toEqual([]);
});
