import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { temporaryFolder } from "./support/temporary-folder.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = ["train", "t10k"].flatMap((part) => [`${part}-images-idx3-ubyte.gz`, `${part}-labels-idx1-ubyte.gz`]);
const unpacked = (folder: string, file: string) => gunzipSync(readFileSync(join(folder, file)));

test.each([
  ["train", 10_000],
  ["t10k", 2000],
])("%s holds %i pictures, as many of each class", (part, count) => {
  const pictures = unpacked(join(root, "demo-data"), `${part}-images-idx3-ubyte.gz`);
  expect([0, 4, 8, 12].map((place) => pictures.readUInt32BE(place))).toEqual([0x803, count, 28, 28]);
  expect(pictures).toHaveLength(16 + count * 28 * 28);
  const labels = unpacked(join(root, "demo-data"), `${part}-labels-idx1-ubyte.gz`).subarray(8);
  const counts = new Array(10).fill(0);
  for (const label of labels) counts[label]++;
  expect(counts).toEqual(new Array(10).fill(count / 10));
});

const originals = "/usr/share/datasets/fashion-mnist";
test.runIf(existsSync(originals))("the script makes the same sample again", () => {
  const folder = temporaryFolder();
  const script = join(root, "scripts", "make-demo-data.mjs");
  expect(spawnSync(process.execPath, [script, originals, folder]).status).toBe(0);
  // Unpacked: another version of zlib may pack the same pictures differently.
  for (const file of files) expect(unpacked(folder, file).equals(unpacked(join(root, "demo-data"), file))).toBe(true);
});
