import { spawnSync } from "node:child_process";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { defaultCacheFolder, GrowingFile, removeLeftBehind } from "../../src/data/cache-folder.js";
import { openDataset } from "../../src/data/open-dataset.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** The number of a process that has ended. */
const ended = spawnSync(process.execPath, ["--eval", ""]).pid;

function setUp() {
  const names = {
    old: `unfinished-${ended}-a`,
    new: `unfinished-${ended}-b`,
    running: `unfinished-${process.pid}-c`,
    other: "samples",
  };
  const folder = temporaryFolder({
    ...Object.fromEntries(Object.values(names).map((name) => [name, "x"])),
    "t.csv": "1,2\n3,5\n",
  });
  const before = new Date(Date.now() - 25 * 60 * 60 * 1000);
  for (const name of [names.old, names.running, names.other]) utimesSync(join(folder, name), before, before);
  return { folder, left: [names.new, names.running, names.other, "t.csv"].sort() };
}

test("what a process that was ended has left unfinished is removed, once it is a day old", () => {
  const { folder, left } = setUp();
  removeLeftBehind(folder);
  expect(readdirSync(folder).sort()).toEqual(left);
  removeLeftBehind(join(folder, "nowhere"));
});

test("opening data removes it", async () => {
  const { folder, left } = setUp();
  await openDataset(join(folder, "t.csv"), { cache: folder });
  expect(readdirSync(folder).sort()).toEqual(left);
});

const disk = vi.hoisted(() => ({ isHeld: false }));

/** Removes as Windows may do, where open files stay. */
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const rmSync: typeof real.rmSync = (path, options) => {
    if (disk.isHeld) throw Object.assign(new Error("EBUSY: resource busy or locked"), { code: "EBUSY" });
    real.rmSync(path, options);
  };
  return { ...real, rmSync };
});

test("files that cannot be removed while they are open are removed at the end, by one listener for all", () => {
  const folder = temporaryFolder();
  const known = process.listeners("exit");
  disk.isHeld = true;
  for (let file = 0; file < 12; file++) new GrowingFile(folder).keepWhileOpen();
  const added = process.listeners("exit").filter((listener) => !known.includes(listener));
  expect(readdirSync(folder)).toHaveLength(12);
  expect(added).toHaveLength(1);
  // One that is held even then stops neither the others nor the process's end.
  added[0](0);
  disk.isHeld = false;
  added[0](0);
  expect(readdirSync(folder)).toEqual([]);
});

const user = vi.hoisted(() => ({ hasHome: true }));

vi.mock("node:os", async (original) => {
  const real = await original<typeof import("node:os")>();
  const homedir: typeof real.homedir = () => {
    if (user.hasHome) return real.homedir();
    throw new Error("A system error occurred: uv_os_homedir returned ENOENT (no such file or directory)");
  };
  return { ...real, homedir };
});

test("a user without a home folder can open data, and is told where a cache is needed", async () => {
  const folder = temporaryFolder({ "t.csv": "1,2\n3,5\n" });
  vi.stubEnv("XDG_CACHE_HOME", "");
  vi.stubEnv("LOCALAPPDATA", "");
  user.hasHome = false;
  try {
    expect((await openDataset(join(folder, "t.csv"))).count).toBe(2);
    expect(defaultCacheFolder).toThrow(/^cache folder: required a home folder .* Name another with --cache/);
  } finally {
    user.hasHome = true;
    vi.unstubAllEnvs();
  }
});
