/**
 * How soon headstart is there, and how much memory it takes: time of `headstart --help`, time from the command `init`
 * to the first training step's metrics, most memory of `init` on data and on ten times as much. docs/benchmarks.md
 * says more.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";
import { type NewModelOptions, newModel } from "../src/library/new-model.js";
import { RandomStream } from "../src/random/stream.js";
import { positive, readOptions, stop } from "./options/read-options.js";
import { median } from "./step/summary.js";

const help = `npm run bench start -- [options]

  --data FILE    an IDX file of pictures, may be gzipped (default: 60,000 drawn pictures of 28×28, as many and as large as
                 Fashion-MNIST's)
  --repeats N    how often each time is taken (default: 7)
  --steps N      training steps of the memory runs (default: 100)
  --json         one JSON object a line on stdout
`;

const options = readOptions("start", help, {
  data: { type: "string" },
  repeats: { type: "string", default: "7" },
  steps: { type: "string", default: "100" },
  json: { type: "boolean", default: false },
});
const repeats = positive("start", "repeats", options.repeats, true);
const steps = positive("start", "steps", options.steps, true);
if (options.data !== undefined && !existsSync(options.data))
  stop("start", `--data: required an IDX file, got "${options.data}", which is not there.`);
const program = fileURLToPath(new URL("../src/cli/main.js", import.meta.url));
const preload = pathToFileURL(fileURLToPath(new URL("start/report-peak-memory.js", import.meta.url))).href;
const pictureSize = 28 * 28;

/** Two that are small, and one as deep as networks for phones, whose convolutions all start from the data. */
const networks: Readonly<Record<string, Omit<NewModelOptions, "output">>> = {
  cnn: { template: "cnn", inputShape: [1, 28, 28] },
  mlp: { template: "mlp", inputShape: [784] },
  "deep mobilenetv2": { template: "mobilenetv2", inputShape: [1, 28, 28], depth: 4 },
};

function start(...words: string[]): ChildProcess {
  return spawn(process.execPath, ["--import", preload, program, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Waits for the end of a program; gives its most memory. @throws Error with what it said where it failed */
async function ended(child: ChildProcess): Promise<number> {
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said = `${said}${chunk}`.slice(-4000);
  });
  child.stdout?.resume();
  const status = await new Promise((resolve) => child.once("close", resolve));
  const [, bytes] = /peak memory (\d+)/.exec(said) ?? [];
  if (status !== 0 || bytes === undefined) throw new Error(`headstart ended with ${status}: ${said}`);
  return Number(bytes);
}

/** Milliseconds from the start of the process to its end. */
async function helpTime(): Promise<number> {
  const began = performance.now();
  await ended(start("--help"));
  return performance.now() - began;
}

/** Milliseconds from the start of the process to the first record of a training step. */
async function firstStepTime(model: string, data: string, output: string): Promise<number> {
  const began = performance.now();
  const child = start("init", model, "--data", data, "--output", output, "--overwrite", "--json");
  let said = "";
  child.stderr?.on("data", (chunk) => {
    said = `${said}${chunk}`.slice(-4000);
  });
  for await (const line of createInterface({ input: child.stdout! })) {
    if ((JSON.parse(line) as { type: string }).type !== "step") continue;
    const taken = performance.now() - began;
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("exit", resolve));
    return taken;
  }
  throw new Error(`headstart init made no step: ${said}`);
}

/** Most bytes of memory of a short init. */
function initMemory(model: string, data: string, output: string): Promise<number> {
  return ended(
    start("init", model, "--data", data, "--output", output, "--overwrite", "--steps", String(steps), "--json"),
  );
}

/** The pictures of --data, or drawn ones: bright squares on dark ground. */
function pictures(): Uint8Array {
  if (options.data !== undefined) {
    const bytes = readFileSync(options.data);
    const idx = bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
    return idx.subarray(16);
  }
  const stream = new RandomStream(0, "bench/pictures", 0);
  const pixels = new Uint8Array(60_000 * pictureSize);
  for (let place = 0; place < pixels.length; place += pictureSize) {
    const [top, left, side] = [stream.below(16), stream.below(16), 4 + stream.below(8)];
    for (let row = top; row < top + side; row++)
      pixels.fill(100 + row, place + row * 28 + left, place + row * 28 + left + side);
  }
  return pixels;
}

/** An IDX file of the pictures, over and over. */
function writePictures(path: string, pixels: Uint8Array, times: number): void {
  const head = Buffer.alloc(16);
  [0x803, (times * pixels.length) / pictureSize, 28, 28].forEach((value, index) => {
    head.writeUInt32BE(value, 4 * index);
  });
  const file = openSync(path, "w");
  writeSync(file, head);
  for (let time = 0; time < times; time++) for (let at = 0; at < pixels.length; ) at += writeSync(file, pixels, at);
  closeSync(file);
}

function report(what: string, unit: string, values: readonly number[]): void {
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)];
  if (options.json) console.log(JSON.stringify({ type: "start", what, unit, median: middle, least, most }));
  else
    console.log(
      `${what.padEnd(58)} ${middle.toFixed(0)} ${unit}` +
        (values.length > 1 ? ` (${least.toFixed(0)} to ${most.toFixed(0)})` : ""),
    );
}

async function repeated(measure: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) values.push(await measure());
  return values;
}

const folder = mkdtempSync(join(tmpdir(), "headstart-bench-"));
try {
  const say = options.json ? console.error : console.log;
  say(`${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`);
  const pixels = pictures();
  const [once, tenfold] = [1, 10].map((times) => {
    const path = join(folder, `pictures-${times}.idx3-ubyte`);
    writePictures(path, pixels, times);
    return path;
  });
  const count = (pixels.length / pictureSize).toLocaleString("en");
  const output = join(folder, "run");
  report("headstart --help", "ms", await repeated(helpTime));
  for (const [name, settings] of Object.entries(networks)) {
    const model = join(folder, `${name}.onnx`);
    await newModel({ ...settings, output: model });
    const first = await repeated(() => firstStepTime(model, once, output));
    report(`init of the ${name} on ${count} pictures: to the first step`, "ms", first);
    report(`init of the ${name} on ${count} pictures: most memory`, "MB", [
      (await initMemory(model, once, output)) / 1e6,
    ]);
    report(`init of the ${name} on ten times as many: most memory`, "MB", [
      (await initMemory(model, tenfold, output)) / 1e6,
    ]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
