import { describe, expect, it } from "vitest";
import { chooseDiscriminator } from "../../src/library/choose-discriminator.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { folderWith, modelFile, toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const pictures = featureExtractor(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] }));
const vectors = featureExtractor(toyNetwork({ template: "mlp", inputShape: [6], widths: [5] }));
const signals = featureExtractor(toyNetwork({ template: "cnn1d", inputShape: [2, 16], widths: [5] }));

/** A perceptron's file. */
function judge(inputs: number, outputs: number): Uint8Array {
  const net = new TestNetwork();
  const hidden = net.node("LeakyRelu", [net.node("Gemm", ["x", net.weight("w1", [inputs, 4]), net.weight("b1", [4])])]);
  return modelFile(net.graph([inputs], [net.node("Gemm", [hidden, net.weight("w2", [4, outputs])])]));
}

describe("chooseDiscriminator", () => {
  it("takes a kind that suits the samples", async () => {
    expect((await chooseDiscriminator("auto", pictures)).kind).toBe("cnn");
    expect((await chooseDiscriminator("auto", vectors)).kind).toBe("mlp");
    expect((await chooseDiscriminator("auto", signals)).kind).toBe("cnn1d");
    expect((await chooseDiscriminator("mlp", pictures)).kind).toBe("mlp");
  });

  it("sizes D by F", async () => {
    const large = featureExtractor(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [64, 128] }));
    const [a, b] = [await chooseDiscriminator("auto", pictures), await chooseDiscriminator("auto", large)];
    expect(b.discriminator.cost).toBeGreaterThan(2 * a.discriminator.cost);
  });

  it("reads the user's own, with its weights and hash", async () => {
    const path = folderWith({ "d.onnx": judge(6, 1) });
    const chosen = await chooseDiscriminator(path("d.onnx"), vectors);
    expect(chosen.kind).toBe("network");
    expect(chosen.hash).toMatch(/^[0-9a-f]{64}$/);
    expect([...chosen.weights.keys()].sort()).toEqual(chosen.discriminator.parameters.map(({ name }) => name).sort());
    expect([...chosen.weights.keys()].every((name) => name.startsWith("discriminator/"))).toBe(true);
  });

  it.each([
    [
      "cnnn",
      /^--discriminator: required one of auto, mlp, cnn, cnn1d or an ONNX file, got "cnnn"\. Did you mean cnn\?/,
    ],
    ["./missing.onnx", /missing\.onnx: required .*, got nothing there/],
  ])("refuses %s", async (option, message) => {
    await expect(chooseDiscriminator(option, vectors)).rejects.toThrow(message);
  });

  it("refuses a network of another shape", async () => {
    const path = folderWith({
      "two.onnx": judge(6, 2),
      "wide.onnx": judge(7, 1),
    });
    await expect(chooseDiscriminator(path("two.onnx"), vectors)).rejects.toThrow(/required .*one .*, got .*2/);
    await expect(chooseDiscriminator(path("wide.onnx"), vectors)).rejects.toThrow(/required .*6.*, got .*7/);
  });
});
