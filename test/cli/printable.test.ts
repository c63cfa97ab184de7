import { expect, test } from "vitest";
import { clipped, columnsOf, printable } from "../../src/cli/printable.js";

test("keeps text and line feeds, shows what would steer a terminal", () => {
  expect(printable("Größe 3×3 → 層\nnext")).toBe("Größe 3×3 → 層\nnext");
  expect(printable("a\tb\r\nc")).toBe("a b\nc");
  expect(printable("\u001b[2J\u0007\u009b\u202e\r")).toBe("\ufffd[2J\ufffd\ufffd\ufffd\ufffd");
});

test.each([
  ["", 0],
  ["abc", 3],
  ["層", 2],
  ["e\u0301", 1],
  ["🙂", 2],
])("%j takes %i columns", (text, columns) => {
  expect(columnsOf(text)).toBe(columns);
});

test.each([
  ["abc", 2, "ab"],
  ["abc", 3, "abc"],
  ["層層", 3, "層"],
  ["e\u0301x", 1, "e\u0301"],
  ["🙂a", 1, ""],
  ["", 5, ""],
])("of %j %i columns are %j", (text, columns, beginning) => {
  expect(clipped(text, columns)).toBe(beginning);
});
