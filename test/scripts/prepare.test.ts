import { symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";

const { npmCommand, planInstall } = await import(new URL("../../scripts/prepare.mjs", import.meta.url).href);

test("npm is started without a shell, by its script where that is known", () => {
  const known = { npm_execpath: "/lib/npm/bin/npm-cli.js" };
  for (const platform of ["linux", "win32"] as const)
    expect(npmCommand(["ci"], known, platform)).toEqual({
      program: process.execPath,
      words: [known.npm_execpath, "ci"],
      shell: false,
    });
  expect(npmCommand(["ci", "a b"], {}, "darwin")).toEqual({ program: "npm", words: ["ci", "a b"], shell: false });
});

test("on Windows, npm by its name is one line for a shell, since Node starts no batch file without", () => {
  expect(npmCommand(["pack", "C:\\my files"], {}, "win32")).toEqual({
    program: 'npm pack "C:\\my files"',
    words: [],
    shell: true,
  });
  // Another package manager's script has other options.
  expect(npmCommand(["ci"], { npm_execpath: "C:\\pnpm\\bin\\pnpm.cjs" }, "win32").program).toBe("npm ci");
});

/** A clone whose package-lock.json is of the second 2; `installed` is when npm has installed what `packages` holds, if at all. */
function clone(packages: string, installed?: number): string {
  const lock = join(packages, ".package-lock.json");
  const folder = temporaryFolder({
    "package-lock.json": "{}",
    ...(installed === undefined ? { [join(packages, "a", "package.json")]: "{}" } : { [lock]: "{}" }),
  });
  utimesSync(join(folder, "package-lock.json"), 2, 2);
  if (installed !== undefined) utimesSync(join(folder, lock), installed, installed);
  return folder;
}

test("packages are installed where npm has not done so since package-lock.json changed", () => {
  expect(planInstall(clone("packages"))).toEqual({ isNeeded: true });
  expect(planInstall(clone("node_modules"))).toEqual({ isNeeded: true });
  expect(planInstall(clone("node_modules", 1))).toEqual({ isNeeded: true });
  expect(planInstall(clone("node_modules", 3))).toEqual({ isNeeded: false });
});

test("nothing is installed through a link, since npm would empty what it leads to", () => {
  const link = (installed?: number, target = "elsewhere") => {
    const folder = clone("elsewhere", installed);
    symlinkSync(target, join(folder, "node_modules"), "dir");
    return planInstall(folder);
  };
  expect(link(3)).toEqual({ isNeeded: false });
  expect(link(1)).toEqual({
    isNeeded: false,
    note: "node_modules is a link to elsewhere: the packages there are taken as they are, though package-lock.json is newer.",
  });
  expect(link()).toEqual({
    isNeeded: false,
    refusal:
      "node_modules is a link to elsewhere, where npm has installed no packages, and installing them here would empty that folder. Install them there, or remove the link.",
  });
  expect(link(3, "nowhere")).toMatchObject({ isNeeded: false, refusal: expect.stringContaining("nowhere") });
});
