import { expect, test } from "vitest";
import { columnsOf, printable } from "../../src/cli/printable.js";

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
