import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { folderWith, toyModel } from "../support/toy-data.js";

/** Tells a head from labels of a table; each class has its own corner. */
async function headOf(labels: readonly string[], classes: number, classNames?: readonly string[]) {
  const rows = Array.from({ length: 60 }, (_, row) => {
    const label = row % labels.length;
    return `${Math.cos(label) + row / 600},${Math.sin(label) + (row % 7) / 90},${label + (row % 5) / 90},${labels[label]}`;
  });
  const path = folderWith({
    "model.onnx": toyModel({ template: "mlp", inputShape: [3], widths: [8], classes }),
    "data.csv": Buffer.from(`a,b,c,y\n${rows.join("\n")}\n`),
  });
  const notes: string[] = [];
  const options: InitializeOptions = {
    model: path("model.onnx"),
    data: path("data.csv"),
    labels: "y",
    ...(classNames ? { classNames } : {}),
    head: "class-means",
    recipe: "autoencoder",
    batchSize: 16,
    steps: 2,
    threads: 1,
    output: path("run"),
    onEvent: (event) => event.type === "note" && notes.push(event.message),
  };
  const { weights } = await initialize(options);
  const transform = JSON.parse(readFileSync(path("run/transform.json"), "utf8"));
  return {
    weights,
    classNames: transform.classNames,
    note: notes.find((note) => note.startsWith("the head's classes")),
  };
}

test("labels with zeros behind the point give the head of those without", async () => {
  const numbers = Array.from({ length: 12 }, (_, number) => number);
  const whole = await headOf(numbers.map(String), 12);
  const float = await headOf(
    numbers.map((number) => `${number}.0`),
    12,
  );
  expect(float.weights).toEqual(whole.weights);
  expect(float.note).toMatch(/output 2 = 2, output 3 = 3.*output 11 = 11$/);
});

test("labels without class 0 belong to the outputs of their numbers, unless there are as many as outputs", async () => {
  const shifted = await headOf(["1", "2", "3"], 4);
  expect(shifted.classNames).toEqual(["0", "1", "2", "3"]);
  expect(shifted.note).toBe(
    "the head's classes: output 1 = 1, output 2 = 2, output 3 = 3; no labelled samples for output 0",
  );
  expect((await headOf(["1", "2", "3"], 3)).note).toBe("the head's classes: output 0 = 1, output 1 = 2, output 2 = 3");
});

test("names of fewer classes than outputs are refused", async () => {
  expect((await headOf(["dog", "cat"], 2)).note).toBe("the head's classes: output 0 = cat, output 1 = dog");
  await expect(headOf(["dog", "cat"], 3)).rejects.toThrow(/labels of all 3 classes .* got 2: cat, dog/);
});

test("all classes can be named, in the order of the outputs", async () => {
  const names = ["ant", "dog", "cat"];
  const named = await headOf(["dog", "cat"], 3, names);
  expect(named.note).toBe("the head's classes: output 1 = dog, output 2 = cat; no labelled samples for output 0");
  expect(named.classNames).toEqual(names);
  // The same samples with the numbers of the outputs have the same head.
  expect((await headOf(["1", "2"], 3)).weights).toEqual(named.weights);
  await expect(headOf(["dog", "cat"], 3, ["dog", "cat"])).rejects.toThrow(
    /class names: required 3, as many as the network tells apart, .* got 2: dog, cat/,
  );
});
