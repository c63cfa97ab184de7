import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../../src/errors.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { newModel } from "../../src/library/new-model.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
const settings = { template: "mlp", inputShape: [4], widths: [3], classes: 2, seed: 7 };

test("writes a model that reads back as it was made", async () => {
  const output = join(folder, "a.onnx");
  const result = await newModel({ ...settings, output });
  expect(result).toMatchObject({ output, parameters: 4 * 3 + 3 + 3 * 2 + 2 });
  const bytes = readFileSync(output);
  expect(bytes).toHaveLength(result.bytes);
  const { graph } = readOnnx(bytes, { where: output });
  expect([...graph.initializers.keys()]).toEqual([...result.graph.initializers.keys()]);
  expect(graph.inputs.map((input) => input.shape)).toEqual([["batch", 4]]);
});

test("counts what is trained, without running statistics", async () => {
  const output = join(folder, "normalized.onnx");
  const result = await newModel({ ...settings, normalization: "batch", output });
  expect(result.parameters).toBe(4 * 3 + 2 * 3 + 3 * 2 + 2);
});

test("the same options give the same bytes, another seed others", async () => {
  const [a, b, c] = ["same-1.onnx", "same-2.onnx", "other.onnx"].map((name) => join(folder, name));
  await newModel({ ...settings, output: a });
  await newModel({ ...settings, output: b });
  await newModel({ ...settings, output: c, seed: 8 });
  expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
  expect(readFileSync(a).equals(readFileSync(c))).toBe(false);
});

test("an option that does not fit leaves no file", async () => {
  const output = join(folder, "never.onnx");
  await expect(newModel({ ...settings, template: "lstm", output })).rejects.toThrow(UserError);
  expect(existsSync(output)).toBe(false);
});
