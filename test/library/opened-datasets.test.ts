import { join } from "node:path";
import sharp from "sharp";
import { afterEach, expect, test, vi } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { InterruptedError } from "../../src/errors.js";
import { type CompareEvent, type CompareOptions, compare } from "../../src/library/compare.js";
import { type InitializeEvent, type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";
import { OpenedDatasets } from "../../src/library/opened-datasets.js";
import { StudyBench } from "../../src/library/study-bench.js";
import { openStudyData } from "../../src/library/study-data.js";
import { idxFile } from "../data/array-files.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures } from "../support/toy-data.js";

/** How often each data set that was opened has been closed. */
const closings: number[] = [];

vi.mock("../../src/data/open-dataset.js", async (original) => {
  const real = await original<typeof import("../../src/data/open-dataset.js")>();
  return {
    ...real,
    openDataset: async (...given: Parameters<typeof real.openDataset>): Promise<Dataset> => {
      const dataset = await real.openDataset(...given);
      const place = closings.push(0) - 1;
      return {
        ...dataset,
        read: (indices, target) => {
          if (closings[place] > 0) throw new Error(`${dataset.where} is read after it was closed`);
          return dataset.read(indices, target);
        },
        close: async () => {
          closings[place]++;
          await dataset.close?.();
        },
      };
    },
  };
});

afterEach(() => {
  closings.length = 0;
  vi.restoreAllMocks();
});

const side = 8;

/** Options of a small study, and files that may take the place of its own. */
async function ready() {
  const file = (name: string, count: number, seed: number) => {
    const { pixels, labels } = barPictures(count, side, seed);
    return {
      [`${name}/train-images-idx3-ubyte`]: idxFile(8, [count, side, side], pixels),
      [`${name}/train-labels-idx1-ubyte`]: idxFile(8, [count], labels),
    };
  };
  const table = (first: number) => {
    const rows = Array.from({ length: 40 }, (_, row) => `${Math.sin(first + row)},${Math.cos(3 * row)},${row}`);
    return `a,b,y\n${rows.join("\n")}\n`;
  };
  const folder = temporaryFolder({
    ...file("a", 40, 0),
    ...file("b", 30, 1),
    leaky: idxFile(8, [40, side, side], barPictures(40, side, 1).pixels),
    "train.csv": table(0),
    "test.csv": table(100),
  });
  const at = (name: string) => join(folder, name);
  await newModel({ template: "mlp", inputShape: [side * side], widths: [6], classes: 2, output: at("net.onnx") });
  await newModel({ template: "mlp", inputShape: [2], widths: [6], outputs: 1, output: at("predictor.onnx") });
  const options: CompareOptions = {
    model: at("net.onnx"),
    data: at("a"),
    test: at("b"),
    output: at("study"),
    arms: ["he", "he+calibrated"],
    labels: ["all"],
    steps: 5,
    seeds: 1,
    batchSize: 8,
  };
  const numbers = { model: at("predictor.onnx"), data: at("train.csv"), test: at("test.csv"), labelColumn: "y" };
  return { options, numbers, leaky: at("leaky"), at };
}

test.each<[string, number, number, (files: Awaited<ReturnType<typeof ready>>) => Partial<CompareOptions>]>([
  ["two files", 2, 0, () => ({})],
  ["unlabelled data without what the test data has", 3, 0, ({ leaky }) => ({ unlabelled: leaky, duplicates: "drop" })],
  ["a grid, for which the data is opened before", 2, 1, () => ({ model: "mlp", grid: "depth=1 widths=4" })],
  ["numbers, which are taken for classes at first", 2, 1, ({ numbers }) => numbers],
])("a study closes its data once, and after it was used: %s", async (_, used, before, changes) => {
  const files = await ready();
  let open = 0;
  const onEvent = ({ type }: CompareEvent) => {
    if (type === "planned") open = closings.filter((times) => times === 0).length;
  };
  await compare({ ...files.options, ...changes(files), onEvent });
  // What is opened again in another way is not kept meanwhile.
  expect(open).toBe(used);
  expect(closings).toEqual(new Array(before + used).fill(1));
});

test.each<[string, number, RegExp, (files: Awaited<ReturnType<typeof ready>>) => Partial<CompareOptions>]>([
  ["duplicates", 3, /got 30\./, ({ leaky }) => ({ unlabelled: leaky })],
  ["labels that there are not", 2, /at most the 40 labels/, () => ({ labels: ["500"] })],
  ["test data that is not there", 1, /nowhere/, () => ({ test: "nowhere" })],
  ["a grid that is none", 1, /^grid: /, () => ({ model: "mlp", grid: "dept=1" })],
])("a study that is refused closes what it has opened: %s", async (_, opened, message, changes) => {
  const files = await ready();
  await expect(compare({ ...files.options, ...changes(files) })).rejects.toThrow(message);
  expect(closings).toEqual(new Array(opened).fill(1));
});

test("a study that is stopped closes what it has opened", async () => {
  const { options } = await ready();
  const controller = new AbortController();
  const onEvent = ({ type }: CompareEvent) => type === "trial" && controller.abort();
  await expect(compare({ ...options, signal: controller.signal, onEvent })).rejects.toThrow(InterruptedError);
  expect(closings).toEqual([1, 1]);
});

test("a pilot that cannot be fitted closes its bench", async () => {
  const { options } = await ready();
  const open = vi.spyOn(StudyBench, "open");
  const failing = vi.spyOn(StudyBench.prototype, "timePretraining").mockRejectedValue(new Error("no time"));
  const close = vi.spyOn(StudyBench.prototype, "close");
  await expect(compare({ ...options, arms: ["autoencoder"], pilot: 1 })).rejects.toThrow("no time");
  expect(failing).toHaveBeenCalledTimes(1);
  // One looks beforehand whether the study's steps fit into memory.
  expect(open).toHaveBeenCalledTimes(2);
  expect(close).toHaveBeenCalledTimes(2);
  expect(closings).toEqual([1, 1]);
});

test.each<
  [string, number, RegExp | undefined, (at: (name: string) => string, stop: () => void) => Partial<InitializeOptions>]
>([
  ["is finished", 1, undefined, () => ({})],
  ["has labelled samples of its own", 2, undefined, (at) => ({ labelled: at("b"), head: "class-means" })],
  ["is refused", 1, /^class names: required 2/, () => ({ head: "class-means", classNames: ["a", "b", "c"] })],
  ["diverges", 1, /required finite losses/, () => ({ learningRate: 1e30 })],
  [
    "is stopped",
    1,
    /stopped after 1 of 3 steps/,
    (_, stop) => ({
      onEvent: ({ type }: InitializeEvent) => type === "step" && stop(),
    }),
  ],
])("a run that %s closes what it has opened", async (_, opened, message, changes) => {
  const { options, at } = await ready();
  const controller = new AbortController();
  const run = initialize({
    model: options.model,
    data: options.data,
    output: at("run"),
    recipe: "autoencoder",
    steps: 3,
    batchSize: 8,
    threads: 1,
    signal: controller.signal,
    ...changes(at, () => controller.abort()),
  });
  if (message) await expect(run).rejects.toThrow(message);
  else await run;
  expect(closings).toEqual(new Array(opened).fill(1));
});

test("a run leaves samples open that it was given open", async () => {
  const { options, at } = await ready();
  const datasets = new OpenedDatasets();
  const data = await datasets.open(options.data, { shape: [side * side] });
  const settings = { model: options.model, data, output: at("run"), recipe: "autoencoder", batchSize: 8, threads: 1 };
  await initialize({ ...settings, steps: 1 });
  expect(closings).toEqual([0]);
  await datasets.closeAll();
  expect(closings).toEqual([1]);
});

test("a bench closes the data that it has opened itself, not what it was given", async () => {
  const { options } = await ready();
  const { data: train, test: measured, output: folder = "" } = options;
  const settings = {
    folder,
    train,
    test: measured,
    reading: { shape: [side * side] },
    dropped: { train: [], unlabelled: [] },
  };
  const { signal } = new AbortController();
  const own = await StudyBench.open(settings);
  expect(await own.unlabelledCount(signal)).toBe(40);
  expect(closings).toEqual([0, 0]);
  await own.close();
  expect(closings).toEqual([1, 1]);
  const datasets = new OpenedDatasets(signal);
  const given = await StudyBench.open(settings, await openStudyData(settings, datasets));
  expect(await given.unlabelledCount(signal)).toBe(40);
  await given.close();
  expect(closings).toEqual([1, 1, 0, 0]);
  await datasets.closeAll();
  expect(closings).toEqual([1, 1, 1, 1]);
});

test("pictures that are larger than memory leave sharp's threads as they were", async () => {
  const picture = (red: number, green: number) =>
    sharp({ create: { width: 16, height: 16, channels: 3, background: { r: red, g: green, b: 9 } } })
      .png()
      .toBuffer();
  const files: Record<string, Buffer> = {};
  for (const [at, name] of ["train", "test"].entries())
    for (const kind of ["a", "b"])
      for (let place = 0; place < 8; place++)
        files[`${name}/${kind}/${place}.png`] = await picture(20 * place + at, kind === "a" ? 200 : 20);
  const folder = temporaryFolder(files);
  const { options } = await ready();
  const before = sharp.concurrency();
  sharp.concurrency(2);
  try {
    await compare({
      ...options,
      model: "cnn",
      grid: "depth=1 widths=4",
      data: join(folder, "train"),
      test: join(folder, "test"),
      memory: 5000,
      cache: join(folder, "cache"),
      cacheLimit: 6000,
    });
    expect(sharp.concurrency()).toBe(2);
  } finally {
    sharp.concurrency(before);
  }
});
