import { describe, expect, it } from "vitest";
import { numbersOf } from "../../src/graph/tensor.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { discriminatorFromNetwork } from "../../src/recipe/discriminator-from-network.js";
import { normalTensor, runGraph } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const sample = [2, 4, 4];

/** Conv, batch normalisation, leaky ReLU, one logit; then what `end` puts behind it. */
function judge(end: (net: TestNetwork, logit: string) => string = (_, logit) => logit, units = 1): Network {
  const net = new TestNetwork();
  const statistics = [
    net.filled("scale", [3], 1),
    net.filled("shift", [3], 0),
    net.filled("mean", [3], 0.5),
    net.filled("variance", [3], 2),
  ];
  const convolved = net.node("Conv", ["x", net.weight("conv", [3, 2, 3, 3])]);
  const hidden = net.node("LeakyRelu", [net.node("BatchNormalization", [convolved, ...statistics])]);
  const logit = net.node("Gemm", [
    net.node("Flatten", [hidden]),
    net.weight("linear", [12, units]),
    net.weight("bias", [units]),
  ]);
  return net.build(sample, end(net, logit));
}

async function logitsOf(network: Network) {
  const discriminator = discriminatorFromNetwork(network, sample);
  const samples = normalTensor("samples", [3, ...sample]);
  const { logits } = await runGraph({ samples }, (emit, values) => ({
    logits: discriminator.apply(emit, values.samples, (name) => {
      const { shape } = discriminator.parameters.find((spec) => spec.name === name)!;
      return emit.constant({ type: "float32", shape, data: discriminator.weights!.get(name)! });
    }),
  }));
  return { discriminator, logits };
}

describe("discriminatorFromNetwork", () => {
  it("takes a network with one logit a sample", async () => {
    const { discriminator, logits } = await logitsOf(judge());
    expect(logits.shape).toEqual([3, 1]);
    expect(discriminator.kind).toBe("network");
    expect(discriminator.parameters.map(({ name, role }) => `${name} ${role}`)).toEqual([
      "discriminator/conv weight",
      "discriminator/scale scale",
      "discriminator/shift shift",
      "discriminator/linear weight",
      "discriminator/bias bias",
    ]);
    expect([...discriminator.weights!.keys()]).toEqual(discriminator.parameters.map(({ name }) => name));
    expect(discriminator.cost).toBe(3 * 4 * 18 + 12);
    expect(discriminator.describe.map(({ op }) => op)).toEqual([
      "Conv",
      "BatchNormalization",
      "LeakyRelu",
      "Flatten",
      "Gemm",
    ]);
    expect(discriminator.notes).toEqual([
      "model.onnx: its batch normalisation keeps the file's running statistics, so that each sample is judged by itself.",
    ]);
  });

  it("leaves out a final Sigmoid, whatever shape it is brought into", async () => {
    const plain = numbersOf((await logitsOf(judge())).logits);
    const ends: ((net: TestNetwork, logit: string) => string)[] = [
      (net, logit) => net.node("Sigmoid", [logit]),
      (net, logit) => net.node("Squeeze", [net.node("Sigmoid", [logit]), net.ints([1])]),
      (net, logit) => net.node("Sigmoid", [net.node("Reshape", [logit, net.ints([-1, 1, 1, 1])])]),
    ];
    for (const end of ends) {
      const { discriminator, logits } = await logitsOf(judge(end));
      expect(logits.shape).toEqual([3, 1]);
      expect(numbersOf(logits)).toEqual(plain);
      expect(discriminator.notes[0]).toBe("model.onnx: its final Sigmoid is left out, because the losses take logits.");
    }
  });

  it("keeps a Sigmoid inside", async () => {
    const { discriminator } = await logitsOf(
      judge((net, logit) => net.node("Gemm", [net.node("Sigmoid", [logit]), net.weight("last", [1, 1])])),
    );
    expect(discriminator.describe.map(({ op }) => op)).toContain("Sigmoid");
    expect(discriminator.notes).toHaveLength(1);
  });

  it("refuses what does not fit", () => {
    expect(() => discriminatorFromNetwork(judge(), [2, 5, 5])).toThrow(
      "model.onnx: input x: required the shape of the data's samples, [2, 5, 5], got [2, 4, 4].",
    );
    expect(() => discriminatorFromNetwork(judge(undefined, 3), sample)).toThrow(
      /required a discriminator with one output of one number per sample, got output \w+ of shape \[batch, 3\]/,
    );
    expect(() =>
      discriminatorFromNetwork(
        judge((net, logit) => net.node("ReduceMean", [logit], { keepdims: 0 })),
        sample,
      ),
    ).toThrow("one number per sample");
    const net = new TestNetwork();
    const sum = net.node("ReduceSum", ["x", net.ints([1])], { keepdims: 1 });
    expect(() => discriminatorFromNetwork(net.build([4], sum), [4])).toThrow("required a discriminator with weights");
    const two = analyzeNetwork(net.graph([4], [sum, "x"]), { where: "model.onnx" });
    expect(() => discriminatorFromNetwork(two, [4])).toThrow("got 2 outputs");
  });
});
