/** initialize on networks whose export has changed the names of weights. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.js";
import type { Tensor } from "../../src/graph/tensor.js";
import { type InitializeEvent, type InitializeOptions, initialize } from "../../src/library/initialize.js";
import { inspect } from "../../src/library/inspect.js";
import { verify } from "../../src/library/verify.js";
import { normalTensor } from "../support/run-graph.js";
import { folderWith, vectorFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

/** Two hidden layers whose matrices have lost their names, and a head, as PyTorch would have written them. */
function exported(): Uint8Array {
  const network = new TestNetwork();
  const weight = (name: string, shape: number[]): string => network.weight(name, shape);
  const first = network.node("Relu", [network.node("MatMul", ["x", weight("onnx::MatMul_7", [6, 8])])]);
  const second = network.node("Tanh", [network.node("MatMul", [first, weight("onnx::MatMul_8", [8, 5])])]);
  const head = network.node("Gemm", [second, weight("fc.weight", [3, 5]), weight("fc.bias", [3])], { transB: 1 });
  const message = fromBinary(ModelProtoSchema, serializeGraph(network.graph([6], [head]), 17));
  message.producerName = "pytorch";
  return toBinary(ModelProtoSchema, message);
}

/** PyTorch's side: the same matrices the other way round. */
function state(): Map<string, Tensor> {
  const turned = (name: string, [rows, columns]: readonly [number, number]): Tensor => {
    const { data } = normalTensor(name, [rows, columns], 0.3);
    const result = new Float32Array(data.length);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column];
    return { type: "float32", shape: [columns, rows], data: result };
  };
  return new Map<string, Tensor>([
    ["body.0.weight", turned("onnx::MatMul_7", [6, 8])],
    ["body.2.weight", turned("onnx::MatMul_8", [8, 5])],
    ["fc.weight", normalTensor("fc.weight", [3, 5], 0.3)],
    ["fc.bias", normalTensor("fc.bias", [3], 0.3)],
  ]);
}

function settings(): { path: (name: string) => string; options: InitializeOptions } {
  const path = folderWith({
    "model.onnx": exported(),
    "data.npy": vectorFile(24, [6]),
    "state.safetensors": writeSafetensors(state()),
  });
  const recipe = { adversarial: { weight: 0 }, reconstruction: { weight: 1 } };
  const common = { recipe, batchSize: 8, steps: 2, threads: 1 };
  return {
    path,
    options: { model: path("model.onnx"), data: path("data.npy"), output: path("run"), ...common },
  };
}

test("refuses names that PyTorch would not take, and writes nothing", async () => {
  const { path, options } = settings();
  expect((await inspect({ model: options.model })).warnings).toEqual([expect.stringContaining("renamed 2 of F's")]);
  await expect(initialize(options)).rejects.toThrow(
    /model\.onnx: required weights under the names that PyTorch has for them.*optimize=False.*--state-dict.*--keep-names/,
  );
  expect(existsSync(path("run"))).toBe(false);
});

test("where the state dict given does not help, asks for another one", async () => {
  const { path, options } = settings();
  const others = [...state()].map(([name, { shape }]) => [name, normalTensor("another", shape, 0.3)] as const);
  const own = [...state()].filter(([name]) => name.startsWith("fc."));
  writeFileSync(path("other.safetensors"), writeSafetensors(new Map([...others, ...own])));
  const given = { ...options, stateDict: path("other.safetensors") };
  await expect(initialize(given)).rejects.toThrow(
    /model\.onnx: required weights .*Or give the state dict of the very model .*, if \S*other\.safetensors is another's; or pass --keep-names/,
  );
  await expect(initialize(given)).rejects.not.toThrow(/with --state-dict/);
});

test("finds PyTorch's names by its own tensors, and says so in all records", async () => {
  const { path, options } = settings();
  const stateDict = path("state.safetensors");
  const events: InitializeEvent[] = [];
  const result = await initialize({ ...options, stateDict, onEvent: (event) => events.push(event) });
  const note = /2 renamed \(onnx::MatMul_7 is body\.0\.weight\)/;
  expect(events.some((event) => event.type === "note" && note.test(event.message))).toBe(true);
  const { tensors, metadata } = readSafetensors(readFileSync(result.weightsFile), "weights");
  expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([
    ["body.0.weight", [8, 6]],
    ["body.2.weight", [5, 8]],
  ]);
  expect(metadata).toMatchObject({ format: "pt", tensors: "2", restored: expect.stringMatching(note) });
  expect(metadata).toMatchObject({ recipe: "custom", seed: "0", model_sha256: result.run.model.sha256 });
  expect(JSON.parse(readFileSync(path("run/run.json"), "utf8")).model).toMatchObject({
    restored: { renamed: { "body.0.weight": "onnx::MatMul_7", "body.2.weight": "onnx::MatMul_8" } },
    stateDict: metadata.state_dict_sha256,
  });
  const weights = result.weightsFile;
  await expect(verify({ weights, model: options.model })).rejects.toThrow(/the --state-dict with which/);
  for (const given of [{ model: options.model, stateDict }, { model: stateDict }]) {
    const verified = await verify({ weights, ...given });
    const head = given.model === stateDict ? "kept" : "head";
    expect(verified.mismatches).toBe(0);
    expect(Object.fromEntries(verified.tensors.map(({ name, verdict }) => [name, verdict]))).toEqual({
      "body.0.weight": "changed",
      "body.2.weight": "changed",
      "fc.weight": head,
      "fc.bias": head,
    });
  }
});

test("takes the model's names where it is asked to, and says what they are not good for", async () => {
  const { options } = settings();
  const result = await initialize({ ...options, keepNames: true });
  const { tensors, metadata } = readSafetensors(readFileSync(result.weightsFile), "weights");
  expect([...tensors.keys()]).toEqual(["onnx::MatMul_7", "onnx::MatMul_8"]);
  expect(metadata.names).toBe("kept");
  // The command line says of every flag whether it is there.
  for (const keepNames of [{}, { keepNames: false }])
    expect((await verify({ weights: result.weightsFile, model: options.model, ...keepNames })).mismatches).toBe(0);
  const [pytorch] = result.loading;
  expect(pytorch.lines.every((line) => line.startsWith("#"))).toBe(true);
});

/** A convolution of channels last and a head, as jax2onnx writes them, with or without the weights among the inputs. */
function exportedFromJax(isNamed: boolean): Uint8Array {
  const network = new TestNetwork();
  const names = isNamed ? ["Conv_0/kernel", "Dense_0/kernel"] : ["const_0", "const_1"];
  const kernel = network.node("Transpose", [network.weight(names[0], [2, 2, 1, 3])], { perm: [3, 2, 0, 1] });
  const pictures = network.node("Transpose", ["x"], { perm: [0, 3, 1, 2] });
  const maps = network.node("Transpose", [network.node("Conv", [pictures, kernel])], { perm: [0, 2, 3, 1] });
  const features = network.node("Reshape", [network.node("Relu", [maps]), network.ints([0, -1])]);
  const head = network.node("MatMul", [features, network.weight(names[1], [27, 2])]);
  const graph = network.graph([4, 4, 1], [head]);
  const weights = names.map((name) => ({ name, type: "float32", shape: graph.initializers.get(name)!.shape }) as const);
  const written = { ...graph, inputs: [...graph.inputs, ...(isNamed ? weights : [])] };
  const message = fromBinary(ModelProtoSchema, serializeGraph(written, 23));
  message.producerName = "jax2onnx 0.17.1";
  return toBinary(ModelProtoSchema, message);
}

test("writes JAX's weights under their names in the tree and in its layout, and refuses exports without names", async () => {
  const path = folderWith({
    "named.onnx": exportedFromJax(true),
    "plain.onnx": exportedFromJax(false),
    "data.npy": vectorFile(24, [4, 4, 1]),
  });
  const common = { data: path("data.npy"), recipe: "opened", batchSize: 8, threads: 1 };
  const result = await initialize({ ...common, model: path("named.onnx"), output: path("run") });
  const { tensors } = readSafetensors(readFileSync(result.weightsFile), "weights");
  expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([["Conv_0/kernel", [2, 2, 1, 3]]]);
  expect((await verify({ weights: result.weightsFile, model: path("named.onnx") })).mismatches).toBe(0);
  expect(result.loading[0].framework).toMatch(/^JAX/);
  // What is written can be given again.
  expect((await inspect({ model: path("run/model.onnx") })).warnings).toEqual([]);
  const plain = { ...common, model: path("plain.onnx"), output: path("plain") };
  await expect(initialize(plain)).rejects.toThrow(/under the names that they have in JAX.*const_0.*--keep-names/);
  expect(existsSync(path("plain"))).toBe(false);
  expect((await initialize({ ...plain, keepNames: true })).loading[0].lines.join()).toMatch(
    /^# The weights have the names/,
  );
});

test("verify refuses weights from which a tensor was taken out", async () => {
  const { path, options } = settings();
  const { tensors } = readSafetensors(writeSafetensors(state()), "state");
  const part = new Map([...tensors].slice(0, 1));
  const file = folderWith({ "part.safetensors": writeSafetensors(part, { tensors: "2" }) })("part.safetensors");
  await expect(verify({ weights: file, model: path("state.safetensors") })).rejects.toThrow(/all 2 tensors.*got 1/);
  await expect(verify({ weights: file, model: options.model })).rejects.toThrow(/all 2 tensors.*got 1/);
});

test("says how to save a state dict that is a pickle", async () => {
  const { options } = settings();
  const stateDict = folderWith({ "model.pt": new Uint8Array([0x50, 0x4b, 3, 4, 0, 0]) })("model.pt");
  await expect(initialize({ ...options, stateDict })).rejects.toThrow(/model\.pt: .*can hold code.*save_model/);
});
