import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/formats/safetensors.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { foreignFile } from "../../src/library/foreign-file.js";
import { npyFile } from "../data/array-files.js";

const array = npyFile("<f4", [2], new Uint8Array(8));
const zip = (...names: string[]): Uint8Array =>
  zipSync(Object.fromEntries(names.map((name) => [name, strToU8("content")])));

describe("a file that is no model", () => {
  it.each([
    ["torch.save", zip("net/data.pkl", "net/byteorder", "net/data/0"), /PyTorch.*torch\.onnx\.export/],
    ["torch.export.save", zip("net/data/weights/weight_0", "net/archive_format"), /PyTorch.*torch\.onnx\.export/],
    ["an old torch.save", Uint8Array.of(0x80, 2, 0x8a, 10), /PyTorch.*torch\.onnx\.export/],
    ["safetensors", writeSafetensors(new Map([["w", floatTensor([1])]])), /safetensors, .*ONNX/],
    ["NPZ", zip("x.npy", "y.npy"), /arrays of NumPy\. .*--data/],
    ["NPY", array, /arrays of NumPy\. .*--data/],
    ["nothing", new Uint8Array(), /an empty file/],
  ])("as of %s is told by what it is", (_, bytes, message) => {
    expect(foreignFile(bytes, "net")?.message).toMatch(
      /^net: required a model as ONNX, Keras or TensorFlow\.js file, got /,
    );
    expect(foreignFile(bytes, "net")?.message).toMatch(message);
  });

  it.each([
    ["an archive of Keras", zip("metadata.json", "config.json", "model.weights.h5")],
    ["a broken archive", zip("config.json").subarray(0, 20)],
    ["ONNX", Uint8Array.of(8, 10, 18, 7, 112, 121, 116, 111, 0x7b)],
    ["JSON", strToU8('{"format": "layers-model"}')],
  ])("is not %s", (_, bytes) => {
    expect(foreignFile(bytes, "net")).toBeUndefined();
  });
});
