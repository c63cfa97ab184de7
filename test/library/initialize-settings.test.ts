import { existsSync, readdirSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeData } from "../../src/library/describe-data.js";
import { type InitializeEvent, type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { barFile, folderWith, toyModel } from "../support/toy-data.js";

const cnn = toyModel({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] });

function setUp() {
  const path = folderWith({ "model.onnx": cnn, "train-idx3-ubyte": barFile(48) });
  const options: InitializeOptions = {
    model: path("model.onnx"),
    data: path("train-idx3-ubyte"),
    output: path("run"),
    recipe: "autoencoder",
    threads: 1,
  };
  return { path, options };
}

test.each<[string, Partial<InitializeOptions>, RegExp]>([
  [
    "resumption and overwriting",
    { resume: true, overwrite: true },
    /^overwrite: required one of resume, overwrite, got resume and overwrite\. Leave/,
  ],
  [
    "steps and minutes",
    { steps: 2, minutes: 1 },
    /^minutes: required one of steps, epochs, minutes, got steps 2 and minutes 1\. Leave/,
  ],
  [
    "steps and epochs",
    { steps: 2, epochs: 1 },
    /^epochs: required one of steps, epochs, minutes, got steps 2 and epochs 1\. Leave/,
  ],
  [
    "a transform and a normalisation",
    { fitted: {}, normalise: "unit" },
    /^normalise: required nothing beside the transform .* got unit\. Leave/,
  ],
  [
    "a transform and columns",
    { fitted: {}, columns: { a: "drop" } },
    /^columns: required nothing beside the transform .* got \{"a":"drop"\}\. Leave/,
  ],
  [
    "a discriminator of no kind",
    { discriminator: "mpl" },
    /^--discriminator: required one of .* got "mpl"\. Did you mean mlp\?/,
  ],
])("refuses %s before the data is read", async (_, settings, message) => {
  const { options, path } = setUp();
  await expect(initialize({ ...options, data: "nowhere", ...settings })).rejects.toThrow(message);
  expect(existsSync(path("run"))).toBe(false);
});

test("says before the data is read that there is no run to resume", async () => {
  const { options, path } = setUp();
  await expect(initialize({ ...options, data: "nowhere", resume: true })).rejects.toThrow(
    /run: required the folder of an earlier run, with its run\.json, got none\. Start the run without --resume\./,
  );
  expect(existsSync(path("run"))).toBe(false);
});

test("takes a state dict or the model's own names, not both", async () => {
  const { options } = setUp();
  const both = { stateDict: "state.safetensors", keepNames: true };
  const message = /^state\.safetensors: required no state dict beside --keep-names/;
  await expect(initialize({ ...options, steps: 1, ...both })).rejects.toThrow(message);
  await expect(inspect({ model: options.model, ...both })).rejects.toThrow(message);
});

test("describes data by a transform, or in a way that is asked for", async () => {
  const { options } = setUp();
  await expect(describeData({ data: options.data as string, fitted: {}, normalise: "unit" })).rejects.toThrow(
    /^normalise: required nothing beside the transform/,
  );
});

test("is extended as it was asked for at first, with more steps", async () => {
  const { options, path } = setUp();
  const asked = { ...options, batchSize: 8, epochs: 0.5 };
  await initialize(asked);
  const { run } = await initialize({ ...asked, resume: true, steps: 5 });
  expect(run.steps).toBe(5);
  expect(readdirSync(path("run"))).toContain("result.json");
});

test.each<[Partial<InitializeOptions>, string | undefined]>([
  [
    { discriminator: "cnn", discriminatorLearningRate: 0.1, steps: 1 },
    "the recipe autoencoder has no discriminator, so these settings are not used: discriminator, discriminator's learning rate",
  ],
  [
    { recipe: "opened", batchSize: 4, learningRate: 1, checkpointEvery: 2 },
    "the recipe opened trains nothing, so these settings are not used: batch size, learning rate, checkpoints",
  ],
  [{ recipe: "paper", discriminator: "cnn", discriminatorLearningRate: 0.01, batchSize: 8, steps: 1 }, undefined],
])("names settings that a recipe has no use for: %j", async (settings, note) => {
  const { options } = setUp();
  const notes: string[] = [];
  await initialize({
    ...options,
    ...settings,
    onEvent: (event) => event.type === "note" && event.message.includes("not used") && notes.push(event.message),
  });
  expect(notes).toEqual(note === undefined ? [] : [note]);
});

test("says before training that a step takes more memory than is free", async () => {
  const { options } = setUp();
  vi.spyOn(process, "availableMemory").mockReturnValue(1000);
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const events: InitializeEvent[] = [];
  await initialize({ ...options, steps: 1, batchSize: 16, onEvent: (event) => events.push(event) });
  const at = events.findIndex((event) => event.type === "note" && /^a training step of 16 samples/.test(event.message));
  expect(at).toBeGreaterThanOrEqual(0);
  expect(at).toBeLessThan(events.findIndex(({ type }) => type === "started"));
});
