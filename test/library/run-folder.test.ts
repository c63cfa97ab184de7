import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import { RunFolder, runFiles } from "../../src/library/run-folder.js";
import { folderWith } from "../support/toy-data.js";

vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof import("node:fs/promises")>();
  return { ...actual, rm: vi.fn(actual.rm) };
});

describe("RunFolder.create", () => {
  it("makes folders within folders", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("a/b"), false, {});
    expect(readdirSync(path("a/b"))).toEqual(expect.arrayContaining(["checkpoints", "samples"]));
    expect(folder.file("x")).toBe(path("a/b/x"));
  });

  it("takes an empty folder", async () => {
    const path = folderWith({});
    mkdirSync(path("empty"));
    await RunFolder.create(path("empty"), false, {});
    expect(existsSync(path("empty/checkpoints"))).toBe(true);
  });

  it("replaces an earlier run only where it is told to, and nothing else in it", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("run"), false, {});
    await folder.writeJson(runFiles.record, { seed: 1 });
    await folder.writeCheckpoint({ step: 3, state: new Map() });
    writeFileSync(path("run/notes.txt"), "mine");
    await expect(RunFolder.create(path("run"), false, {})).rejects.toThrow(/an earlier run\. Pass --overwrite/);
    expect(existsSync(path("run/run.json"))).toBe(true);
    await expect(RunFolder.create(path("run"), true, {})).rejects.toThrow(/run\.lock: .* no other run is writing to/);
    expect(existsSync(path("run/run.json"))).toBe(true);
    await folder.unlock();
    await RunFolder.create(path("run"), true, { seed: 2 });
    expect(JSON.parse(readFileSync(path("run/run.json"), "utf8"))).toEqual({ seed: 2 });
    expect(readdirSync(path("run/checkpoints"))).toEqual([]);
    expect(readFileSync(path("run/notes.txt"), "utf8")).toBe("mine");
  });

  it("replaces an earlier run's model of another format too, and no other file of such a name", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("run"), false, {});
    await folder.writeJson(runFiles.record, { seed: 1 });
    await folder.writeJson(runFiles.result, {
      written: { model: "model.keras", format: "keras", producer: "Keras 3" },
    });
    for (const name of ["model.keras", "model.h5"]) writeFileSync(path(`run/${name}`), "x");
    await folder.unlock();
    await RunFolder.create(path("run"), true, {});
    expect(existsSync(path("run/model.keras"))).toBe(false);
    expect(existsSync(path("run/model.h5"))).toBe(true);
  });

  it("takes a folder that a run has left which was ended at once before its record was there", async () => {
    const path = folderWith({});
    mkdirSync(path("run"));
    for (const name of ["run.json.123456789", "run.lock.0f-1"]) writeFileSync(path(`run/${name}`), "{");
    await (await RunFolder.create(path("run"), false, { seed: 1 })).unlock();
    expect(readdirSync(path("run")).sort()).toEqual(["checkpoints", "filters", "run.json", "run.lock.0f-1", "samples"]);
  });

  it.each(["metrics.jsonl", "weights.safetensors", "checkpoints"])(
    "leaves an earlier run that is not finished where it is ended at %s",
    async (last) => {
      const path = folderWith({});
      const folder = await RunFolder.create(path("run"), false, { seed: 1 });
      await folder.writeJson(runFiles.result, {});
      await folder.writeCheckpoint({ step: 3, state: new Map() });
      for (const name of ["metrics.jsonl", "weights.safetensors"]) await folder.write(name, "x");
      await folder.unlock();
      vi.mocked(rm).mockImplementation(async (file, options) => {
        if (file === path(`run/${last}`)) throw new Error("killed");
        return (await vi.importActual<typeof import("node:fs/promises")>("node:fs/promises")).rm(file, options);
      });
      await expect(RunFolder.create(path("run"), true, { seed: 2 })).rejects.toThrow("killed");
      vi.mocked(rm).mockReset();
      expect(JSON.parse(readFileSync(path("run/run.json"), "utf8"))).toEqual({ seed: 1 });
      expect(existsSync(path("run/result.json"))).toBe(false);
      // What is left must not be gone on from with some of its lines missing.
      if (last !== "checkpoints") expect(existsSync(path("run/checkpoints"))).toBe(false);
      await RunFolder.create(path("run"), true, { seed: 2 });
      expect(readdirSync(path("run")).sort()).toEqual(["checkpoints", "filters", "run.json", "run.lock", "samples"]);
    },
  );

  it.each([
    ["file", /file: required a folder for the run, got a path through a file/],
    ["file/run", /required a folder for the run, got a path through a file/],
    ["other", /other: required a new or empty folder for the run, got a folder with other files/],
  ])("refuses %s", async (name, message) => {
    const path = folderWith({ file: "text" });
    mkdirSync(path("other"));
    writeFileSync(path("other/a"), "");
    for (const overwrite of [false, true])
      await expect(RunFolder.create(path(name), overwrite, {})).rejects.toThrow(message);
    expect(readFileSync(path("file"), "utf8")).toBe("text");
  });
});

describe("RunFolder.requireFree", () => {
  it("leaves nothing where a run could be", async () => {
    const path = folderWith({});
    expect(await RunFolder.requireFree(path("a/run"), false)).toBe(false);
    expect(readdirSync(path("."))).toEqual([]);
  });

  it.skipIf(!existsSync("/proc/self"))("refuses a place that takes no folder, before any work", async () => {
    await expect(RunFolder.requireFree("/proc/headstart/run", false)).rejects.toThrow(/takes none \(\/proc\)/);
  });
});

describe("RunFolder.open", () => {
  it("needs a record", async () => {
    const path = folderWith({ "run.json": "{}" });
    expect((await RunFolder.open(path("."))).path).toBe(path("."));
    await expect(RunFolder.open(path("none"))).rejects.toThrow(
      /run\.json, got none\. Start the run without --resume\./,
    );
  });

  it("refuses a record that is no JSON", async () => {
    const path = folderWith({ "run.json": "{" });
    const folder = await RunFolder.open(path("."));
    await expect(folder.readJson("run.json")).rejects.toThrow(/run\.json: required a JSON file, got .*--overwrite/);
    await expect(folder.readJson("none.json")).rejects.toThrow(
      /none\.json: required a run's record, got nothing there/,
    );
  });
});

describe("records", () => {
  it("are cut behind a step, with a torn last line", async () => {
    const path = folderWith({ "run.json": "{}" });
    const folder = await RunFolder.open(path("."));
    for (const step of [1, 2, 3, 4]) await folder.append("metrics.jsonl", { step, word: "größer" });
    await folder.cutAfter("metrics.jsonl", 2);
    const lines = () => readFileSync(path("metrics.jsonl"), "utf8");
    expect(lines()).toBe('{"step":1,"word":"größer"}\n{"step":2,"word":"größer"}\n');
    expect(await folder.stepsIn("metrics.jsonl")).toEqual([1, 2]);
    expect(await folder.stepsIn("none.jsonl")).toEqual([]);
    appendFileSync(path("metrics.jsonl"), '{"step":2,"wo');
    await folder.cutAfter("metrics.jsonl", 9);
    expect(lines()).toBe('{"step":1,"word":"größer"}\n{"step":2,"word":"größer"}\n');
    await folder.cutAfter("metrics.jsonl", 0);
    expect(lines()).toBe("");
    await folder.cutAfter("none.jsonl", 0);
    expect(existsSync(path("none.jsonl"))).toBe(false);
  });
});

describe("checkpoints", () => {
  it("come back as they were, and only the newest stays", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("run"), false, {});
    expect(await folder.readCheckpoint()).toBeUndefined();
    await folder.writeCheckpoint({ step: 9, state: new Map([["a/b:0", Float32Array.of(1, -0, 1e-40)]]) });
    const state = new Map([
      ["a/b:0", Float32Array.of(3, 4)],
      ["empty", new Float32Array()],
    ]);
    await folder.writeCheckpoint({ step: 10, state });
    expect(readdirSync(path("run/checkpoints"))).toEqual(["step-000000010.safetensors"]);
    expect(await folder.readCheckpoint()).toEqual({ step: 10, state });
  });

  it("that an ended run could not drop, and what it left half written, are dropped where it is resumed", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("run"), false, {});
    await folder.writeCheckpoint({ step: 1, state: new Map() });
    copyFileSync(path("run/checkpoints/step-000000001.safetensors"), path("older"));
    await folder.writeCheckpoint({ step: 2, state: new Map() });
    copyFileSync(path("older"), path("run/checkpoints/step-000000001.safetensors"));
    const within = ["checkpoints/step-000000003.safetensors.1000001", "filters/step-000000003.png.2000002"];
    const beside = ["run.json.3000003", "result.json.4000004", "weights.safetensors.5000005", "model.keras.6000006"];
    const mine = ["notes.1000001", "weights.safetensors.1"];
    for (const name of [...within, ...beside, ...mine]) writeFileSync(path(`run/${name}`), "x");
    await folder.prepare();
    expect(await folder.readCheckpoint()).toMatchObject({ step: 2 });
    expect(readdirSync(path("run/checkpoints"))).toEqual(["step-000000002.safetensors"]);
    expect(readdirSync(path("run/filters"))).toEqual([]);
    expect(readdirSync(path("run")).filter((name) => /\d$/.test(name))).toEqual(mine);
  });

  it("that cannot be read are refused in words", async () => {
    const path = folderWith({});
    const folder = await RunFolder.create(path("run"), false, {});
    mkdirSync(path("run/checkpoints/step-000000001.safetensors"));
    await expect(folder.readCheckpoint()).rejects.toThrow(/1\.safetensors: required a checkpoint, got a folder\./);
  });
});

describe("writing", () => {
  it("says where it could not write", async () => {
    const path = folderWith({ "run.json": "{}" });
    const folder = await RunFolder.open(path("."));
    await expect(folder.write("no/such/file", "x")).rejects.toThrow(/required a place to write to, got nothing there/);
    await expect(folder.append("no/such/file", {})).rejects.toThrow(/required a place to write to, got nothing there/);
  });
});
