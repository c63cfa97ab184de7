import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { load, randomised, read, requireClose, save } from "./tfjs-models.js";

const folder = sharedTemporaryFolder();
/** Two texts, filled up with 0, which stands amid the second, too. */
const rows = [
  [2, 1, 4, 3, 0, 0],
  [0, 1, 2, 0, 1, 3],
];
const tokens: Tensor = { type: "int32", shape: [2, 6], data: Int32Array.from(rows.flat()) };
const words = { inputDim: 9, outputDim: 4, inputLength: 6, maskZero: true, name: "words" };
const units = { units: 4, recurrentInitializer: "glorotNormal" } as const;

function predict(model: LayersModel): number[] {
  return Array.from((model.predict(tf.tensor2d(rows)) as tf.Tensor).dataSync());
}

/** What ONNX Runtime computes with our graph of the files. */
async function run(name: string, files: ReadonlyMap<string, Uint8Array>): Promise<number[]> {
  const place = join(folder, name);
  mkdirSync(place);
  for (const [file, bytes] of files) writeFileSync(join(place, file), bytes);
  const { network } = await openModel(join(place, "model.json"));
  expect(network).toMatchObject({ vocabulary: 9, sampleShape: [6] });
  expect(network.parameters.get("words/embeddings")).toMatchObject({ shape: [9, 4], role: "embedding" });
  const session = await openSession(network.graph, { threads: 1 });
  try {
    const found = await session.run({ [network.input.name]: tokens });
    return numbersOf(found[network.graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

const reading = (): LayersModel =>
  sequential({
    layers: [
      layers.embedding(words),
      layers.dense({ units: 4, activation: "tanh" }),
      layers.bidirectional({
        layer: layers.lstm({ ...units, returnSequences: true }) as never,
        mergeMode: "sum",
        name: "both",
      }) as layers.Layer,
      layers.gru({ ...units }) as layers.Layer,
      layers.dense({ units: 3 }),
    ],
  });

beforeAll(async () => {
  await tf.setBackend("cpu");
});

test("reads tokens as TensorFlow.js does, and leaves out in recurrent layers what maskZero does", async () => {
  const model = randomised(reading());
  requireClose(await run("recurrent", await save(model)), predict(model));
});

test("averages over all tokens, as TensorFlow.js does whatever is masked", async () => {
  const model = randomised(
    sequential({
      layers: [layers.embedding(words), layers.globalAveragePooling1d({}), layers.dense({ units: 3 })],
    }),
  );
  requireClose(await run("mean", await save(model)), predict(model));
});

test("TensorFlow.js loads a table that was written", async () => {
  const before = randomised(reading());
  const model = read(await save(before));
  const { data, shape } = model.graph.initializers.get("words/embeddings") as Tensor;
  const other = floatTensor(
    Array.from(data as Float32Array, (number, index) => number / 2 + (index % 5) / 10),
    shape,
  );
  const written = await model.write(new Map([["words/embeddings", other]]));
  const loaded = predict(await load(written));
  requireClose(await run("written", written), loaded);
  expect(predict(before).some((number, index) => Math.abs(number - loaded[index]) > 1e-3)).toBe(true);
});

test("refuses what TensorFlow.js does with masks by mistake", async () => {
  const dropped = sequential({
    layers: [
      layers.embedding(words),
      layers.conv1d({ filters: 4, kernelSize: 3, padding: "same" }),
      layers.lstm({ ...units, name: "read" }) as layers.Layer,
    ],
  });
  const droppedFiles = await save(dropped);
  expect(() => read(droppedFiles)).toThrow(
    /layer read \(LSTM\): required the mask of Masking or mask_zero .*, got none/,
  );
  const text = input({ shape: [6] });
  const [one, other] = ["words", "letters"].map(
    (name) => layers.embedding({ ...words, name }).apply(text) as SymbolicTensor,
  );
  const sum = layers.add({ name: "sum" }).apply([one, other]) as SymbolicTensor;
  const mergedFiles = await save(
    functional({ inputs: text, outputs: layers.lstm({ ...units }).apply(sum) as SymbolicTensor }),
  );
  expect(() => read(mergedFiles)).toThrow(/layer sum \(Add\): required no mask \(of Masking, .*mask_zero\)/);
});
