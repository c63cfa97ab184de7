import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { writeOnnx } from "../../src/formats/onnx-write.js";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor, type Tensor } from "../../src/graph/tensor.js";
import { newModel } from "../../src/library/new-model.js";
import { type TensorVerdict, verify } from "../../src/library/verify.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";
import { modelFile } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const folder = sharedTemporaryFolder();
const model = join(folder, "model.onnx");
const initializers = new Map<string, Tensor>();
/** The two tensors of F, then the two of the head. */
let [weight, bias, headWeight, headBias] = ["", "", "", ""];

beforeAll(async () => {
  const { graph } = await newModel({
    template: "mlp",
    inputShape: [4],
    widths: [3],
    classes: 2,
    seed: 7,
    output: model,
  });
  for (const [name, tensor] of graph.initializers) initializers.set(name, tensor);
  [weight, bias, headWeight, headBias] = [...initializers.keys()];
});

function shifted(name: string, by: number): Tensor {
  const { data, shape } = initializers.get(name) as Tensor;
  return floatTensor(
    Float32Array.from(data as Float32Array, (value) => value + by),
    shape,
  );
}

/** Verifies a safetensors file of these tensors. */
async function verdicts(tensors: Record<string, Tensor>, metadata: Record<string, string> = {}) {
  const weights = join(folder, "weights.safetensors");
  writeFileSync(weights, writeSafetensors(new Map(Object.entries(tensors)), metadata));
  const result = await verify({ weights, model });
  const found = Object.fromEntries(result.tensors.map(({ name, verdict }): [string, TensorVerdict] => [name, verdict]));
  return { result, found };
}

test("F's tensors fit, and the head's may be missing", async () => {
  const sha256 = createHash("sha256").update(readFileSync(model)).digest("hex");
  const { result, found } = await verdicts(
    { [weight]: shifted(weight, 0.5), [bias]: shifted(bias, 0) },
    { format: "pt", model_sha256: sha256 },
  );
  expect(found).toEqual({ [weight]: "changed", [bias]: "same", [headWeight]: "head", [headBias]: "head" });
  expect(result).toMatchObject({ mismatches: 0, notes: [], model: { format: "onnx", sha256 } });
  const changed = result.tensors.find(({ name }) => name === weight);
  const before = (initializers.get(weight) as Tensor).data as Float32Array;
  const length = Math.hypot(...before);
  expect(changed?.largestChange).toBeCloseTo(0.5, 6);
  expect(changed?.relativeChange).toBeCloseTo((0.5 * Math.sqrt(12)) / length, 5);
  const bytes = new Uint8Array(before.buffer, before.byteOffset, before.byteLength);
  expect(changed?.before?.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(changed?.after?.sha256).not.toBe(changed?.before?.sha256);
});

test("finds each kind of mismatch", async () => {
  const { data } = initializers.get(weight) as Tensor;
  expect((await verdicts({ [weight]: shifted(weight, 1) })).found[bias]).toBe("missing");
  const cases: [TensorVerdict, string, Tensor][] = [
    ["shape", weight, floatTensor(data as Float32Array, [...(initializers.get(weight)?.shape ?? [])].reverse())],
    ["type", weight, { type: "float64", shape: [3, 4], data: new Float64Array(12) }],
    ["not finite", weight, floatTensor(new Float32Array(12).fill(Number.NaN), [3, 4])],
    ["unexpected", `${weight}.other`, floatTensor([1])],
  ];
  for (const [verdict, name, tensor] of cases) {
    const shape = verdict === "type" || verdict === "not finite" ? initializers.get(weight)?.shape : tensor.shape;
    const { result, found } = await verdicts({
      [weight]: shifted(weight, 1),
      [bias]: shifted(bias, 1),
      [name]: { ...tensor, shape: shape ?? [] } as Tensor,
    });
    expect(found[name]).toBe(verdict);
    expect(result.mismatches).toBe(1);
  }
});

test("notes weights that were made for another file, and weights that change nothing", async () => {
  const { result } = await verdicts({ [weight]: shifted(weight, 0), [bias]: shifted(bias, 0) }, { model_sha256: "ab" });
  expect(result.mismatches).toBe(0);
  expect(result.notes).toEqual([
    expect.stringContaining("made for another file"),
    expect.stringContaining("No tensor changes"),
  ]);
  const unrelated = await verdicts({ other: floatTensor([1]) });
  expect(unrelated.result.mismatches).toBeGreaterThan(0);
  expect(unrelated.result.notes).toEqual([]);
});

test("compares two models, which must have all tensors", async () => {
  const weights = join(folder, "trained.onnx");
  const read = readOnnx(readFileSync(model), { where: model });
  writeFileSync(weights, writeOnnx(read, new Map([[headBias, shifted(headBias, 2)]])));
  const result = await verify({ weights, model });
  expect(result.tensors.map(({ verdict }) => verdict)).toEqual(["same", "same", "same", "changed"]);
  expect(result).toMatchObject({ mismatches: 0, weights: { format: "onnx" } });

  const other = join(folder, "other.onnx");
  await newModel({ template: "mlp", inputShape: [4], widths: [3, 3], classes: 2, output: other });
  const fewer = await verify({ weights, model: other });
  expect(fewer.tensors.filter(({ verdict }) => verdict === "missing").length).toBeGreaterThan(0);
  expect(fewer.mismatches).toBeGreaterThan(0);
});

test("says that weights and model are exchanged", async () => {
  const path = join(folder, "exchanged.safetensors");
  const weights = { [weight]: shifted(weight, 1), [bias]: shifted(bias, 0) };
  writeFileSync(path, writeSafetensors(new Map(Object.entries(weights)), { model_sha256: "ab" }));
  await expect(verify({ weights: model, model: path })).rejects.toThrow(/after the onnx model .* Exchange the two/);
});

test("says what is no weights file", async () => {
  const path = join(folder, "none.safetensors");
  await expect(verify({ weights: path, model })).rejects.toThrow(/required a weights file, got nothing there/);
  writeFileSync(path, "short");
  await expect(verify({ weights: path, model })).rejects.toThrow(/safetensors file/);
  writeFileSync(join(folder, "none.bin"), "neither");
  await expect(verify({ weights: join(folder, "none.bin"), model })).rejects.toThrow(/none\.bin/);
});

test("against a state dict, finds a tensor under each of its names, and says what stays", async () => {
  const state = join(folder, "state.safetensors");
  const tensors = { tied: floatTensor([1, 2]), head: floatTensor([3]) };
  writeFileSync(state, writeSafetensors(new Map(Object.entries(tensors)), { format: "pt", "other.name": "tied" }));
  const weights = join(folder, "tied.safetensors");
  writeFileSync(weights, writeSafetensors(new Map([["other.name", floatTensor([1, 3])]])));
  const { tensors: found, mismatches } = await verify({ weights, model: state });
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
    ["head", "kept"],
    ["other.name", "changed"],
  ]);
  expect(mismatches).toBe(0);
});

test("says where a state dict is of the network in a wrapper", async () => {
  const [state, weights] = ["wrapped.safetensors", "inner.safetensors"].map((name) => join(folder, name));
  writeFileSync(state, writeSafetensors(new Map([["module.w", floatTensor([1, 2])]])));
  writeFileSync(weights, writeSafetensors(new Map([["w", floatTensor([1, 3])]])));
  const { notes, mismatches } = await verify({ weights, model: state });
  expect(notes).toEqual([expect.stringMatching(/begin with "module\.".* the one inside, model\.module\./)]);
  expect(mismatches).toBe(1);
});

test("lists what of F the weights leave as it is", async () => {
  const net = new TestNetwork();
  const centred = net.node("Sub", ["x", net.weight("means", [4])]);
  const features = net.node("Relu", [net.node("MatMul", [centred, net.weight("w", [4, 4])])]);
  const path = join(folder, "centred.onnx");
  writeFileSync(path, modelFile(net.graph([4], [net.node("MatMul", [features, net.weight("head", [4, 2])])])));
  const weights = join(folder, "centred.safetensors");
  writeFileSync(weights, writeSafetensors(new Map([["w", floatTensor(new Float32Array(16), [4, 4])]])));
  const { tensors, mismatches } = await verify({ weights, model: path });
  expect(tensors.map(({ name, verdict }) => [name, verdict])).toEqual([
    ["means", "kept"],
    ["w", "changed"],
    ["head", "head"],
  ]);
  expect(mismatches).toBe(0);
});
