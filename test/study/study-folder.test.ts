import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { StudyFolder } from "../../src/study/study-folder.js";
import { armsOf, planOf, recordOf, trialOf } from "../support/study-plan.js";
import { temporaryFolder } from "../support/temporary-folder.js";

vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof import("node:fs/promises")>();
  return { ...actual, rm: vi.fn(actual.rm) };
});

async function filled() {
  const folder = await StudyFolder.open(join(temporaryFolder(), "study"), false);
  const plan = planOf(await armsOf("he"));
  const records = [0, 1, 2].map((seed) => recordOf(plan, trialOf(plan, "he", seed), 0.5 + seed / 10));
  for (const record of records) await folder.appendTrial(record);
  return { folder, records, file: folder.file("trials.jsonl") };
}

test("gives back what was appended", async () => {
  const { folder, records } = await filled();
  expect([...(await folder.readTrials()).values()]).toEqual(records);
});

test("of a trial that was made again, the later record counts", async () => {
  const { folder, records } = await filled();
  await folder.appendTrial({ ...records[1], stepsMade: 500 });
  const trials = [...(await folder.readTrials()).values()];
  expect(trials).toEqual([records[0], { ...records[1], stepsMade: 500 }, records[2]]);
});

test("cuts a torn last line off, so that the next one begins a line of its own", async () => {
  const { folder, records, file } = await filled();
  const whole = readFileSync(file, "utf8");
  appendFileSync(file, '{"key":"x","poi');
  expect((await folder.readTrials()).size).toBe(3);
  expect(readFileSync(file, "utf8")).toBe(whole);
  await folder.appendTrial({ ...records[0], key: "new" });
  expect((await folder.readTrials()).size).toBe(4);
});

test("refuses a broken line in the middle, naming it", async () => {
  const { folder, file } = await filled();
  const lines = readFileSync(file, "utf8").split("\n");
  lines[1] = lines[1].slice(0, 40);
  writeFileSync(file, lines.join("\n"));
  await expect(folder.readTrials()).rejects.toThrow(/trials\.jsonl, line 2: required a trial's record/);
});

test.each<[string, (record: Record<string, unknown>) => void]>([
  ["a score", (record) => delete record.score],
  ["points", (record) => Object.assign(record, { points: [] })],
  ["a point's score", (record) => Object.assign(record, { points: [{ step: 0, loss: 1, score: null }] })],
  ["its seconds", (record) => Object.assign(record, { timing: { startSeconds: "x", secondsPerStep: 1 } })],
  ["what a layer started as", (record) => Object.assign(record, { start: [{ layer: "w", mean: "x" }] })],
  ["an ending", (record) => Object.assign(record, { diverged: "x" })],
])("refuses a trial that has lost %s, which nothing could be counted with", async (_, spoil) => {
  const { folder, records, file } = await filled();
  const broken = JSON.parse(JSON.stringify(records[0]));
  spoil(broken);
  writeFileSync(file, `${[records[1], broken, records[2]].map((record) => JSON.stringify(record)).join("\n")}\n`);
  await expect(folder.readTrials()).rejects.toThrow(
    /trials\.jsonl, line 2: required a trial's record, got something else/,
  );
});

test("refuses a pretraining's record that is none, or another's", async () => {
  const { folder } = await filled();
  const record = {
    key: "k",
    network: "net",
    recipe: "r",
    seed: 0,
    steps: 1,
    samples: 8,
    seconds: 1,
    metrics: {},
    warnings: [],
  };
  const name = join("pretraining", "k.json");
  expect(await folder.readPretraining("k")).toBeUndefined();
  await folder.writeJson(name, record);
  expect(await folder.readPretraining("k")).toEqual(record);
  for (const broken of [null, [], { ...record, seconds: "1" }, { ...record, key: "other" }]) {
    await folder.writeJson(name, broken);
    await expect(folder.readPretraining("k")).rejects.toThrow(
      /k\.json: required a pretraining's record, got something else\. Remove it/,
    );
  }
});

test("says of a damaged file how to go on, which is another way for the plan", async () => {
  const { folder } = await filled();
  for (const [name, advice] of [
    ["timing.json", "Remove it, or begin anew with --overwrite."],
    ["study.json", "Begin anew with --overwrite."],
  ]) {
    await folder.write(name, "{");
    await expect(folder.readJson(name)).rejects.toThrow(
      new RegExp(`${name}: required a JSON file, got .*\\. ${advice}$`),
    );
  }
});

test("reads trials of the first version, which called their score accuracy", async () => {
  const { folder, records, file } = await filled();
  const early = records.map(({ score: accuracy, bestScore: bestAccuracy, points, ...record }) => ({
    ...record,
    accuracy,
    bestAccuracy,
    points: points.map(({ score, ...point }) => ({ ...point, accuracy: score })),
  }));
  writeFileSync(file, `${early.map((record) => JSON.stringify(record)).join("\n")}\n`);
  expect([...(await folder.readTrials()).values()]).toEqual(records);
  // And lines of today may follow.
  await folder.appendTrial({ ...records[0], key: "new" });
  expect((await folder.readTrials()).get("new")?.score).toBe(records[0].score);
});

test("leaves a folder with other files alone, also with overwrite", async () => {
  const path = temporaryFolder({ "thesis.txt": "irreplaceable" });
  for (const overwrite of [false, true]) await expect(StudyFolder.open(path, overwrite)).rejects.toThrow(/other files/);
  expect(readFileSync(join(path, "thesis.txt"), "utf8")).toBe("irreplaceable");
});

test("opens a folder in which another study is writing its plan at the moment", async () => {
  const begun = {
    "study.lock": "{}",
    "study.lock.0f8fad5b-d9cb-469f-a165-70867728950e": "{}",
    "study.json.2871736": "{",
  };
  const { path } = await StudyFolder.open(temporaryFolder(begun), false);
  expect(readdirSync(path).sort()).toEqual(Object.keys(begun).sort());
  for (const other of ["study.json.txt", "my study.json.7", "study.lock.txt"])
    await expect(StudyFolder.open(temporaryFolder({ ...begun, [other]: "" }), false)).rejects.toThrow(/other files/);
});

test("a study that is ended at once while it is overwritten can be overwritten again", async () => {
  const path = temporaryFolder({ "study.json": "{}", "trials.jsonl": "{", "notes.txt": "mine" });
  vi.mocked(rm).mockImplementation(async (file) => {
    if (file === join(path, "summary.json")) throw new Error("killed");
  });
  await expect(StudyFolder.open(path, true)).rejects.toThrow("killed");
  vi.mocked(rm).mockReset();
  await StudyFolder.open(path, true);
  expect(readdirSync(path)).toEqual(["notes.txt"]);
});

test("who locks a study's folder removes what was left half written in it, and nothing else", async () => {
  const path = temporaryFolder({ "study.json": "{}", "weights.json.1000001": "mine", "study.json.2": "mine" });
  const folder = await StudyFolder.open(path, false);
  for (const name of ["study.json.1000001", "report.html.2000002"]) await folder.write(name, "x");
  for (const name of ["a.safetensors", "a.safetensors.1230000", "a.json.4000000", "notes.5"])
    await folder.write(join("pretraining", name), "x");
  await (await folder.lock())();
  expect(readdirSync(join(path, "pretraining")).sort()).toEqual(["a.safetensors", "notes.5"]);
  expect(readdirSync(path).sort()).toEqual(["pretraining", "study.json", "study.json.2", "weights.json.1000001"]);
});

test("overwriting removes what a study wrote", async () => {
  const path = temporaryFolder({ "study.json": "{}", "trials.jsonl": "{", "notes.txt": "mine" });
  const folder = await StudyFolder.open(path, true);
  expect(await folder.readTrials()).toEqual(new Map());
  expect(readFileSync(join(path, "notes.txt"), "utf8")).toBe("mine");
});
