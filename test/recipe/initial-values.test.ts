import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { recurrentNode } from "../../src/graph/recurrent-node.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { activationAfter, drawParameters, initialWeights } from "../../src/recipe/initial-values.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

const network = toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6], normalization: "batch" });
const deviation = (values: ArrayLike<number>): number =>
  Math.sqrt(Array.from(values).reduce((sum, value) => sum + value ** 2, 0) / values.length);

/** An LSTM of 16 units with PyTorch's tensors, whose file has sevens everywhere. */
function recurrentNetwork() {
  const [inputs, hidden] = [3, 16];
  const net = new TestNetwork();
  const tensor = (name: string, shape: readonly number[]): string => net.filled(name, shape, 7);
  const plain = net.graph([5, inputs], ["states"]);
  const layer = recurrentNode({
    op: "LSTM",
    name: "layer",
    sequence: "x",
    state: "",
    cell: "",
    directions: [
      {
        inputWeight: tensor("weight_ih", [4 * hidden, inputs]),
        stateWeight: tensor("weight_hh", [4 * hidden, hidden]),
        inputBias: tensor("bias_ih", [4 * hidden]),
        stateBias: tensor("bias_hh", [4 * hidden]),
      },
    ],
    gates: ["input", "forget", "cell", "output"],
    attributes: { hidden_size: attribute.int(hidden), layout: attribute.int(1) },
    outputs: ["states"],
  });
  const { graph, layers } = unrollRecurrences({ ...plain, nodes: [layer] }, pinnedOpset, { where: "test" });
  return analyzeNetwork(upgradeGraph(graph, pinnedOpset), { where: "test", unrolled: layers });
}

describe("initialWeights of recurrent layers", () => {
  const recurrent = recurrentNetwork();
  const largest = (values: Float32Array | undefined): number => Math.max(...values!.map(Math.abs));

  it("are PyTorch's own default under its name: uniform by the size of the state, all of them", () => {
    const weights = initialWeights(recurrent, "pytorch-default", 0);
    expect([...weights.keys()].sort()).toEqual(["bias_hh", "bias_ih", "weight_hh", "weight_ih"]);
    for (const [name, values] of weights) {
      expect(largest(values), name).toBeLessThan(0.25);
      expect(largest(values), name).toBeGreaterThan(0.2);
    }
  });

  it.each(["keras-default", "tfjs-default"])(
    "are %s: orthogonal for the state, and gates that do not forget",
    (name) => {
      const weights = initialWeights(recurrent, name, 0);
      const state = weights.get("weight_hh")!;
      for (const [a, b] of [
        [0, 0],
        [3, 3],
        [2, 5],
      ]) {
        let product = 0;
        for (let row = 0; row < 64; row++) product += state[row * 16 + a] * state[row * 16 + b];
        expect(product).toBeCloseTo(a === b ? 1 : 0, 5);
      }
      const ones = new Float32Array(64).fill(1, 16, 32);
      expect(weights.get("bias_ih")).toEqual(ones);
      expect(weights.get("bias_hh")).toEqual(new Float32Array(64));
    },
  );

  it("have biases of zero but for the forget gates elsewhere", () => {
    const weights = initialWeights(recurrent, "he", 0);
    expect(weights.get("bias_ih")).toEqual(new Float32Array(64).fill(1, 16, 32));
    expect(weights.get("bias_hh")).toEqual(new Float32Array(64));
    expect(deviation(weights.get("weight_ih")!)).toBeCloseTo(Math.sqrt(2 / 3), 0);
    expect(deviation(weights.get("weight_hh")!)).toBeCloseTo(Math.sqrt(2 / 16), 1);
  });
});

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
    // As exporters write a group normalisation out.
    expect(
      activationOf((net, value) => {
        const normalised = net.node("InstanceNormalization", [
          net.node("Reshape", [value, net.ints([0, 2, -1])]),
          net.filled("ones", [2], 1),
          net.filled("zeros", [2], 0),
        ]);
        const scaled = net.node("Mul", [net.node("Reshape", [normalised, net.ints([0, 6])]), net.weight("scale", [6])]);
        return net.node("Relu", [net.node("Add", [scaled, net.weight("shift", [6])])]);
      }),
    ).toEqual({ activation: "Relu" });
    // A gate is none.
    expect(activationOf((net, value) => net.node("Mul", [value, net.node("Sigmoid", [value])]))).not.toEqual({
      activation: "Relu",
    });
    // What asks for the value's shape is no activation.
    expect(
      activationOf((net, value) => {
        const shape = net.node("Shape", [value]);
        return net.node("Relu", [net.node("Reshape", [value, shape])]);
      }),
    ).toEqual({ activation: "Relu" });
  });
});

describe("initialWeights of an embedding", () => {
  const text = toyNetwork({ template: "text", inputShape: [8], vocabulary: 500, widths: [8, 4], initializer: "zeros" });
  const drawn = (start: string, seed = 0): Float32Array =>
    initialWeights(text, start, seed).get("embedding.weight") ?? new Float32Array();
  const deviation = (values: Float32Array): number =>
    Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

  it("are PyTorch's normal ones with its defaults, and else small, as Keras' are", () => {
    expect(deviation(drawn("pytorch-default"))).toBeCloseTo(1, 1);
    for (const start of ["he", "keras-default", "orthogonal"]) {
      expect(deviation(drawn(start))).toBeCloseTo(0.05 / Math.sqrt(3), 3);
      expect(Math.max(...drawn(start).map(Math.abs))).toBeLessThan(0.05);
    }
    expect(drawn("he", 1)).not.toEqual(drawn("he", 0));
  });

  it("are constants where these are asked for, and the file's own", () => {
    expect(new Set(drawn("constant:0.5"))).toEqual(new Set([0.5]));
    expect(new Set(drawn("file"))).toEqual(new Set([0]));
  });
});
