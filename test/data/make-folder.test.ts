import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder, requirePlace } from "../../src/data/make-folder.js";
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

test("tries a place and leaves nothing there", () => {
  const folder = temporaryFolder({ file: "" });
  requirePlace(join(folder, "a", "b"));
  requirePlace(folder);
  expect(readdirSync(folder)).toEqual(["file"]);
  expect(() => requirePlace(join(folder, "file"))).toThrow(expect.objectContaining({ code: "EEXIST" }));
  expect(() => requirePlace(join(folder, "file", "deep"))).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
});

// An administrator may write anywhere, and Windows has other permissions.
test.skipIf(process.getuid === undefined || process.getuid() === 0)("refuses a place without permission", () => {
  const folder = join(temporaryFolder(), "locked");
  mkdirSync(folder);
  chmodSync(folder, 0o500);
  for (const path of [folder, join(folder, "run")])
    expect(() => requirePlace(path)).toThrow(expect.objectContaining({ code: "EACCES" }));
});
