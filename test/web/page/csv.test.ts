import { expect, test } from "vitest";
import { csvOf } from "../../../src/web/page/csv.js";

test("cells of a CSV file are quoted after RFC 4180, and none is a formula", () => {
  expect(
    csvOf([
      ["name", "value"],
      ['a "b", c', 0.5],
      ["=1+1", null],
    ]),
  ).toBe('name,value\r\n"a ""b"", c",0.5\r\n\'=1+1,\r\n');
});
