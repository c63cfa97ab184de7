import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isBelow, newPathBelow, pathBelow } from "../../src/web/safe-path.js";
import { temporaryFolder } from "./lab-folder.js";

test("gives real paths below the roots and nothing else", async () => {
  const folder = await realpath(await temporaryFolder());
  const [root, more, outside] = ["root", "more", "outside"].map((name) => join(folder, name));
  for (const path of [root, more, outside]) await mkdir(path);
  await mkdir(join(root, "..name"));
  for (const path of [root, more, outside]) await writeFile(join(path, "file"), "");
  await symlink(outside, join(root, "link"));
  await symlink(join(root, "file"), join(root, "inner"));
  const roots = [root, more];
  expect(await pathBelow(roots, "file")).toBe(join(root, "file"));
  expect(await pathBelow(roots, ".")).toBe(root);
  expect(await pathBelow(roots, "..name")).toBe(join(root, "..name"));
  expect(await pathBelow(roots, "inner")).toBe(join(root, "file"));
  expect(await pathBelow(roots, join(more, "file"))).toBe(join(more, "file"));
  const refused = ["../outside/file", join(outside, "file"), "link/file", "link", "/", "", "nothing", "a\0b", ".."];
  for (const given of refused.filter((path) => path !== ""))
    await expect(pathBelow(roots, given), given).rejects.toThrow(/required a path below/);
});

test("new paths must have a real parent below the root", async () => {
  const folder = await realpath(await temporaryFolder());
  const root = join(folder, "root");
  await mkdir(root);
  await mkdir(join(folder, "outside"));
  await symlink(join(folder, "outside"), join(root, "link"));
  expect(await newPathBelow(root, "a/b/c")).toBe(join(root, "a", "b", "c"));
  for (const given of ["../x", "link/x", join(folder, "x"), "a/../../x", "a\0b"])
    await expect(newPathBelow(root, given), given).rejects.toThrow(/required a path below/);
});

test("a folder whose name begins like the root is not below it", () => {
  expect(isBelow("/a/b", "/a/bc")).toBe(false);
  expect(isBelow("/a/b", "/a/b/..c")).toBe(true);
  expect(isBelow("/a/b", "/a/b")).toBe(true);
});
