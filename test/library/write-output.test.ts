import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { writeOutput } from "../../src/library/write-output.js";
import { temporaryFolder } from "../support/temporary-folder.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const bytes = Uint8Array.of(1, 2, 3, 4, 5).subarray(1, 4);

test("writes exactly the bytes, and leaves nothing else", async () => {
  await writeOutput(join(folder, "a.bin"), bytes, false);
  expect([...readFileSync(join(folder, "a.bin"))]).toEqual([2, 3, 4]);
  expect(readdirSync(folder)).toEqual(["a.bin"]);
});

test("replaces a file only when asked to", async () => {
  const path = join(folder, "a.bin");
  writeFileSync(path, "old");
  await expect(writeOutput(path, bytes, false)).rejects.toThrow(UserError);
  await expect(writeOutput(path, bytes, false)).rejects.toThrow("a file that is there already");
  expect(readFileSync(path, "utf8")).toBe("old");
  await writeOutput(path, bytes, true);
  expect([...readFileSync(path)]).toEqual([2, 3, 4]);
});

test("says what is wrong with the place", async () => {
  mkdirSync(join(folder, "sub"));
  await expect(writeOutput(join(folder, "sub"), bytes, true)).rejects.toThrow(/got a folder/);
  await expect(writeOutput(join(folder, "none", "a.bin"), bytes, false)).rejects.toThrow(/got nothing there/);
  writeFileSync(join(folder, "file"), "");
  const through = writeOutput(join(folder, "file", "a.bin"), bytes, false);
  await expect(through).rejects.toThrow(UserError);
  expect(readdirSync(folder).sort()).toEqual(["file", "sub"]);
});
