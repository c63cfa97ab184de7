import * as tf from "@tensorflow/tfjs-core";
import {
  model as functional,
  input,
  type LayersModel,
  layers,
  type SymbolicTensor,
  sequential,
} from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-cpu";
import { beforeAll, expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import type { ModelFile } from "../../src/formats/model-file.js";
import { type FloatTensor, floatTensor } from "../../src/graph/tensor.js";
import { RandomStream } from "../../src/random/stream.js";
import { openSession } from "../../src/runtime/node.js";
import { load, randomised, read, requireClose, save } from "./tfjs-models.js";

const shape = [2, 7, 6, 2];
const stream = new RandomStream(0, "tfjs test");
const sample = floatTensor(
  Float32Array.from({ length: 168 }, () => stream.normal()),
  shape,
);
let files: Map<string, Uint8Array>;
let outputs: number[];

/** What TensorFlow.js computes for the sample. */
function predict(model: LayersModel): number[] {
  return Array.from((model.predict(tf.tensor(sample.data, shape)) as tf.Tensor).dataSync());
}

/** What ONNX Runtime computes with our graph. */
async function run({ graph }: ModelFile): Promise<number[]> {
  const session = await openSession(graph, { threads: 1 });
  try {
    const found = await session.run({ [graph.inputs[0].name]: sample });
    return Array.from(found[graph.outputs[0].name].data as Float32Array);
  } finally {
    await session.release();
  }
}

beforeAll(async () => {
  await tf.setBackend("cpu");
  const model = randomised(
    sequential({
      layers: [
        layers.conv2d({
          inputShape: shape.slice(1),
          filters: 4,
          kernelSize: 3,
          padding: "same",
          activation: "relu",
          name: "first",
        }),
        layers.batchNormalization({ name: "norm" }),
        layers.depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, activation: "hardSigmoid", name: "depthwise" }),
        layers.separableConv2d({ filters: 5, kernelSize: 2, name: "separable" }),
        layers.leakyReLU({ alpha: 0.1, name: "leaky" }),
        layers.conv2dTranspose({ filters: 3, kernelSize: 3, strides: 2, padding: "same", name: "transposed" }),
        layers.maxPooling2d({ poolSize: 2, name: "pool" }),
        layers.flatten({ name: "flatten" }),
        layers.dropout({ rate: 0.5, name: "dropout" }),
        layers.dense({ units: 6, activation: "elu", name: "dense" }),
        layers.dense({ units: 3, activation: "softmax", name: "classes" }),
      ],
    }),
  );
  outputs = predict(model);
  files = await save(model);
});

test("computes what TensorFlow.js computes", async () => {
  const model = read(files);
  expect(model.producer).toMatch(/^TensorFlow\.js/);
  requireClose(await run(model), outputs);
});

test("TensorFlow.js loads what was written, in the same layout and files", async () => {
  const model = read(files);
  const replacements = new Map(
    [...model.graph.initializers]
      .filter(([name]) => /kernel$|beta$/.test(name))
      .map(([name, tensor]): [string, FloatTensor] => [
        name,
        floatTensor(
          Float32Array.from(tensor.data as Float32Array, (value, index) => value * 0.7 + (index % 5) / 40),
          tensor.shape,
        ),
      ]),
  );
  expect(replacements.size).toBe(8);
  const written = await model.write(replacements);
  expect([...written].map(([name, bytes]) => [name, bytes.length])).toEqual(
    [...files].map(([name, bytes]) => [name, bytes.length]),
  );
  expect(written.get("model.json")).toEqual(files.get("model.json"));
  const loaded = predict(await load(written));
  requireClose(await run(read(written)), loaded);
  expect(loaded.every((number, index) => Math.abs(number - outputs[index]) < 1e-3)).toBe(false);
  // Nothing replaced, nothing changed.
  expect(await model.write(new Map())).toEqual(files);
});

test("takes weight files that a browser's download names ./weights.bin", async () => {
  const content = JSON.parse(new TextDecoder().decode(files.get("model.json")));
  const [group] = content.weightsManifest;
  const weightsManifest = [{ ...group, paths: group.paths.map((path: string) => `./${path}`) }];
  const saved = new Map(files).set(
    "model.json",
    new TextEncoder().encode(JSON.stringify({ ...content, weightsManifest })),
  );
  const model = read(saved);
  requireClose(await run(model), outputs);
  expect(await model.write(new Map())).toEqual(saved);
});

test("takes names of weight files with the model's own in them, and those of old converters", async () => {
  const content = JSON.parse(new TextDecoder().decode(files.get("model.json")));
  const [group] = content.weightsManifest;
  const paths = ["./モデル 2 (new).weights.bin", "group1-shard2of2"];
  const json = new TextEncoder().encode(JSON.stringify({ ...content, weightsManifest: [{ ...group, paths }] }));
  const [first, second] = group.paths.map((path: string) => files.get(path) as Uint8Array);
  const saved = new Map([
    ["model.json", json],
    ["モデル 2 (new).weights.bin", first],
    ["group1-shard2of2", second],
  ]);
  const model = read(saved);
  requireClose(await run(model), outputs);
  expect(await model.write(new Map())).toEqual(saved);
});

test("enlarges pictures as TensorFlow.js does, which differs from Keras", async () => {
  for (const interpolation of ["nearest", "bilinear"] as const) {
    const whole = randomised(
      sequential({
        layers: [
          layers.upSampling2d({ inputShape: shape.slice(1), size: [2, 3], interpolation }),
          layers.conv2d({ filters: 2, kernelSize: 3, activation: "hardSigmoid" }),
          layers.flatten(),
          layers.dense({ units: 3 }),
        ],
      }),
    );
    requireClose(await run(read(await save(whole))), predict(whole));
  }
});

test("reads branches, models inside the model, and layers that are used twice", async () => {
  const samples = input({ shape: shape.slice(1) });
  const twice = layers.conv2d({ filters: 2, kernelSize: 3, padding: "same", name: "twice" });
  const inner = sequential({
    name: "inner",
    layers: [
      layers.conv2d({ inputShape: [7, 6, 2], filters: 3, kernelSize: 1, name: "conv", useBias: false }),
      layers.batchNormalization({ name: "norm" }),
      layers.prelu({ name: "slopes" }),
    ],
  });
  const once = twice.apply(samples) as SymbolicTensor;
  const again = twice.apply(once) as SymbolicTensor;
  const joined = layers
    .concatenate({ name: "join" })
    .apply([
      layers.add({ name: "sum" }).apply([once, again]) as SymbolicTensor,
      inner.apply(samples) as SymbolicTensor,
    ]) as SymbolicTensor;
  const pooled = layers.globalAveragePooling2d({ name: "pool" }).apply(joined) as SymbolicTensor;
  const classes = layers.dense({ units: 4, name: "classes" }).apply(pooled) as SymbolicTensor;
  const whole = randomised(functional({ inputs: samples, outputs: classes }));
  const saved = await save(whole);
  const model = read(saved);
  requireClose(await run(model), predict(whole));
  expect([...model.graph.initializers.keys()]).toEqual(
    expect.arrayContaining([
      "twice/kernel",
      "inner/conv/kernel",
      "inner/norm/gamma",
      "inner/slopes/alpha",
      "classes/bias",
    ]),
  );
});

test("says what to do in TensorFlow.js with layers that are not read", async () => {
  const model = sequential({
    layers: [
      layers.convLstm2d({
        inputShape: [3, 5, 5, 1],
        filters: 2,
        kernelSize: 2,
        recurrentInitializer: "zeros",
        name: "film",
      }) as layers.Layer,
      layers.flatten(),
      layers.dense({ units: 2 }),
    ],
  });
  const saved = await save(model);
  expect(() => read(saved)).toThrow(/layer film \(ConvLSTM2D\).*tf\.model\(.*converted from Keras/);
  expect(() => read(saved)).not.toThrow(/model\.export/);
  const content = JSON.parse(new TextDecoder().decode(saved.get("model.json")));
  const own = { ...content, modelTopology: { ...content.modelTopology, class_name: "Mine" } };
  saved.set("model.json", new TextEncoder().encode(JSON.stringify(own)));
  expect(() => read(saved)).toThrow(/model of class Mine.*tf\.model\(/);
});

test("refuses what is broken or not a LayersModel", async () => {
  const content = JSON.parse(new TextDecoder().decode(files.get("model.json")));
  const [group] = content.weightsManifest;
  const cases: [unknown, RegExp][] = [
    [{}, /TensorFlow\.js model/],
    [{ class_name: "Sequential", config: { name: "own", layers: [] } }, /architecture .* alone.* model\.save/],
    [{ ...content, format: "graph-model" }, /LayersModel.*tensorflowjs_converter/],
    [{ ...content, weightsManifest: undefined }, /weightsManifest/],
    [{ ...content, weightsManifest: [{ ...group, paths: ["../weights.bin"] }] }, /beside model\.json/],
    [{ ...content, weightsManifest: [{ ...group, paths: ["././weights.bin"] }] }, /beside model\.json/],
    ...["a\\b.bin", "C:b.bin", "a\nb.bin", ".bin", "run.json"].map((path): [unknown, RegExp] => [
      { ...content, weightsManifest: [{ ...group, paths: [path] }] },
      /beside model\.json/,
    ]),
    [
      { ...content, weightsManifest: [{ ...group, paths: [group.paths[0], `./${group.paths[0]}`] }] },
      /beside model\.json.*each once/,
    ],
    [{ ...content, weightsManifest: [{ ...group, paths: [group.paths[0]] }] }, /bytes in group1-shard1of2/],
    [{ ...content, weightsManifest: [{ ...group, weights: group.weights.slice(1) }] }, /bytes in group1/],
    [
      {
        ...content,
        weightsManifest: [{ ...group, weights: group.weights.map((w: object) => ({ ...w, name: "same" })) }],
      },
      /two of one name/,
    ],
    [
      {
        ...content,
        weightsManifest: [{ ...group, weights: group.weights.map((w: object) => ({ ...w, dtype: "int32" })) }],
      },
      /float32 elements.*without the converter's options to quantise/,
    ],
  ];
  for (const [json, message] of cases) {
    const broken = new Map([...files, ["model.json", new TextEncoder().encode(JSON.stringify(json))]]);
    expect(() => read(broken)).toThrow(message);
    expect(() => read(broken)).toThrow(UserError);
  }
  expect(() => read(new Map([["model.json", files.get("model.json") as Uint8Array]]))).toThrow(/nothing there/);
  const levels = 100_000;
  const nested = `{"modelTopology": {"model_config": ${"[".repeat(levels)}${"]".repeat(levels)}}, "weightsManifest": []}`;
  const deep = new Map([["model.json", new TextEncoder().encode(nested)]]);
  expect(() => read(deep)).toThrow(/JSON of at most 500 levels, got more/);
});
