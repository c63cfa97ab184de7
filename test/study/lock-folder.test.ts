import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { beginOf } from "../../src/is-running.js";
import { isHeld, lockFolder } from "../../src/study/lock-folder.js";
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

test("removes what processes that ended have left beside it, and nothing else", async () => {
  const others = {
    "study.lock.b": holder({ process: process.pid, since: new Date() }),
    "study.lock.c": "{",
    notes: holder({}),
  };
  const folder = temporaryFolder({ "study.lock.a": holder({}), ...others });
  await (await lockFolder(join(folder, "study.lock"), "study"))();
  expect(readdirSync(folder).sort()).toEqual(Object.keys(others).sort());
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

test("is there whole or not at all, and leaves nothing beside it", async () => {
  const folder = temporaryFolder({});
  const path = join(folder, "run.lock");
  const unlock = await lockFolder(path, "run");
  expect(readdirSync(folder)).toEqual(["run.lock"]);
  expect(isHeld(readFileSync(path, "utf8"))).toBe(true);
  await expect(lockFolder(path, "run")).rejects.toThrow(/run\.lock: required a folder that no other run/);
  await expect(lockFolder(join(folder, "missing", "run.lock"), "run")).rejects.toThrow(/got nothing there/);
  await unlock();
  expect(readdirSync(folder)).toEqual([]);
});

test("says nothing of another machine's process, and of what it cannot read", () => {
  for (const content of [holder({ host: "another" }), holder({ process: 0 }), "", "{", "null"])
    expect(isHeld(content)).toBeUndefined();
});

test.skipIf(beginOf(process.pid) === null)(
  "takes over what a process of a number had that is another's by now",
  async () => {
    const path = join(temporaryFolder({ "run.lock": holder({ process: process.ppid, began: "1" }) }), "run.lock");
    await (await lockFolder(path, "run"))();
    expect(existsSync(path)).toBe(false);
    expect(isHeld(holder({ process: process.ppid, began: beginOf(process.ppid) }))).toBe(true);
    // A clock that was set back since the process began.
    expect(isHeld(holder({ process: process.pid, began: beginOf(process.pid) }))).toBe(true);
  },
);

test.skipIf(beginOf(process.pid) === null)(
  "takes over what a process had that waits for its parent to ask how it ended",
  async () => {
    // A shell that becomes a program which never asks, before the child ends: a shell might ask.
    const parent = spawn("sh", ["-c", "exec 3<&0; cat <&3 & echo $!; exec tail -f /dev/null"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    try {
      const text = await new Promise<string>((resolve) => parent.stdout.once("data", (data) => resolve(String(data))));
      await expect.poll(() => readFileSync(`/proc/${parent.pid}/comm`, "utf8").trim()).toBe("tail");
      parent.stdin.end();
      await expect.poll(() => isHeld(holder({ process: Number(text) }))).toBe(false);
      expect(existsSync(`/proc/${Number(text)}`)).toBe(true);
    } finally {
      parent.kill("SIGKILL");
    }
  },
);
