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

test("prints no line of Keras that fails, and what must come before others", () => {
  const written = { model: "model.h5", format: "keras-hdf5", producer: "Keras 3.15.1" } as const;
  const plain = loadingLines("run", written);
  expect(plain.map(({ lines }) => lines.length)).toEqual([2, 1]);
  // Keras 3 fails at the loss of a model that it has compiled with "mse" and saved as HDF5.
  expect(plain[0].lines[1]).toBe('model = keras.saving.load_model("run/model.h5", compile=False)');
  expect(loadingLines("run", { ...written, model: "model.keras", format: "keras" })[0].lines[1]).toBe(
    'model = keras.saving.load_model("run/model.keras")',
  );
  const [only, ...others] = loadingLines("run", { ...written, limits: { notWhole: "add_3", afterCall: "slopes" } });
  expect(others).toEqual([]);
  expect(only.framework).toMatch(/already/);
  expect(only.lines.filter((line) => !line.startsWith("#"))).toEqual(plain[1].lines);
  expect(only.lines.join("\n")).toMatch(/because of add_3.*\.keras.*Call the model once before.*slopes/s);
  const [whole, weights] = loadingLines("run", { ...written, limits: { afterCall: "slopes" } });
  expect(whole).toEqual(plain[0]);
  expect(weights.lines[0]).toMatch(/slopes/);
});

test("prints JAX's lines for what jax2onnx wrote, and none that fail for weights under the file's names", () => {
  const written = { model: "model.onnx", format: "onnx", producer: "jax2onnx 0.17.1" } as const;
  const [jax, runtime] = loadingLines("run", written);
  expect(jax.framework).toMatch(/^JAX/);
  expect(jax.lines.join("\n")).toMatch(/load_file\("run\/weights\.safetensors"\).*tree_map_with_path/s);
  expect(runtime.framework).toBe("ONNX Runtime");
  const [kept] = loadingLines("run", { ...written, names: "kept" });
  expect(kept.framework).toBe("JAX");
  expect(kept.lines.filter((line) => !line.startsWith("#"))).toEqual([]);
});
