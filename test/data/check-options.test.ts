import { expect, test } from "vitest";
import type { OpenOptions } from "../../src/data/dataset.js";
import { openDataset } from "../../src/data/open-dataset.js";

test.each<[Record<string, unknown>, RegExp]>([
  [{ limit: 0 }, /^limit: required a whole number above 0, got 0\./],
  [{ memory: -5 }, /^memory: required a whole number above 0, got -5\./],
  [{ layout: "CHWN" }, /^layout: required one of NCHW, NHWC, got "CHWN"\./],
  [{ task: "ranking" }, /^task: required one of classification, regression, segmentation, none, got "ranking"\./],
  [{ onBad: true }, /^onBad: required one of fail, skip, got true\./],
  [{ categories: null }, /^categories: required one of one-hot, embedding, got null\./],
  [{ normalise: {} }, /^normalise: required a name, or numbers as .*, got \{\}\./],
  [
    { normalise: { mean: 1, std: [2] } },
    /^normalise: required a name, or numbers as .*, got \{"mean":1,"std":\[2\]\}\./,
  ],
  [{ normalise: null }, /^normalise: required a name, or numbers as .*, got null\./],
  [{ classNames: "a,b" }, /^class names: required a list of names, got "a,b"\./],
])("data is not looked for where it is to be read by %j", async (options, message) => {
  await expect(openDataset("nowhere", options as OpenOptions)).rejects.toThrow(message);
});

test("data is looked for where the options are what they may be", async () => {
  const normalise = { mean: [0], std: [1] };
  const options: OpenOptions = { layout: "NHWC", task: "none", onBad: "skip", categories: "embedding", normalise };
  await expect(openDataset("nowhere", options)).rejects.toThrow(/^nowhere: required a file or folder/);
});
