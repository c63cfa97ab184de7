import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { readAll } from "./read-all.js";
import { solidPicture } from "./solid-picture.js";

const held = vi.hoisted(() => ({ isHeld: false }));

/** Renames as Windows does, where a file that another process reads keeps its place. */
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const rename: typeof real.rename = async (from, to) => {
    if (held.isHeld) throw Object.assign(new Error("EBUSY: resource busy"), { code: "EBUSY" });
    await real.rename(from, to);
  };
  return { ...real, rename };
});

test("a cache that another process has made and reads is used; another one is an error in one line", async () => {
  const folder = temporaryFolder({
    "a/0.png": await solidPicture([1, 2, 3]),
    "b/1.png": await solidPicture([4, 5, 6]),
  });
  const cache = temporaryFolder();
  const open = () => openDataset(folder, { memory: 10, cache });
  const expected = await readAll(await open());
  const [entry] = readdirSync(cache);
  // As if the other process had not come to write its index yet.
  rmSync(join(cache, entry, "index.json"));
  held.isHeld = true;
  try {
    expect(await readAll(await open())).toEqual(expected);
    rmSync(join(cache, entry), { recursive: true });
    await expect(open()).rejects.toThrow(/samples: required .* no other program has open, got a file that another/);
    expect(readdirSync(cache)).toEqual([entry]);
  } finally {
    held.isHeld = false;
  }
});
