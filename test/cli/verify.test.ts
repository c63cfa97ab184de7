import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import { newModel } from "../../src/library/new-model.js";
import { RecordingStream } from "../support/recording-stream.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();

async function run(...words: string[]) {
  const stdout = new RecordingStream();
  const stderr = new RecordingStream();
  const signal = new AbortController().signal;
  const status = await runProgram(["verify", ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

test("exits with 0 where all fits and with 1 where a tensor does not", async () => {
  const model = join(folder, "model.onnx");
  await newModel({ template: "mlp", inputShape: [4], widths: [3], classes: 2, output: model });
  const { graph } = readOnnx(readFileSync(model), { where: model });
  const whole = join(folder, "whole.safetensors");
  writeFileSync(whole, writeSafetensors(graph.initializers));
  const fits = await run(whole, model);
  expect(fits).toMatchObject({ status: 0 });
  expect(fits.stdout).toContain("0 changed, 4 the same, 0 of the head, 0 left as they are, 0 that do not fit");

  const part = join(folder, "part.safetensors");
  const [first, ...rest] = [...graph.initializers];
  writeFileSync(part, writeSafetensors(new Map(rest)));
  const misses = await run(part, model);
  expect(misses.status).toBe(1);
  expect(misses.stdout).toMatch(new RegExp(`${first[0]} +MISSING`));
  expect(misses.stderr).toMatch(/got 1 that do not/);

  const json = await run(part, model, "--json");
  expect(json.status).toBe(1);
  const records = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records[0]).toMatchObject({ type: "verify", mismatches: 1, tensors: expect.any(Array) });
  expect(records.at(-1)).toMatchObject({ type: "error" });
});

test("needs both files", async () => {
  expect((await run("weights.safetensors")).status).toBe(2);
});
