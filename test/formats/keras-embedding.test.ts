import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { verify } from "../../src/library/verify.js";
import { openSession } from "../../src/runtime/node.js";
import { npyFile } from "../data/array-files.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { fixture, writtenWithOthers } from "./keras-fixtures.js";

const folder = sharedTemporaryFolder();
const record = JSON.parse(readFileSync(fixture("keras-embedding.json"), "utf8"));
const integers: number[] = record.input.flat();
const tokens: Tensor = { type: "int32", shape: [2, 6], data: Int32Array.from(integers) };
const files = ["keras-embedding.keras", "keras2-embedding.h5"];
const padded = ["keras-tokens.keras", "keras2-tokens.h5"];

async function requireOutput(graph: Graph, inputs: Record<string, Tensor>, file: string): Promise<void> {
  const wanted: number[] = JSON.parse(readFileSync(fixture(file.replace(/\..*/, ".json")), "utf8")).output.flat();
  const session = await openSession(graph, { threads: 1 });
  try {
    const got = numbersOf((await session.run(inputs))[graph.outputs[0].name]);
    expect(got).toHaveLength(wanted.length);
    got.forEach((number, index) => {
      expect(number).toBeCloseTo(wanted[index], 5);
    });
  } finally {
    await session.release();
  }
}

/** The path of the archive with its description changed, as text. */
function withConfig(name: string, change: (config: string) => string): string {
  const entries = unzipSync(new Uint8Array(readFileSync(fixture("keras-embedding.keras"))));
  const [before, path] = [strFromU8(entries["config.json"]), join(folder, `${name}.keras`)];
  const after = change(before);
  expect(after).not.toBe(before);
  writeFileSync(path, zipSync({ ...entries, "config.json": strToU8(after) }, { level: 0 }));
  return path;
}

/** The model that takes tokens of any number. */
const openLength = (): string =>
  withConfig("open", (config) => config.replace('"batch_shape": [null, 6]', '"batch_shape": [null, null]'));

test.each(files)("%s computes what Keras computes, from the vectors of one of its embeddings", async (file) => {
  const { model } = await readModelFile(fixture(file));
  expect(model.graph.inputs).toMatchObject([{ name: "tokens", type: "int32", shape: ["batch", 6] }]);
  expect(model.notes).toEqual([]);
  const begun = await openModel(fixture(file), { input: "words" });
  expect(begun.model.notes).toEqual([expect.stringMatching(/^words \(Embedding\).*mask_zero.*none out/)]);
  const { network } = begun;
  expect(network.sampleShape).toEqual([6, 4]);
  expect([...network.parameters.keys()].filter((name) => name.endsWith("embeddings"))).toEqual([]);
  const table = numbersOf(model.graph.initializers.get("words/embeddings") as Tensor);
  const vectors = floatTensor(
    integers.flatMap((row) => table.slice(row * 4, row * 4 + 4)),
    [2, 6, 4],
  );
  await requireOutput(network.graph, { words: vectors, tokens }, file);
});

test.each(files)("%s is written back with its tables, which are no parameters of an F behind them", async (file) => {
  const { path } = await writtenWithOthers(file, folder, (name) => name === "lstm/lstm_cell/kernel");
  const { tensors, mismatches } = await verify({ weights: path, model: fixture(file), input: "words" });
  expect(mismatches).toBe(0);
  expect(tensors.flatMap(({ name, verdict }) => (verdict === "changed" ? [name] : []))).toEqual([
    "lstm/lstm_cell/kernel",
  ]);
  expect(tensors.filter(({ name }) => name.endsWith("embeddings"))).toMatchObject([
    { name: "words/embeddings", verdict: "same" },
    { name: "encoder/letters/embeddings", verdict: "same" },
  ]);
});

test("F begins at an embedding's layer, also in a model inside the model", async () => {
  const model = fixture("keras-embedding.keras");
  expect(await inspect({ model, input: "encoder/letters" })).toMatchObject({
    input: { name: "encoder/letters", shape: [6, 2] },
    unsupported: [],
  });
  expect(await inspect({ model })).toMatchObject({ input: { name: "tokens", shape: [6] }, unsupported: [] });
});

test("an open length is given with the vectors' shape", async () => {
  const model = openLength();
  await expect(openModel(model, { input: "words" })).rejects.toThrow(
    /input tokens: .*, got \[\?, \?\]\. Give the shape of its vectors with --input-shape LENGTHx4\./,
  );
  await expect(openModel(model)).rejects.toThrow(/\. Give how many tokens a sample has with --input-shape LENGTH\./);
  expect((await openModel(model, { inputShape: [6] })).network).toMatchObject({ sampleShape: [6], vocabulary: 9 });
  const options = { input: "words", inputShape: [6, 4] };
  expect((await openModel(model, options)).network.sampleShape).toEqual([6, 4]);
  expect(await verify({ weights: model, model, ...options })).toMatchObject({ mismatches: 0 });
  await expect(openModel(model, { input: "words", inputShape: [6, 5] })).rejects.toThrow(/6, 4\] against .* 6x5/);
});

test.each(padded)(
  "%s computes what Keras computes of tokens, without those that mask_zero leaves out",
  async (file) => {
    const wanted = JSON.parse(readFileSync(fixture(file.replace(/\..*/, ".json")), "utf8"));
    const { model, network } = await openModel(fixture(file));
    expect(model.notes).toEqual([]);
    expect(network).toMatchObject({ vocabulary: 9, sampleShape: [6], beginsInside: false });
    const data = Int32Array.from(wanted.input.flat());
    await requireOutput(network.graph, { tokens: { type: "int32", shape: [2, 6], data } }, file);
    const tables = [...network.parameters.values()].filter(({ role }) => role === "embedding").map(({ name }) => name);
    expect(tables.sort()).toEqual(["encoder/signs/embeddings", "letters/embeddings", "words/embeddings"]);
  },
);

test.each(padded)("the embeddings of %s are trained, and written back under Keras' names", async (file) => {
  const data = join(folder, "tokens.npy");
  const rows = Array.from({ length: 32 }, (_, row) => [1, 2, 3, 4, 5, 6].map((place) => (row * place) % 9));
  writeFileSync(data, npyFile("<i4", [32, 6], Int32Array.from(rows.flat())));
  const output = join(folder, `${file}-run`);
  const { weightsFile, modelFile } = await initialize({
    model: fixture(file),
    data,
    output,
    steps: 2,
    batchSize: 8,
    threads: 1,
  });
  expect(JSON.parse(readFileSync(join(output, "run.json"), "utf8")).recipe).toMatchObject({ name: "topics" });
  for (const weights of [weightsFile, modelFile]) {
    const { tensors, mismatches } = await verify({ weights, model: fixture(file) });
    expect(mismatches).toBe(0);
    expect(tensors.filter(({ name }) => name.endsWith("embeddings"))).toMatchObject([
      { name: "words/embeddings", verdict: "changed" },
      { name: "letters/embeddings", verdict: "changed" },
      { name: "encoder/signs/embeddings", verdict: "changed" },
    ]);
  }
});

test("refuses tokens of two axes with mask_zero, and matrices of low rank beside a table", async () => {
  const square = withConfig("square", (config) =>
    config.replaceAll('"batch_shape": [null, 6]', '"batch_shape": [null, 3, 2]'),
  );
  await expect(readModelFile(square)).rejects.toThrow(/layer words \(Embedding\): required an input of 1 axes/);
  const low = withConfig("low", (config) => config.replace('"mask_zero": true', '"mask_zero": true, "lora_rank": 2'));
  await expect(readModelFile(low)).rejects.toThrow(/layer words \(Embedding\): required no lora_rank, got 2/);
});

test("refuses integers that something else than an embedding reads, or makes", async () => {
  const numbers = withConfig("numbers", (config) =>
    config.replace('"output_layers": ["classes", 0, 0]', '"output_layers": [["classes", 0, 0], ["tokens", 0, 0]]'),
  );
  await expect(readModelFile(numbers)).rejects.toThrow(
    /input tokens: required integers that nothing but Embedding layers reads, got tokens\/Identity/,
  );
  const made = withConfig("made", (config) => config.replace('"class_name": "Conv1D"', '"class_name": "Embedding"'));
  await expect(readModelFile(made)).rejects.toThrow(
    /encoder\/conv \(Embedding\): required .* one of the model's inputs, .*, got integers that a layer in front of it gives/,
  );
});
