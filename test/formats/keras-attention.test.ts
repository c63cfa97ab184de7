import { readFileSync } from "node:fs";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { readKeras } from "../../src/formats/keras.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { openSession } from "../../src/runtime/node.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { fixture, writtenWithOthers } from "./keras-fixtures.js";

const archive = new Uint8Array(readFileSync(fixture("keras-attention.keras")));
const folder = sharedTemporaryFolder();

/** What ONNX Runtime computes with a file's graph. */
async function outputOf(path: string, sample: readonly number[]): Promise<number[]> {
  const { model } = await readModelFile(path);
  const session = await openSession(model.graph, { threads: 1 });
  try {
    const outputs = await session.run({ [model.graph.inputs[0].name]: floatTensor(sample, [2, 4, 3]) });
    return numbersOf(outputs[model.graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

describe.each(["keras-attention.keras", "keras2-attention.h5"])("%s", (file) => {
  const record = JSON.parse(readFileSync(fixture(file.replace(/\..*/, ".json")), "utf8"));
  const sample: number[] = record.input.flat(9);
  const weights: Readonly<Record<string, number[]>> = record.weights;

  test("computes what Keras computes", async () => {
    const got = await outputOf(fixture(file), sample);
    const wanted: number[] = record.output.flat(9);
    expect(got).toHaveLength(wanted.length);
    got.forEach((number, index) => {
      expect(Math.abs(number - wanted[index])).toBeLessThan(1e-5);
    });
  });

  test("has weights of Keras' names, and its layout again when stored; nothing else is trained", async () => {
    const { model, network } = await openModel(fixture(file));
    const keras = file.startsWith("keras2") ? (name: string) => `${name}:0` : (name: string) => name;
    const found = [...model.graph.initializers].filter(([name]) => Object.hasOwn(weights, keras(name)));
    expect(found).toHaveLength(Object.keys(weights).length);
    for (const [name, tensor] of found)
      expect([name, numbersOf(model.asStored(name, tensor))]).toEqual([name, [weights[keras(name)]].flat(9)]);
    expect(model.graph.initializers.get("self/query/kernel")?.shape).toEqual([3, 4]);
    // A single number, as the products' scale is, is no parameter to headstart.
    const trained = found.map(([name]) => name).filter((name) => name !== "products/scale");
    expect([...network.parameters.keys()].sort()).toEqual(trained.sort());
  });

  test("is written back with other weights", async () => {
    const { path, count } = await writtenWithOthers(file, folder, (name) =>
      /^(self|others)\/.*(kernel|bias)$/.test(name),
    );
    expect(count).toBe(12);
    const [first] = await outputOf(path, sample);
    expect(Math.abs(first - record.output[0][0])).toBeGreaterThan(1e-3);
  });
});

/** The archive with a layer's settings changed, or the arguments of its call. */
function withLayer(name: string, settings: object, keywords: object = {}): Uint8Array {
  const entries = unzipSync(archive);
  const config = JSON.parse(strFromU8(entries["config.json"]));
  const layer = config.config.layers.find((each: { name: string }) => each.name === name);
  Object.assign(layer.config, settings);
  Object.assign(layer.inbound_nodes[0].kwargs, keywords);
  return zipSync({ ...entries, "config.json": strToU8(JSON.stringify(config)) }, { level: 0 });
}

const tensor = { class_name: "__keras_tensor__", config: { keras_history: ["steps", 0, 0] } };

test.each<readonly [RegExp, Uint8Array]>([
  [/layer self \(MultiHeadAttention\): required no use_gate, got true/, withLayer("self", { use_gate: true })],
  [/required no sliding_window, got 2/, withLayer("self", { sliding_window: 2 })],
  [/required attention_axes of \[1\], got \[1,2\]/, withLayer("self", { attention_axes: [1, 2] })],
  [/required an output_shape of one size, got \[3,4\]/, withLayer("others", { output_shape: [3, 4] })],
  [/no mask but use_causal_mask, got attention_mask/, withLayer("self", {}, { attention_mask: tensor })],
  [/got return_attention_scores/, withLayer("self", {}, { return_attention_scores: true })],
  [
    /layer products \(Attention\): required score_mode dot, got concat/,
    withLayer("products", { score_mode: "concat" }),
  ],
  [
    /layer pairs \(Conv1D\): required calls without tensors by name, got mask/,
    withLayer("pairs", {}, { mask: tensor }),
  ],
  [/layer pairwise \(Dot\): required two vectors or two sequences/, withLayer("pairwise", { axes: [1, 2, 2] })],
  [/layer again \(RepeatVector\): required a count for n, got 0/, withLayer("again", { n: 0 })],
  [/self\/query\/kernel: required the shape \[3, 3, 2\], got \[3, 2, 2\]/, withLayer("self", { num_heads: 3 })],
])("says what it does not read: %s", async (message, bytes) => {
  const read = readKeras(bytes, { where: "model" });
  await expect(read).rejects.toThrow(message);
  await expect(read).rejects.toThrow(UserError);
});
