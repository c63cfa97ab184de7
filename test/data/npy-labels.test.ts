import { join } from "node:path";
import { expect, test } from "vitest";
import { findNpyLabels } from "../../src/data/npy-labels.js";
import { temporaryFolder } from "../support/temporary-folder.js";

test.each([
  ["X_train.npy", "y_train.npy"],
  ["train_images.npy", "train_labels.npy"],
  ["test-x.npy", "test-y.npy"],
  ["data.npy", "targets.npy"],
])("beside %s lies %s", async (samples, labels) => {
  const folder = temporaryFolder({ [samples]: "", [labels]: "", "other.npy": "" });
  expect(await findNpyLabels(join(folder, samples))).toBe(join(folder, labels));
});

test("there need not be any", async () => {
  const folder = temporaryFolder({ "X_train.npy": "", "y_test.npy": "", "table.csv": "" });
  for (const name of ["X_train.npy", "table.csv", "y_test.npy", "nothing/X.npy"])
    expect(await findNpyLabels(join(folder, name))).toBeUndefined();
});
