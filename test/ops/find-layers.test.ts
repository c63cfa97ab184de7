import { describe, expect, it } from "vitest";
import { unitsOf } from "../../src/ops/find-layers.js";
import type { Network } from "../../src/ops/network.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

describe("layers", () => {
  it("know their bias, pre-activation and normalisation", () => {
    const network = toyNetwork({ template: "resnet", inputShape: [3, 8, 8], widths: [4, 6], normalization: "batch" });
    expect(network.layers.length).toBeGreaterThan(3);
    const convolutions = network.layers.filter(({ node }) => node.op === "Conv");
    expect(convolutions.every(({ followedByNormalization }) => followedByNormalization)).toBe(true);
    expect(network.layers.at(-1)).toMatchObject({ node: { op: "Gemm" }, followedByNormalization: false });
    expect(network.layers.at(-1)?.bias?.role).toBe("bias");
  });

  it("take an Add of a bias into the pre-activation, but no residual", () => {
    const net = new TestNetwork();
    const product = net.node("MatMul", ["x", net.weight("w", [4, 4])]);
    const biased = net.node("Add", [product, net.weight("b", [4])]);
    const network = net.build([4], net.node("Add", [biased, "x"]));
    expect(network.layers.map(({ preActivation, bias }) => [preActivation, bias?.name])).toEqual([[biased, "b"]]);
  });

  const recurrenceOf = (network: Network): (readonly [string, boolean])[] =>
    network.layers.map(({ weight, isRecurrent }) => [weight.name, isRecurrent]);

  it("are recurrent where a weight is applied to what came of it, in whatever way that is written", () => {
    const net = new TestNetwork();
    const weight = net.weight("w", [4, 4]);
    const first = net.node("Gemm", ["x", weight], { transB: 1 });
    const turned = net.node("Transpose", [weight], { perm: [1, 0] });
    const again = net.node("MatMul", [net.node("Tanh", [first]), turned]);
    expect(recurrenceOf(net.build([4], again))).toEqual([["w", true]]);
  });

  it.each<[string, (net: TestNetwork) => string]>([
    ["one sample", (net) => net.node("ConstantOfShape", [net.ints([1, 4])])],
    ["as many samples as there are", (net) => net.node("ConstantOfShape", [net.node("Shape", ["x"])])],
  ])("are none of what a weight makes of a first state of zeros for %s", (_, zerosIn) => {
    const net = new TestNetwork();
    const [weight, recurrent] = [net.weight("w", [4, 4]), net.weight("u", [4, 4])];
    const zeros = zerosIn(net);
    let state = zeros;
    const made = [];
    for (let step = 0; step < 3; step++) {
      made.push(net.node("Gemm", [state, recurrent]));
      state = net.node("Tanh", [net.node("Add", [net.node("Gemm", ["x", weight]), made[step]])]);
    }
    const { layers } = net.build([4], net.node("Gemm", [state, net.weight("out", [4, 2])]));
    expect(layers.map(({ weight, preActivation, isRecurrent }) => [weight.name, preActivation, isRecurrent])).toEqual([
      ["w", expect.stringMatching(/^gemm/), false],
      ["u", made[1], true],
      ["w", expect.anything(), false],
      ["w", expect.anything(), false],
      ["out", expect.anything(), false],
    ]);
  });

  it("are not recurrent in a decoder that is tied to its encoder", () => {
    const dense = new TestNetwork();
    const weight = dense.weight("w", [3, 8]);
    const code = dense.node("Relu", [dense.node("Gemm", ["x", weight, dense.weight("b", [3])], { transB: 1 })]);
    const turned = dense.node("Transpose", [weight], { perm: [1, 0] });
    const decoded = dense.node("Gemm", [code, turned], { transB: 1 });
    expect(recurrenceOf(dense.build([8], decoded))).toEqual([
      ["w", false],
      ["w", false],
    ]);

    const maps = new TestNetwork();
    const filters = maps.weight("w", [4, 1, 3, 3]);
    const pictures = maps.node("ConvTranspose", [maps.node("Conv", ["x", filters]), filters]);
    expect(recurrenceOf(maps.build([1, 8, 8], pictures))).toEqual([
      ["w", false],
      ["w", false],
    ]);
  });

  it("count their units", () => {
    const spec = (shape: number[], layout: NonNullable<Parameters<typeof unitsOf>[0]["layout"]>) =>
      unitsOf({ name: "w", shape, role: "weight", layout });
    expect(spec([4, 3], { kind: "matrix", inputAxis: 0 })).toBe(3);
    expect(spec([3, 4], { kind: "matrix", inputAxis: 1 })).toBe(3);
    expect(spec([6, 1, 3, 3], { kind: "convolution", groups: 2, transposed: false })).toBe(6);
    expect(spec([4, 3, 3, 3], { kind: "convolution", groups: 2, transposed: true })).toBe(6);
    expect(unitsOf({ name: "w", shape: [2, 3, 4], role: "weight" })).toBeUndefined();
  });
});
