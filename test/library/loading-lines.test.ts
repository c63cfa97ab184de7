import { expect, test } from "vitest";
import { loadingLines } from "../../src/library/loading-lines.js";

test("loads a model of Keras 2 with Keras 2, others with Keras 3", () => {
  const importOf = (producer: string) =>
    loadingLines("run", { model: "model.h5", format: "keras-hdf5", producer })[0].lines[0];
  expect(importOf("Keras 2.15.0")).toMatch(/^import tf_keras as keras /);
  expect(importOf("Keras 3.13.2")).toBe("import keras");
  expect(importOf("Keras")).toBe("import keras");
});

test("sends whoever exported Keras to ONNX back to the model's own file", () => {
  const [{ lines }] = loadingLines("run", { model: "model.onnx", format: "onnx", producer: "tf2onnx 1.16" });
  expect(lines.join("\n")).toMatch(/\.keras or \.h5 file/);
});
