/** What docs/data.md says of transform.json, in Python: its own lines must give what headstart feeds. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import sharp from "sharp";
import { expect, inject, test } from "vitest";
import { type OpenOptions, sizeOf } from "../../src/data/dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { savedTransform } from "../../src/data/saved-transform.js";
import { npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();

const given = inject("python");
const python = isAbsolute(given) || !given.includes("/") ? given : resolve(given);
const [tableLines, pictureLines, arrayLines] = [
  ...readFileSync(new URL("../../docs/data.md", import.meta.url), "utf8").matchAll(/```python\n([\s\S]*?)```/g),
].map(([, lines]) => lines);

/** Opens data with what other data was fitted to, and gives what is fed, beside what Python makes of it. */
async function both(path: string, fitted: Record<string, unknown>, options: OpenOptions, lines: string) {
  const saved = savedTransform(fitted);
  writeFileSync(join(folder, "transform.json"), JSON.stringify(saved));
  const dataset = await openDataset(path, { ...options, fitted: JSON.parse(JSON.stringify(saved)) });
  const fed = new Float32Array(dataset.count * sizeOf(dataset.shape));
  await dataset.read(
    Array.from({ length: dataset.count }, (_, index) => index),
    fed,
  );
  const ran = spawnSync(python, ["-c", `${lines}\nx.astype('<f4').tofile('x.bin')\nprint(*x.shape)`], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(ran.status, ran.stderr).toBe(0);
  expect(ran.stdout.trim()).toBe([dataset.count, ...dataset.shape].join(" "));
  const bytes = readFileSync(join(folder, "x.bin"));
  const made = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return { fed, made };
}

function table(name: string, rows: number, from: number): string {
  const lines = Array.from({ length: rows }, (_, at) => {
    const row = from + at;
    const age = row % 11 === 3 ? ["", "?", "NA"][row % 3] : (20 + Math.sin(row) * 15).toFixed(4);
    const zip = row % 17 === 4 ? "" : 1000 + (row % 5);
    const kind = row % 13 === 5 ? "null" : ` kind ${row % (4 + from / 1000)}`;
    return `${age},${Math.exp(row % 29)},${zip},${kind},${row % 2 === 0 ? "True" : "False"},1`;
  });
  const path = join(folder, name);
  writeFileSync(path, `age,skewed,zip,kind,truth,constant\n${lines.join("\n")}\n`);
  return path;
}

for (const [normalise, categories] of [
  ["standard", "one-hot"],
  ["quantile", "embedding"],
  ["symmetric", "one-hot"],
] as const) {
  test(`a table's columns: ${normalise}, ${categories}`, async () => {
    const options: OpenOptions = { normalise, categories, columns: { zip: "category" } };
    const { record } = await openDataset(table("old.csv", 400, 0), options);
    // With values outside the known range, and a category that is new.
    const { fed, made } = await both(table("new.csv", 300, 1000), record, {}, tableLines);
    expect(made.length).toBe(fed.length);
    made.forEach((value, at) => {
      expect(Math.abs(value - fed[at]), `place ${at}: ${value} and ${fed[at]}`).toBeLessThan(1e-5);
    });
  });
}

for (const layout of ["NCHW", "NHWC"] as const) {
  test(`pictures: ${layout}`, async () => {
    const paths = [1, 2, 3].map((seed) => join(folder, `${seed}.png`));
    for (const [seed, path] of paths.entries()) {
      const pixels = Uint8Array.from({ length: 6 * 5 * 3 }, (_, at) => (at * (seed + 3) * 37) % 256);
      await sharp(pixels, { raw: { width: 6, height: 5, channels: 3 } })
        .png()
        .toFile(path);
    }
    const { record } = await openDataset(paths.slice(0, 2), { layout });
    const alone = join(folder, `alone-${layout}`);
    mkdirSync(alone);
    for (const place of [folder, alone]) await sharp(paths[2]).toFile(join(place, "new.png"));
    const { fed, made } = await both(alone, record, { layout }, pictureLines);
    made.forEach((value, at) => {
      expect(Math.abs(value - fed[at])).toBeLessThan(1e-5);
    });
  });
}

test.each<[string, readonly number[], OpenOptions]>([
  ["signals with their channels first", [3, 7], { layout: "NCHW" }],
  ["signals with their channels last", [7, 3], { layout: "NHWC" }],
  ["signals of one channel, without its axis", [7], { layout: "NHWC", shape: [7, 1] }],
  ["pictures with their channels first", [3, 4, 5], { layout: "NCHW" }],
  ["pictures with their channels last", [4, 5, 3], { layout: "NHWC" }],
  ["rows of spectrograms with their channel first", [1, 4, 5], { layout: "NCHW", normalise: "standard-rows" }],
  ["columns of spectrograms with their channel first", [1, 4, 5], { layout: "NCHW", normalise: "standard-columns" }],
  ["rows of spectrograms with their channel last", [4, 5, 1], { layout: "NHWC", normalise: "standard-rows" }],
  [
    "columns of spectrograms without a channel",
    [4, 5],
    { shape: [4, 5, 1], layout: "NHWC", normalise: "standard-columns" },
  ],
  ["vectors", [6], {}],
  ["vectors that are split in axes", [2, 3], { shape: [6] }],
])("arrays: %s", async (_, axes, options) => {
  const [count, size] = [20, sizeOf(axes)];
  const values = Float32Array.from({ length: count * size }, (_, at) => Math.sin(at) * (1 + (at % 5)) + (at % 3));
  const path = join(folder, "new.npy");
  writeFileSync(path, npyFile("<f4", [count, ...axes], values));
  const reading: OpenOptions = { shape: axes, ...options };
  const { record } = await openDataset(path, reading);
  const { normalise: asked, ...again } = reading;
  const measured = record.normalisation as { name: string };
  expect(measured.name).toBe(asked ?? "standard");
  const { fed, made } = await both(path, record, again, arrayLines);
  made.forEach((value, at) => {
    expect(Math.abs(value - fed[at])).toBeLessThan(1e-4);
  });
});
