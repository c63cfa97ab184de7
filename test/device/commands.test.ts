import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { idxFile } from "../data/array-files.js";
import { RecordingStream } from "../support/recording-stream.js";
import { barFile, barPictures, folderWith, toyModel } from "../support/toy-data.js";
import { needWebgpu } from "./webgpu-device.js";

needWebgpu();

const model = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] });

async function headstart(...words: string[]) {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const signal = new AbortController().signal;
  const status = await runProgram(words, { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

it("init trains on the device, records it, and goes on there only", async () => {
  const path = folderWith({ "net.onnx": model, "train-images-idx3-ubyte": barFile(40) });
  const words = [path("net.onnx"), "--data", path("train-images-idx3-ubyte"), "--output", path("run")];
  const init = (steps: number, ...more: string[]) =>
    headstart("init", ...words, `--steps=${steps}`, "--batch-size=8", "--checkpoint-every=1", ...more);
  const { status, stdout, stderr } = await init(2, "--device=webgpu");
  expect(stderr).not.toContain("headstart:");
  expect(status).toBe(0);
  expect(stdout).not.toContain("note: webgpu cannot run");
  expect(stdout).not.toContain("does not compute what the CPU computes");
  expect(JSON.parse(readFileSync(path("run/run.json"), "utf8"))).toMatchObject({ device: "webgpu", steps: 2 });
  expect(await init(3, "--resume")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('another device: "cpu" instead of "webgpu"'),
  });
  expect(await init(3, "--resume", "--device=webgpu")).toMatchObject({ status: 0 });
});

it("compare computes one trial at a time, all of it on the device", async () => {
  const files = (name: string, count: number, seed: number) => {
    const { pixels, labels } = barPictures(count, 8, seed);
    return {
      [`${name}-images-idx3-ubyte`]: idxFile(8, [count, 8, 8], pixels),
      [`${name}-labels-idx1-ubyte`]: idxFile(8, [count], labels),
    };
  };
  const path = folderWith({ "net.onnx": model, ...files("train", 60, 0), ...files("t10k", 20, 1) });
  const words = [path("net.onnx"), "--data", path("train-images-idx3-ubyte"), "--test", path("t10k-images-idx3-ubyte")];
  const compare = (...more: string[]) =>
    headstart(
      "compare",
      ...words,
      ...["--output", path("study"), "--arms=he,autoencoder", "--labels=20", "--steps=5", "--seeds=1"],
      ...["--batch-size=8", "--pretraining-epochs=0.2", "--longest-extension=0", "--device=webgpu", ...more],
    );
  expect(await compare("--workers=2")).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/workers: required 1 with the device webgpu.*got 2/),
  });
  const { status, stdout, stderr } = await compare();
  expect(stderr).not.toContain("headstart:");
  expect(status).toBe(0);
  expect(stdout).toContain("1 side by side");
  expect(stdout).not.toContain("note: webgpu cannot run");
  expect(stdout).not.toContain("does not compute what the CPU computes");
  expect(JSON.parse(readFileSync(path("study/study.json"), "utf8")).plan).toMatchObject({ device: "webgpu" });
});
