import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { lockFolder } from "../../src/study/lock-folder.js";
import { temporaryFolder } from "../support/temporary-folder.js";

/** A process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ["--version"]).pid;
}

const holder = (changes: object) =>
  JSON.stringify({ process: endedProcess(), host: hostname(), since: "2000-01-01T00:00:00.000Z", ...changes });

test("keeps a second study out until the first gives it back", async () => {
  const path = join(temporaryFolder(), "study.lock");
  const unlock = await lockFolder(path, "study");
  await expect(lockFolder(path, "study")).rejects.toThrow(
    new RegExp(`study\\.lock: required a folder that no other study.*got one of process ${process.pid} on`),
  );
  await unlock();
  expect(existsSync(path)).toBe(false);
  await (await lockFolder(path, "study"))();
});

test("takes over what a process that ended has left", async () => {
  const folder = temporaryFolder({ "study.lock": holder({}) });
  const path = join(folder, "study.lock");
  const unlock = await lockFolder(path, "study");
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ process: process.pid });
  expect(readdirSync(folder)).toEqual(["study.lock"]);
  await unlock();
  expect(readdirSync(folder)).toEqual([]);
});

test("leaves alone what another machine may hold, and what it cannot read", async () => {
  for (const content of [holder({ host: "another" }), "", "{", "null", '{"process":"1"}']) {
    const path = join(temporaryFolder({ "study.lock": content }), "study.lock");
    await expect(lockFolder(path, "study")).rejects.toThrow(/if none runs, remove this file/);
    expect(readFileSync(path, "utf8")).toBe(content);
  }
});

test("only one of two takes a stale lock over, and gives back only its own", async () => {
  const path = join(temporaryFolder({ "study.lock": holder({}) }), "study.lock");
  const taken = await Promise.allSettled([lockFolder(path, "study"), lockFolder(path, "study")]);
  expect(taken.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  writeFileSync(path, holder({ host: "another" }));
  for (const result of taken) if (result.status === "fulfilled") await result.value();
  expect(existsSync(path)).toBe(true);
});

test("takes over what a process of its own number has left before it began", async () => {
  const path = join(temporaryFolder({ "run.lock": holder({ process: process.pid }) }), "run.lock");
  await (await lockFolder(path, "run"))();
  expect(existsSync(path)).toBe(false);
});
