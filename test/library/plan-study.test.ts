import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import { evenlySpaced } from "../../src/data/evenly-spaced.js";
import type { CompareOptions } from "../../src/library/compare.js";
import { OpenedDatasets } from "../../src/library/opened-datasets.js";
import {
  besidesInPilot,
  decideTask,
  locateLabels,
  planNetworks,
  withoutDuplicates,
} from "../../src/library/plan-study.js";
import { type BenchSettings, openStudyData } from "../../src/library/study-bench.js";
import { duplicatesOf } from "../../src/study/duplicates.js";
import { idxFile } from "../data/array-files.js";
import { readAll } from "../data/read-all.js";
import { labelled } from "../support/labelled-data.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { barPictures } from "../support/toy-data.js";

const count = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe("decideTask", () => {
  test.each<[string, Dataset, number | undefined, string]>([
    ["classes", labelled([0, 1, 2]), 3, "classification"],
    ["whole numbers and several outputs", labelled([0, 1, 2], [0, 1, 2]), 3, "classification"],
    ["whole numbers and one output", labelled([0, 1, 2], [0, 1, 2]), 1, "regression"],
    ["two whole numbers and one output", labelled([0, 1, 1], [0, 1, 1]), 1, "classification"],
    ["two texts and one output", labelled([0, 1, 1]), 1, "classification"],
    ["fractions", labelled(undefined, [0.5, 1]), 1, "regression"],
    ["several numbers", labelled(undefined, [1, 2, 3, 4], 2), 2, "regression"],
    ["whole numbers that repeat, for a template", labelled([0, 1, 0], [0, 1, 0]), undefined, "classification"],
    ["many whole numbers, for a template", labelled(count(50), count(50)), undefined, "regression"],
    ["many texts, for a template", labelled(count(50)), undefined, "classification"],
  ])("%s", (_, data, outputs, task) => {
    expect(decideTask(data, outputs)).toBe(task);
  });

  test("refuses what does not go together", () => {
    expect(() => decideTask(labelled([0, 1, 2]), 1)).toThrow(/two classes, or numbers to predict.*got 3 classes/);
    expect(() => decideTask(labelled(undefined), 1)).toThrow(/required labelled samples/);
  });
});

test("a template's network has an output for each class or number, and is not made without labels", async () => {
  const classes = Array.from({ length: 12 }, (_, row) => `${row},${row * row},${"abc"[row % 3]}`);
  const file = (rows: readonly string[], head: string) => `${head}\n${rows.join("\n")}\n`;
  const folder = temporaryFolder({
    "classes.csv": file(classes, "x,y,kind"),
    "numbers.csv": file(
      classes.map((_, row) => `${row},${Math.sin(row)},${Math.cos(row)}`),
      "x,y,z",
    ),
  });
  const outputs = async (data: string, more: Partial<CompareOptions>): Promise<number> => {
    const options = { model: "mlp", data: join(folder, data), test: "t", ...more };
    const datasets = new OpenedDatasets(new AbortController().signal);
    const places = { train: options.labelColumn, test: undefined };
    const { networks } = await planNetworks(options, places, folder, datasets);
    return networks[0].outputs;
  };
  expect(await outputs("classes.csv", { labelColumn: "kind" })).toBe(3);
  expect(await outputs("numbers.csv", { labelColumn: "y,z" })).toBe(2);
  for (const task of [undefined, "classification", "regression"] as const)
    await expect(outputs("numbers.csv", task ? { task } : {})).rejects.toThrow(
      /numbers\.csv: required labelled samples/,
    );
});

describe("withoutDuplicates", () => {
  const side = 8;
  const { signal } = new AbortController();

  /** Training and unlabelled pictures of which the first few are test pictures, and how they are read. */
  function leaky() {
    const test = barPictures(30, side, 1);
    const withSome = (count: number, seed: number) => {
      const { pixels, labels } = barPictures(40, side, seed);
      pixels.set(test.pixels.subarray(0, count * side * side));
      labels.set(test.labels.subarray(0, count));
      return { pixels, labels };
    };
    const train = withSome(3, 0);
    const folder = temporaryFolder({
      "train/train-images-idx3-ubyte": idxFile(8, [40, side, side], train.pixels),
      "train/train-labels-idx1-ubyte": idxFile(8, [40], train.labels),
      "test/train-images-idx3-ubyte": idxFile(8, [30, side, side], test.pixels),
      "test/train-labels-idx1-ubyte": idxFile(8, [30], test.labels),
      unlabelled: idxFile(8, [40, side, side], withSome(5, 2).pixels),
    });
    const at = (name: string) => join(folder, name);
    const reading = { shape: [side * side] };
    const settings = { folder, train: at("train"), test: at("test"), reading, dropped: { train: [], unlabelled: [] } };
    return { settings, unlabelled: at("unlabelled") };
  }

  /** The study's data without duplicates, and what a worker opens with the settings that come of it. */
  async function dropping(own: Partial<BenchSettings>) {
    const settings = { ...leaky().settings, ...own };
    const datasets = new OpenedDatasets(signal);
    const { unlabelled } = settings;
    const options = {
      model: "m.onnx",
      data: settings.train,
      test: settings.test,
      ...(unlabelled ? { unlabelled } : {}),
    };
    const everything = await openStudyData(settings, datasets);
    await expect(withoutDuplicates(options, settings, everything)).rejects.toThrow(
      /required no sample that .*, got 3\./,
    );
    const found = await withoutDuplicates({ ...options, duplicates: "drop" }, settings, everything);
    return { ...found, everything, opened: await openStudyData(found.settings, datasets) };
  }

  test("leaves no study without training data", async () => {
    const { settings } = leaky();
    const same = { ...settings, train: settings.test };
    const everything = await openStudyData(same, new OpenedDatasets(signal));
    const options = { model: "m.onnx", data: same.train, test: same.test, duplicates: "drop" } as const;
    await expect(withoutDuplicates(options, same, everything)).rejects.toThrow(
      /required at least two samples that .* does not have, got 0\. Give other data to test on\./,
    );
  });

  test("leaves test samples out of the training and of the unlabelled data, in workers too", async () => {
    const { settings, data, everything, opened } = await dropping({ unlabelled: leaky().unlabelled });
    expect(settings.dropped).toEqual({ train: [0, 1, 2], unlabelled: [0, 1, 2, 3, 4] });
    for (const { train, test: measured, unlabelled } of [data, opened]) {
      expect([train.count, measured.count, unlabelled.count]).toEqual([37, 30, 35]);
      expect(await duplicatesOf(train, measured)).toEqual([]);
      expect(await duplicatesOf(unlabelled, measured)).toEqual([]);
      expect(train.labels).toEqual(everything.train.labels?.slice(3));
    }
    for (const name of ["train", "test", "unlabelled"] as const) {
      expect(opened[name].hash).toBe(data[name].hash);
      expect(await readAll(opened[name])).toEqual(await readAll(data[name]));
    }
  });

  test("leaves them out of the training samples that stand for unlabelled ones", async () => {
    const { settings, data, opened } = await dropping({ unlabelledLimit: 10 });
    expect(settings.dropped).toEqual({ train: [0, 1, 2], unlabelled: [] });
    for (const { train, test: measured, unlabelled } of [data, opened]) {
      expect([train.count, unlabelled.count]).toEqual([37, 10]);
      const size = side * side;
      const all = await readAll(train);
      // At even distances, as a limit takes samples elsewhere.
      const expected = [...evenlySpaced(37, 10)].flatMap((index) => [
        ...all.subarray(index * size, (index + 1) * size),
      ]);
      expect([...(await readAll(unlabelled))]).toEqual(expected);
      expect(await duplicatesOf(unlabelled, measured)).toEqual([]);
      expect(unlabelled.record.subsetOf).toBe(train.hash);
    }
  });
});

test("a pilot takes self-training along for classes, where no arms are named", async () => {
  const options = { model: "m.onnx", data: "d", test: "t" };
  const names = async (more: Partial<CompareOptions>, task: "classification" | "regression" = "classification") =>
    (await besidesInPilot({ ...options, ...more }, task)).map(({ name }) => name);
  expect(await names({ pilot: 1 })).toEqual(["he+calibrated+self-training", "default+self-training"]);
  expect(await names({ pilot: 1 }, "regression")).toEqual([]);
  expect(await names({ pilot: 1, arms: ["he"] })).toEqual([]);
  expect(await names({})).toEqual([]);
});

test("a file of training labels is not taken for the test data's", async () => {
  const folder = temporaryFolder({
    "X_train.npy": "",
    "y_train.npy": "",
    "X_test.npy": "",
    "y_test.npy": "",
    "a.npy": "",
  });
  const at = (name: string) => join(folder, name);
  const files = { model: "mlp", data: at("X_train.npy"), test: at("X_test.npy") };
  expect(await locateLabels(files)).toEqual({ train: at("y_train.npy"), test: at("y_test.npy") });
  expect(await locateLabels({ ...files, labelColumn: at("y_train.npy"), test: at("a.npy") })).toEqual({
    train: at("y_train.npy"),
    test: undefined,
  });
  expect(await locateLabels({ ...files, labelColumn: "income" })).toEqual({ train: "income", test: "income" });
  expect(await locateLabels({ ...files, labelColumn: "y", testLabelColumn: "z" })).toEqual({ train: "y", test: "z" });
});
