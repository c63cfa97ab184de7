import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Console } from "../../src/cli/console.js";
import { progressOf } from "../../src/cli/init.js";
import { runProgram } from "../../src/cli/program.js";
import { idxFile } from "../data/array-files.js";
import { RecordingStream } from "../support/recording-stream.js";
import { barFile, barPictures, folderWith, toyModel } from "../support/toy-data.js";

const model = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4] });

async function init(words: readonly string[], signal = new AbortController().signal) {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const status = await runProgram(["init", ...words], { stdout, stderr, signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

function material() {
  const path = folderWith({ "net.onnx": model, "train-images-idx3-ubyte": barFile(40) });
  const words = [path("net.onnx"), "--data", path("train-images-idx3-ubyte"), "--output", path("run")];
  return { path, words: [...words, ..."--steps 3 --batch-size 8 --threads 1".split(" ")] };
}

describe("headstart init", () => {
  test("prints what it sees, what came out, and how to load it", async () => {
    const { words, path } = material();
    const { status, stdout } = await init(words);
    expect(status).toBe(0);
    expect(stdout).toContain("40 samples of 1x8x8; features: flatten/Flatten_output; recipe default");
    expect(stdout).toMatch(/^data: idx; values from 20 to 219, mean [\d.]+, deviation [\d.]+$/m);
    expect(stdout).toMatch(/pretraining: 100%, 3\/3 steps.*, G [\d.]+ {2}D [\d.]+/);
    expect(stdout).toMatch(/G\(x\) is [\d.e-]+ from its x, [\d.e-]+ from another sample/);
    expect(stdout).toMatch(/pre-activations of features\.0\.weight +-?[\d.]+ ± [\d.]+/);
    expect(stdout).toMatch(/effective rank of the features +[\d.]+ +[\d.]+/);
    expect(stdout).toContain(`weights: ${path("run/weights.safetensors")}`);
    for (const framework of ["PyTorch:", "ONNX Runtime:"]) expect(stdout).toContain(framework);
    expect(stdout).not.toMatch(/NaN|undefined|\[object/);
    expect(existsSync(path("run/weights.safetensors"))).toBe(true);
  });

  test("says after self-training, and not after others, that the network is to be measured as it is", async () => {
    const { pixels, labels } = barPictures(40);
    const path = folderWith({
      "net.onnx": toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4], classes: 2 }),
      "train-images-idx3-ubyte": idxFile(8, [40, 8, 8], pixels),
      "train-labels-idx1-ubyte": idxFile(8, [40], labels),
    });
    const options = "--recipe rotation --steps 1 --threads 1".split(" ");
    const words = [path("net.onnx"), "--data", path("train-images-idx3-ubyte"), ...options];
    const means = await init([...words, "--output", path("means"), "--head", "class-means"]);
    const taught = ["--head", "self-training", "--self-training-steps", "2"];
    const trained = await init([...words, "--output", path("trained"), ...taught]);
    const advice = /^next: {4}measure the network as it is; with few labels, training it on/m;
    expect(trained).toMatchObject({ status: 0, stdout: expect.stringMatching(advice) });
    expect(means.status).toBe(0);
    expect(means.stdout).not.toMatch(advice);
    // Without D there is no G.
    expect(means.stdout).toMatch(/; recipe rotation\n/);
    expect(means.stdout).toMatch(/pretraining: 100%, 1\/1 steps.*, loss [\d.]+ {2}task [\d.]+\n/);
    expect(means.stdout).toMatch(/^F solves the rotation task in [\d.]+ % of the cases$/m);
  });

  test("names the option of a learning rate that would teach nothing", async () => {
    const { words } = material();
    for (const flag of ["--learning-rate", "--discriminator-learning-rate"])
      expect(await init([...words, flag, "0"])).toMatchObject({
        status: 2,
        stderr: expect.stringContaining(`${flag}: required a number of at least 1e-12, got "0"`),
      });
  });

  test("names the devices, and refuses others", async () => {
    const { words } = material();
    expect(await init([...words, "--device", "gpu"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("--device: required one of cpu, webgpu, cuda, dml, coreml"),
    });
    expect((await init(["--help"])).stdout).toContain("--device <DEVICE>");
  });

  test("--json gives one record a line on stdout", async () => {
    const { words } = material();
    const { status, stdout, stderr } = await init([...words, "--json"]);
    expect(status).toBe(0);
    const records = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const types = records.map(({ type }) => type);
    expect(types[0]).toBe("started");
    expect(types.at(-1)).toBe("done");
    expect(types.filter((type) => type === "step").length).toBe(3);
    expect(records.at(-1)).toMatchObject({ weightsFile: expect.any(String), run: { steps: 3 } });
    expect(records.at(-1)).not.toHaveProperty("weights");
    expect(stderr).toContain("pretraining");
  });

  test("hands its options on", async () => {
    const { words, path } = material();
    const more = [
      ..."--recipe autoencoder --learning-rate 0.002 --start orthogonal --seed 5 --normalise 0.5/0.25".split(" "),
      ..."--limit 20 --checkpoint-every 1 --layout NCHW --discriminator mlp".split(" "),
    ];
    expect(await init([...words, ...more])).toMatchObject({ status: 0 });
    expect(JSON.parse(readFileSync(path("run/run.json"), "utf8"))).toMatchObject({
      seed: 5,
      steps: 3,
      batchSize: 8,
      threads: 1,
      data: { count: 20 },
      recipe: { name: "autoencoder", start: "orthogonal", generatorOptimizer: { learningRate: 0.002 } },
    });
    expect(existsSync(path("run/checkpoints/step-000000003.safetensors"))).toBe(true);
  });

  test("an interruption ends with its own status, and --resume goes on", async () => {
    const { words, path } = material();
    const interruption = new AbortController();
    const run = init([...words, "--checkpoint-every", "1", "--json"], interruption.signal);
    const timer = setInterval(() => {
      if (existsSync(path("run/run.json"))) interruption.abort();
    }, 1);
    const { status, stderr } = await run;
    clearInterval(timer);
    expect(status).toBe(130);
    expect(stderr).toMatch(/headstart: stopped .*--resume\n$/);
    expect(existsSync(path("run/weights.safetensors"))).toBe(false);
    const resumed = await init([...words, "--checkpoint-every", "1", "--resume"]);
    expect(resumed.status).toBe(0);
    expect(existsSync(path("run/weights.safetensors"))).toBe(true);
  });

  test.each([
    ["--transform", ""],
    ["--normalise", ""],
    ["--output", ""],
    ["--normalise", "0.5/0"],
    ["--normalise", "a/b"],
    ["--normalise", "0.5,/1,1"],
    ["--header", "maybe"],
  ])("%s %s is refused", async (option, value) => {
    const { words, path } = material();
    const { status, stderr } = await init([...words, option, value]);
    expect(status).toBeGreaterThan(0);
    expect(stderr).toMatch(/^headstart: [^\n]*required [^\n]*, got [^\n]*\. [^\n]*\n$/);
    expect(existsSync(path("run"))).toBe(false);
  });
});

test("progressOf prints warnings on stderr and notes among the lines", () => {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const progress = progressOf(new Console({ stdout, stderr, json: false, variables: {} }));
  progress({ type: "note", message: "D is small" });
  progress({ type: "warning", warning: { kind: "collapse", message: "G gives\u001b[2J the same" } });
  progress({ type: "checkpoint", step: 3 });
  expect(stdout.text).toBe("note: D is small\n");
  expect(stderr.text).toBe("warning: G gives\ufffd[2J the same\n");
});

test("progressOf shows the layers that are looked at between two steps, and then the last step again", () => {
  const [stdout, stderr] = [new RecordingStream(true), new RecordingStream()];
  const progress = progressOf(new Console({ stdout, stderr, json: false, variables: {}, now: () => 0 }));
  progress({ type: "training", steps: 1, done: 0 });
  progress({ type: "step", step: 1, steps: 1, epoch: 1, metrics: { "generator/loss": 1.5 } });
  for (const done of [1, 2]) progress({ type: "measuring", what: "layers", done, total: 2 });
  const drawn = stdout.text.split("\r").map((line) => line.split(" | ").slice(1).join(" | "));
  expect(drawn.slice(-3)).toEqual([
    expect.stringMatching(/^1\/1 steps.* \| loss 1\.50/),
    expect.stringMatching(/^1\/1 steps.* \| layers 1\/2/),
    expect.stringMatching(/^1\/1 steps.* \| loss 1\.50/),
  ]);
});

test("progressOf shows self-training by itself, also where it goes on in its middle", () => {
  const [stdout, stderr] = [new RecordingStream(true), new RecordingStream()];
  const progress = progressOf(new Console({ stdout, stderr, json: false, variables: {}, now: () => 0 }));
  progress({ type: "training", steps: 3, done: 3 });
  for (const step of [7, 8]) progress({ type: "self-training", step, steps: 8, metrics: { confident: 0.5 } });
  const drawn = stdout.text.split("\r");
  expect(drawn.at(-1)).toMatch(/^.*self-training.* 8\/8 steps.*50 % sure/);
  expect(drawn.some((line) => /pretraining.*8\/8/.test(line))).toBe(false);
});
