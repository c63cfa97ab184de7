/** Bad input through the program as a user starts it: one clear line, the right exit status, nothing left behind. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { RandomStream } from "../../src/random/stream.js";
import { npyFile } from "../data/array-files.js";
import { RecordingStream } from "../support/recording-stream.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { barFile, modelFile, toyModel, vectorFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const folder = sharedTemporaryFolder();

function graphOf(body: (net: TestNetwork) => string, sampleShape: readonly number[] = [4]): Graph {
  const net = new TestNetwork();
  return net.graph(sampleShape, [body(net)]);
}

/** A perceptron of 4 inputs with an operator between its layers. */
const withOperator = (op: string): Graph =>
  graphOf((net) => {
    const hidden = net.node(op, [net.node("Gemm", ["x", net.weight("w1", [4, 4])])]);
    return net.node("Gemm", [hidden, net.weight("w2", [4, 2])]);
  });

const good = withOperator("Relu");
const goodBytes = modelFile(good);
const noise = (count: number, purpose: string): Uint8Array => {
  const stream = new RandomStream(0, purpose);
  return Uint8Array.from({ length: count }, () => stream.below(256));
};
const npy = (dims: readonly number[], values: readonly number[]): Uint8Array =>
  npyFile("<f4", dims, Float32Array.from(values));

const files: Readonly<Record<string, string | Uint8Array>> = {
  "good.onnx": goodBytes,
  "cnn.onnx": toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4] }),
  "empty.onnx": "",
  "random.onnx": noise(4000, "model"),
  "text.onnx": "this is no model\n",
  "truncated.onnx": goodBytes.subarray(0, goodBytes.length - 20),
  "half.onnx": goodBytes.subarray(0, goodBytes.length / 2),
  "no-input.onnx": modelFile({ ...good, inputs: [] }),
  "two-inputs.onnx": modelFile({ ...good, inputs: [...good.inputs, { name: "y", type: "float32", shape: ["n", 2] }] }),
  "integers.onnx": modelFile({ ...good, inputs: [{ name: "x", type: "int64", shape: ["n", 4] }] }),
  "open.onnx": modelFile({ ...good, inputs: [{ name: "x", type: "float32", shape: ["n", "m"] }] }),
  "lstm.onnx": modelFile(withOperator("LSTM")),
  "cycle.onnx": modelFile({
    ...good,
    nodes: good.nodes.map((node) => (node.op === "Relu" ? { ...node, inputs: ["gemm2"] } : node)),
  }),
  "misfit.onnx": modelFile(
    graphOf((net) => {
      const narrow = net.node("Gemm", ["x", net.weight("w1", [4, 3])]);
      return net.node("Gemm", [net.node("Gemm", [narrow, net.weight("w2", [4, 4])]), net.weight("w3", [4, 2])]);
    }),
  ),
  "control.onnx": modelFile({
    ...good,
    nodes: good.nodes.map((node) =>
      node.op === "Relu" ? { ...node, op: "Odd\u001b[2J\nName", attributes: { a: attribute.int(1) } } : node,
    ),
  }),
  "good.npy": vectorFile(20, [4]),
  "pictures-idx3-ubyte": barFile(20),
  "one.npy": vectorFile(1, [4]),
  "nan.npy": npy([4, 4], [1, 2, 3, 4, 5, 6, 7, Number.NaN, 9, 10, 11, 12, 13, 14, 15, 16]),
  "wide.npy": vectorFile(20, [5]),
  "cut.npy": vectorFile(20, [4]).subarray(0, 200),
  "random.npy": noise(500, "array"),
  "ragged.csv": "a,b,c,d\n1,2,3,4\n5,6,7\n8,9,10,11\n",
  "nan.csv": "a,b,c,d\n1,2,3,4\n5,nan,7,8\n9,10,inf,12\n",
  "wide.csv": "a,b,c\n1,2,3\n4,5,6\n7,8,9\n",
  "empty.csv": "",
  "unknown.json": '{"reconstruction": {"wieght": 1}}',
  "broken.json": '{"reconstruction": ',
  "list.json": "[1]",
  "plain.txt": "hello\n",
};

beforeAll(() => {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  mkdirSync(join(folder, "nothing"));
  mkdirSync(join(folder, "corrupt"));
  for (const index of [1, 2, 3]) writeFileSync(join(folder, "corrupt", `${index}.png`), noise(300, `png${index}`));
});

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in this process: a process for each case would take a minute. */
async function headstart(...words: string[]): Promise<Outcome> {
  const [stdout, stderr] = [new RecordingStream(), new RecordingStream()];
  const status = await runProgram(words, { stdout, stderr, signal: new AbortController().signal, variables: {} });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

/** The program as a user starts it. */
function spawned(...words: string[]): Outcome {
  return spawnSync(process.execPath, [main, ...words], { cwd: folder, encoding: "utf8" });
}

/** Model, data and further words of `headstart init`, and what its line says. */
const failures: readonly (readonly [string, string, string, RegExp])[] = [
  ["missing.onnx", "good.npy", "", /^missing\.onnx: required .*model file.*, got nothing there\. Check the path\.$/],
  ["nothing", "good.npy", "", /^nothing: required .*, got a folder\. /],
  ["empty.onnx", "good.npy", "", /^empty\.onnx: required .*, got .*\. /],
  ["random.onnx", "good.npy", "", /^random\.onnx: required .*, got .*\. /],
  ["text.onnx", "good.npy", "", /^text\.onnx: required .*, got .*\. /],
  ["truncated.onnx", "good.npy", "", /^truncated\.onnx: required .*, got .*\. /],
  ["half.onnx", "good.npy", "", /^half\.onnx: required .*, got .*\. /],
  ["no-input.onnx", "good.npy", "", /^no-input\.onnx: required .*, got .*\. /],
  [
    "two-inputs.onnx",
    "good.npy",
    "",
    /one input that takes the samples.*, got x \(float32\), y \(float32\)\. .*--input/,
  ],
  ["integers.onnx", "good.npy", "", /one input that takes the samples.*, got x \(int64\)\. /],
  ["open.onnx", "good.npy", "", /^open\.onnx: input x: required .*, got \[n, m\]\. .*--input-shape/],
  [
    "lstm.onnx",
    "good.npy",
    "",
    /^lstm\.onnx: node node_lstm1 \(LSTM\): required an operator .*, got LSTM: its sequences have not three axes\. /,
  ],
  ["cycle.onnx", "good.npy", "", /^cycle\.onnx.*: required .*, got .*\. /],
  ["misfit.onnx", "good.npy", "", /^misfit\.onnx: node node_gemm1 \(Gemm\): required inputs that fit .*, got .*\. /],
  ["control.onnx", "good.npy", "", /^control\.onnx: node .*required an operator .*, got Odd.*\. /],
  ["good.onnx", "good.npy", "--features relu", /feature tensor: required .*, got "relu"\. Did you mean "relu1"\?/],
  ["good.onnx", "good.npy", "--input z", /required an input named "z", got x \(float32\)\. /],
  ["good.onnx", "good.npy", "--input-shape 5", /required .*, got the model's \[batch, 4\] against --input-shape 5\. /],
  ["good.onnx", "missing", "", /^missing: required .*, got nothing there\. /],
  ["good.onnx", "nothing", "", /^nothing: required .*, got .*\. /],
  ["good.onnx", "plain.txt", "", /^plain\.txt: required .*, got .*\. /],
  ["cnn.onnx", "corrupt", "", /^corrupt.*: required .*, got .*\. /],
  ["good.onnx", "one.npy", "", /^one\.npy: required at least two samples, got 1\. /],
  ["good.onnx", "nan.npy", "", /^nan\.npy: .*required .*, got .*NaN.*\. /],
  ["good.onnx", "wide.npy", "", /^wide\.npy: required .*, got .*5.*\. /],
  ["good.onnx", "cut.npy", "", /^cut\.npy: required .*, got .*\. /],
  ["good.onnx", "random.npy", "", /^random\.npy: required .*, got .*\. /],
  ["good.onnx", "ragged.csv", "", /^ragged\.csv.*: required .*, got .*3.*\. /],
  ["good.onnx", "nan.csv", "", /^nan\.csv.*: required .*, got .*\. /],
  ["good.onnx", "wide.csv", "", /^wide\.csv.*: required .*, got .*3.*\. /],
  ["good.onnx", "empty.csv", "", /^empty\.csv.*: required .*, got .*\. /],
  ["cnn.onnx", "good.npy", "", /^good\.npy: required .*, got .*\. /],
  ["good.onnx", "pictures-idx3-ubyte", "", /^pictures-idx3-ubyte.*: required .*, got .*\. /],
  ["good.onnx", "good.npy", "--normalise nromal", /required .*, got .*nromal.*\. /],
  ["good.onnx", "good.npy", "--recipe papper", /^--recipe: required .*, got papper\. Did you mean paper\?$/],
  ["good.onnx", "good.npy", "--recipe missing.json", /^missing\.json: required .*, got nothing there\. /],
  ["good.onnx", "good.npy", "--recipe unknown.json", /^unknown\.json: reconstruction: required .*got "wieght"\. Did/],
  [
    "good.onnx",
    "good.npy",
    "--recipe broken.json",
    /^broken\.json: required a JSON object, got .*\. Correct the file\.$/,
  ],
  ["good.onnx", "good.npy", "--recipe list.json", /^list\.json: required an object of settings, got a list\. /],
  ["good.onnx", "good.npy", "--start heh", /required the name of an initializer, got "heh"\. Did you mean he\?/],
  ["good.onnx", "good.npy", "--discriminator vgg", /^--discriminator: required one of .*, got "vgg"\. /],
  ["good.onnx", "good.npy", "--discriminator cnn.onnx", /required .*, got .*\. /],
  ["good.onnx", "good.npy", "--discriminator cnn", /required .*, got .*\. /],
  ["good.onnx", "good.npy", "--output plain.txt", /^plain\.txt: required a folder for the run, got .*\. /],
  [
    "good.onnx",
    "good.npy",
    "--output plain.txt/run",
    /^plain\.txt.run: required a folder .*, got a path through a file\. /,
  ],
  ["good.onnx", "good.npy", "--output corrupt", /^corrupt: required a new or empty folder.*other files\. /],
  ["good.onnx", "good.npy", "--resume", /^good-headstart: required the folder of an earlier run.*, got none\. /],
];

/** Command lines that are used wrongly, and what their line says. */
const misuses: readonly (readonly [string, RegExp])[] = [
  ["init", /missing required argument 'model'/],
  ["init good.onnx", /--data: required .*, got nothing\. /],
  ["init good.onnx --data good.npy --epoch 3", /--epoch: required an option .*The nearest is --epochs\./],
  ["init good.onnx --data good.npy --steps 0", /--steps: required a whole number of at least 1, got "0"\./],
  ["init good.onnx --data good.npy --steps 1.5", /--steps: required a whole number/],
  ["init good.onnx --data good.npy --learning-rate fast", /--learning-rate: required a number/],
  ["init good.onnx --data good.npy --layout NWHC", /--layout: required one of NCHW, NHWC, got "NWHC"\. The nearest/],
  ["init good.onnx more.onnx --data good.npy", /too many arguments/],
  ["inspect", /missing required argument 'model'/],
  ["demo --seeds 0", /--seeds: required a whole number/],
];

function expectLine(stderr: string, line: RegExp): void {
  expect(stderr).toMatch(/^headstart: [^\n]*\n$/);
  expect(stderr.slice("headstart: ".length, -1)).toMatch(line);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f]|\n\s+at /);
}

/** The work done for people to see before something turned out not to fit. */
const withoutProgress = (stdout: string): string => stdout.replace(/^(reading data|note): .*\n/gm, "");

describe("the program on bad input", () => {
  const home = process.cwd();
  beforeAll(() => process.chdir(folder));
  afterAll(() => process.chdir(home));

  test.each(failures)("init %s --data %s %s", async (model, data, more, line) => {
    const { status, stdout, stderr } = await headstart(
      ...["init", model, "--data", data, ...more.split(" ").filter(Boolean)],
    );
    expectLine(stderr, line);
    expect({ status, stdout: withoutProgress(stdout) }).toEqual({ status: 1, stdout: "" });
  });

  test.each(misuses)("%s", async (words, line) => {
    const { status, stdout, stderr } = await headstart(...words.split(" "));
    expectLine(stderr, line);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });

  test.each(["missing", "empty", "random", "truncated", "two-inputs", "cycle"])("inspect %s.onnx", async (name) => {
    const { status, stdout, stderr } = await headstart("inspect", `${name}.onnx`);
    expectLine(stderr, /required .*, got .*\. /);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  });

  test("--json gives the error as a record too", async () => {
    const { status, stdout, stderr } = await headstart("init", "empty.onnx", "--data", "good.npy", "--json");
    expectLine(stderr, /^empty\.onnx/);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ type: "error", message: expect.stringMatching(/^empty\.onnx: required/) });
  });

  test("leaves nothing behind", () => {
    expect(readdirSync(folder).sort()).toEqual([...Object.keys(files), "corrupt", "disk", "nothing"].sort());
    expect(readdirSync(join(folder, "corrupt"))).toEqual(["1.png", "2.png", "3.png"]);
  });
});

describe.skipIf(!existsSync(main))("the built program on bad input", () => {
  test.each([
    ["init truncated.onnx --data good.npy", 1],
    ["init cnn.onnx --data corrupt", 1],
    ["init lstm.onnx --data good.npy", 1],
    ["init good.onnx --data good.npy --output plain.txt/run", 1],
    ["init good.onnx --data good.npy --epoch 3", 2],
  ] as const)("%s", (words, expected) => {
    const { status, stdout, stderr } = spawned(...words.split(" "));
    expectLine(stderr, /required .*, got .*\. /);
    expect({ status, stdout: withoutProgress(stdout) }).toEqual({ status: expected, stdout: "" });
  });
});

/** A file system of 32 KiB, where the tests may mount one. */
const disk = join(folder, "disk");
mkdirSync(disk);
function mountSmallDisk(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return spawnSync("mount", ["-t", "tmpfs", "-o", "size=32k", "tmpfs", disk]).status === 0;
}
const mounted = existsSync(main) && mountSmallDisk();
afterAll(() => {
  if (mounted) spawnSync("umount", [disk]);
});

test.runIf(mounted)("a full disk is one line, and nothing half-written stays", () => {
  const { status, stderr } = spawned(
    ...["init", "cnn.onnx", "--data", "pictures-idx3-ubyte", "--output", "disk/run"],
    ...["--recipe", "autoencoder", "--steps", "40", "--batch-size", "4", "--checkpoint-every", "1", "--threads", "1"],
  );
  expect(stderr).toMatch(/^headstart: disk\/run.*: required .*, got a full disk\. Free some space and try again\.\n$/);
  expect(status).toBe(1);
  const left = readdirSync(disk, { recursive: true }).map(String);
  expect(left.filter((name) => /weights|model\.onnx/.test(name))).toEqual([]);
});
