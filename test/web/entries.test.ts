import { spawnSync } from "node:child_process";
import { appendFile, mkdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { StudyPlan } from "../../src/study/plan.js";
import { Entries } from "../../src/web/entries.js";
import { readStudyDetail } from "../../src/web/read-study.js";
import { armsOf } from "../support/study-plan.js";
import { lock, temporaryFolder, writeRun, writeStudy } from "./lab-folder.js";

test("a study's trial that was made again for more steps counts once, as it was made last", async () => {
  const root = await temporaryFolder();
  await writeStudy(join(root, "study"), 3);
  const path = join(root, "study", "trials.jsonl");
  const [first] = (await readFile(path, "utf8")).split("\n");
  await appendFile(path, `${JSON.stringify({ ...JSON.parse(first), score: 0.9 })}\n`);
  const { entry, trials } = await readStudyDetail(join(root, "study"), "study", undefined);
  expect([entry.done, trials.length]).toEqual([3, 3]);
  expect(trials.map(({ arm, seed, score }) => [arm, seed, score])).toEqual([
    ["he", 0, 0.9],
    ["default", 0, 0.5],
    ["he", 1, 0.6],
  ]);
});

test("trials of another plan of a study's folder are no progress of this one, however alike", async () => {
  const root = await temporaryFolder();
  await writeStudy(join(root, "study"), 4);
  const file = join(root, "study", "study.json");
  const { plan } = JSON.parse(await readFile(file, "utf8")) as { plan: StudyPlan };
  const progress = async (changes: Partial<StudyPlan>) => {
    await writeFile(file, JSON.stringify({ plan: { ...plan, ...changes } }));
    const { entry, trials } = await readStudyDetail(join(root, "study"), "study", undefined);
    expect(trials.length).toBe(entry.done);
    return [entry.done, entry.total];
  };
  expect(await progress({})).toEqual([4, 4]);
  expect(await progress({ arms: await armsOf("he", "paper") })).toEqual([2, 4]);
  expect(await progress({ seeds: 1 })).toEqual([2, 2]);
  // The same arms, labels, seeds and steps.
  expect(await progress({ schedule: "cosine" })).toEqual([0, 4]);
  expect(await progress({ batchSize: 4 })).toEqual([0, 4]);
  expect(await progress({ data: { ...plan.data, train: "other labels" } })).toEqual([0, 4]);
});

test("a study's trials are shown by the measure that judges them", async () => {
  const root = await temporaryFolder();
  await writeStudy(join(root, "study"), 2);
  const [file, path] = [join(root, "study", "study.json"), join(root, "study", "trials.jsonl")];
  const [first, early] = (await readFile(path, "utf8")).split("\n");
  const points = [{ step: 5, score: 0.5, balancedAccuracy: 0.4, loss: null }];
  const measured = { ...JSON.parse(first), points, classSizes: [9, 1] };
  await writeFile(path, `${JSON.stringify(measured)}\n${early}\n`);
  const scores = async () => {
    const { trials } = await readStudyDetail(join(root, "study"), "study", undefined);
    return trials.map(({ score, points: [...along] }) => [score, along[along.length - 1].score]);
  };
  expect(await scores()).toEqual([
    [0.5, 0.5],
    [0.6, 0.6],
  ]);
  const { plan } = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ plan: { ...plan, measure: "balanced-accuracy" } }));
  // The other trial is of an earlier version, which did not measure it.
  expect(await scores()).toEqual([[0.4, 0.4]]);
});

test("a plan of another version is a problem that has a name, and what is no trial's record is one", async () => {
  const root = await temporaryFolder();
  await writeStudy(join(root, "study"), 2);
  const [file, path] = [join(root, "study", "study.json"), join(root, "study", "trials.jsonl")];
  await appendFile(path, '{"key": "a", "points": []}\n');
  const { entry, problems } = await readStudyDetail(join(root, "study"), "study", undefined);
  expect([entry.done, problems]).toEqual([2, [{ path: "study/trials.jsonl", reason: "line 3 is no record" }]]);
  for (const plan of [undefined, {}, { networks: ["net"], arms: ["he"] }, { networks: 3, arms: [] }]) {
    await writeFile(file, JSON.stringify({ plan }));
    const list = await new Entries(root, () => undefined).list();
    expect([list.entries, list.problems.map(({ path: named }) => named)], JSON.stringify(plan)).toEqual([
      [],
      ["study/study.json"],
    ]);
  }
});

test("finds runs and studies, newest first, and names what it cannot use", async () => {
  const root = await temporaryFolder();
  await writeRun(join(root, "a", "finished"), 4, true);
  await writeRun(join(root, "b"), 2);
  await writeStudy(join(root, "study"), 3);
  await mkdir(join(root, "torn"));
  await writeFile(join(root, "torn", "run.json"), '{"model": {');
  await mkdir(join(root, "foreign"));
  await writeFile(join(root, "foreign", "run.json"), '{"name": "another program"}');
  await mkdir(join(root, ".hidden"));
  await writeRun(join(root, ".hidden", "run"));
  const outside = await temporaryFolder();
  await writeRun(join(outside, "run"));
  await symlink(outside, join(root, "link"));
  await lock(join(root, "study", "study.lock"));
  const old = new Date(Date.now() - 3_600_000);
  for (const name of ["metrics.jsonl", "run.json"]) await utimes(join(root, "b", name), old, old);

  const entries = new Entries(root, () => undefined);
  const { entries: found, problems } = await entries.list();
  expect(found.map(({ id, kind, state, done, total }) => [id, kind, state, done, total])).toEqual(
    expect.arrayContaining([
      ["a/finished", "run", "finished", 4, 4],
      ["study", "study", "running", 3, 4],
      ["b", "run", "stopped", 2, 4],
    ]),
  );
  expect(found.length).toBe(3);
  expect(found.at(-1)?.id).toBe("b");
  expect(found.find(({ id }) => id === "b")).toMatchObject({
    model: "model.onnx",
    recipe: "default",
    seed: 3,
    latest: { "generator/loss": 0.5 },
  });
  expect(problems.map(({ path }) => path).sort()).toEqual(["foreign/run.json", "torn/run.json"]);
  expect(problems.find(({ path }) => path.startsWith("foreign"))?.reason).toMatch(/no headstart run/);

  await lock(join(root, "b", "run.lock"));
  await writeRun(join(root, "b"), 3);
  expect((await entries.list()).entries.find(({ id }) => id === "b")).toMatchObject({ done: 3, state: "running" });
});

test("the lock says whether somebody works on a run or study that was started elsewhere", async () => {
  const root = await temporaryFolder();
  await writeRun(join(root, "run"), 2);
  await writeStudy(join(root, "study"), 3);
  const entries = new Entries(root, () => undefined);
  const states = async () => {
    const { entries: found } = await entries.list();
    return Object.fromEntries(found.map(({ id, state }) => [id, state]));
  };
  const each = async (number = process.pid, host = hostname()) => {
    for (const name of ["run", "study"]) await lock(join(root, name, `${name}.lock`), number, host);
  };
  // What has just been written without a lock was given up.
  expect(await states()).toEqual({ run: "stopped", study: "stopped" });
  await each();
  expect(await states()).toEqual({ run: "running", study: "running" });
  // Its process was killed.
  const ended = spawnSync(process.execPath, ["--version"]).pid;
  await each(ended);
  expect(await states()).toEqual({ run: "stopped", study: "stopped" });
  // Of another machine nobody can tell: it has written something just now.
  await each(ended, "another");
  expect(await states()).toEqual({ run: "running", study: "running" });
  const old = new Date(Date.now() - 3_600_000);
  for (const file of ["run/run.json", "run/metrics.jsonl", "study/study.json", "study/trials.jsonl"])
    await utimes(join(root, file), old, old);
  expect(await states()).toEqual({ run: "stopped", study: "stopped" });
  // One that is extended has results from before.
  await writeRun(join(root, "run"), 4, true);
  await each();
  expect((await states()).run).toBe("running");
});

test("a process says more than the files", async () => {
  const root = await temporaryFolder();
  await writeRun(join(root, "run"), 2);
  const state = (name: "running" | "paused" | "failed") => ({
    state: name,
    command: "",
    log: "",
    ...(name === "failed" ? { message: "no" } : {}),
  });
  let now: "running" | "paused" | "failed" = "running";
  const entries = new Entries(root, () => state(now));
  expect((await entries.list()).entries[0]).toMatchObject({ state: "running", controlled: true });
  now = "paused";
  expect((await entries.list()).entries[0].state).toBe("paused");
  now = "failed";
  expect((await entries.list()).entries[0]).toMatchObject({ state: "failed", message: "no" });
});
