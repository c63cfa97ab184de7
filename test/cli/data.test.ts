import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { solidPicture } from "../data/solid-picture.js";
import { temporaryFolder } from "../data/temporary-folder.js";
import { RecordingStream } from "../support/recording-stream.js";

async function run(...words: string[]) {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const signal = new AbortController().signal;
  const status = await runProgram(["data", ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

test("shows pictures, draws them, and gives a record", async () => {
  const folder = temporaryFolder({
    "a/1.png": await solidPicture([10, 20, 30]),
    "b/2.png": await solidPicture([40, 50, 60]),
    "b/3.png": "rubbish",
  });
  const output = join(temporaryFolder(), "grid.png");
  const { status, stdout, stderr } = await run(folder, "--output", output);
  expect(status).toBe(0);
  for (const line of ["2 samples of 3x4x4", "sizes: 4x4 RGB (2)", "2 classes: a (1), b (1)", "no duplicates"]) {
    expect(stdout).toContain(line);
  }
  expect(stdout).toMatch(/b\/3\.png: .*\n.*suggested: --normalise 0\./s);
  expect(stderr).toContain("1 cannot be used");
  expect(existsSync(output)).toBe(true);
  expect(await run(folder, "--output", output)).toMatchObject({ status: 1, stdout: "" });
  const json = await run(folder, "--output", output, "--overwrite", "--json");
  const records = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.at(-1)).toMatchObject({ type: "data", count: 2, unusableCount: 1, gridFile: output });
});

test("shows a table with its options; refuses what is none in one line", async () => {
  const folder = temporaryFolder({ "t.csv": "a,b,y\n1,x,0\n2,y,1\n3,x,0\n1,x,0\n" });
  const table = join(folder, "t.csv");
  const { status, stdout } = await run(table, "--labels", "y", "--columns", "b=drop", "--memory", "1GB");
  expect(status).toBe(0);
  expect(stdout).toContain("4 samples of 1\n");
  expect(stdout).toContain("2 classes: 0 (3), 1 (1)");
  expect(stdout).toContain("1 duplicates, such as samples 0 and 3");
  expect(stdout).toContain("note: b left out: as asked");
  expect(await run(join(folder, "none.csv"))).toMatchObject({ status: 1, stdout: "" });
  expect(await run(table, "--memory", "much")).toMatchObject({ status: 2 });
  expect(await run(table, "--columns", "b=text")).toMatchObject({ status: 2 });
});
