import { readFileSync } from "node:fs";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { readKeras } from "../../src/formats/keras.js";
import { readCall } from "../../src/formats/keras-calls.js";
import { lambdaCall, lambdaOperation } from "../../src/formats/keras-lambdas.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { openSession } from "../../src/runtime/node.js";
import { fixture } from "./keras-fixtures.js";

const archive = new Uint8Array(readFileSync(fixture("keras-operations.keras")));
const where = "model";

/** The archive with its description of the model changed, as text without spaces. */
function withConfig(change: (config: string) => string): Uint8Array {
  const entries = unzipSync(archive);
  const config = JSON.stringify(JSON.parse(strFromU8(entries["config.json"])));
  const changed = change(config);
  expect(changed).not.toBe(config);
  return zipSync({ ...entries, "config.json": strToU8(changed) }, { level: 0 });
}

test.each(["keras-operations.keras", "keras2-operations.h5"])("%s computes what Keras computes", async (file) => {
  const record = JSON.parse(readFileSync(fixture(file.replace(/\..*/, ".json")), "utf8"));
  const { model } = await readModelFile(fixture(file));
  const session = await openSession(model.graph, { threads: 1 });
  try {
    const sample = floatTensor(record.input.flat(9), [2, 4, 3]);
    const outputs = await session.run({ [model.graph.inputs[0].name]: sample });
    const got = numbersOf(outputs[model.graph.outputs[0].name]);
    const wanted: number[] = record.output.flat(9);
    expect(got).toHaveLength(wanted.length);
    got.forEach((number, index) => {
      expect(number).toBeCloseTo(wanted[index], 5);
    });
    expect(model.graph.initializers.get("second/slopes/alpha")?.shape).toEqual([4, 4]);
  } finally {
    await session.release();
  }
});

test("says what it does not read", async () => {
  const slice = (start: number | null): string =>
    `{"class_name":"__slice__","config":{"start":${start},"stop":null,"step":null}}`;
  const [every, second] = [slice(null), slice(1)];
  const cases: [RegExp, (config: string) => string][] = [
    // x[:, -1] and what becomes of it.
    [
      /layer get_item_1 \(GetItem\): required an index .*, got -5/,
      (config) => config.replace(`[${every},-1]`, `[${every},-5]`),
    ],
    [/\(GetItem\): required an index .*start/, (config) => config.replace(`[${every},-1]`, `[${second},-1]`)],
    [/\(GetItem\): required an index .*got "a"/, (config) => config.replace(`[${every},-1]`, `[${every},"a"]`)],
    [/\(GetItem\): required an index/, (config) => config.replace(`[${every},-1]`, `[${every},0,0,0,0]`)],
    [
      /\(GetItem\): required the batch as the first axis/,
      (config) => config.replace(`[${every},-1]`, `[null,${every},-1]`),
    ],
    [
      /\(GetItem\): required an output that is not empty/,
      (config) => config.replace(`[${every},-1]`, `[${every},${slice(4)}]`),
    ],
    [
      /\(Multiply\): required constants that fit \[4,4\], got some of shape \[3\]/,
      (config) => config.replace("[1,2,3,4]", "[1,2,3]"),
    ],
    [/\(Multiply\): required constants that fit/, (config) => config.replace("[1,2,3,4]", "[[[[1,2,3,4]]]]")],
    [
      /\(Mean\): required axes beside the batch, got null/,
      (config) => config.replace('"mean","axis":1', '"mean","axis":null'),
    ],
    [/\(Mean\): required an axis from 1 to 2, got 0/, (config) => config.replace('"mean","axis":1', '"mean","axis":0')],
    [
      /\(Reshape\): required a shape that begins with -1/,
      (config) => config.replace('"newshape":[-1,8]', '"newshape":[2,8]'),
    ],
    [
      /\(Reshape\): required a shape of a sample of 8 elements/,
      (config) => config.replace('"newshape":[-1,8]', '"newshape":[-1,4]'),
    ],
    [/\(Transpose\): required the axes 0 to 2, 0 first/, (config) => config.replace('"axes":[0,2,1]', '"axes":null')],
    [/\(Squeeze\): required axes of size 1/, (config) => config.replace('"squeeze","axis":1', '"squeeze","axis":2')],
    [
      /\(Stack\): required an axis from 1 to 2, got 0/,
      (config) => config.replace('"stack","axis":1', '"stack","axis":0'),
    ],
    [
      /across \(LayerNormalization\): required axes in their order, got axis \[2,1\]/,
      (config) => config.replace('"axis":[1],"epsilon"', '"axis":[2,1],"epsilon"'),
    ],
    [
      /unit \(UnitNormalization\): required axes beside the batch, got axis null/,
      (config) => config.replace('"axis":1}', '"axis":null}'),
    ],
    [
      /\(Own\): required a layer that headstart knows, got Own/,
      (config) => config.replace('"class_name":"Square"', '"class_name":"Own"'),
    ],
  ];
  for (const [message, change] of cases) {
    const bytes = withConfig(change);
    await expect(readKeras(bytes, { where })).rejects.toThrow(message);
    await expect(readKeras(bytes, { where })).rejects.toThrow(UserError);
  }
});

test("reads calls of TensorFlow's functions as Keras 3 has them", () => {
  const fail = (required: string, got: string): UserError => new UserError(`${required}, got ${got}`);
  const read = (name: string, node: unknown) => {
    const operation = lambdaOperation("TFOpLambda", { function: name });
    if (!operation) throw new Error("none");
    return { className: operation.className, ...lambdaCall(operation, node, fail) };
  };
  const a = { layer: "a", call: 0, output: 0 };
  const b = { layer: "b", call: 1, output: 0 };
  expect(read("math.subtract", ["_CONSTANT_VALUE", -1, 2, { y: ["a", 0, 0], name: null }])).toEqual({
    className: "Subtract",
    inputs: [a],
    operands: [{ shape: [], data: [2] }, undefined],
    settings: {},
  });
  expect(read("math.multiply", ["a", 0, 0, { y: ["b", 1, 0], name: null }])).toEqual({
    className: "Multiply",
    inputs: [a, b],
    settings: {},
  });
  expect(read("nn.leaky_relu", ["a", 0, 0, { alpha: 0.3, name: null }])).toEqual({
    className: "LeakyRelu",
    inputs: [a],
    settings: { negative_slope: 0.3 },
  });
  expect(read("nn.bias_add", ["a", 0, 0, { bias: [1, 2], data_format: "NCHW" }]).constants).toBe('data_format="NCHW"');
  expect(read("math.own", ["a", 0, 0, { weights: ["b", 1, 0] }])).toMatchObject({
    className: "tf.math.own",
    constants: 'weights=["b",1,0]',
  });
  expect(() => read("math.subtract", ["a", 0, 0, {}])).toThrow(/y among the arguments/);
  expect(lambdaOperation("Dense", { function: "math.subtract" })).toBeUndefined();
  // Keras 3's own form.
  const tensor = { class_name: "__keras_tensor__", config: { keras_history: ["a", 0, 0] } };
  const array = { class_name: "__numpy__", config: { value: [[1], [2]] } };
  expect(readCall({ args: [array, tensor], kwargs: {} }, fail)).toMatchObject({
    inputs: [a],
    operands: [{ shape: [2, 1], data: [1, 2] }, undefined],
  });
  expect(
    readCall({ args: [{ class_name: "__numpy__", config: { value: [[1], 2] } }, tensor] }, fail).constants,
  ).toMatch(/__numpy__/);
});
