import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, StringStringEntryProtoSchema, ValueInfoProtoSchema } from "onnx-buf";
import { expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { attribute } from "../../src/graph/graph.js";
import { openModel } from "../../src/library/open-model.js";
import { folderWith, toyModel } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

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

it("refuses an attribute of another kind than ONNX gives it", async () => {
  const net = new TestNetwork();
  const logits = net.node("Gemm", ["x", net.weight("w", [4, 3])], { transB: attribute.float(0) });
  const path = folderWith({ "model.onnx": serializeGraph(net.graph([4], [logits]), 20) });
  await expect(openModel(path("model.onnx"))).rejects.toThrow(
    /model\.onnx: node node_gemm0 \(Gemm\): required a whole number as the attribute transB, got a floating-point number\./,
  );
});

it("takes what PyTorch's exporter notes as parameters for such, but for what it has computed other numbers from", async () => {
  const net = new TestNetwork();
  const scaled = net.node("Mul", ["x", net.weight("scale", [1])]);
  const power = net.node("Pow", [net.node("MatMul", [scaled, net.weight("w", [4, 3])]), net.weight("p", [1])]);
  const rooted = net.node("Pow", [power, net.weight("reciprocal", [1])]);
  const message = fromBinary(ModelProtoSchema, serializeGraph(net.graph([4], [rooted]), 20));
  message.producerName = "pytorch";
  const entry = (key: string, value: string) => create(StringStringEntryProtoSchema, { key, value });
  const parameters = ["scale", "w", "p"].map((name) => `p_${name}: PARAMETER target='${name}'`);
  message.graph!.metadataProps.push(
    entry("pkg.torch.export.ExportedProgram.graph_signature", ["# inputs", ...parameters].join("\n")),
  );
  const opened = async (): Promise<string[]> => {
    const path = folderWith({ "model.onnx": toBinary(ModelProtoSchema, message) });
    return [...(await openModel(path("model.onnx"))).network.parameters.keys()];
  };
  expect(await opened()).toEqual(["scale", "w", "p"]);
  const from = entry("pkg.onnxscript.optimizer.folded_from", "['p', 'val_0']");
  message.graph!.valueInfo.push(create(ValueInfoProtoSchema, { name: "reciprocal", metadataProps: [from] }));
  expect(await opened()).toEqual(["scale", "w"]);
  message.graph!.metadataProps.length = 0;
  expect(await opened()).toEqual(["w"]);
});
