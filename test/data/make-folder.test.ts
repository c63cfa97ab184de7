import { existsSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder } from "../../src/data/make-folder.js";
import { UserError } from "../../src/errors.js";
import { temporaryFolder } from "../support/temporary-folder.js";

test("makes a folder with those above it, and leaves one that is there", () => {
  const folder = join(temporaryFolder(), "a", "b", "c");
  for (let time = 0; time < 2; time++) {
    makeFolder(folder);
    expect(statSync(folder).isDirectory()).toBe(true);
  }
});

test("throws what the file system says where a file is in the way, or a link that leads nowhere", () => {
  const folder = temporaryFolder({ file: "" });
  expect(() => makeFolder(join(folder, "file"))).toThrow(expect.objectContaining({ code: "EEXIST" }));
  expect(() => makeFolder(join(folder, "file", "deep", "er"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
  if (process.platform === "win32") return;
  symlinkSync("nowhere", join(folder, "link"));
  expect(() => makeFolder(join(folder, "link"))).toThrow(expect.objectContaining({ code: "EEXIST" }));
});

test.skipIf(!existsSync("/proc/self"))("refuses places that take no folder", () => {
  for (const path of ["/proc/headstart", "/proc/headstart/deep"]) {
    expect(() => makeFolder(path)).toThrow(UserError);
    expect(() => makeFolder(path)).toThrow(
      `${path}: required a place where folders can be made, got one that takes none (/proc). Choose another folder.`,
    );
  }
});
