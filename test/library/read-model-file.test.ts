import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { bytesOf } from "../../src/formats/element-types.js";
import { readSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor, sizeOf } from "../../src/graph/tensor.js";
import { type InitializeOptions, type InitializeResult, initialize } from "../../src/library/initialize.js";
import { newModel } from "../../src/library/new-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { verify } from "../../src/library/verify.js";
import { RandomStream } from "../../src/random/stream.js";
import { npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** A TensorFlow.js model of two dense layers, as files. */
function writeTfjs(name: string): string {
  const layer = (className: string, config: object) => ({ class_name: className, config });
  const weights = [
    { name: "first/kernel", shape: [4, 6], dtype: "float32" },
    { name: "first/bias", shape: [6], dtype: "float32" },
    { name: "second/kernel", shape: [6, 2], dtype: "float32" },
    { name: "second/bias", shape: [2], dtype: "float32" },
  ];
  const config = {
    name: "dense",
    layers: [
      layer("Dense", { name: "first", units: 6, activation: "relu", use_bias: true, batch_input_shape: [null, 4] }),
      layer("Dense", { name: "second", units: 2, activation: "linear", use_bias: true }),
    ],
  };
  const modelTopology = { class_name: "Sequential", config, keras_version: "tfjs-layers 4.22.0" };
  const path = join(folder, name);
  const weightsManifest = [{ paths: ["dense.bin"], weights }];
  writeFileSync(path, JSON.stringify({ format: "layers-model", modelTopology, weightsManifest }));
  const elements = floatTensor(Float32Array.from({ length: 44 }, (_, index) => Math.sin(index)));
  writeFileSync(join(folder, "dense.bin"), bytesOf(elements));
  return path;
}

/** A short run on random samples. */
async function run(
  model: string,
  sampleShape: readonly number[],
  name: string,
  options: Partial<InitializeOptions> = {},
): Promise<InitializeResult> {
  const shape = [32, ...sampleShape];
  const stream = new RandomStream(0, name);
  const data = join(folder, `${name}.npy`);
  writeFileSync(
    data,
    npyFile(
      "<f4",
      shape,
      Float32Array.from({ length: sizeOf(shape) }, () => stream.normal()),
    ),
  );
  return initialize({ model, data, output: join(folder, name), steps: 2, batchSize: 8, threads: 1, ...options });
}

test("tells formats by their content, whatever the name", async () => {
  const onnx = join(folder, "a.model");
  await newModel({ template: "mlp", inputShape: [4], widths: [3], classes: 2, output: onnx });
  const [keras, h5] = [join(folder, "b.model"), join(folder, "c.model")];
  copyFileSync(fixture("keras-pictures.keras"), keras);
  copyFileSync(fixture("keras-pictures.h5"), h5);
  const formats = await Promise.all([onnx, keras, h5, writeTfjs("d.model")].map((path) => readModelFile(path)));
  expect(formats.map(({ model }) => model.format)).toEqual(["onnx", "keras", "keras-hdf5", "tensorflow.js"]);
  const sha256 = (...parts: string[]): string =>
    parts.reduce((hash, path) => hash.update(readFileSync(path)), createHash("sha256")).digest("hex");
  expect(formats.map(({ hash }) => hash)).toEqual([
    sha256(onnx),
    sha256(keras),
    sha256(h5),
    sha256(join(folder, "d.model"), join(folder, "dense.bin")),
  ]);
});

test("says what is no model", async () => {
  for (const [name, content] of [
    ["none.keras", "text"],
    ["none.h5", "text"],
    ["none.json", "text"],
    ["none.onnx", "text"],
    ["object.json", "{}"],
    ["empty.onnx", ""],
  ]) {
    const path = join(folder, name);
    writeFileSync(path, content);
    await expect(readModelFile(path)).rejects.toThrow(UserError);
    await expect(readModelFile(path)).rejects.toThrow(name);
  }
  await expect(readModelFile(join(folder, "missing.keras"))).rejects.toThrow(/nothing there/);
  mkdirSync(join(folder, "alone"));
  copyFileSync(writeTfjs("whole.json"), join(folder, "alone", "model.json"));
  await expect(readModelFile(join(folder, "alone", "model.json"))).rejects.toThrow(
    /weight file "dense\.bin": .*got nothing there\. Put it beside model\.json/,
  );
});

test("init writes a Keras model back as it came, and weights in Keras' layout", async () => {
  for (const extension of ["keras", "h5"]) {
    const model = fixture(`keras-pictures.${extension}`);
    const result = await run(model, [6, 5, 2], `pictures-${extension}`);
    expect(result.modelFile).toBe(join(result.folder, `model.${extension}`));
    expect(existsSync(join(result.folder, "model.onnx"))).toBe(false);
    const { tensors } = readSafetensors(readFileSync(result.weightsFile), "weights");
    expect(tensors.get("conv/kernel")?.shape).toEqual([3, 3, 2, 3]);
    expect(tensors.get("inner/conv/kernel")?.shape).toEqual([1, 1, 6, 2]);
    expect([...tensors.keys()].some((name) => name.startsWith("dense/"))).toBe(false);
    const given = await verify({ weights: result.weightsFile, model });
    expect(given).toMatchObject({ mismatches: 0, notes: [], model: { format: result.written.format } });
    // The written model has exactly these weights, and the head of the one that was given.
    const written = await verify({ weights: result.weightsFile, model: result.modelFile });
    expect(new Set(written.tensors.map(({ verdict }) => verdict))).toEqual(new Set(["same", "head"]));
    expect(await verify({ weights: result.modelFile, model })).toMatchObject({ mismatches: 0 });
    expect(result.loading.map(({ framework }) => framework)[0]).toBe("Keras");
    expect(result.loading[0].lines.join()).toContain(JSON.stringify(result.modelFile));
  }
});

test("init writes a TensorFlow.js model with its weight files", async () => {
  const model = writeTfjs("model.json");
  const result = await run(model, [4], "tfjs");
  expect(result.modelFile).toBe(join(result.folder, "model.json"));
  expect(readFileSync(result.modelFile)).toEqual(readFileSync(model));
  expect(readFileSync(join(result.folder, "dense.bin"))).not.toEqual(readFileSync(join(folder, "dense.bin")));
  expect(await verify({ weights: result.weightsFile, model })).toMatchObject({ mismatches: 0, notes: [] });
  const whole = await verify({ weights: result.modelFile, model });
  expect(whole.tensors.map(({ verdict }) => verdict)).toEqual(["changed", "changed", "same", "same"]);
});

test("verify lists the tensors of layers that are not trainable", async () => {
  const model = join(folder, "frozen.json");
  const content = JSON.parse(readFileSync(writeTfjs("trained.json"), "utf8"));
  const { layers } = content.modelTopology.config;
  const [first, second] = layers;
  const frozen = { ...first, config: { ...first.config, name: "frozen", units: 4, trainable: false } };
  const { batch_input_shape: _, ...config } = first.config;
  content.modelTopology.config.layers = [frozen, { ...first, config }, second];
  content.weightsManifest.unshift({
    paths: ["frozen.bin"],
    weights: [
      { name: "frozen/kernel", shape: [4, 4], dtype: "float32" },
      { name: "frozen/bias", shape: [4], dtype: "float32" },
    ],
  });
  writeFileSync(model, JSON.stringify(content));
  writeFileSync(join(folder, "frozen.bin"), new Float32Array(20).fill(0.3));
  const { weightsFile } = await run(model, [4], "frozen-layer");
  const { tensors, mismatches } = await verify({ weights: weightsFile, model });
  expect(mismatches).toBe(0);
  expect(tensors.map(({ name, verdict }) => [name, verdict])).toEqual([
    ["frozen/kernel", "kept"],
    ["frozen/bias", "kept"],
    ["first/kernel", "changed"],
    ["first/bias", "changed"],
    ["second/kernel", "head"],
    ["second/bias", "head"],
  ]);
});

test("keeps a frozen part, statistics included, and begins inside of the model", async () => {
  const model = fixture("keras-pictures.keras");
  const namesOf = ({ weightsFile }: InitializeResult): string[] =>
    [...readSafetensors(readFileSync(weightsFile), "weights").tensors.keys()].sort();
  const all = namesOf(await run(model, [6, 5, 2], "whole"));
  const behind = all.filter((name) => !/^(conv|norm)\//.test(name));
  expect(behind.length).toBeLessThan(all.length);

  const frozen = await run(model, [6, 5, 2], "frozen", { freeze: "norm/BatchNormalization" });
  expect(namesOf(frozen)).toEqual(behind);
  expect(frozen.run.model.frozen).toBe("norm/BatchNormalization");
  const kept = await verify({ weights: frozen.modelFile, model });
  const verdictOf = (name: string) => kept.tensors.find((tensor) => tensor.name === name)?.verdict;
  expect([verdictOf("conv/kernel"), verdictOf("norm/moving_mean")]).toEqual(["same", "same"]);
  expect(verdictOf("twice/pointwise_kernel")).toBe("changed");
  // The weights' own record tells verify what is frozen.
  expect(await verify({ weights: frozen.weightsFile, model })).toMatchObject({ mismatches: 0 });

  const inside = { input: "norm/BatchNormalization", inputShape: [3, 3, 3] };
  const later = await run(model, inside.inputShape, "inside", inside);
  expect(namesOf(later)).toEqual(behind);
  expect(await verify({ weights: later.weightsFile, model })).toMatchObject({ mismatches: 0 });
});
