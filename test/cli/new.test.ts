import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { asCalled } from "../../src/cli/as-called.js";
import { runProgram } from "../../src/cli/program.js";
import { shellWord } from "../../src/library/shell-word.js";
import { RecordingStream } from "../support/recording-stream.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();

async function run(...words: string[]) {
  const stdout = new RecordingStream();
  const stderr = new RecordingStream();
  const signal = new AbortController().signal;
  const status = await runProgram(["new", ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

test("writes a network and says what to do next", async () => {
  const output = join(folder, "my model.onnx");
  const result = await run("cnn", "--input-shape", "1x8x8", "--widths", "4,8", "--classes", "3", "--output", output);
  expect(result).toMatchObject({ status: 0, stderr: "" });
  expect(result.stdout).toContain(`Next: ${asCalled()} init ${shellWord(output)} --data PATH`);
  expect(existsSync(output)).toBe(true);

  const again = await run("cnn", "--input-shape", "1x8x8", "--output", output);
  expect(again).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("pass --overwrite") });
  expect(await run("cnn", "--input-shape", "1x8x8", "--output", output, "--overwrite")).toMatchObject({ status: 0 });
});

test("says how a shape with its channels last is taken", async () => {
  const output = join(folder, "last.onnx");
  const last = await run("cnn", "--input-shape", "28,28,1", "--output", output);
  expect(last.stdout).toContain("note: a sample is 28 channels of 28x1");
  expect(last.stdout).toContain("pass --input-shape 1,28,28\n");
  const first = await run("cnn", "--input-shape", "1,28,28", "--output", output, "--overwrite");
  expect(first.stdout).not.toContain("note:");
});

test("hands every option on", async () => {
  const output = join(folder, "b.onnx");
  const words =
    "mlp --input-shape 4 --depth 2 --activation tanh --normalization batch --initializer he --seed 3 --json";
  const result = await run(...words.split(" "), "--output", output);
  expect(result.status).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({ type: "done", output, parameters: expect.any(Number) });
  expect((await run("mlp", "--input-shape", "4", "--kernel", "3", "--output", output)).stderr).toContain("kernel");
});

test("refuses what does not fit in one line", async () => {
  const output = join(folder, "never.onnx");
  for (const words of [
    ["lstm", "--input-shape", "4"],
    ["cnn", "--input-shape", "4"],
    ["mlp", "--input-shape", "0"],
  ]) {
    const result = await run(...words, "--output", output);
    expect(result.status).toBeGreaterThan(0);
    expect(result.stderr).toMatch(/^headstart: .*\n$/);
  }
  expect(existsSync(output)).toBe(false);
});
