/**
 * How fast data comes, beside what Python users have: samples a second by source and size, the share of a training
 * step spent waiting for data, and memory on data ten times larger than the limit. Data is made in a temporary folder and removed.
 */
import { fork, spawnSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { BatchOrder } from "../src/data/batches.js";
import { type Dataset, type OpenOptions, sizeOf } from "../src/data/dataset.js";
import { openDataset } from "../src/data/open-dataset.js";
import { initialize } from "../src/library/initialize.js";
import { newModel } from "../src/library/new-model.js";
import { chosen, positive, readOptions } from "./options/read-options.js";

const partNames = ["pictures", "tables", "wait", "memory"] as const;
const tableKinds = ["csv", "npy", "parquet", "feather"] as const;

const help = `npm run bench data -- [options]

  --rows N         rows of the tables (default: 1,000,000)
  --scale FACTOR   times as many pictures (default: 1)
  --python PATH    an interpreter with torch, torchvision, pyarrow and pandas, as far as they are there (default: python3)
  --only LIST      ${partNames.join(",")} (default: all)
  --source LIST    kinds of tables: ${tableKinds.join(",")} (default: all)
`;

const options = readOptions("data", help, {
  rows: { type: "string", default: "1000000" },
  scale: { type: "string", default: "1" },
  python: { type: "string", default: "python3" },
  only: { type: "string" },
  source: { type: "string" },
  child: { type: "string" },
});
const rows = positive("data", "rows", options.rows, true);
const scale = positive("data", "scale", options.scale);
const parts = chosen("data", "only", options.only, partNames);
const sources: readonly string[] = chosen("data", "source", options.source, tableKinds);
const batchSize = 64;

interface Result {
  readonly part: string;
  readonly source: string;
  readonly samples?: number;
  readonly what: string;
  readonly value: string;
}

function report(result: Result): void {
  console.log(
    `${result.part.padEnd(14)} ${result.source.padEnd(30)} ${result.what.padEnd(44)} ${result.value}` +
      `${result.samples === undefined ? "" : `  (${result.samples.toLocaleString("en")} samples)`}`,
  );
}

const rate = (count: number, seconds: number): string =>
  `${Math.round(count / seconds).toLocaleString("en")} samples/s`;

async function timed<Value>(work: () => Promise<Value>): Promise<{ value: Value; seconds: number }> {
  const began = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - began) / 1000 };
}

/** The order of a first epoch, drawn already: with millions of samples that takes as long as thousands of batches. */
function drawnOrder(dataset: Dataset): BatchOrder {
  const order = new BatchOrder(dataset.count, batchSize, 1, dataset.blocks);
  order.indices(0);
  return order;
}

/** Reads an epoch in batches, as training does, but without a step in between. */
async function readEpoch(dataset: Dataset, order: BatchOrder, most = Number.POSITIVE_INFINITY): Promise<number> {
  const target = new Float32Array(batchSize * sizeOf(dataset.shape));
  const steps = Math.min(order.batchesPerEpoch, most);
  for (let step = 0; step < steps; step++) {
    const reading = dataset.read(order.indices(step), target);
    if (step + 1 < steps) dataset.prepare?.(order.ahead(step + 1));
    await reading;
  }
  return steps * batchSize;
}

async function measure(part: string, source: string, path: string | string[], opening: OpenOptions): Promise<void> {
  const { value: dataset, seconds } = await timed(() => openDataset(path, opening));
  report({
    part,
    source,
    samples: dataset.count,
    what: "opened (measured, hashed)",
    value: rate(dataset.count, seconds),
  });
  const order = drawnOrder(dataset);
  const { value: read, seconds: reading } = await timed(() => readEpoch(dataset, order, 2000));
  report({ part, source, samples: read, what: `batches of ${batchSize}, shuffled`, value: rate(read, reading) });
  await dataset.close?.();
}

/** A picture that compresses about as photographs do: a gradient with noise. */
function drawn(side: number, seed: number): Promise<Buffer> {
  const pixels = new Uint8Array(side * side * 3);
  let state = (seed * 2654435761) >>> 0;
  for (let at = 0; at < pixels.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const pixel = (at / 3) | 0;
    pixels[at] = (((pixel % side) * 160) / side + ((pixel / side) | 0) * (60 / side) + (state >>> 28)) & 255;
  }
  return sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

/** A tar archive of files, written as it grows. */
function writeTar(path: string, files: Iterable<[string, Uint8Array]>): void {
  const descriptor = openSync(path, "w");
  for (const [name, content] of files) {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write("0000644\0", 100);
    head.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    head.write("0", 156);
    head.write("ustar\x0000", 257);
    head.fill(" ", 148, 156);
    head.write(
      `${head
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    writeSync(descriptor, Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)]));
  }
  writeSync(descriptor, Buffer.alloc(1024));
  closeSync(descriptor);
}

function npyHead(descr: string, dims: readonly number[]): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${dims.join(", ")},), }`.padEnd(117);
  return Buffer.concat([Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, 118, 0]), Buffer.from(`${text}\n`)]);
}

/** Runs a measurement of data.py, and prints its lines or why there are none. */
function python(part: string, ...words: string[]): void {
  const script = join(fileURLToPath(new URL("..", import.meta.url)), "data.py");
  const { status, stdout, stderr, error } = spawnSync(options.python, [script, part, ...words], { encoding: "utf8" });
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
    report({ part, source: `Python: ${words[0]}`, what: "skipped", value: reason });
    return;
  }
  for (const line of stdout.trim().split("\n")) {
    const { source, what, count, seconds } = JSON.parse(line) as Record<string, string & number>;
    report({
      part,
      source: `Python: ${source}`,
      samples: Number(count),
      what,
      value: rate(Number(count), Number(seconds)),
    });
  }
}

async function pictures(folder: string): Promise<void> {
  for (const [side, base] of [
    [32, 4000],
    [224, 600],
    [1024, 64],
  ]) {
    const count = Math.max(batchSize, Math.round(base * scale));
    const part = `pictures ${side}`;
    const root = join(folder, `pictures-${side}`);
    const files: [string, Uint8Array][] = [];
    for (let index = 0; index < count; index++) {
      const name = `class${index % 4}/${String(index).padStart(6, "0")}.jpg`;
      mkdirSync(join(root, `class${index % 4}`), { recursive: true });
      const bytes = await drawn(side, index);
      writeFileSync(join(root, name), bytes);
      files.push([name, bytes]);
    }
    const tar = join(folder, `pictures-${side}.tar`);
    writeTar(tar, files);
    const cache = join(folder, `cache-${side}`);
    await measure(part, "folder, in memory", root, {});
    await measure(part, "tar, in memory", tar, {});
    const large = { memory: 1 << 20, cache };
    await measure(part, "folder, on disk, first time", root, large);
    await measure(part, "folder, on disk, cached", root, large);
    await measure(part, "folder, decoded on demand", root, { ...large, cache: join(cache, "none"), cacheLimit: 1 });
    python(part, "imagefolder", root, String(batchSize), String(availableParallelism()));
    python(part, "parquet-write", root, join(folder, `pictures-${side}.parquet`));
    await measure(part, "Parquet, in memory", join(folder, `pictures-${side}.parquet`), {}).catch((error: Error) =>
      report({ part, source: "Parquet", what: "skipped", value: error.message }),
    );
  }
}

async function tables(folder: string): Promise<void> {
  const columns = 5;
  const csv = join(folder, "table.csv");
  writeFileSync(csv, "a,b,c,kind,y\n");
  let lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    lines.push(`${(row % 997) / 10},${((row * 7919) % 10007) / 100},${row % 13},k${row % 5},${row % 2}`);
    if (lines.length === 50_000 || row + 1 === rows) {
      appendFileSync(csv, `${lines.join("\n")}\n`);
      lines = [];
    }
  }
  const npy = join(folder, "table.npy");
  writeFileSync(npy, npyHead("<f4", [rows, columns]));
  const values = new Float32Array(50_000 * columns);
  for (let row = 0; row < rows; row += 50_000) {
    const count = Math.min(50_000, rows - row) * columns;
    for (let at = 0; at < count; at++) values[at] = Math.sin(row * columns + at);
    appendFileSync(npy, new Uint8Array(values.buffer, 0, count * 4));
  }
  python("tables", "convert", csv, folder);
  const disk = { memory: Math.max(1 << 20, rows * 2), cache: join(folder, "cache") };
  const files = [
    ["CSV", csv],
    ["NPY", npy],
    ["Parquet", join(folder, "table.parquet")],
    ["Feather", join(folder, "table.feather")],
  ].filter(([source]) => sources.includes(source.toLowerCase()));
  for (const [source, path] of files) {
    for (const [where, opening] of [
      ["in memory", {}],
      ["on disk", disk],
    ] as const) {
      await measure("tables", `${source}, ${where}`, path, opening).catch((error: Error) =>
        report({ part: "tables", source, what: "skipped", value: error.message }),
      );
    }
    if (!existsSync(path)) continue;
    const peak = await peakMemory(path, disk.memory);
    report({ part: "tables", source: `${source}, on disk`, what: mostMemory(disk.memory), value: megabytes(peak) });
  }
  for (const what of ["pandas-csv", "pandas-parquet", "pyarrow-csv", "pyarrow-parquet"]) {
    if (sources.some((kind) => what.endsWith(`-${kind}`))) python("tables", what, folder);
  }
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
const mostMemory = (limit: number): string => `most memory of a process, ${megabytes(limit)} allowed`;

/** Most memory of a process of its own that opens the data and reads an epoch, in bytes. */
function peakMemory(path: string, limit: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ["--child", `${path}:${limit}`]);
    child.once("message", (bytes) => resolve(Number(bytes)));
    child.once("exit", (code) => reject(new Error(`the child ended with ${code}`)));
  });
}

/** A data set that counts the time that its reader waits. */
function watched(dataset: Dataset): { dataset: Dataset; waited: () => number } {
  let waited = 0;
  return {
    dataset: {
      ...dataset,
      async read(indices, target) {
        const began = performance.now();
        await dataset.read(indices, target);
        waited += performance.now() - began;
      },
    },
    waited: () => waited,
  };
}

async function wait(folder: string): Promise<void> {
  const root = join(folder, "pictures-wait");
  for (let index = 0; index < 6000; index++) {
    mkdirSync(join(root, `class${index % 4}`), { recursive: true });
    writeFileSync(join(root, `class${index % 4}`, `${index}.jpg`), await drawn(32, index));
  }
  const model = join(folder, "model.onnx");
  await newModel({ template: "cnn", inputShape: [3, 32, 32], output: model });
  const cache = join(folder, "cache-wait");
  for (const [source, opening] of [
    ["folder, in memory", {}],
    ["folder, on disk, cached", { memory: 8 << 20, cache }],
    ["folder, half decoded on demand", { memory: 8 << 20, cache: join(cache, "half"), cacheLimit: 3000 * 3072 }],
    ["folder, all decoded on demand", { memory: 8 << 20, cache: join(cache, "none"), cacheLimit: 1 }],
  ] as const) {
    const opened = await openDataset(root, { shape: [3, 32, 32], ...opening });
    const { dataset, waited } = watched(opened);
    const steps = 400;
    let began = 0;
    let [first, share] = [0, ""];
    await initialize({
      model,
      data: dataset,
      steps,
      output: join(folder, "run"),
      overwrite: true,
      onEvent: (event) => {
        if (event.type !== "step") return;
        // The first steps prepare what later ones use.
        if (event.step === 10) [began, first] = [performance.now(), waited()];
        if (event.step === steps) {
          const total = performance.now() - began;
          share = `${((100 * (waited() - first)) / total).toFixed(2)} % of ${(total / (steps - 10)).toFixed(1)} ms`;
        }
      },
    });
    report({ part: "wait", source, what: "share of a step spent waiting for data", value: share });
    await opened.close?.();
  }
}

/** Data of every kind that is ten times the memory allowed, or a little more. */
async function largeSources(folder: string, limit: number): Promise<[string, string][]> {
  const sources: [string, string][] = [];
  const add = (name: string, path: string) => sources.push([name, path]);
  const width = 3072;
  const rows = Math.ceil((10 * limit) / width / 4);
  const npy = join(folder, "large.npy");
  writeFileSync(npy, npyHead("<f4", [rows, width]));
  const values = new Float32Array(1000 * width);
  for (let row = 0; row < rows; row += 1000) {
    for (let at = 0; at < values.length; at++) values[at] = Math.sin(row + at);
    appendFileSync(npy, new Uint8Array(values.buffer, 0, Math.min(1000, rows - row) * width * 4));
  }
  add("NPY", npy);
  const idx = join(folder, "large-images-idx3-ubyte");
  const pictures = Math.ceil((10 * limit) / 784);
  const head = Buffer.alloc(16);
  [0x803, pictures, 28, 28].forEach((number, place) => {
    head.writeUInt32BE(number, 4 * place);
  });
  writeFileSync(idx, head);
  for (let left = pictures; left > 0; left -= 10_000) {
    appendFileSync(idx, Buffer.alloc(784 * Math.min(left, 10_000), left % 251));
  }
  add("IDX", idx);
  // Decoded, a picture of 128 × 128 is 49 kB.
  const root = join(folder, "large-pictures");
  mkdirSync(root, { recursive: true });
  const kinds = await Promise.all(Array.from({ length: 50 }, (_, seed) => drawn(128, seed)));
  const files = Array.from({ length: Math.ceil((10 * limit) / 49_152) }, (_, index): [string, Uint8Array] => [
    `${index}.jpg`,
    kinds[index % kinds.length],
  ]);
  for (const [name, bytes] of files) writeFileSync(join(root, name), bytes);
  add("folder of pictures", root);
  const tar = join(folder, "large.tar");
  writeTar(tar, files);
  add("tar of pictures", tar);
  const csv = join(folder, "large.csv");
  const lines = Math.ceil((10 * limit) / 40);
  writeFileSync(csv, "a,b,c,d,e,f,g,h,i,kind\n");
  for (let first = 0; first < lines; first += 20_000) {
    const some = Array.from({ length: Math.min(20_000, lines - first) }, (_, at) => {
      const row = first + at;
      return `${row % 997},${(row * 7919) % 10007},${row / 8},${row % 13},${row % 7},${row % 11},${row % 17},${row % 19},${row % 23},k${row % 5}`;
    });
    appendFileSync(csv, `${some.join("\n")}\n`);
  }
  add("CSV", csv);
  python("memory", "convert", csv, folder);
  python("memory", "npz", npy, join(folder, "large.npz"));
  python("memory", "parquet-write", root, join(folder, "large-pictures.parquet"));
  for (const [name, file] of [
    ["Parquet", "table.parquet"],
    ["Feather", "table.feather"],
    ["NPZ, packed", "large.npz"],
    ["Parquet of pictures", "large-pictures.parquet"],
  ] as const) {
    if (existsSync(join(folder, file))) add(name, join(folder, file));
  }
  return sources;
}

async function memory(folder: string): Promise<void> {
  const limit = 20e6;
  for (const [name, path] of [["nothing", ""], ...(await largeSources(folder, limit))]) {
    const peak = await peakMemory(path, limit);
    report({
      part: "memory",
      source: name,
      what:
        path === "" ? "most memory of the process" : `the same, ${limit / 1e6} MB allowed for ${(10 * limit) / 1e6} MB`,
      value: megabytes(peak),
    });
  }
}

/** The measured process: opens the data, reads an epoch, and says how much memory that took at most. */
async function measureMemory(task: string): Promise<void> {
  const [path, limit] = task.split(/:(?=[^:]*$)/);
  const cache = mkdtempSync(join(tmpdir(), "headstart-bench-cache-"));
  if (path !== "") {
    const dataset = await openDataset(path, { memory: Number(limit), cache });
    await readEpoch(dataset, drawnOrder(dataset));
    await dataset.close?.();
  }
  rmSync(cache, { recursive: true, force: true });
  process.send?.(process.resourceUsage().maxRSS * 1024);
}

const measures = { pictures, tables, wait, memory };
if (options.child !== undefined) {
  await measureMemory(options.child);
} else {
  const folder = mkdtempSync(join(tmpdir(), "headstart-bench-"));
  console.log(`${cpus()[0]?.model}, ${availableParallelism()} threads, Node ${process.versions.node}`);
  try {
    for (const part of parts) await measures[part](folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
