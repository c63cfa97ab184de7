import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { openModel } from "../../src/library/open-model.js";
import { folderWith, toyModel } from "../support/toy-data.js";

it("reads a model, its network and its hash", async () => {
  const bytes = toyModel({ template: "mlp", inputShape: [6], widths: [5] });
  const path = folderWith({ "model.onnx": bytes });
  const opened = await openModel(path("model.onnx"));
  expect(opened.hash).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(opened.network.sampleShape).toEqual([6]);
  expect(opened.network.where).toBe(path("model.onnx"));
  expect(opened.model.opset).toBe(17);
});

it("says what is in the way", async () => {
  const path = folderWith({ "text.onnx": "hello" });
  await expect(openModel(path("none.onnx"))).rejects.toThrow(/none\.onnx: required .*, got nothing there\./);
  await expect(openModel(path("text.onnx"))).rejects.toThrow(/text\.onnx: required .*, got .*\./);
  await expect(openModel(path("."))).rejects.toThrow(/required .*, got a folder\./);
});
