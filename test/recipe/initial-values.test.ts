import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { activationAfter, drawParameters, initialWeights } from "../../src/recipe/initial-values.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" });
const deviation = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0) / values.length);

describe("initialWeights", () => {
  it("copies the file's values where the start is the file", () => {
    const weights = initialWeights(network, "file", 0);
    expect([...weights.keys()]).toEqual([...network.parameters.keys()]);
    for (const [name, elements] of weights) {
      expect(elements).toEqual(network.tensors.get(name)?.data);
      expect(elements).not.toBe(network.tensors.get(name)?.data);
    }
  });

  it("refuses values of the file that are not finite, where they are the start", () => {
    const net = new TestNetwork();
    const broken = net.build([4], net.node("MatMul", ["x", net.filled("w", [4, 3], Number.NaN)]));
    expect(() => initialWeights(broken, "file", 0)).toThrow(
      /model\.onnx: tensor w: required finite .*, got NaN at place 0/,
    );
    expect(initialWeights(broken, "he", 0).get("w")?.every(Number.isFinite)).toBe(true);
  });

  it("draws every layer by seed and name", () => {
    const [a, again, b] = [0, 0, 1].map((seed) => initialWeights(network, "he", seed));
    expect(again).toEqual(a);
    expect(a.get("features.0.weight")).not.toEqual(b.get("features.0.weight"));
    expect(a.get("features.0.weight")).not.toEqual(network.tensors.get("features.0.weight")?.data);
    // He: standard deviation √(2 / fan-in).
    expect(deviation(a.get("features.3.weight")!)).toBeGreaterThan(0.8 * Math.sqrt(2 / 36));
    expect(deviation(a.get("features.3.weight")!)).toBeLessThan(1.2 * Math.sqrt(2 / 36));
    expect(a.get("features.1.weight")).toEqual(new Float32Array(4).fill(1));
    expect(a.get("features.1.bias")).toEqual(new Float32Array(4));
    expect(a.get("features.1.running_var")).toEqual(new Float32Array(4).fill(1));
  });

  it("draws a shared weight once, and keeps what it has no rule for", () => {
    const net = new TestNetwork();
    const shared = net.weight("shared", [4, 4]);
    const first = net.node("PRelu", [net.node("MatMul", ["x", shared]), net.weight("slope", [4])]);
    const second = net.node("MatMul", [first, shared]);
    const drawn = initialWeights(net.build([4], second), "he", 0);
    const file = initialWeights(net.build([4], second), "file", 0);
    expect(drawn.get("shared")).not.toEqual(file.get("shared"));
    expect(drawn.get("slope")).toEqual(file.get("slope"));
  });

  it("refuses an unknown initializer", () => {
    expect(() => initialWeights(network, "hee", 0)).toThrow(/got "hee"\. Did you mean he\?/);
  });
});

describe("drawParameters", () => {
  it("gives weights, ones for scales and zeros for the rest", () => {
    const drawn = drawParameters(
      [
        { name: "w", shape: [3, 5], role: "weight", layout: { kind: "matrix", inputAxis: 0 }, fanIn: 3 },
        { name: "b", shape: [5], role: "bias" },
        { name: "s", shape: [5], role: "scale" },
      ],
      "he",
      0,
    );
    expect(deviation(drawn.get("w")!)).toBeGreaterThan(0.3);
    expect(drawn.get("b")).toEqual(new Float32Array(5));
    expect(drawn.get("s")).toEqual(new Float32Array(5).fill(1));
  });
});

describe("activationAfter", () => {
  const activationOf = (body: (net: TestNetwork, value: string) => string) => {
    const net = new TestNetwork();
    const network = net.build([4], body(net, net.node("Gemm", ["x", net.weight("w", [4, 6])])));
    return activationAfter(network, network.layers[0]);
  };

  it("is found behind reshaping and normalisation", () => {
    expect(activationOf((net, value) => net.node("Relu", [value]))).toEqual({ activation: "Relu" });
    expect(
      activationOf((net, value) =>
        net.node("LeakyRelu", [net.node("Reshape", [value, net.ints([-1, 2, 3])])], { alpha: attribute.float(0.3) }),
      ),
    ).toEqual({ activation: "LeakyRelu", slope: 0.3 });
    expect(activationOf((_, value) => value)).toEqual({});
  });
});
