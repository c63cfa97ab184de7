import { expect, test } from "vitest";
import { barProgress, duration, plainProgress } from "../../src/cli/progress.js";
import { RecordingStream } from "../support/recording-stream.js";

function plain(total: number, millisecondsAStep: number) {
  const lines: string[] = [];
  let time = 0;
  const progress = plainProgress({
    label: "train",
    total,
    unit: "steps",
    now: () => time,
    write: (line) => lines.push(line),
  });
  for (let step = 1; step <= total; step++) {
    time += millisecondsAStep;
    progress.update(step, `loss ${step}`);
  }
  return lines;
}

test("plain lines come at each tenth, with rate and time left", () => {
  const lines = plain(100, 500);
  // The first step may have prepared for the others.
  expect(lines[0]).toBe("train: 1%, 1/100 steps, loss 1");
  expect(lines[1]).toBe("train: 11%, 11/100 steps, 2.0/s, 45 s left, loss 11");
  expect(lines.at(-1)).toBe("train: 100%, 100/100 steps, 2.0/s, 50 s in all, loss 100");
  expect(lines).toHaveLength(11);
});

test("what was done before counts for the share, not for the rate", () => {
  const lines: string[] = [];
  const stream = new RecordingStream(true);
  let time = 0;
  const options = { label: "train", total: 100, unit: "steps", before: 60, now: () => time };
  const displays = [
    plainProgress({ ...options, write: (line) => lines.push(line) }),
    barProgress({ ...options, stream, unicode: false }),
  ];
  expect(stream.text).toContain("60% | 60/100 steps");
  time = 5000;
  for (const display of displays) display.update(70);
  expect(lines).toEqual(["train: 70%, 70/100 steps, 2.0/s, 15 s left"]);
  expect(stream.text).toContain("70% | 70/100 steps, 2.0/s, 15 s left");
});

test("a quick job says little, a slow one is heard of every ten seconds", () => {
  expect(plain(1000, 0.1)).toHaveLength(2);
  expect(plain(1000, 1000)).toHaveLength(101);
});

test("an amount that stays is told again after ten seconds, with what is done meanwhile", () => {
  const lines: string[] = [];
  let time = 0;
  const progress = plainProgress({
    label: "train",
    total: 9,
    unit: "steps",
    now: () => time,
    write: (line) => lines.push(line),
  });
  for (let layer = 0; layer < 22; layer++, time += 1000) progress.update(1, `layers ${layer}/22`);
  expect(lines).toEqual(
    [0, 10, 20].map((layer) => expect.stringMatching(`^train: 11%, 1/9 steps.*, layers ${layer}/22$`)),
  );
});

test("the same state is told once", () => {
  const lines: string[] = [];
  const progress = plainProgress({
    label: "read",
    total: 0,
    unit: "files",
    now: () => 0,
    write: (line) => lines.push(line),
  });
  progress.update(0);
  progress.update(0);
  progress.end();
  expect(lines).toEqual(["read: 100%, 0/0 files"]);
});

test("a bar shows share, count, pace and remark", () => {
  const stream = new RecordingStream(true);
  let time = 0;
  const bar = barProgress({
    label: "train",
    total: 4,
    unit: "steps",
    now: () => time,
    stream,
    unicode: false,
  });
  time = 2000;
  bar.update(1, "loss 0.7");
  expect(stream.text).toContain("train ######------------------ 25% | 1/4 steps | loss 0.7");
  time = 6000;
  bar.update(3, "loss 0.5");
  expect(stream.text).toContain("train ##################------ 75% | 3/4 steps, 0.50/s, 2 s left | loss 0.5");
  const drawn = stream.text;
  bar.update(3);
  expect(stream.text).toBe(drawn);
  bar.end();
  bar.end();
  expect(stream.text).toMatch(/ 75% \| 3\/4 steps[^\n]*\n$/);
  const ended = stream.text;
  bar.hide();
  bar.show();
  expect(stream.text).toBe(ended);
});

test.each([
  [0.2, "1 s"],
  [59, "59 s"],
  [125, "2 min 5 s"],
  [11_520, "3 h 12 min"],
])("%f seconds are %s", (seconds, said) => {
  expect(duration(seconds)).toBe(said);
});

test("a bar never wraps its line", () => {
  const stream = new RecordingStream(true);
  stream.columns = 30;
  const bar = barProgress({ label: "a long label", total: 4, unit: "steps", now: () => 0, stream, unicode: true });
  bar.update(4, "and a remark that goes on and on");
  bar.end();
  for (const picture of stream.text.split(/\r|\n/))
    expect([...picture.replace("\u001b[K", "")].length).toBeLessThan(30);
});

test("where nobody knows the total only what is done is told", () => {
  const lines: string[] = [];
  const progress = plainProgress({
    label: "fetch",
    total: Number.POSITIVE_INFINITY,
    unit: "bytes",
    now: () => 0,
    write: (line) => lines.push(line),
  });
  progress.update(12);
  expect(lines).toEqual(["fetch: 12 bytes"]);
  const stream = new RecordingStream(true);
  const options = { label: "fetch", total: Number.POSITIVE_INFINITY, unit: "bytes", unicode: false };
  barProgress({ ...options, now: () => 0, stream }).update(12);
  expect(stream.text).toContain("fetch 0 bytes");
});

test.each([
  [20, "train ░░░░░░░░░░░░░"],
  [0, "train ░░░░░░░░░░░░░░░░░░░░░░░░ 0% | 0/9 steps"],
])("a bar stays on its line where the terminal says that it has %i columns", (columns, drawn) => {
  const stream = new RecordingStream(true);
  stream.columns = columns;
  barProgress({ label: "train", total: 9, unit: "steps", now: () => 0, stream, unicode: true });
  expect(stream.text).toBe(`\r${drawn}\u001b[K`);
});

test("a bar counts wide signs as two columns", () => {
  const stream = new RecordingStream(true);
  stream.columns = 12;
  const bar = barProgress({ label: "層層層層層層層", total: 9, unit: "", now: () => 0, stream, unicode: true });
  bar.end();
  expect(stream.text).toBe("\r層層層層層\u001b[K\r層層層層層\u001b[K\n");
});
