import { expect, test } from "vitest";
import { defineCommand, readArguments } from "../../src/cli/command.js";
import { byDefault, flag, required, whole, wholes } from "../../src/cli/options.js";
import { UsageError } from "../../src/errors.js";

const command = defineCommand({
  name: "knit",
  description: "Knits.",
  arguments: [
    { name: "pattern", description: "what to knit" },
    { name: "colour", description: "in which colour", required: false },
  ],
  options: {
    needleSize: byDefault(whole("MM", "size of the needles", { min: 1 }), 4),
    rows: required(wholes("LIST", "rows of each part")),
    purl: flag("purl every other row"),
  },
  examples: ["headstart knit sock --rows 20,30"],
  run: async () => {},
});

const usage = (words: string[], message: string) => {
  expect(() => readArguments(command, words)).toThrow(UsageError);
  expect(() => readArguments(command, words)).toThrow(message);
};

test("reads arguments and options, and fills in the rest", () => {
  expect(readArguments(command, ["sock", "--rows", "20,30"])).toEqual({
    kind: "run",
    arguments: ["sock", undefined],
    options: { needleSize: 4, rows: [20, 30], purl: false, json: false, debug: false },
  });
  expect(readArguments(command, ["--purl", "sock", "red", "--rows=1", "--needle-size", "7", "--json"])).toMatchObject({
    arguments: ["sock", "red"],
    options: { needleSize: 7, rows: [1], purl: true, json: true },
  });
});

test("reading twice gives the same: nothing stays from one time to the next", () => {
  readArguments(command, ["sock", "--rows", "1", "--needle-size", "7", "--purl"]);
  expect(readArguments(command, ["sock", "--rows", "2"])).toMatchObject({ options: { needleSize: 4, purl: false } });
});

test("an unknown option names the nearest, before any other complaint", () => {
  usage(
    ["sock", "--row", "1"],
    "--row: required an option of headstart knit, got an unknown one. The nearest is --rows.",
  );
  usage(["sock", "--neddle-size=3"], "The nearest is --needle-size.");
});

test("an option that other commands call otherwise is named, and where data belongs", () => {
  const { name, description, options, arguments: words = [] } = command;
  const data = { ...whole("N", "data"), elsewhere: "wool" };
  const other = defineCommand({
    name,
    description,
    arguments: words,
    options: { ...options, data },
    run: async () => {},
  });
  const refused = (given: string[]) => expect(() => readArguments(other, given));
  refused(["sock", "--wool", "3"]).toThrow("got an unknown one. The nearest is --data.");
  refused(["sock", "red", "blue"]).toThrow("got 3. Data is named by --data; a pattern needs quotes");
  expect(() => readArguments(command, ["sock", "red", "blue"])).toThrow("got 3. See headstart knit --help.");
});

test("complains of what is missing, surplus or does not fit", () => {
  usage(["sock"], "--rows: required rows of each part, got nothing. See headstart knit --help.");
  usage(["--rows", "1"], "missing required argument 'pattern'. See headstart knit --help.");
  usage(["sock", "red", "blue", "--rows", "1"], "too many arguments");
  usage(["sock", "--rows", "1", "--needle-size", "0"], '--needle-size: required a whole number of at least 1, got "0"');
  usage(["sock", "--rows"], "argument missing");
});

test("help is made from the table", () => {
  const help = readArguments(command, ["--help"]);
  expect(help).toMatchObject({ kind: "help" });
  expect((help as { text: string }).text).toMatchInlineSnapshot(`
    "Usage: headstart knit [options] <pattern> [colour]

    Knits.

    Arguments:
      pattern             what to knit
      colour              in which colour

    Options:
      --needle-size <MM>  size of the needles (default: 4)
      --rows <LIST>       rows of each part (required)
      --purl              purl every other row
      --json              print one JSON object a line on stdout, and text for people on stderr
      --debug             print stack traces
      -h, --help          show this help

    Examples:
      headstart knit sock --rows 20,30

    "
  `);
});
