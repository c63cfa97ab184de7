import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import type { Dataset } from "../../src/data/dataset.js";
import type { CompareOptions } from "../../src/library/compare.js";
import { OpenedDatasets } from "../../src/library/opened-datasets.js";
import { besidesInPilot, decideTask, locateLabels, planNetworks } from "../../src/library/plan-study.js";
import { newClassifier } from "../../src/recipe/new-network.js";
import { labelled } from "../support/labelled-data.js";
import { MapNetwork, smallUnet } from "../support/map-network.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { folderWith, modelFile } from "../support/toy-data.js";

vi.mock("../../src/recipe/new-network.js", async (original) => {
  const module = await original<typeof import("../../src/recipe/new-network.js")>();
  return { ...module, newClassifier: vi.fn(module.newClassifier) };
});

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

test("the weights of a grid's networks are drawn once", async () => {
  const rows = Array.from({ length: 12 }, (_, row) => `${row},${row * row},${"abc"[row % 3]}`);
  const folder = temporaryFolder({ "classes.csv": `x,y,kind\n${rows.join("\n")}\n` });
  const data = join(folder, "classes.csv");
  const options = { model: "mlp", data, test: data, grid: "depth=1,2 widths=4" };
  const datasets = new OpenedDatasets(new AbortController().signal);
  const study = join(folder, "study");
  const made = vi.mocked(newClassifier).mock;
  const drawn = () => made.calls.filter(([{ initializer }]) => initializer !== "zeros").length;
  const { networks, prepare } = await planNetworks(options, { train: "kind", test: undefined }, study, datasets);
  expect([made.calls.length, drawn(), existsSync(study)]).toEqual([2, 0, false]);
  await prepare();
  expect([made.calls.length, drawn()]).toEqual([4, 2]);
  expect(networks.every(({ file }) => existsSync(file))).toBe(true);
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

test("a decoder within a classifier decides on its recipe, as in init, unless F's end is named", async () => {
  const net = new MapNetwork();
  const { encoder, last } = smallUnet(net, (from) => net.enlarged(from));
  const scores = net.node("GlobalAveragePool", [net.convolution(last, "head", 4, 3)]);
  const path = folderWith({ "model.onnx": modelFile(net.graph([1, 8, 8], [net.node("Flatten", [scores])])) });
  const kind = async (more: Partial<CompareOptions>) => {
    const options = { model: path("model.onnx"), data: "d", test: "t", ...more };
    const datasets = new OpenedDatasets(new AbortController().signal);
    const places = { train: undefined, test: undefined };
    return (await planNetworks(options, places, path("."), datasets)).networks[0].kind;
  };
  expect(await kind({})).toEqual({ isDense: false, isDepthwise: false, hasDecoder: true });
  expect(await kind({ features: encoder })).toEqual({ isDense: false, isDepthwise: false, hasDecoder: false });
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
