import { expect, test } from "vitest";
import { Console } from "../../src/cli/console.js";
import { RecordingStream } from "../support/recording-stream.js";

function setUp({ json = false, terminal = false, variables = { LANG: "C.UTF-8" } as Record<string, string> } = {}) {
  const stdout = new RecordingStream(terminal);
  const stderr = new RecordingStream(terminal);
  let time = 0;
  const console = new Console({ stdout, stderr, json, variables, now: () => time });
  return { stdout, stderr, console, pass: (milliseconds: number) => (time += milliseconds) };
}

test("text goes to stdout, warnings to stderr, records nowhere", () => {
  const { console, stdout, stderr } = setUp();
  console.line("one");
  console.line();
  console.event({ type: "step" });
  console.warn("careful");
  expect(stdout.text).toBe("one\n\n");
  expect(stderr.text).toBe("warning: careful\n");
});

test("with --json, text goes to stderr and stdout holds records alone", () => {
  const { console, stdout, stderr } = setUp({ json: true });
  console.line("one");
  console.event({ type: "step", loss: Number.NaN, name: "line\nfeed" });
  console.warn("careful");
  console.table(["a"], [["b"]]);
  console.progress("train", 2, "steps").update(2);
  expect(stdout.lines.map((line) => JSON.parse(line))).toEqual([
    { type: "step", loss: null, name: "line\nfeed" },
    { type: "warning", message: "careful" },
  ]);
  expect(stderr.lines.slice(0, 2)).toEqual(["one", "warning: careful"]);
});

test("text cannot steer the terminal", () => {
  const { console, stdout } = setUp();
  console.line("\u001b]0;title\u0007");
  console.table(["layer"], [["\u001b[31m\nred"]]);
  expect(stdout.text).not.toContain("\u001b");
  expect(stdout.text).not.toContain("\u0007");
});

test("a table has columns as wide as they need", () => {
  const { console, stdout } = setUp();
  console.table(["layer", "shape", "share"], [["conv1", "16×26×26", "7 %"], ["層", "1", "100 %"], ["short"]]);
  expect(stdout.lines).toEqual([
    "layer     shape  share",
    "─────  ────────  ─────",
    "conv1  16×26×26    7 %",
    "層            1  100 %",
    "short",
  ]);
});

test("a terminal without UTF-8 gets ASCII", () => {
  for (const variables of [
    { LANG: "C" },
    { LC_ALL: "POSIX", LANG: "en_GB.UTF-8" },
    { LANG: "C.UTF-8", TERM: "dumb" },
  ]) {
    const { console, stdout } = setUp({ variables });
    expect(console.unicode).toBe(false);
    console.table(["a"], [["b"]]);
    expect(stdout.lines[1]).toBe("-");
  }
  expect(setUp({ variables: { LC_ALL: "", LANG: "en_GB.utf8" } }).console.unicode).toBe(true);
});

test("lines come between a bar's pictures, and the bar is drawn again", () => {
  const { console, stdout, pass } = setUp({ terminal: true });
  const progress = console.progress("train", 4, "steps");
  pass(1000);
  progress.update(2, "loss 0.5");
  console.line("a remark");
  expect(stdout.text).toContain("\r\u001b[Ka remark\n");
  expect(stdout.text.slice(stdout.text.indexOf("a remark"))).toContain("train");
  console.end();
  const ended = stdout.text;
  console.line("after");
  expect(stdout.text).toBe(`${ended}after\n`);
});

test("a terminal that does not say how wide it is has the usual width", () => {
  const stream = new RecordingStream(true);
  const console = new Console({ stdout: stream, stderr: stream, json: false, variables: {} });
  stream.columns = 0;
  expect(console.width).toBe(80);
  stream.columns = 100;
  expect(console.width).toBe(100);
  stream.columns = 10;
  expect(console.width).toBe(40);
});
