import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { DelimitedParser } from "../../src/data/delimited-parser.js";
import { type ColumnNeed, cellAt, type TableBlock } from "../../src/data/table-block.js";
import { isMissing, numberIn } from "../../src/data/table-cell.js";

/** All rows of a text whose bytes come in pieces, and what stopped the reading. */
function read(text: string, needs: readonly ColumnNeed[], piece: number) {
  const parser = new DelimitedParser(needs, 44);
  const all = new TextEncoder().encode(text);
  const rows: unknown[][] = [];
  const keep = ({ count, columns }: TableBlock) => {
    for (let row = 0; row < count; row++) rows.push(columns.map((column) => cellAt(column, row)));
  };
  let bytes = new Uint8Array(0);
  for (let given = 0; ; given += piece) {
    const more = all.subarray(given, given + piece);
    const whole = new Uint8Array(bytes.length - parser.position + more.length);
    whole.set(bytes.subarray(parser.position));
    whole.set(more, bytes.length - parser.position);
    bytes = whole;
    parser.position = 0;
    const final = given + piece >= all.length;
    for (;;) {
      const stop = parser.read(bytes, final);
      const done = stop.why !== "block" || parser.count === 0;
      if (stop.why !== "bytes" && parser.count > 0) {
        keep(parser.take());
        parser.begin();
      }
      if (stop.why === "irregular" || stop.why === "length") return { rows, stop };
      if (done) break;
    }
    if (final) return { rows, stop: undefined };
  }
}

const need = (what: ColumnNeed["what"], distinct = 100): ColumnNeed => ({ what, distinct });

const cell = fc.oneof(
  fc.double({ noNaN: true }).map(String),
  fc.integer().map(String),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.nat(999_999_999)).map(([a, b]) => `${a}.${b}`),
  fc.constantFrom("", "NA", " 3 ", "+5", ".5", "5.", "1e-7", "0x1f", "-0", "inf", "12345678901234567890.5", "é", "\t7"),
  fc.string({ maxLength: 6, unit: fc.constantFrom("a", "ü", "1", " ", "-", ".") }),
  fc
    .string({ maxLength: 6, unit: fc.constantFrom("a", ",", '"', "\n", " ") })
    .map((s) => `"${s.replaceAll('"', '""')}"`),
);

test("reads what csv-parse reads, whatever pieces the bytes come in", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 60 }),
      fc.constantFrom("\n", "\r\n"),
      fc.boolean(),
      (table, piece, end, ended) => {
        const text = table.map((row) => row.join(",")).join(end) + (ended ? end : "");
        const expected = parse(text, { trim: true, skip_empty_lines: true, delimiter: "," }) as string[][];
        const needs = [need("texts"), need("numbers"), need("profile", 0)];
        const { rows, stop } = read(text, needs, piece);
        expect(stop).toBeUndefined();
        expect(rows.length).toBe(expected.length);
        rows.forEach(([asText, asNumber], row) => {
          expect(asText).toBe(expected[row][0]);
          const given = expected[row][1];
          const value = isMissing(given) ? Number.NaN : numberIn(given);
          const text = typeof asNumber === "string" ? asNumber : undefined;
          const found = text === undefined ? asNumber : isMissing(text) ? Number.NaN : numberIn(text);
          if (value === undefined) expect(asNumber).toBe(given);
          else expect(found).toBe(value);
        });
      },
    ),
    { seed: 5, numRuns: 2000 },
  );
});

test("a column of many numbers is read as numbers, of many texts as texts, and both in one as they stand", () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, row) => `${row / 7},name ${row},${row === 9000 ? "x" : row},${row % 3}`,
  );
  const { rows } = read(lines.join("\n"), [need("profile"), need("profile"), need("profile"), need("profile")], 65_536);
  expect(rows).toHaveLength(20_000);
  for (const row of [0, 4095, 4096, 8999, 9000, 9001, 19_999]) {
    const [number, text, mixed, code] = rows[row];
    expect(Number(number)).toBe(row / 7);
    expect(text).toBe(`name ${row}`);
    expect(String(mixed)).toBe(row === 9000 ? "x" : String(row));
    expect(code).toBe(String(row % 3));
  }
  expect(typeof rows[19_999][0]).toBe("number");
  expect(typeof rows[19_999][2]).toBe("number");
});

test("stops at what another reader must judge, with the place", () => {
  const needs = [need("texts"), need("texts")];
  expect(read('a,b\nc,d"e\n', needs, 99)).toMatchObject({ rows: [["a", "b"]], stop: { why: "irregular" } });
  expect(read('a,"b" c\n', needs, 99).stop).toEqual({ why: "irregular" });
  expect(read('a,"b\n', needs, 99).stop).toEqual({ why: "irregular" });
  expect(read("a,b\rc,d\n", needs, 99).stop).toEqual({ why: "irregular" });
  expect(read("a,b\n1,2,3\n", needs, 99)).toMatchObject({ rows: [["a", "b"]], stop: { why: "length", cells: 3 } });
});
