import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs-core";
import { type LayersModel, layers, sequential } from "@tensorflow/tfjs-layers";
import "@tensorflow/tfjs-backend-cpu";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { readKeras } from "../../src/formats/keras.js";
import { matchName } from "../../src/formats/keras-variables.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { RandomStream } from "../../src/random/stream.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { fixture, writtenWithOthers } from "./keras-fixtures.js";

const archive = new Uint8Array(readFileSync(fixture("keras-recurrent.keras")));
const folder = sharedTemporaryFolder();

interface KerasRecord {
  readonly input: unknown[];
  readonly output: unknown[];
  readonly weights: Readonly<Record<string, unknown[]>>;
}

const recordOf = (name: string): KerasRecord => JSON.parse(readFileSync(fixture(`${name}.json`), "utf8"));

/** What ONNX Runtime computes with the opened network. */
async function outputOf(path: string, sample: readonly number[], shape: readonly number[]): Promise<number[]> {
  const { network } = await openModel(path);
  expect(network.graph.nodes.filter(({ domain }) => domain !== "")).toEqual([]);
  const session = await openSession(network.graph, { threads: 1 });
  try {
    const outputs = await session.run({ [network.graph.inputs[0].name]: floatTensor(sample, shape) });
    return numbersOf(outputs[network.graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

function requireClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  got.forEach((number, index) => {
    expect(Math.abs(number - wanted[index])).toBeLessThan(1e-5);
  });
}

/** The archive with something changed in its description of the model. */
function withConfig(change: (config: string) => string): Uint8Array {
  const entries = unzipSync(archive);
  const config = strFromU8(entries["config.json"]);
  const changed = change(config);
  expect(changed).not.toBe(config);
  return zipSync({ ...entries, "config.json": strToU8(changed) }, { level: 0 });
}

/** Changes the settings of a layer, in a wrapper where `key` says so. */
function withSettings(layer: string, settings: object, key?: "layer" | "backward_layer"): Uint8Array {
  return withConfig((text) => {
    const config = JSON.parse(text);
    const all = config.config.layers.flatMap((each: { config: { layers?: object[] } }) => [
      each,
      ...(each.config.layers ?? []),
    ]);
    const found = all.find((each: { config: { name: string } }) => each.config.name === layer).config;
    Object.assign(key ? found[key].config : found, settings);
    return JSON.stringify(config);
  });
}

describe.each(["keras-recurrent.keras", "keras2-recurrent.h5"])("%s", (file) => {
  const { input, output, weights } = recordOf(file.replace(/\..*/, ""));
  const sample = input.flat(9) as number[];

  test("computes what Keras computes", async () => {
    requireClose(await outputOf(fixture(file), sample, [2, 5, 3]), output.flat(9) as number[]);
  });

  test("has weights of Keras' names, and its layout again when stored", async () => {
    const { model } = await readModelFile(fixture(file));
    const found = [...model.graph.initializers].filter(([, { type, shape }]) => type === "float32" && shape.length > 0);
    expect(found).toHaveLength(Object.keys(weights).length);
    const isKeras2 = file.startsWith("keras2");
    for (const [name, tensor] of found) {
      // Keras 2 names no models around a layer, and leaves out the layer that a TimeDistributed one wraps.
      const known = isKeras2 ? `${name.replace(/^inner\//, "").replace("each/dense/", "each/")}:0` : name;
      expect([known, numbersOf(model.asStored(name, tensor))]).toEqual([known, weights[known]?.flat(9)]);
    }
    const kernel = model.graph.initializers.get("lstm/lstm_cell/kernel");
    expect(kernel?.shape).toEqual([12, 3]);
    expect(model.asStored("gru/gru_cell/bias", model.graph.initializers.get("gru/gru_cell/bias")!).shape).toEqual([
      2, 6,
    ]);
  });

  test("is written back with other weights", async () => {
    const { path, count } = await writtenWithOthers(file, folder, (name) => /_cell\/.*(kernel|bias)$/.test(name));
    expect(count).toBe(19);
    const changed = await outputOf(path, sample, [2, 5, 3]);
    expect(Math.abs(changed[0] - (output.flat(9)[0] as number))).toBeGreaterThan(1e-3);
  });
});

test("weights of layers that are not trainable are constants, whoever says so", async () => {
  const constantsOf = async (bytes: Uint8Array): Promise<string[]> =>
    [...((await readKeras(bytes, { where: "model" })).constants ?? [])]
      .filter((name) => /(kernel|bias)$/.test(name))
      .sort();
  const cell = (name: string, cellName: string, weights: readonly string[]): string[] =>
    weights.map((weight) => `${name}/${cellName}/${weight}`);
  const both = (direction: string): string[] =>
    cell(`both/${direction}_lstm`, "lstm_cell", ["kernel", "recurrent_kernel"]);
  expect(await constantsOf(archive)).toEqual([]);
  expect(await constantsOf(withSettings("gru", { trainable: false }))).toEqual(
    cell("gru", "gru_cell", ["bias", "kernel", "recurrent_kernel"]),
  );
  expect(await constantsOf(withSettings("both", { trainable: false }))).toEqual([
    ...both("backward"),
    ...both("forward"),
  ]);
  expect(await constantsOf(withSettings("both", { trainable: false }, "backward_layer"))).toEqual(both("backward"));
  expect(await constantsOf(withSettings("each", { trainable: false }, "layer"))).toEqual([
    "each/dense/bias",
    "each/dense/kernel",
  ]);
});

test("says what it does not read", async () => {
  const cases: [RegExp, Uint8Array][] = [
    [
      /layer lstm \(LSTM\): required a state that starts at zero, got stateful/,
      withSettings("lstm", { stateful: true }),
    ],
    [/layer gru \(GRU\): required the layer's output alone/, withSettings("gru", { return_state: true })],
    [/batch first, got time_major/, withSettings("rnn", { time_major: true })],
    [
      /layer inner\/rnn \(SimpleRNN\): required activation of tanh.*"linear"/,
      withSettings("rnn", { activation: "linear" }),
    ],
    [
      /required recurrent_activation of tanh.*"hard_sigmoid"/,
      withSettings("lstm", { recurrent_activation: "hard_sigmoid" }),
    ],
    [
      /layer both \(Bidirectional\): required a merge_mode of concat.*got null/,
      withSettings("both", { merge_mode: null }),
    ],
    [/layer both\/backward_lstm \(LSTM\).*stateful/, withSettings("both", { stateful: true }, "backward_layer")],
    [/the forward layer's settings/, withSettings("ends", { recurrent_activation: "sigmoid" }, "backward_layer")],
    [/the forward layer's settings/, withSettings("ends", { units: 3 }, "backward_layer")],
    [/go_backwards in the backward layer alone/, withSettings("ends", { go_backwards: true }, "layer")],
    [/go_backwards in the backward layer alone/, withSettings("ends", { go_backwards: false }, "backward_layer")],
    [/a layer with class_name and config for layer/, withSettings("both", { layer: null })],
    [
      /layer both\/forward_lstm \(ConvLSTM1D\): required a layer of LSTM, GRU, SimpleRNN/,
      withConfig((config) => config.replace(/("layer": \{[^{]*)"LSTM"/, '$1"ConvLSTM1D"')),
    ],
    [
      /layer both\/forward_lstm \(Own>LSTM\)/,
      withConfig((config) =>
        config.replace(/("name": "forward_lstm".*?"registered_name": )null(, "build)/, '$1"Own>LSTM"$2'),
      ),
    ],
    [
      /layer each \(TimeDistributed\): required a layer that headstart knows, of one input, got Dense9/,
      withConfig((config) => config.replace('"Dense"', '"Dense9"')),
    ],
    [
      /layer lstm \(LSTM\): required calls with tensors only, got initial_state/,
      withConfig((config) => config.replace('"kwargs": {"training"', '"kwargs": {"initial_state": [1], "training"')),
    ],
    [/the shape \[3, 16\], got \[3, 12\]/, withSettings("lstm", { units: 4 })],
    [/gru\/gru_cell\/bias: required the shape \[6\], got \[2, 6\]/, withSettings("gru", { reset_after: false })],
  ];
  for (const [message, bytes] of cases) {
    const read = readKeras(bytes, { where: "model" });
    await expect(read).rejects.toThrow(message);
    await expect(read).rejects.toThrow(UserError);
  }
});

describe("TensorFlow.js", () => {
  const stream = new RandomStream(0, "recurrent layers of TensorFlow.js");
  const shape = [2, 5, 3];
  const sample = Array.from({ length: 30 }, () => stream.normal());
  /** Orthogonal matrices, its default, need what this version lacks. */
  const usual = { recurrentInitializer: "glorotNormal" } as const;
  const plain = { recurrentInitializer: "glorotNormal" } as const;

  beforeAll(() => tf.setBackend("cpu"));

  async function save(model: LayersModel, name: string): Promise<string> {
    model.setWeights(
      model.weights.map((weight) => {
        const sizes = weight.shape as number[];
        const size = sizes.reduce((product, length) => product * length, 1);
        return tf.tensor(
          Float32Array.from({ length: size }, () => stream.normal() / 2),
          sizes,
        );
      }),
    );
    const path = join(folder, `${name}.json`);
    await model.save({
      async save({ modelTopology, weightSpecs, format, generatedBy, weightData }) {
        const weightsManifest = [{ paths: [`${name}.bin`], weights: weightSpecs }];
        writeFileSync(path, JSON.stringify({ format, generatedBy, modelTopology, weightsManifest }));
        writeFileSync(join(folder, `${name}.bin`), new Uint8Array(weightData as ArrayBuffer));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } };
      },
    });
    return path;
  }

  test("computes what it computes, in all modes of merging", async () => {
    const cells = [
      layers.lstm({ ...usual, units: 2, returnSequences: true, name: "long" }),
      layers.gru({ ...usual, units: 2, returnSequences: true, name: "gated" }),
      layers.simpleRNN({ ...plain, units: 2, returnSequences: true, activation: "softplus", name: "simple" }),
      layers.gru({ ...usual, units: 2, useBias: false, name: "last" }),
    ];
    const model = sequential({
      layers: [
        layers.lstm({
          ...usual,
          units: 4,
          returnSequences: true,
          goBackwards: true,
          inputShape: shape.slice(1),
          name: "first",
        }),
        ...(["concat", "sum", "mul", "ave"] as const).map((mergeMode, index) =>
          layers.bidirectional({ layer: cells[index], mergeMode, name: mergeMode }),
        ),
        layers.dense({ units: 3, name: "classes" }),
      ],
    });
    const path = await save(model, "merged");
    const outputs = model.predict(tf.tensor(sample, shape)) as tf.Tensor;
    requireClose(await outputOf(path, sample, shape), Array.from(outputs.dataSync()));
    const { model: file } = await readModelFile(path);
    const names = [...file.graph.initializers.keys()].filter((name) => /kernel$/.test(name));
    expect(names.filter((name) => /^(first|concat)\//.test(name))).toEqual([
      "first/lstm_cell/kernel",
      "first/lstm_cell/recurrent_kernel",
      ...["forward", "backward"].flatMap((direction) =>
        ["kernel", "recurrent_kernel"].map((weight) => `concat/${direction}_long/lstm_cell/${weight}`),
      ),
    ]);
  });

  test("wraps layers in time", async () => {
    const model = sequential({
      layers: [
        layers.timeDistributed({
          layer: layers.dense({ units: 4, name: "classes" }),
          inputShape: shape.slice(1),
          name: "each",
        }),
        layers.timeDistributed({ layer: layers.activation({ activation: "softmax" }) }),
        layers.simpleRNN({ ...plain, units: 4, name: "rnn" }),
        // A layer that is called as the one in the wrapper, with weights of the same shapes but for that.
        layers.dense({ units: 4, name: "classes" }),
      ],
    });
    const path = await save(model, "each");
    const outputs = model.predict(tf.tensor(sample, shape)) as tf.Tensor;
    requireClose(await outputOf(path, sample, shape), Array.from(outputs.dataSync()));
  });

  test("keeps the meaning of hard_sigmoid, which Keras 3 has changed", async () => {
    const model = sequential({ layers: [layers.gru({ ...plain, units: 2, inputShape: shape.slice(1), name: "gru" })] });
    const { model: file } = await readModelFile(await save(model, "hard"));
    const node = file.graph.nodes.find(({ op }) => op === "GRU");
    expect(node?.attributes).toMatchObject({
      activations: { value: ["HardSigmoid", "Tanh"] },
      linear_before_reset: { value: 0 },
    });
  });
});

test("finds the weights of cells and wrapped layers under the names of every version", () => {
  const place = (names: readonly string[], part: readonly string[]) => ({
    names,
    group: "",
    part: { names: part, first: 0 },
  });
  const lstm = place(["lstm_1"], ["lstm_cell"]);
  for (const name of [
    "lstm_1/lstm_cell/kernel",
    "lstm_1/lstm_cell_1/kernel:0",
    "lstm_1/kernel:0",
    "model/lstm_1/lstm_cell/kernel",
  ])
    expect(matchName(["lstm/lstm_cell/kernel", "other/kernel", name], lstm, "kernel")).toBe(2);
  expect(matchName(["lstm/lstm_cell/kernel"], lstm, "kernel")).toBe(undefined);
  const back = place(["both"], ["backward_lstm", "lstm_cell"]);
  for (const name of [
    "both/backward_lstm/lstm_cell/kernel",
    "both/backward_lstm/lstm_cell_2/kernel:0",
    "both/backward_lstm/kernel",
    "backward_lstm/lstm_cell/kernel",
  ])
    expect(matchName(["both/forward_lstm/lstm_cell/kernel", name], back, "kernel")).toBe(1);
  const each = place(["inner", "each"], ["dense"]);
  for (const name of ["inner/each/dense/kernel", "each/dense/kernel", "each/kernel:0"])
    expect(matchName(["dense/kernel", "other/kernel", name], each, "kernel")).toBe(2);
});
