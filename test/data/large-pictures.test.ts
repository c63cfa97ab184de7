import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";

const count = 24;

async function pictures(): Promise<{ folder: string; cache: string }> {
  const files: Record<string, Buffer> = {};
  for (let index = 0; index < count; index++) {
    const name = `${index % 2 === 0 ? "a" : "b"}/${String(index).padStart(2, "0")}.png`;
    files[name] = await solidPicture([index, 2 * index, 100]);
  }
  return { folder: temporaryFolder(files), cache: temporaryFolder() };
}

async function sameAs(dataset: Dataset, expected: Dataset): Promise<void> {
  expect(await readAll(dataset)).toEqual(await readAll(expected));
  expect(dataset.labels).toEqual(expected.labels);
  expect(dataset.range).toEqual(expected.range);
  expect(dataset.record.normalisation).toEqual(expected.record.normalisation);
}

test("pictures beyond memory deliver what they deliver in memory, from the cache or decoded again", async () => {
  const { folder, cache } = await pictures();
  const expected = await openDataset(folder);
  // 48 bytes a picture: all in the cache, ten of them, none.
  for (const cacheLimit of [1e6, 480, 1]) {
    const own = temporaryFolder();
    const dataset = await openDataset(folder, { memory: 100, cache: own, cacheLimit });
    await sameAs(dataset, expected);
    dataset.prepare?.([3, 20, 20]);
    const target = new Float32Array(2 * 48);
    await dataset.read([20, 3], target);
    const wanted = await readAll(expected);
    expect([...target]).toEqual([...wanted.slice(20 * 48, 21 * 48), ...wanted.slice(3 * 48, 4 * 48)]);
    await dataset.close?.();
  }
  expect(readdirSync(cache)).toEqual([]);
});

test("a second opening uses the cache; other bytes or settings do not", async () => {
  const { folder, cache } = await pictures();
  const open = (more = {}) => openDataset(folder, { memory: 100, cache, ...more });
  const first = await open();
  const entries = readdirSync(cache);
  expect(entries).toHaveLength(1);
  // What is cached is what is delivered: a changed cache shows.
  writeFileSync(join(cache, entries[0], "samples"), new Uint8Array(count * 48).fill(7));
  const second = await open({ normalise: "none" });
  expect(new Set(await readAll(second))).toEqual(new Set([7]));
  expect(second.hash).toBe(first.hash);
  await open({ shape: [3, 2, 2], resize: true });
  expect(readdirSync(cache)).toHaveLength(2);
  writeFileSync(join(folder, "a/00.png"), await solidPicture([200, 0, 0]));
  const third = await open({ normalise: "none" });
  expect(readdirSync(cache)).toHaveLength(3);
  expect((await readAll(third))[0]).toBe(200);
  rmSync(cache, { recursive: true });
});

test("a damaged cache is made anew", async () => {
  const { folder, cache } = await pictures();
  const expected = await readAll(await openDataset(folder));
  const open = () => openDataset(folder, { memory: 100, cache });
  await open();
  const [entry] = readdirSync(cache);
  const [index, samples] = ["index.json", "samples"].map((name) => join(cache, entry, name));
  const [whole, bytes] = [readFileSync(index, "utf8"), readFileSync(samples)];
  const { index: text } = JSON.parse(whole);
  const other = text.replace(/"mean":\[\d/, '"mean":[9');
  expect(other).not.toBe(text);
  for (const [name, content] of [
    [index, whole.slice(0, 40)],
    [index, JSON.stringify({ ...JSON.parse(whole), index: other })],
    [index, other],
    [samples, bytes.subarray(0, 100)],
    [samples, Buffer.concat([bytes, bytes])],
  ] as const) {
    writeFileSync(name, content);
    expect(await readAll(await open())).toEqual(expected);
    expect([readFileSync(index, "utf8"), readFileSync(samples)]).toEqual([whole, bytes]);
  }
});

test("what was left without an index makes room, too", async () => {
  const { folder, cache } = await pictures();
  mkdirSync(join(cache, "pictures-left"));
  writeFileSync(join(cache, "pictures-left", "samples"), new Uint8Array(1000));
  await openDataset(folder, { memory: 100, cache, cacheLimit: 24 * 48 + 999 });
  expect(readdirSync(cache)).toHaveLength(1);
  expect(readdirSync(cache)).not.toContain("pictures-left");
});

test("a picture that cannot be read any more is named", async () => {
  const { folder, cache } = await pictures();
  const dataset = await openDataset(folder, { memory: 100, cache, cacheLimit: 1, onBad: "skip" });
  writeFileSync(join(folder, "a/02.png"), "rubbish");
  await expect(readAll(dataset)).rejects.toThrow(/02\.png: required the picture as it was when .*\. Leave the data/);
  await dataset.close?.();
});

test("unreadable pictures are left out and named, and an error leaves nothing behind", async () => {
  const { folder, cache } = await pictures();
  writeFileSync(join(folder, "b/11.png"), "rubbish");
  await expect(openDataset(folder, { memory: 100, cache })).rejects.toThrow(/11\.png/);
  expect(readdirSync(cache)).toEqual([]);
  for (const memory of [100, 1e9]) {
    const dataset = await openDataset(folder, { memory, cache, onBad: "skip", normalise: "none" });
    expect(dataset.count).toBe(count - 1);
    expect(dataset.record.skipped).toMatchObject({ unreadable: 1 });
    expect(dataset.record.unreadable).toMatchObject([{ file: "b/11.png" }]);
    expect((await readAll(dataset)).length).toBe((count - 1) * 48);
  }
});

const built = new URL("../../dist/data/open-dataset.js", import.meta.url);

/** Threads start from compiled files only: needs the build that `npm test` makes first. */
test.skipIf(!existsSync(built))("threads deliver the same, and closing waits for what they are decoding", async () => {
  const { folder, cache } = await pictures();
  const expected = await readAll(await openDataset(folder));
  const options = { memory: 100, cache, cacheLimit: 480, workers: 2 };
  const script = join(cache, "read.mjs");
  writeFileSync(
    script,
    `const { openDataset } = await import(${JSON.stringify(built.href)});
    const target = new Float32Array(${count} * 48);
    // Whether an answer comes while the threads end is chance.
    for (let round = 0; round < 3; round++) {
      const dataset = await openDataset(${JSON.stringify(folder)}, ${JSON.stringify(options)});
      await dataset.read(Array.from({ length: ${count} }, (_, index) => index), target);
      dataset.prepare([1, 2, 3, 20, 21, 22]);
      await Promise.resolve();
      await dataset.close();
    }
    console.log(JSON.stringify(Array.from(target)));`,
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(JSON.parse(stdout)).toEqual([...expected]);
});

test.skipIf(!existsSync(built))("a cache that cannot be made is an error, after which the program ends", async () => {
  const { folder } = await pictures();
  const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const cache = join(folder, "a", "00.png");
  const { status, stderr } = spawnSync(process.execPath, [main, "data", folder, "--memory", "100B", "--cache", cache], {
    encoding: "utf8",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(/^headstart: .*00\.png: required .*\n$/),
  });
});
