import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BatchOrder } from "../../src/data/batches.js";
import { FileSamples, OpenFile } from "../../src/data/file-samples.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { npyFile } from "./array-files.js";
import { readAll } from "./read-all.js";

test("an array beyond memory delivers what it delivers in memory, in every layout", async () => {
  const values = Float32Array.from({ length: 300 * 12 }, (_, index) => Math.sin(index));
  const folder = temporaryFolder({ "x.npy": npyFile("<f4", [300, 2, 2, 3], values) });
  for (const shape of [[3, 2, 2], [2, 2, 3], [12]]) {
    const layout = shape[0] === 2 ? ("NHWC" as const) : ("NCHW" as const);
    const memory = await openDataset(join(folder, "x.npy"), { shape, layout });
    const disk = await openDataset(join(folder, "x.npy"), { shape, layout, memory: 1000 });
    expect(await readAll(disk)).toEqual(await readAll(memory));
    expect(disk.hash).toBe(memory.hash);
    expect(disk.record.normalisation).toEqual(memory.record.normalisation);
    expect(disk.blocks).toBeDefined();
    expect(memory.blocks).toBeUndefined();
  }
});

test("values that are not finite are named, or their samples skipped, on disk as in memory", async () => {
  const values = Float32Array.from({ length: 200 }, (_, index) => index);
  values[7] = Number.NaN;
  values[100] = Number.POSITIVE_INFINITY;
  values[199] = Number.NaN;
  const path = join(temporaryFolder({ "x.npy": npyFile("<f4", [50, 4], values) }), "x.npy");
  for (const memory of [1e6, 200]) {
    await expect(openDataset(path, { memory })).rejects.toThrow(/NaN in sample 1, value 3/);
    const dataset = await openDataset(path, { memory, onBad: "skip", normalise: "none" });
    expect(dataset.count).toBe(47);
    const samples = [1, 25, 49].map((sample) => `${path}, sample ${sample}`);
    expect(dataset.record.notFinite).toEqual({ skipped: 3, samples });
    const read = await readAll(dataset);
    expect(read[4]).toBe(8);
    expect(read.every(Number.isFinite)).toBe(true);
  }
});

test("each block is read once an epoch in the order that the data asks for", async () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
  const path = join(temporaryFolder({ data: bytes }), "data");
  let reads = 0;
  class CountingFile extends OpenFile {
    override bytes(start: number, length: number): Promise<Uint8Array> {
      reads++;
      return super.bytes(start, length);
    }
  }
  const segment = { file: new CountingFile(path), start: 0, count: 1000, valueBytes: 1, decode: (b: Uint8Array) => b };
  const samples = new FileSamples([segment], 1, 320);
  const { size, perBuffer } = samples.blocks!;
  expect([size, perBuffer]).toEqual([20, 3]);
  const order = new BatchOrder(1000, 50, 1, samples.blocks);
  const seen: number[] = [];
  for (let step = 0; step < order.batchesPerEpoch; step++) {
    samples.prepare(order.ahead(step));
    await samples.read(order.indices(step), (data, from) => seen.push(data[from]));
  }
  expect(reads).toBeLessThanOrEqual(50 + 2 * perBuffer);
  expect(seen.sort((a, b) => a - b)).toEqual([...bytes].sort((a, b) => a - b));
});

test("samples at distances are read together where they are near, a bounded length at once, and else alone", async () => {
  const path = join(
    temporaryFolder({ data: Uint8Array.from({ length: 1e6 }, (_, at) => Math.floor(at / 1000)) }),
    "data",
  );
  const lengths: number[] = [];
  class MeasuringFile extends OpenFile {
    override bytes(start: number, length: number, into?: Uint8Array): Promise<Uint8Array> {
      lengths.push(length);
      return super.bytes(start, length, into);
    }
  }
  const file = new MeasuringFile(path);
  for (const [distance, longest] of [
    [3, 64 * 1024],
    [50, 1000],
  ] as const) {
    const rows = Uint32Array.from({ length: Math.floor(1000 / distance) }, (_, place) => place * distance);
    const segment = { file, start: 0, count: rows.length, rows, valueBytes: 1, decode: (b: Uint8Array) => b };
    lengths.length = 0;
    const found: number[] = [];
    for await (const { data } of new FileSamples([segment], 1000, 1e6).pieces()) {
      for (let at = 0; at < data.length; at += 1000) found.push(data[at], data[at + 999]);
    }
    expect(found).toEqual(Array.from(rows, (row) => [row % 256, row % 256]).flat());
    expect(Math.max(...lengths)).toBeLessThanOrEqual(longest);
    expect(lengths.length).toBeLessThanOrEqual(distance === 3 ? rows.length / 20 : rows.length);
  }
});

test("a file that is cut off while it is used is told", async () => {
  const path = join(temporaryFolder({ data: new Uint8Array(100) }), "data");
  const segment = { file: new OpenFile(path), start: 0, count: 100, valueBytes: 1, decode: (b: Uint8Array) => b };
  const samples = new FileSamples([segment], 1, 160);
  writeFileSync(path, new Uint8Array(10));
  await expect(samples.read([50], () => {})).rejects.toThrow(/was changed/);
});

test("an array in Fortran order beyond memory delivers what it delivers in memory", async () => {
  for (const dims of [
    [50, 2, 3, 4],
    [50, 6],
  ]) {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, index) => Math.sin(index));
    const path = join(temporaryFolder({ "x.npy": npyFile("<f4", dims, values, { fortran: true }) }), "x.npy");
    const memory = await openDataset(path);
    // Samples are gathered a few at a time, and the last time fewer.
    const disk = await openDataset(path, { memory: 1000, cache: temporaryFolder() });
    expect(await readAll(disk)).toEqual(await readAll(memory));
    expect(disk.hash).toBe(memory.hash);
    expect(disk.blocks).toBeDefined();
  }
});
