import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { OpenOptions } from "../../src/data/dataset.js";
import { openTable } from "../../src/data/table-dataset.js";
import { UserError } from "../../src/errors.js";
import { sharedData } from "../shared-data.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";

const table = (text: string | Uint8Array, name = "table.csv") => join(temporaryFolder({ [name]: text }), name);
const rows = (values: Float32Array, width: number) =>
  Array.from({ length: values.length / width }, (_, row) => [...values.subarray(row * width, (row + 1) * width)]);

const mixed = `age,city,empty,rate,kind
10,Rome,1,0.5,good
20,Bonn,1,,bad
30,?,1,1.5,good
40,Rome,1,1,bad
`;

describe("columns", () => {
  test("numbers are standardised with an indicator for gaps, texts become one-hot codes, constants are left out", async () => {
    const dataset = await openTable(table(mixed), { labels: "kind" });
    expect(dataset.kind).toBe("table");
    expect(dataset.shape).toEqual([6]);
    const values = rows(await readAll(dataset), 6);
    const std = Math.sqrt(125);
    const rateStd = Math.sqrt(1 / 6);
    // age; Bonn, Rome, missing; rate, rate missing
    const expected = [
      [-15 / std, 0, 1, 0, -0.5 / rateStd, 0],
      [-5 / std, 1, 0, 0, 0, 1],
      [5 / std, 0, 0, 1, 0.5 / rateStd, 0],
      [15 / std, 0, 1, 0, 0, 0],
    ];
    for (const [index, row] of expected.entries())
      for (const [at, value] of row.entries()) expect(values[index][at]).toBeCloseTo(value, 5);
    expect(dataset.oneHotGroups).toEqual([{ start: 1, end: 4 }]);
    expect([...dataset.labels!]).toEqual([1, 0, 1, 0]);
    expect(dataset.classNames).toEqual(["bad", "good"]);
    expect(dataset.record.notes).toEqual(["empty left out: constant"]);
    expect(dataset.record.missing).toBe(2);
  });

  test.each([
    ["none", [10, 30, 20], { min: 10, max: 30 }],
    ["unit", [0, 1, 0.5], { min: 0, max: 1 }],
    ["symmetric", [-1, 1, 0], { min: -1, max: 1 }],
  ])("normalisation %s", async (normalise, expected, range) => {
    const dataset = await openTable(table("x\n10\n30\n20\n"), { normalise });
    expect([...(await readAll(dataset))]).toEqual(expected);
    expect(dataset.range).toEqual(range);
  });

  test("numbers as normalisation", async () => {
    const dataset = await openTable(table("1,5\n3,6\n"), { normalise: { mean: [1, 5], std: [2, 1] } });
    expect([...(await readAll(dataset))]).toEqual([0, 0, 1, 1]);
    await expect(openTable(table("1,5\n3,6\n"), { normalise: { mean: [1, 2, 3], std: [1] } })).rejects.toThrow(
      UserError,
    );
    await expect(openTable(table("1,5\n3,6\n"), { normalise: "standart" })).rejects.toThrow(/standard/);
  });

  test("texts of too many values and an index that counts the rows are left out", async () => {
    const lines = Array.from({ length: 150 }, (_, row) => `${row},name ${row},${row % 7}`);
    const dataset = await openTable(table(`,name,x\n${lines.join("\n")}`), {});
    expect(dataset.shape).toEqual([1]);
    expect(dataset.record.notes).toEqual([
      "column 1 left out: counts the rows",
      "name left out: more than 100 distinct texts",
    ]);
  });

  test("a table that begins with comments is refused, one whose first name begins with # is read", async () => {
    for (const text of [
      "# logged in mV\n1,2\n3,4\n",
      "# logged\n# in mV\na,b\n1,2\n3,4\n",
      "# a b\n1.5 2\n3 4\n",
      "# a,b\n# c,d\n1,2\n3,4\n",
    ])
      await expect(openTable(table(text), {})).rejects.toThrow(
        /required a table that begins with .*, got a first line that begins with # \(# .*\)\. Remove lines of comments/,
      );
    for (const text of ["# a,b\n1,2\n3,4\n", "#a\n1\n2\n3\n"])
      expect((await openTable(table(text), {})).shape).toEqual([text.includes("b") ? 2 : 1]);
  });

  test("an index of rows that were shuffled is left out, and nothing that only looks like one", async () => {
    const shuffled = Array.from({ length: 150 }, (_, row) => `${(row * 47) % 311},${row % 7},${row % 5}`).join("\n");
    for (const header of [",x,y", "Unnamed: 0,x,y"]) {
      const { shape, record } = await openTable(table(`${header}\n${shuffled}`), {});
      expect(shape).toEqual([2]);
      expect(record.notes).toEqual([`${header.split(",")[0] || "column 1"} left out: an index of the rows`]);
    }
    const named = await openTable(table(`x,y,__index_level_0__\n1,2,a\n3,4,b\n5,7,b`), {});
    expect(named.record.notes).toEqual(["__index_level_0__ left out: an index of the rows"]);
    const few = "7,1\n3,4\n5,5";
    expect((await openTable(table(`,x\n${few}`), {})).shape).toEqual([1]);
    for (const [text, options] of [
      [`weight,x,y\n${shuffled}`, {}],
      [shuffled, { header: false }],
      [`,x,y\n${shuffled}`, { columns: { 1: "number" } }],
      [`,x,y\n${shuffled}\n${shuffled}\n${shuffled}`, {}],
      [",x,y\n1.5,1,2\n3,4,5\n7,0,1", {}],
      [",x,y\n1,1,2\n3,4,5\n3,0,1", {}],
    ] as const)
      expect((await openTable(table(text), options)).shape).toEqual([3]);
  });

  test("a test table takes the training table's numbers and codes, by name", async () => {
    const training = await openTable(table(mixed), { labels: "kind" });
    const fitted = JSON.parse(JSON.stringify(training.record));
    const testing = await openTable(table("kind,city,rate,age\ngood,Oslo,,10\nbad,Rome,0.5,10\n"), { fitted });
    const [own] = rows(await readAll(training), 6);
    const [unseen, same] = rows(await readAll(testing), 6);
    expect(same).toEqual(own);
    expect(unseen).toEqual([own[0], 0, 0, 0, 0, 1]);
    expect([...testing.labels!]).toEqual([1, 0]);
    expect(testing.record.notes).toEqual([expect.stringContaining("1 cells hold categories")]);
    await expect(openTable(table("age,city\n1,Rome\n2,Rome\n"), { fitted })).rejects.toThrow(/the column rate/);
    await expect(openTable(table("age,city,rate\n1,Rome,2\nx,Rome,2\n"), { fitted })).rejects.toThrow(/"x" in row 2/);
  });

  test("columns of one name are told apart, in the training data and in others", async () => {
    const options = { labels: "kind", header: true, normalise: "none" };
    const training = await openTable(table("a,kind,a,,b,\n1,x,10,7,2,6\n2,y,20,8,4,9\n3,x,31,6,5,8\n"), options);
    const { columns } = training.record.table as { columns: { name: string }[] };
    expect(columns.map(({ name }) => name)).toEqual(["a", "a.1", "", "b", "column 6"]);
    const fitted = JSON.parse(JSON.stringify(training.record));
    const testing = await openTable(table("a,b,a,,,kind\n1,2,10,7,6,x\n"), { fitted, header: true }).catch(String);
    // The second nameless column has its place for a name.
    expect(testing).toMatch(/required the column column 6/);
    const moved = await openTable(table("b,a,kind,a,,\n2,1,x,10,7,6\n"), { fitted, header: true });
    expect([...(await readAll(moved))]).toEqual([1, 10, 7, 2, 6]);
  });

  test("features that do not fit the model are listed", async () => {
    await expect(openTable(table(mixed), { shape: [9], labels: "kind" })).rejects.toThrow(
      /required 9 features.*got 6: age, city \(3\), rate \(2\); left out: empty: constant/,
    );
    // Kept constant, the fourth column makes it fit.
    const dataset = await openTable(table(mixed), { shape: [7], labels: "kind" });
    expect(dataset.shape).toEqual([7]);
  });
});

describe("what is written in the file", () => {
  test.each([
    ["semicolons", "a;b\n1;2\n3;5\n", "t.csv"],
    ["tabs", "a\tb\n1\t2\n3\t5\n", "t.tsv"],
    ["a byte order mark, quotes and Windows line ends", '\uFEFF"a","b"\r\n1,"2"\r\n3,5\r\n\r\n', "t.csv"],
    ["gzip", gzipSync("a,b\n1,2\n3,5\n"), "t.csv.gz"],
    ["no header", "1,2\n3,5\n", "t.data"],
    ["bars", "a|b\n1|2\n3|5\n", "t.csv"],
    ["doubled tabs", "1\t\t2\n3\t5\n", "t.txt"],
    ["white space of any length", "  a \t b \r\n\r\n 1  2\r\n\t3\t 5", "t.dat"],
  ])("%s", async (_, text, name) => {
    const dataset = await openTable(table(text, name), { normalise: "none" });
    expect([...(await readAll(dataset))]).toEqual([1, 2, 3, 5]);
  });

  test("white space between cells is one sign wherever a file is cut into pieces", async () => {
    const count = 20_000;
    const lines = Array.from({ length: count }, (_, row) => `  ${row}.5e+00   -${row % 7}.25e-01\tx${row % 2}  `);
    const dataset = await openTable(table(lines.join("\n"), "t.txt"), { normalise: "none" });
    expect([dataset.count, dataset.shape]).toEqual([count, [4]]);
    const values = await readAll(dataset);
    const expected = lines.flatMap((_, row) => [row + 0.5, -(row % 7) / 10 - 0.025, 1 - (row % 2), row % 2]);
    expect([...values]).toEqual([...Float32Array.from(expected)]);
  });

  test("words with spaces in one column stay one cell", async () => {
    const dataset = await openTable(table("what\nred house\nblue house\nred house\n"), {});
    expect(dataset.shape).toEqual([2]);
  });

  test.each([
    ["texts that recur are rows", "red,small\nblue,small\nred,big\n", 3],
    ["texts that never recur are a header", "colour,size\nblue,small\nred,big\n", 2],
    ["pandas' column numbers are a header", "0,1\n5,7\n6,9\n", 2],
    ["a text over numbers is one, whatever else stands there", "a,a,kind\n5,7,x\n6,9,kind\n", 2],
    ["a year over numbers too, where a text is over others", "rate,2020,\n5,7,x\n6,9,y\n", 2],
    ["numbers are rows", "4,1\n5,7\n6,9\n", 3],
  ])("header: %s", async (_, text, count) => {
    expect((await openTable(table(text), {})).count).toBe(count);
  });

  test("a first row that may be a header is mentioned", async () => {
    const doubtful = await openTable(table("country,2020\nA,5\nA,6\nB,7\nB,7\n"), {});
    expect(doubtful.count).toBe(5);
    expect(doubtful.record.notes).toContainEqual(
      expect.stringMatching(/^the first row \(country, 2020\).*header: yes/),
    );
    const years = await openTable(table("2019,2020,2021\n0.5,1,2\n1,0.5,0\n"), {});
    expect(years.record.notes).toEqual([expect.stringContaining("2019, 2020, 2021")]);
    const told = await openTable(table("country,2020\nA,5\nA,6\nB,7\nB,7\n"), { header: true });
    expect(told.record.notes).toEqual([]);
    expect((await openTable(table("A,5\nA,6\nB,7\nB,7\n"), {})).record.notes).toEqual([]);
  });

  test("columns that are almost numbers are mentioned, with the first cell that is none", async () => {
    const cells = Array.from({ length: 20 }, (_, row) => `${row === 4 ? "oops" : row % 7},${row % 3}`);
    const file = table(`age,b\n${cells.join("\n")}\n`);
    expect((await openTable(file, {})).record.notes).toEqual([
      expect.stringMatching(
        /^age is not taken for numbers: 1 of 20 cells are none, the first "oops" in row 5;.*age=category/,
      ),
    ]);
    expect((await openTable(file, { columns: { age: "category" } })).record.notes).toEqual([]);
    const commas = await openTable(table("a;b\n0,5;1\n1,5;2\n0,5;3\n"), {});
    expect(commas.count).toBe(3);
    expect(commas.record.notes).toEqual([
      'a is not taken for numbers: 3 of 3 cells are written with a decimal comma, separators of thousands, a currency or %, the first "0,5" in row 1; write 0.5 in its place, and so all others',
    ]);
  });

  test("columns of numbers with separators of thousands are mentioned, labels too, with how to write them", async () => {
    const rows = Array.from(
      { length: 30 },
      (_, row) => `${row % 3},"${row + 1},000",${row + 1} 500,${row}.250,${row % 7}`,
    );
    const file = table(`a,price,area,c,y\n${rows.join("\n")}\n`);
    const notes = async (options: OpenOptions) => (await openTable(file, options)).record.notes;
    const price = expect.stringMatching(
      /^price is not .* 30 of 30 .*"1,000" in row 1; write 1000 or 1\.000 in its place/,
    );
    const area = expect.stringMatching(/^area is not .*"1 500" in row 1; write 1500 in its place, and so all others$/);
    expect(await notes({})).toEqual([price, area]);
    expect(await notes({ categories: "embedding" })).toEqual([price, area]);
    expect(await notes({ labels: "price" })).toEqual([price, area]);
    expect(await notes({ columns: { price: "category", area: "drop" } })).toEqual(["area left out: as asked"]);
    await expect(notes({ columns: { price: "number" } })).rejects.toThrow(
      /required numbers in price, .* got "1,000" in row 1\. Write 1000 or 1\.000 in its place/,
    );
    // A few such cells among words make no numbers of a column.
    const words = rows.map((row, at) => (at < 3 ? '"1,000"' : "word") + row.slice(row.indexOf(",")));
    expect((await openTable(table(`a,price,area,c,y\n${words.join("\n")}\n`), {})).record.notes).toEqual([price, area]);
  });

  test("columns of dates, and of texts that name the rows, are mentioned", async () => {
    const rows = Array.from(
      { length: 30 },
      (_, row) => `2024-01-${String(1 + (row % 9)).padStart(2, "0")},n${row},${row % 2}`,
    );
    const file = table(`day,name,a\n${rows.join("\n")}\n`);
    expect((await openTable(file, {})).record.notes).toEqual([
      expect.stringMatching(/^day looks like dates \("2024-01-01"\).*9 different texts in 30 rows.*day=drop/),
      expect.stringMatching(/^name has 30 different texts in 30 rows: if it names the rows, .*name=drop/),
    ]);
    expect((await openTable(file, { columns: { day: "category", name: "category" } })).record.notes).toEqual([]);
  });

  test("nothing to learn after rows were left out says so", async () => {
    await expect(openTable(table("v,b\n1e300,1\n2e300,2\n"), { onBad: "skip" })).rejects.toThrow(
      /at least one usable row, got none, after 2 rows were left out \(.*, row 1: 1e300 in v\)\. Say what the columns are \(--columns/,
    );
    await expect(openTable(table("made by hand\na,b\n1,2\n3,4\n"), { onBad: "skip" })).rejects.toThrow(
      /at least one row, got none, after 3 rows were left out \(.*row 1: 2 cells\)/,
    );
    await expect(openTable(table("a,b\n1,2\n1,2,3\n1,2\n"), { onBad: "skip" })).rejects.toThrow(
      /constant, after 1 row was left out \(.*row 2: 3 cells\)/,
    );
  });

  test("a column whose numbers are all infinite is left out where other rows have none there", async () => {
    const file = table(`v,b\n${Array.from({ length: 6 }, (_, row) => `${row < 2 ? "inf" : ""},${row}`).join("\n")}\n`);
    const dataset = await openTable(file, { onBad: "skip" });
    expect([dataset.count, dataset.shape, dataset.record.notes]).toEqual([6, [1], ["v left out: no finite numbers"]]);
    // What was measured is written, and read again.
    const again = await openTable(file, { onBad: "skip", fitted: JSON.parse(JSON.stringify(dataset.record)) });
    expect(await readAll(again)).toEqual(await readAll(dataset));
    await expect(openTable(file, {})).rejects.toThrow(/finite numbers of at most 3\.4e38, got an infinite .* row 1, v/);
  });

  test("what was fitted on other data than a table is refused, and the other way round", async () => {
    const opened = await openTable(table("1,2\n3,5\n"), {});
    const pictures = await openTable(table("1,2\n3,5\n"), { shape: [1, 2] });
    await expect(openTable(table("1,2\n3,5\n"), { fitted: pictures.record })).rejects.toThrow(/got a table/);
    await expect(openTable(table("1,2\n3,5\n"), { shape: [1, 2], fitted: opened.record })).rejects.toThrow(
      /required a table.*got data of another kind/,
    );
  });

  test("the header can be told", async () => {
    expect((await openTable(table("1,2\n3,5\n4,4\n"), { header: true })).count).toBe(2);
    expect((await openTable(table("a,b\na,c\nd,e\n"), { header: false })).count).toBe(3);
    await expect(openTable(table("1,2\n"), { header: true })).rejects.toThrow(/only the names of columns \(1, 2\)/);
    await expect(openTable(table("a,b\n"), { header: false })).rejects.toThrow(/at least two rows.*got one/);
  });

  test.each([
    ["ragged rows", "a,b\n1,2\n3\n", /line 3/],
    ["infinite numbers", "a,b\n1,2\n3,inf\n", /infinite or larger one in row 2, b/],
    ["numbers too large for samples", "a,b\n1,2\n3,-1e39\n", /infinite or larger one in row 2, b/],
    ["a stray quote", 'a,b\n1,2"3\n4,5\n', /line 2/],
    ["an open quote", 'a,b\n1,"2\n4,5\n', /[Qq]uote/],
    ["other bytes than UTF-8", new Uint8Array([97, 44, 98, 10, 0xff, 44, 50, 10]), /UTF-8/],
    ["zero bytes", new Uint8Array(100), /UTF-8/],
    ["an empty file", "", /empty file/],
    [
      "a header alone",
      "a,b\n",
      /at least one row, got none, only the names of columns \(a, b\)\. Give a table with rows .*--header no if that line/,
    ],
    ["a header in quotes, and empty lines", '"a","b"\n\n\n', /at least one row, got none, only the names of columns/],
    ["a single row of texts and numbers", "1,x\n", /at least two rows, .*, got one\. Give a table with more rows/],
    ["a single row below a header", "a,b\n1,2\n", /at least two rows, .*, got one\./],
    ["constants alone", "1,2\n1,2\n", /column 1: constant/],
    ["a truncated gzip file", gzipSync("1,2\n3,4\n").subarray(0, 15), /gzip/],
  ])("refuses %s", async (_, text, message) => {
    const opened = openTable(table(text), {});
    await expect(opened).rejects.toBeInstanceOf(UserError);
    await expect(opened).rejects.toThrow(message);
  });

  test.each([
    ["the name of a column that has no rows", "size,kind\n", "kind", /at least one row, got none/],
    ["a column that is not there", "size,kind\n1,2\n3,4\n", "kin", /required a label column.*Did you mean kind\?/],
    ["nothing at all", "a,b\n1,\n3,\n", "b", /2 rows without one/],
    [
      "numbers that some rows lack",
      `a,b\n${Array.from({ length: 101 }, (_, row) => `${row % 3},${row}`).join("\n")}\n3,\n`,
      "b",
      /1 rows without one\. Give the rows that have one in a table of their own/,
    ],
  ])("refuses as labels %s", async (_, text, labels, message) => {
    await expect(openTable(table(text), { labels })).rejects.toThrow(message);
  });

  test.each([
    ["fractions", "classification", "b", /table\.csv: required a class in every row.*fractions such as 0\.5/],
    [
      "several columns",
      "classification",
      "a,b",
      /required a class .*got 2 label columns\. Name another column \(--labels, in compare --label-column\)/,
    ],
    ["texts", "regression", "c", /required a number in every row of the label column \(c\), got "x" in row 1/],
    ["infinite numbers", "regression", "d", /required a number .*got infinite numbers/],
  ] as const)("refuses %s as labels for %s", async (_, task, labels, message) => {
    const text = "a,b,c,d,e\n1,0.5,x,inf,1\n3,1,y,2,2\n";
    await expect(openTable(table(text), { labels, task })).rejects.toThrow(message);
  });

  test.each([
    ["texts", "a,b\n1,x\n3,\n5,w\n7,NA\n8,x\n", [1, -1, 0, -1, 1]],
    ["numbers", "a,b\n1,1\n3,\n5,0\n7,?\n8,1\n", [1, -1, 0, -1, 1]],
  ])("rows without a class, where others have %s, are samples without a label", async (_, text, labels) => {
    const dataset = await openTable(table(text), { labels: "b" });
    expect([...dataset.labels!]).toEqual(labels);
    expect(dataset.targets).toBeUndefined();
    const number = openTable(table(text), { labels: "b", task: "regression" });
    await expect(number).rejects.toThrow(
      /required a number in every row of the label column \(b\), got 2 rows without/,
    );
  });

  test("several label columns are numbers to predict, in the order asked for", async () => {
    const path = table("a,b,c\n1,0.5,10\n3,1.5,20\n");
    const dataset = await openTable(path, { labels: "c, b" });
    expect(dataset.shape).toEqual([1]);
    expect(dataset.targets).toEqual({ names: ["c", "b"], values: Float64Array.of(10, 0.5, 20, 1.5) });
    expect(dataset.labels).toBeUndefined();
    const again = await openTable(path, { fitted: dataset.record });
    expect(again.targets).toEqual(dataset.targets);
  });

  test("labels that are of no use may be missing", async () => {
    const fitted = (await openTable(table("a,b\n1,x\n3,y\n"), { labels: "b" })).record;
    for (const text of ["a,b\n1,x\n5,\n", "a\n1\n5\n"]) {
      const dataset = await openTable(table(text), { fitted, labels: "b", task: "none" });
      expect(dataset.shape).toEqual([1]);
      expect(dataset.labels).toBeUndefined();
      expect([...(await readAll(dataset))]).toEqual([-1, 3]);
    }
  });

  test("a limit takes the first rows", async () => {
    const dataset = await openTable(table("1,2\n3,5\n9,9\n"), { limit: 2, normalise: "none" });
    expect([...(await readAll(dataset))]).toEqual([1, 2, 3, 5]);
  });
});

describe("rows as pictures and signals", () => {
  const text = "0,8,16,4,a\n16,0,0,2,b\n";
  test("are reshaped, labels apart", async () => {
    const dataset = await openTable(table(text), { shape: [1, 2, 2], labels: -1, normalise: "unit" });
    expect(dataset.kind).toBe("images");
    expect(dataset.shape).toEqual([1, 2, 2]);
    expect([...(await readAll(dataset))]).toEqual([0, 0.5, 1, 0.25, 1, 0, 0, 0.125]);
    expect(dataset.classNames).toEqual(["a", "b"]);
    expect((await openTable(table(text), { shape: [2, 2], labels: 5 })).kind).toBe("signals");
  });

  test("must be as many numbers as the model takes", async () => {
    await expect(openTable(table(text), { shape: [1, 2, 2] })).rejects.toThrow(/column 5 with "a" in row 1/);
    await expect(openTable(table("1,2,3,4\n4,5,,7\n"), { shape: [1, 2, 2] })).rejects.toThrow(
      /column 3 with nothing in row 2/,
    );
    await expect(openTable(table("1,2,3,4\n4,5,inf,7\n"), { shape: [1, 2, 2] })).rejects.toThrow(
      /column 3 with infinity in row 2/,
    );
    await expect(openTable(table("1,2,3\n4,5,6\n"), { shape: [1, 2, 2] })).rejects.toThrow(/got 3 columns/);
    await expect(openTable(table("1,2,3,4,5\n4,5,6,7,8\n"), { shape: [1, 2, 2] })).rejects.toThrow(
      /got 5 columns\. If one column holds the labels, name it \(--labels, in compare --label-column\); else leave it out \(--columns NAME=drop\)\./,
    );
  });

  test("leave out the columns that the user drops, and say so", async () => {
    const named = table("id,a,b,c,d\nn1,1,2,3,4\nn2,4,5,6,7\n");
    await expect(openTable(named, { shape: [1, 4] })).rejects.toThrow(/id with "n1" in row 1/);
    const dataset = await openTable(named, { shape: [1, 4], columns: { id: "drop" }, normalise: "none" });
    expect([...(await readAll(dataset))]).toEqual([1, 2, 3, 4, 4, 5, 6, 7]);
    expect(dataset.record.notes).toEqual(["id left out: as asked"]);
  });

  test("are counted where they are damaged and left out, with labels and without", async () => {
    const damaged = table("a,b,c,d,y\n1,2,3,4,0\n1,2\n4,5,inf,7,1\n4,5,6,7,1\n");
    for (const options of [{ shape: [1, 4], labels: "y" }, { shape: [1, 5] }]) {
      const dataset = await openTable(damaged, { ...options, onBad: "skip" });
      expect(dataset.count).toBe(2);
      expect(dataset.record.badRows).toEqual({
        count: 2,
        rows: [expect.stringMatching(/row 2: 2 cells$/), expect.stringMatching(/row 3: inf in c$/)],
      });
    }
    await expect(openTable(table("a,b\ninf,1\n2,inf\n"), { shape: [1, 2], onBad: "skip" })).rejects.toThrow(
      /at least one usable row, got none, after 2 rows were left out/,
    );
  });

  test("are told with what is doubtful in how the table is read", async () => {
    const years = `2019,2020,2021\n${"1,2,3\n4,5,6\n".repeat(3)}`;
    const { notes } = (await openTable(table(years), { shape: [1, 3] })).record;
    expect(notes).toEqual([expect.stringMatching(/^the first row \(2019, 2020, 2021\) is taken for a sample/)]);
  });
});

test("a table of very many columns is read as a narrow one is, with texts, gaps and constants among the numbers", async () => {
  const width = 1500;
  const cell = (row: number, column: number) =>
    column === 3
      ? "xyz"[row % 3]
      : column === 4
        ? "7"
        : column === 5 && row === 2
          ? ""
          : column === 6
            ? `${row}.0`
            : `${row * column}`;
  const lines = Array.from({ length: 12 }, (_, row) => Array.from({ length: width }, (_, column) => cell(row, column)));
  const text = (columns: number) =>
    [Array.from({ length: columns }, (_, column) => `c${column}`), ...lines.map((line) => line.slice(0, columns))]
      .map((line) => line.join(","))
      .join("\n");
  const [wide, narrow] = [await openTable(table(text(width)), {}), await openTable(table(text(12)), {})];
  const columnsOf = ({ record }: typeof wide) => (record.table as { columns: { index: number }[] }).columns;
  expect(columnsOf(wide).filter(({ index }) => index < 12)).toEqual(columnsOf(narrow));
  // Column 0 and 4 are constant, 3 has three categories, 5 an indicator.
  expect([narrow.shape, wide.shape]).toEqual([[12 - 2 + 2 + 1], [width - 2 + 2 + 1]]);
  const [first] = rows(await readAll(narrow), 13);
  expect(rows(await readAll(wide), width + 1)[0].slice(0, 13)).toEqual(first);
});

test("a line that never ends is refused, at the beginning and later", async () => {
  const long = "1,".repeat(6e6);
  await expect(openTable(table(long), {})).rejects.toThrow(/at most 10,000,000 characters, got .* line 1\./);
  const rowsBefore = "1,2\n3,4\n".repeat(600);
  await expect(openTable(table(`a,b\n${rowsBefore}${long}`), {})).rejects.toThrow(/begins in line 1202\./);
});

const digits = sharedData("optdigits.csv.gz");
test.skipIf(digits.missing)(`handwritten digits${digits.missing ? `: ${digits.missing}` : ""}`, async () => {
  const pictures = await openTable(digits.path, { shape: [1, 8, 8], labels: 65, normalise: "unit" });
  expect([pictures.count, pictures.classNames?.length]).toEqual([1797, 10]);
  expect((await readAll(pictures)).slice(2, 5)).toEqual(new Float32Array([5 / 16, 13 / 16, 9 / 16]));
  const vectors = await openTable(digits.path, { shape: [64], labels: -1 });
  expect(vectors.kind).toBe("table");
  await expect(openTable(digits.path, { shape: [1, 8, 8] })).rejects.toThrow(/holds the labels/);
});

const [adult, adultTest] = [sharedData("adult-train.csv.gz"), sharedData("adult-test.csv.gz")];
test.skipIf(adult.missing)(`the census table${adult.missing ? `: ${adult.missing}` : ""}`, async () => {
  const training = await openTable(adult.path, { labels: 15, limit: 5000 });
  expect(training.classNames).toEqual(["<=50K", ">50K"]);
  expect(training.oneHotGroups?.length).toBe(8);
  // The classes end with a full stop in the test file.
  const testing = await openTable(adultTest.path, { fitted: training.record, limit: 1000 });
  expect(testing.shape).toEqual(training.shape);
  expect(new Set(testing.labels)).toEqual(new Set([0, 1]));
});
