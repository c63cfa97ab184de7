import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { InterruptedError, UserError } from "../../src/errors.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { type InitializeEvent, type InitializeOptions, initialize } from "../../src/library/initialize.js";
import type { RecipeInput } from "../../src/recipe/recipe.js";
import { SampleClusters } from "../../src/training/sample-clusters.js";
import { selfTrainingSteps } from "../../src/training/self-training.js";
import { DivergedError } from "../../src/training/trainer.js";
import { idxFile } from "../data/array-files.js";
import { barFile, barPictures, folderWith, toyModel } from "../support/toy-data.js";
import { fakeMlflow } from "./fake-mlflow.js";

const cnn = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" });
const bars = barFile(96);

/** Something of everything. */
const everything: RecipeInput = {
  name: "everything",
  adversarial: { weight: 0.1, r1: 0.1, instanceNoise: 0.1 },
  reconstruction: { weight: 1 },
  corruption: { kind: "gaussian", amount: 0.1 },
  selfSupervision: { task: "auto", weight: 1 },
  conditioning: { spectrumExponent: 0.5, scale: "auto" },
};

/** A folder with a model and data, and the options of a short run with everything in it. */
function setUp(options: Partial<InitializeOptions> = {}) {
  const path = folderWith({ "model.onnx": cnn, "train-idx3-ubyte": bars });
  return {
    path,
    options: {
      model: path("model.onnx"),
      data: path("train-idx3-ubyte"),
      output: path("run"),
      recipe: everything,
      batchSize: 16,
      steps: 6,
      threads: 1,
      checkpointEvery: 2,
      ...options,
    } satisfies InitializeOptions,
  };
}

/** All files of a folder and their bytes, except those which tell the time. */
function filesOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "timing.jsonl")
    .map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    names
      .map((name): [string, string] => [name.slice(folder.length + 1), readFileSync(name).toString("base64")])
      .sort(),
  );
}

const messageOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "no error",
    (error: unknown) => {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    },
  );

describe("initialize", () => {
  it("tells how far all is that takes a while, and computes the start once where it takes the time of steps", async () => {
    const told: string[] = [];
    const { options } = setUp({
      recipe: { ...everything, principalComponents: "first" },
      onEvent: (event) => {
        if (event.type === "step" || event.type === "training") told.push(event.type);
        if (event.type === "measuring") told.push(`${event.what} ${event.done}/${event.total}`);
      },
    });
    const { steps: _, ...unlimited } = options;
    await initialize({ ...unlimited, minutes: 1e-6 });
    const paces = Array.from({ length: 12 }, (_, step) => `pace ${step + 1}/12`);
    expect(told).toEqual([
      "start 1/1",
      ...paces,
      "training",
      "step",
      // One batch of all layers, at the start and after the only step.
      "layers 1/1",
      "layers 1/1",
      "conditioning 0/2",
      "conditioning 1/2",
      "conditioning 2/2",
      "running-statistics 1/1",
      ...["before", "after"].flatMap((what) => [`${what} 1/1`, `${what} 96/96`]),
    ]);
  });

  it("writes the same bytes for the same seed and others for another", async () => {
    const { options, path } = setUp();
    await initialize({ ...options, output: path("a") });
    await initialize({ ...options, output: path("b") });
    await initialize({ ...options, output: path("c"), seed: 1 });
    const [a, b, c] = ["a", "b", "c"].map((name) => filesOf(path(name)));
    const written = [
      "checkpoints/step-000000006.safetensors",
      "discriminator.onnx",
      "generator.onnx",
      "layers.jsonl",
      "metrics.jsonl",
      "model.onnx",
      "result.json",
      "run.json",
      "weights.safetensors",
    ];
    expect([...a.keys()]).toEqual(expect.arrayContaining(written));
    expect([...a.keys()].filter((name) => /^(samples|filters)\/step-\d+\.png$/.test(name)).length).toBeGreaterThan(4);
    expect([...b.keys()]).toEqual([...a.keys()]);
    for (const [name, bytes] of a) expect(b.get(name) === bytes, name).toBe(true);
    for (const name of written) expect(c.get(name) !== a.get(name), name).toBe(true);
  });

  it("continues an interrupted run to the same bytes", async () => {
    const { options, path } = setUp();
    await initialize({ ...options, output: path("whole") });
    const interruption = new AbortController();
    const stopped = initialize({
      ...options,
      output: path("parts"),
      signal: interruption.signal,
      onEvent: (event) => event.type === "step" && event.step === 3 && interruption.abort(),
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    await expect(stopped).rejects.toThrow(/stopped after 3 of 6 steps.*--resume/);
    expect(readdirSync(path("parts"))).not.toContain("weights.safetensors");
    expect(readdirSync(path("parts/checkpoints"))).toEqual(["step-000000003.safetensors"]);
    await initialize({ ...options, output: path("parts"), resume: true });
    const [whole, parts] = ["whole", "parts"].map((name) => filesOf(path(name)));
    // The account of the last stretch is of the steps of the last call, and here that is the same step.
    for (const [name, bytes] of whole)
      if (!name.startsWith("checkpoints/")) expect(parts.get(name) === bytes, name).toBe(true);
  });

  it.each([1, 3])("does not wait for layers to be looked at, after step %i, and makes up for it", async (at) => {
    const { options, path } = setUp();
    await initialize({ ...options, output: path("whole") });
    const interruption = new AbortController();
    let step = 0;
    const stopped = initialize({
      ...options,
      output: path("parts"),
      signal: interruption.signal,
      onEvent: (event) => {
        if (event.type === "step") step = event.step;
        if (event.type === "measuring" && event.what === "layers" && step === at) interruption.abort();
      },
    });
    await expect(stopped).rejects.toThrow(new RegExp(`stopped after ${at} of 6 steps.*--resume`));
    const layersOf = (run: string) =>
      existsSync(path(`${run}/layers.jsonl`)) ? readFileSync(path(`${run}/layers.jsonl`), "utf8").split("\n") : [];
    expect(layersOf("parts").some((line) => line.startsWith(`{"step":${at},`))).toBe(false);
    await initialize({ ...options, output: path("parts"), resume: true });
    expect(layersOf("parts")).toEqual(layersOf("whole"));
    const [whole, parts] = ["whole", "parts"].map((name) => filesOf(path(name)));
    for (const [name, bytes] of whole)
      if (!name.startsWith("checkpoints/")) expect(parts.get(name) === bytes, name).toBe(true);
  });

  it.each([
    ["training", everything],
    ["groups of alike samples, which are not looked for again", "clusters"],
  ])("keeps what was trained where it is interrupted behind the last step: %s", async (_, recipe) => {
    const { options, path } = setUp({ recipe });
    await initialize({ ...options, output: path("whole") });
    const interruption = new AbortController();
    const stopped = initialize({
      ...options,
      output: path("parts"),
      signal: interruption.signal,
      onEvent: (event) => event.type === "measuring" && event.what === "conditioning" && interruption.abort(),
    });
    await expect(stopped).rejects.toThrow(InterruptedError);
    await expect(stopped).rejects.toThrow(/continue with --resume/);
    expect(readdirSync(path("parts/checkpoints"))).toEqual(["step-000000006.safetensors"]);
    const find = vi.spyOn(SampleClusters, "find");
    const events: InitializeEvent[] = [];
    await initialize({ ...options, output: path("parts"), resume: true, onEvent: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === "step")).toEqual([]);
    expect(find).not.toHaveBeenCalled();
    find.mockRestore();
    const [whole, parts] = ["whole", "parts"].map((name) => filesOf(path(name)));
    expect([...parts.keys()]).toEqual([...whole.keys()]);
    for (const [name, bytes] of whole) expect(parts.get(name) === bytes, name).toBe(true);
  });

  it("keeps other runs out of its folder, resumed ones too, and gives it back however it ends", async () => {
    const { options, path } = setUp();
    const output = path("run");
    let others: Promise<string[]> | undefined;
    const meanwhile = (): Promise<string[]> =>
      Promise.all(
        [{ resume: true }, { overwrite: true }].map((how) => messageOf(initialize({ ...options, output, ...how }))),
      );
    const failing = initialize({
      ...options,
      output,
      onEvent: (event) => {
        if (event.type === "step" && event.step === 2) others = meanwhile();
        if (event.type === "step" && event.step === 6) throw new Error("killed");
      },
    });
    await expect(failing).rejects.toThrow("killed");
    for (const message of await others!)
      expect(message).toMatch(/run\.lock: required a folder that no other run is writing to/);
    expect(readdirSync(output)).not.toContain("run.lock");
    await initialize({ ...options, output, resume: true });
    expect(readdirSync(output)).not.toContain("run.lock");
  });

  it("continues after a kill from the last checkpoint, and drops what was recorded behind it", async () => {
    const { options, path } = setUp();
    await initialize({ ...options, output: path("whole") });
    const killed = initialize({
      ...options,
      output: path("parts"),
      onEvent: (event) => {
        if (event.type === "step" && event.step === 6) throw new Error("killed");
      },
    });
    await expect(killed).rejects.toThrow("killed");
    writeFileSync(path("parts/metrics.jsonl"), `${readFileSync(path("parts/metrics.jsonl"), "utf8")}{"step":6,"ep`);
    const events: InitializeEvent[] = [];
    await initialize({ ...options, output: path("parts"), resume: true, onEvent: (event) => events.push(event) });
    expect(events.find((event) => event.type === "step")).toMatchObject({ step: 5 });
    const [whole, parts] = ["whole", "parts"].map((name) => filesOf(path(name)));
    for (const [name, bytes] of whole) expect(parts.get(name) === bytes, name).toBe(true);
  });

  it("counts the metrics of a stopped run's last steps as if it had not been stopped", async () => {
    const { options, path } = setUp({ recipe: "autoencoder", steps: 510, checkpointEvery: 600 });
    await initialize({ ...options, output: path("whole") });
    // A line is the mean of two steps, and the result that of the last 51.
    const stop = new AbortController();
    const onEvent = (event: InitializeEvent) => {
      if (event.type === "step" && event.step === 509) stop.abort();
    };
    const stopped = initialize({ ...options, output: path("parts"), signal: stop.signal, onEvent });
    await expect(stopped).rejects.toThrow(/stopped after 509 of 510 steps/);
    await initialize({ ...options, output: path("parts"), resume: true });
    const [whole, parts] = ["whole", "parts"].map((name) => filesOf(path(name)));
    for (const [name, bytes] of whole)
      if (!name.startsWith("checkpoints/")) expect(parts.get(name) === bytes, name).toBe(true);
  });

  it("refuses a damaged checkpoint, and begins anew without it", async () => {
    const { options, path } = setUp();
    await initialize({ ...options, output: path("whole") });
    const killed = initialize({
      ...options,
      output: path("parts"),
      onEvent: (event) => {
        if (event.type === "step" && event.step === 6) throw new Error("killed");
      },
    });
    await expect(killed).rejects.toThrow("killed");
    const [name] = readdirSync(path("parts/checkpoints"));
    const checkpoint = readFileSync(path(`parts/checkpoints/${name}`));
    checkpoint[checkpoint.length - 3] ^= 1;
    writeFileSync(path(`parts/checkpoints/${name}`), checkpoint);
    const resumed = { ...options, output: path("parts"), resume: true };
    expect(await messageOf(initialize(resumed))).toMatch(/got one whose content has changed\. Remove it/);
    rmSync(path(`parts/checkpoints/${name}`));
    await initialize(resumed);
    const [whole, parts] = ["whole", "parts"].map((folder) => filesOf(path(folder)));
    for (const [file, bytes] of whole) expect(parts.get(file) === bytes, file).toBe(true);
  });

  it("refuses to continue a run with other settings, naming the key", async () => {
    const { options, path } = setUp();
    await initialize(options);
    const resume = { ...options, resume: true };
    expect(await messageOf(initialize({ ...resume, seed: 3 }))).toMatch(
      /run\.json: required .* another seed: 3 instead of 0/,
    );
    expect(await messageOf(initialize({ ...resume, learningRate: 0.5 }))).toContain("generatorOptimizer.learningRate");
    const record = readFileSync(path("run/run.json"), "utf8");
    writeFileSync(path("run/run.json"), record.replace('"device": "cpu"', '"device": "webgpu"'));
    expect(await messageOf(initialize(resume))).toContain('another device: "cpu" instead of "webgpu"');
    // Records of before there was a choice.
    writeFileSync(path("run/run.json"), record.replace(/,\s*"device": "cpu"/, ""));
    expect(await messageOf(initialize(resume))).toContain("required a run that is not finished");
    expect(await messageOf(initialize({ ...resume, steps: 5 }))).toContain("another steps: 5 instead of 6");
    expect(await messageOf(initialize({ ...resume, recipe: "autoencoder" }))).toContain("another recipe.");
    writeFileSync(path("train-idx3-ubyte"), barFile(95));
    expect(await messageOf(initialize(resume))).toContain("another data.sha256");
    expect(await messageOf(initialize({ ...resume, output: path("nothing") }))).toMatch(
      /nothing: required the folder of an earlier run.*got none/,
    );
  });

  it("says that a finished run has nothing left to do", async () => {
    const { options, path } = setUp();
    await initialize(options);
    const before = filesOf(path("run"));
    expect(await messageOf(initialize({ ...options, resume: true }))).toMatch(
      /run: required a run that is not finished, got one with all its 6 steps and its weights/,
    );
    expect(filesOf(path("run"))).toEqual(before);
  });

  it("records a divergence and writes no weights", async () => {
    const { options, path } = setUp({ recipe: "autoencoder", learningRate: 1e30, steps: 20 });
    const run = initialize(options);
    await expect(run).rejects.toThrow(DivergedError);
    expect(await messageOf(run)).toMatch(/^training: required finite losses, got .*= (NaN|Infinity|-Infinity)/);
    expect(readdirSync(path("run"))).not.toContain("weights.safetensors");
    expect(readdirSync(path("run"))).not.toContain("model.onnx");
    const last = JSON.parse(readFileSync(path("run/metrics.jsonl"), "utf8").trim().split("\n").at(-1)!);
    expect(last).toMatchObject({ diverged: true, step: expect.any(Number) });
  });

  it("leaves an existing folder alone", async () => {
    const { options, path } = setUp();
    await initialize(options);
    expect(await messageOf(initialize(options))).toMatch(/run: required a new or empty folder.*--overwrite/);
    await initialize({ ...options, overwrite: true, steps: 2 });
    expect(JSON.parse(readFileSync(path("run/run.json"), "utf8")).steps).toBe(2);
    mkdirSync(path("other"));
    writeFileSync(path("other/thesis.txt"), "mine");
    expect(await messageOf(initialize({ ...options, output: path("other"), overwrite: true }))).toMatch(
      /other: required a new or empty folder for the run, got a folder with other files/,
    );
    expect(readdirSync(path("other"))).toEqual(["thesis.txt"]);
  });

  it("leaves nothing behind where model, data or settings do not fit", async () => {
    const { options, path } = setUp();
    const wrong: Partial<InitializeOptions>[] = [
      { model: path("missing.onnx") },
      { data: path("missing") },
      { recipe: "defualt" },
      { features: "nothing" },
      { discriminator: "vgg" },
      { data: path("model.onnx") },
      { start: "xaviar" },
      { steps: 0 },
      { device: "gpu" },
      { batchSize: 1 },
      { learningRate: -1 },
      { epochs: 0 },
      { minutes: -2 },
      { seed: 0.5 },
    ];
    for (const change of wrong) {
      expect(await messageOf(initialize({ ...options, ...change })), JSON.stringify(change)).toMatch(
        /^.+: required .+, got .+\. .+\.$|Did you mean .+\?$/s,
      );
      expect(existsSync(path("run")), JSON.stringify(change)).toBe(false);
    }
  });

  it("stops between two steps and before the first where it is told to", async () => {
    const { options, path } = setUp({ signal: AbortSignal.abort() });
    await expect(initialize(options)).rejects.toThrow(InterruptedError);
    expect(existsSync(path("run/weights.safetensors"))).toBe(false);
  });

  it("says how to go on where the head's training is stopped", async () => {
    const stop = new AbortController();
    const { options, path } = setUp({ signal: stop.signal });
    const bars = barPictures(20, 8, 5);
    writeFileSync(path("few-idx3-ubyte"), idxFile(8, [20, 8, 8], bars.pixels));
    writeFileSync(path("few-labels-idx1-ubyte"), idxFile(8, [20], bars.labels));
    const given = {
      ...options,
      labelled: path("few-idx3-ubyte"),
      labels: path("few-labels-idx1-ubyte"),
      head: "self-training",
      selfTrainingSteps: 4,
    } as const;
    const onEvent = (event: InitializeEvent) => {
      if (event.type === "self-training" && event.step === 2) stop.abort();
    };
    const { signal: _, ...unstopped } = given;
    await initialize({ ...unstopped, output: path("whole") });
    expect(readdirSync(path("whole/checkpoints"))).toEqual(["step-000000006.safetensors"]);
    await expect(initialize({ ...given, onEvent })).rejects.toThrow(
      /^stopped after 2 of 4 steps of self-training; .*continue with --resume$/,
    );
    expect(readdirSync(path("run/checkpoints")).sort()).toEqual([
      "self-training.safetensors",
      "step-000000006.safetensors",
    ]);
    // It goes on where it was, to the same bytes.
    const steps: number[] = [];
    const watch = (event: InitializeEvent) => event.type === "self-training" && steps.push(event.step);
    await initialize({ ...unstopped, resume: true, onEvent: watch });
    expect(steps).toEqual([3, 4]);
    const [whole, parts] = ["whole", "run"].map((name) => filesOf(path(name)));
    for (const [name, bytes] of whole) expect(parts.get(name) === bytes, name).toBe(true);
    // Of a run that trains F for longer, it begins anew.
    steps.length = 0;
    await initialize({ ...unstopped, resume: true, steps: 7, onEvent: watch });
    expect(steps).toEqual([1, 2, 3, 4]);
  });

  it("begins self-training anew where what was kept began with other weights", async () => {
    const { options, path } = setUp();
    const bars = barPictures(20, 8, 5);
    writeFileSync(path("few-idx3-ubyte"), idxFile(8, [20, 8, 8], bars.pixels));
    writeFileSync(path("few-labels-idx1-ubyte"), idxFile(8, [20], bars.labels));
    const [labelled, labels] = [path("few-idx3-ubyte"), path("few-labels-idx1-ubyte")];
    const given = { ...options, labelled, labels, head: "self-training", selfTrainingSteps: 4 } as const;
    const interrupted = async (output: string, seed: number): Promise<void> => {
      const stop = new AbortController();
      const onEvent = (event: InitializeEvent) => event.type === "self-training" && event.step === 2 && stop.abort();
      const run = initialize({ ...given, output: path(output), seed, signal: stop.signal, onEvent });
      await expect(run).rejects.toThrow(InterruptedError);
    };
    await interrupted("first", 0);
    await interrupted("second", 1);
    cpSync(path("first/checkpoints/self-training.safetensors"), path("second/checkpoints/self-training.safetensors"));
    const steps: number[] = [];
    const onEvent = (event: InitializeEvent) => event.type === "self-training" && steps.push(event.step);
    await initialize({ ...given, output: path("second"), seed: 1, resume: true, onEvent });
    expect(steps).toEqual([1, 2, 3, 4]);
    writeFileSync(path("first/checkpoints/self-training.safetensors"), "nothing");
    await expect(initialize({ ...given, output: path("first"), seed: 0, resume: true })).rejects.toThrow(
      /self-training\.safetensors: required a checkpoint as a run has written it, got a file that is cut off or damaged/,
    );
  });

  it.each([
    ["KILLED", "what follows training is stopped", (_: string, stop: AbortController) => stop.abort()],
    ["FAILED", "the weights cannot be written", (run: string) => mkdirSync(join(run, "weights.safetensors"))],
  ])("tells a watching server %s where %s", async (status, _, spoil) => {
    const { address, asked } = await fakeMlflow();
    const stop = new AbortController();
    const { options, path } = setUp({ mlflow: address, signal: stop.signal });
    const onEvent = (event: InitializeEvent) => {
      if (event.type === "step" && event.step === 6) spoil(path("run"), stop);
    };
    await expect(initialize({ ...options, onEvent })).rejects.toThrow();
    const ends = asked.filter(({ path: asking }) => asking === "runs/update");
    expect(ends.map(({ body }) => body?.status)).toEqual([status]);
  });

  it("trains for about as long as it is told to", async () => {
    const { options } = setUp({ recipe: "autoencoder" });
    const { steps: _, ...others } = options;
    const result = await initialize({ ...others, minutes: 0.002 });
    expect(result.run.steps).toBeGreaterThan(0);
    expect(Number.isInteger(result.run.steps)).toBe(true);
  });

  it("says how many held-out samples a head by linear discriminant tells right", async () => {
    const { options, path } = setUp();
    const bars = barPictures(60, 8, 5);
    writeFileSync(path("few-idx3-ubyte"), idxFile(8, [60, 8, 8], bars.pixels));
    writeFileSync(path("few-labels-idx1-ubyte"), idxFile(8, [60], bars.labels));
    const notes: string[] = [];
    const told: string[] = [];
    const { discriminant, weights } = await initialize({
      ...options,
      labelled: path("few-idx3-ubyte"),
      labels: path("few-labels-idx1-ubyte"),
      head: "linear-discriminant",
      onEvent: (event) => {
        if (event.type === "note") notes.push(event.message);
        if (event.type === "measuring" && event.what === "head") told.push(`${event.done}/${event.total}`);
      },
    });
    expect([...weights.keys()].some((name) => name.startsWith("classifier"))).toBe(true);
    // Features of all labelled samples, seven covariances for each fifth, and a judgement of the seven.
    expect(told).toEqual([
      "60/60",
      ...Array.from({ length: 35 }, (_, choice) => `${choice + 1}/35`),
      ...Array.from({ length: 8 }, (_, choice) => `${choice}/7`),
    ]);
    expect(discriminant).toEqual({ shrinkage: expect.any(Number), heldOut: 60, accuracy: expect.any(Number) });
    expect(notes.filter((note) => note.includes("of 60 held-out samples right"))).toEqual([
      `before any training with labels, features and head classify ${(100 * (discriminant?.accuracy ?? 0)).toFixed(1)} % of 60 held-out samples right`,
    ]);
    expect(JSON.parse(readFileSync(path("run/result.json"), "utf8")).discriminant).toEqual(discriminant);
  });

  it("writes the head where it is asked to, from labelled samples", async () => {
    const { options, path } = setUp();
    const few = barPictures(20, 8, 5);
    writeFileSync(path("few-idx3-ubyte"), idxFile(8, [20, 8, 8], few.pixels));
    writeFileSync(path("few-labels-idx1-ubyte"), idxFile(8, [20], few.labels));
    const plain = await initialize(options);
    const given = { labelled: path("few-idx3-ubyte"), labels: path("few-labels-idx1-ubyte") };
    const { weights, run } = await initialize({ ...options, ...given, head: "class-means", output: path("means") });
    const head = [...weights.keys()].filter((name) => !plain.weights.has(name));
    expect(head.length).toBe(2);
    for (const [name, elements] of plain.weights) expect(weights.get(name), name).toEqual(elements);
    for (const name of head) expect(weights.get(name)?.some((value) => value !== 0)).toBe(true);
    expect(run.head).toEqual({ kind: "class-means", labelled: { sha256: expect.any(String), count: 20 } });
    const file = readSafetensors(readFileSync(path("means/weights.safetensors")), "weights");
    expect([...file.tensors.keys()].sort()).toEqual([...weights.keys()].sort());
    const steps: number[] = [];
    const onEvent = (event: InitializeEvent) => {
      if (event.type === "self-training") steps.push(event.step);
    };
    const taught = { ...options, ...given, head: "self-training", output: path("taught"), onEvent } as const;
    const { weights: trained, before, after, run: usual } = await initialize(taught);
    // What was taught is not asked for.
    expect([before.nearestNeighbour, after.nearestNeighbour]).toEqual([undefined, undefined]);
    expect([...trained.keys()].sort()).toEqual([...weights.keys()].sort());
    for (const [name, elements] of weights) expect(trained.get(name), name).not.toEqual(elements);
    expect(steps).toEqual(Array.from({ length: selfTrainingSteps }, (_, step) => step + 1));
    expect(usual.head).toEqual({ ...run.head, kind: "self-training" });
    steps.length = 0;
    const shorter = await initialize({ ...taught, output: path("shorter"), selfTrainingSteps: 3 });
    expect(steps).toEqual([1, 2, 3]);
    expect(shorter.run.head).toEqual({ ...run.head, kind: "self-training", selfTrainingSteps: 3 });
    const zero = await initialize({ ...options, head: "zero", output: path("zero") });
    for (const name of head) expect(zero.weights.get(name)?.every((value) => value === 0)).toBe(true);
  });

  it("makes no step with a recipe that has no loss, and writes the rest of a run", async () => {
    const { options, path } = setUp({ recipe: "principal-components" });
    const { steps: _, ...timeless } = options;
    const events: InitializeEvent[] = [];
    const result = await initialize({ ...timeless, onEvent: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === "step")).toEqual([]);
    expect(result.run.steps).toBe(0);
    expect([...filesOf(path("run")).keys()].sort()).toEqual([
      "filters/step-000000000.png",
      "layers.jsonl",
      "model.onnx",
      "result.json",
      "run.json",
      "transform.json",
      "weights.safetensors",
    ]);
    const again = await initialize({ ...timeless, output: path("again") });
    expect(again.weights).toEqual(result.weights);
    // Filters are in pairs of opposite signs; behind batch normalisation only these tell them from others.
    const filters = result.weights.get("features.0.weight")!;
    const half = filters.length / 2;
    for (let at = 0; at < half; at++) expect(filters[half + at]).toBeCloseTo(-filters[at], 5);
    for (const setting of [{ steps: 6 }, { epochs: 1 }, { minutes: 1 }])
      expect(await messageOf(initialize({ ...timeless, ...setting, output: path("timed") }))).toMatch(
        /^(steps|epochs|minutes): required a recipe that trains, which principal-components does not, got/,
      );
    expect(existsSync(path("timed"))).toBe(false);
  });

  it("follows a recipe's gain where the head starts from class means, and there alone", async () => {
    const plain = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] });
    const few = barPictures(20, 8, 5);
    const path = folderWith({
      "plain.onnx": plain,
      "few-idx3-ubyte": idxFile(8, [20, 8, 8], few.pixels),
      "few-labels-idx1-ubyte": idxFile(8, [20], few.labels),
    });
    const labelled = { labelled: path("few-idx3-ubyte"), labels: path("few-labels-idx1-ubyte") };
    const firstWeights = async (gain: number, given: Partial<InitializeOptions>) => {
      const recipe = { ...everything, conditioning: { gain } };
      const options = { ...setUp({ ...given, recipe }).options, model: path("plain.onnx") };
      const { weights } = await initialize(options);
      return weights.get([...weights.keys()][0]);
    };
    const before = await firstWeights(1, {});
    expect(await firstWeights(2, {})).toEqual(before);
    expect(await firstWeights(2, { head: "zero" })).toEqual(before);
    expect(await firstWeights(2, { ...labelled, head: "class-means" })).toEqual(before?.map((value) => 2 * value));
  });

  it("says what a program without types has left out", async () => {
    const { options } = setUp();
    for (const name of ["model", "data"] as const)
      expect(await messageOf(initialize({ ...options, [name]: undefined as unknown as string }))).toBe(
        `${name}: required a value, got none. Give it among the options.`,
      );
  });

  it("refuses more threads than any machine has use for", async () => {
    const { options } = setUp();
    expect(await messageOf(initialize({ ...options, data: "nowhere", threads: 100_000 }))).toBe(
      "threads: required at most 256, got 100000. Correct the setting.",
    );
  });

  it("says before it reads the data what steps of self-training are not for", async () => {
    const { options } = setUp();
    const asked = { ...options, data: "nowhere" };
    expect(await messageOf(initialize({ ...asked, selfTrainingSteps: 5 }))).toBe(
      "self-training steps: required a head with self-training, whose steps they are, got no head. Ask for self-training, or leave its steps out.",
    );
    expect(await messageOf(initialize({ ...asked, head: "class-means", selfTrainingSteps: 5 }))).toContain(
      "required a head with self-training, whose steps they are, got a head of class-means.",
    );
    expect(await messageOf(initialize({ ...asked, head: "self-training", selfTrainingSteps: 0.5 }))).toBe(
      "self-training steps: required a whole number of at least 1, got 0.5. Correct the setting.",
    );
  });

  it("says before it trains that there are no labels for the head", async () => {
    const { options, path } = setUp();
    expect(await messageOf(initialize({ ...options, head: "class-means" }))).toMatch(
      /required samples with class labels/,
    );
    expect(await messageOf(initialize({ ...options, labelled: path("train-idx3-ubyte") }))).toMatch(
      /labelled samples: required a head that starts from labels.*Ask for --head class-means/,
    );
    expect(existsSync(path("run"))).toBe(false);
  });

  it("says what it measured", async () => {
    const { options, path } = setUp();
    const events: InitializeEvent[] = [];
    const result = await initialize({ ...options, onEvent: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === "step").length).toBe(6);
    expect(events.filter(({ type }) => type === "checkpoint").length).toBe(3);
    expect(Object.keys(result.finalMetrics)).toEqual(
      expect.arrayContaining([
        "generator/loss",
        "discriminator/loss",
        "discriminator/accuracy-real",
        "likeness/own",
        "likeness/other",
        "features/gradient-norm",
        "task/accuracy",
      ]),
    );
    expect(result.after.activations.map(({ layer }) => layer)).toEqual(["features.0.weight", "features.3.weight"]);
    expect(result.after.effectiveRank).toBeGreaterThan(1);
    const lines = readFileSync(path("run/metrics.jsonl"), "utf8").trim().split("\n");
    expect(lines.map((line) => JSON.parse(line).step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(result.loading.map(({ framework }) => framework)).toEqual(
      expect.arrayContaining(["PyTorch", "ONNX Runtime"]),
    );
    const { tensors, metadata } = readSafetensors(readFileSync(result.weightsFile), "weights");
    expect(metadata).toMatchObject({ format: "pt", recipe: "everything", seed: "0", steps: "6" });
    for (const [name, tensor] of tensors) expect(tensor.data).toEqual(result.weights.get(name));
  });
});

describe("notes on the choice of a recipe", () => {
  const rows = Array.from({ length: 40 }, (_, row) => `${Math.sin(row)},${Math.cos(3 * row)},${row % 5},${row % 7}`);
  const table = `a,b,c,d\n${rows.join("\n")}\n`;
  const dense = (inputShape: readonly number[]) => toyModel({ template: "mlp", inputShape, widths: [6] });
  const few: RecipeInput = {
    name: "few groups",
    selfSupervision: { task: "clusters", weight: 1, clusters: 4, groupings: 1 },
  };

  async function notesOf(
    files: Record<string, string | Uint8Array>,
    data: string,
    recipe: RecipeInput | "default" | "principal-components",
    options: Partial<InitializeOptions> = {},
  ) {
    const path = folderWith(files);
    const notes: string[] = [];
    await initialize({
      model: path("model.onnx"),
      data: path(data),
      output: path("run"),
      recipe,
      batchSize: 8,
      ...(recipe === "principal-components" ? {} : { steps: 1 }),
      threads: 1,
      ...options,
      onEvent: (event: InitializeEvent) => {
        if (event.type === "note") notes.push(event.message);
      },
    });
    return notes.join("\n");
  }

  it("point to clusters where dense layers see pictures", async () => {
    const files = { "model.onnx": dense([1, 8, 8]), "train-idx3-ubyte": bars };
    expect(await notesOf(files, "train-idx3-ubyte", "default")).toContain("F has no convolutions");
    expect(await notesOf(files, "train-idx3-ubyte", few)).not.toMatch(/no convolutions|no pictures/);
  });

  it("warn of clusters on samples that are no pictures", async () => {
    const files = { "model.onnx": dense([4]), "data.csv": table };
    expect(await notesOf(files, "data.csv", few)).toContain("the samples are no pictures");
    expect(await notesOf(files, "data.csv", "default")).not.toMatch(/no convolutions|no pictures/);
  });

  it("name layers that do not start from principal components where nothing else is done", async () => {
    const files = { "model.onnx": cnn, "train-idx3-ubyte": bars };
    expect(await notesOf(files, "train-idx3-ubyte", "principal-components")).not.toContain("drawn");
    expect(await notesOf(files, "train-idx3-ubyte", "principal-components", { start: "file" })).toContain(
      "the model's own weights are kept",
    );
    const chain = { "model.onnx": dense([1, 8, 8]), "train-idx3-ubyte": bars };
    expect(await notesOf(chain, "train-idx3-ubyte", "principal-components", { start: "xavier" })).toContain(
      "all layers of F are drawn (xavier), not from principal components",
    );
  });
});
