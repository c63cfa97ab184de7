import fs, { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { wholeNameOf, writeWhole } from "../../src/data/write-whole.js";
import { temporaryFolder } from "../support/temporary-folder.js";

test("writes bytes and texts in place of what was there, and nothing beside", async () => {
  const folder = temporaryFolder({ a: "something longer" });
  await writeWhole(join(folder, "a"), new Uint8Array([0, 1, 2, 3]).subarray(1));
  expect([...readFileSync(join(folder, "a"))]).toEqual([1, 2, 3]);
  await writeWhole(join(folder, "a"), "größer");
  expect(readFileSync(join(folder, "a"), "utf8")).toBe("größer");
  await expect(writeWhole(join(folder, "none", "b"), "c")).rejects.toThrow(/ENOENT/);
  expect(readdirSync(folder)).toEqual(["a"]);
});

test("does not take a part for the whole, as a disk that fills up may write it", async () => {
  const path = join(temporaryFolder(), "a");
  const write = fs.write.bind(fs) as (...words: unknown[]) => void;
  const spy = vi.spyOn(fs, "write").mockImplementation(((...[fd, data, start, length, ...others]: unknown[]) => {
    // Bytes come with a number of them; texts have their encoding there.
    if (typeof length === "number") write(fd, data, start, Math.ceil(length / 2), ...others);
    else write(fd, data, start, length, ...others);
  }) as never);
  try {
    await writeWhole(path, new Uint8Array(1000).fill(7));
  } finally {
    spy.mockRestore();
  }
  expect(readFileSync(path)).toHaveLength(1000);
});

test("tells from a temporary name what the file was to become", async () => {
  const folder = temporaryFolder();
  const names: string[] = [];
  const write = fs.write.bind(fs) as (...words: unknown[]) => void;
  const spy = vi.spyOn(fs, "write").mockImplementation(((...words: unknown[]) => {
    names.push(...readdirSync(folder));
    write(...words);
  }) as never);
  try {
    await writeWhole(join(folder, "run.json"), "{}");
  } finally {
    spy.mockRestore();
  }
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect([name, wholeNameOf(name)]).toEqual([expect.not.stringMatching(/json$/), "run.json"]);
  for (const name of ["run.json", "step-3.png", "a.b", "run.json.1"]) expect(wholeNameOf(name)).toBeUndefined();
});
