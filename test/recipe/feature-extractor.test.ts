import { describe, expect, it } from "vitest";
import { pinnedOpset } from "../../src/graph/opset.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { type FeatureExtractor, featureExtractor, mainLayers } from "../../src/recipe/feature-extractor.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

describe("the default feature tensor", () => {
  it("does not lie inside of a recurrent layer", () => {
    const recurrent = (body: (net: TestNetwork, states: string) => string) => {
      const net = new TestNetwork();
      const sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
      const weights = [net.weight("w", [1, 6, 3]), net.weight("r", [1, 6, 2])];
      const states = net.node("GRU", [sequence, ...weights], { hidden_size: 2 });
      const { graph, layers } = unrollRecurrences(net.graph([4, 3], [body(net, states)]), pinnedOpset, {
        where: "net",
      });
      return analyzeNetwork(upgradeGraph(graph, pinnedOpset), { where: "net", unrolled: layers });
    };
    const features = featureExtractor(
      recurrent((net, states) => {
        const last = net.node("Gather", [net.node("Squeeze", [states, net.ints([1])]), net.ints([3])]);
        return net.node("MatMul", [last, net.weight("v", [2, 5])]);
      }),
    );
    expect(features.feature).toBe("gather3");
    expect(features.layers.map(({ weight }) => weight.name)).toEqual(["w", "r"]);
    expect(() => featureExtractor(recurrent((_, states) => states))).toThrow(/required a network with .*, got none\. /);
    const loop = recurrent((net, states) => net.node("Loop", [states]));
    const reasons = new Map([["loop2", "its body is unread"]]);
    expect(() => featureExtractor({ ...loop, obstacles: reasons })).toThrow(
      /and Loop at node_loop2 \(its body is unread\)\. /,
    );
    expect(() => featureExtractor(loop)).toThrow(/got none, and Loop at node_loop2 \(.*control flow\)\. .*--features/);
  });

  it("is what the last linear layer reads", () => {
    const features = featureExtractor(toyNetwork({ template: "cnn", inputShape: [1, 8, 8], widths: [4, 6] }));
    expect(features.feature).toBe("flatten/Flatten_output");
    expect(features.layers.map(({ weight }) => weight.name)).toEqual(["features.0.weight", "features.2.weight"]);
    expect(features.parameters.map(({ name }) => name)).toEqual([
      "features.0.weight",
      "features.0.bias",
      "features.2.weight",
      "features.2.bias",
    ]);
    expect(features.head).toEqual(["Gemm classifier/Gemm"]);
  });

  it("looks through softmax at the end", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("MatMul", ["x", net.weight("w1", [4, 5])])]);
    const logits = net.node("Add", [net.node("MatMul", [hidden, net.weight("w2", [5, 3])]), net.weight("b2", [3])]);
    expect(featureExtractor(net.build([4], net.node("LogSoftmax", [logits]))).feature).toBe(hidden);
  });

  it("is what a layer reads whose weight is computed from a stored one, as a cosine classifier's is", () => {
    const network = (last: (net: TestNetwork, hidden: string) => string) => {
      const net = new TestNetwork();
      const first = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
      const hidden = net.node("Relu", [net.node("Gemm", [first, net.weight("w2", [5, 5])])]);
      return net.build([4], last(net, hidden));
    };
    const unit = (net: TestNetwork, value: string): string =>
      net.node("Div", [value, net.node("ReduceL2", [value, net.ints([1])])]);
    const cosine = featureExtractor(
      network((net, hidden) => {
        const weight = net.node("Transpose", [unit(net, net.weight("w3", [3, 5]))], { perm: [1, 0] });
        return net.node("MatMul", [unit(net, hidden), weight]);
      }),
    );
    expect(cosine.layers.map(({ weight }) => weight.name)).toEqual(["w1", "w2"]);
    expect(cosine.head).toEqual([expect.stringMatching(/^MatMul /)]);
    // What is computed from the samples is no weight: attention to oneself.
    const attention = featureExtractor(
      network((net, hidden) => {
        const turned = net.node("Transpose", [unit(net, hidden)], { perm: [1, 0] });
        return net.node("MatMul", [net.node("MatMul", [hidden, turned]), hidden]);
      }),
    );
    expect(attention.layers.map(({ weight }) => weight.name)).toEqual(["w1"]);
  });

  it("is what the last convolution reads in a network without linear layers", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3])])]);
    const last = net.node("Conv", [hidden, net.weight("w2", [3, 4, 1, 1])]);
    const pooled = net.node("Flatten", [net.node("GlobalAveragePool", [last])]);
    expect(featureExtractor(net.build([1, 8, 8], pooled)).feature).toBe(hidden);
  });

  it("is what the last convolution reads where dense layers only gate what it reads, or lead up to it", () => {
    const net = new TestNetwork();
    const maps = net.node("Conv", ["x", net.weight("w1", [4, 1, 3, 3])]);
    const squeezed = net.node("Flatten", [net.node("GlobalAveragePool", [maps])]);
    const gate = net.node("Sigmoid", [net.node("Gemm", [squeezed, net.weight("w2", [4, 4])])]);
    const excited = net.node("Mul", [maps, net.node("Reshape", [gate, net.ints([-1, 4, 1, 1])])]);
    const hidden = net.node("Relu", [net.node("Conv", [excited, net.weight("w3", [6, 4, 3, 3])])]);
    const logits = net.node("Conv", [hidden, net.weight("w4", [3, 6, 1, 1])]);
    const features = featureExtractor(net.build([1, 8, 8], net.node("GlobalAveragePool", [logits])));
    expect(features.feature).toBe(hidden);
    expect(features.layers.map(({ weight }) => weight.name)).toEqual(["w1", "w2", "w3"]);
    // An autoencoder's decoder is no head.
    const decoder = new TestNetwork();
    const code = decoder.node("Gemm", [decoder.node("Flatten", ["x"]), decoder.weight("w1", [16, 4])]);
    const grid = decoder.node("Relu", [decoder.node("Reshape", [code, decoder.ints([-1, 1, 2, 2])])]);
    const back = decoder.node("ConvTranspose", [grid, decoder.weight("w2", [1, 1, 2, 2])], { strides: [2, 2] });
    expect(featureExtractor(decoder.build([1, 4, 4], back)).feature).toBe(grid);
  });

  it("lies in the tower of the samples, of a network that compares two of them", () => {
    const net = new TestNetwork();
    const weights = [net.weight("w1", [4, 5]), net.weight("w2", [5, 3])];
    const batch = net.node("Shape", ["x"], { start: 0, end: 1 });
    const tower = (input: string) => {
      const rows = net.node("Reshape", [input, net.node("Concat", [batch, net.ints([4])], { axis: 0 })]);
      const hidden = net.node("Relu", [net.node("Gemm", [rows, weights[0]])]);
      return { hidden, end: net.node("Gemm", [hidden, weights[1]]) };
    };
    const [first, second] = [tower("x"), tower("other")];
    const distance = net.node("ReduceL2", [net.node("Sub", [first.end, second.end]), net.ints([1])]);
    const graph = net.graph([4], [distance]);
    const whole = { ...graph, inputs: [...graph.inputs, { ...graph.inputs[0], name: "other" }] };
    const featureFor = (input: string) => featureExtractor(analyzeNetwork(whole, { where: "net", input })).feature;
    expect(featureFor("x")).toBe(first.hidden);
    expect(featureFor("other")).toBe(second.hidden);
  });

  it("takes no notice of nodes that no output needs", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
    const logits = net.node("Gemm", [hidden, net.weight("w2", [5, 3])]);
    net.node("Gemm", [logits, net.weight("w3", [3, 3])]);
    expect(featureExtractor(net.build([4], logits)).feature).toBe(hidden);
  });

  it("goes before the last of two heads' layers where there are several outputs", () => {
    const net = new TestNetwork();
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
    const a = net.node("Gemm", [hidden, net.weight("wa", [5, 3])]);
    const b = net.node("Gemm", [hidden, net.weight("wb", [5, 2])]);
    const network = analyzeNetwork(net.graph([4], [a, b]), { where: "model.onnx" });
    const features = featureExtractor(network);
    expect(features.feature).toBe(hidden);
    expect(features.head.length).toBe(2);
  });
});

/** Two blocks and a main head, an auxiliary head behind the first block whose layer comes last in the file. */
function withAuxiliaryHead(outputs: (main: string, auxiliary: string) => string[]) {
  const net = new TestNetwork();
  const shallow = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
  const deep = net.node("Relu", [net.node("Gemm", [shallow, net.weight("w2", [5, 6])])]);
  const main = net.node("Gemm", [deep, net.weight("w3", [6, 3])]);
  const auxiliary = net.node("Gemm", [shallow, net.weight("w4", [5, 3])]);
  const network = analyzeNetwork(net.graph([4], outputs(main, auxiliary)), { where: "model.onnx" });
  return { network, shallow, deep };
}

describe("a network with several outputs", () => {
  const { network, shallow, deep } = withAuxiliaryHead((main, auxiliary) => [main, auxiliary]);

  it("has its features in front of the first one, and all that leads there in F", () => {
    const features = featureExtractor(network);
    expect(features.feature).toBe(deep);
    expect(features.layers.map(({ weight }) => weight.name)).toEqual(["w1", "w2"]);
    expect(mainLayers(network).map(({ weight }) => weight.name)).toEqual(["w1", "w2", "w3"]);
  });

  it("has them elsewhere where the outputs come in another order, or they are named", () => {
    const other = withAuxiliaryHead((main, auxiliary) => [auxiliary, main]);
    expect(featureExtractor(other.network).feature).toBe(other.shallow);
    expect(featureExtractor(network, shallow).feature).toBe(shallow);
  });

  it("has them in front of another where no layer leads to the first", () => {
    const net = new TestNetwork();
    const passed = net.node("Relu", ["x"]);
    const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 5])])]);
    const logits = net.node("Gemm", [hidden, net.weight("w2", [5, 3])]);
    const two = analyzeNetwork(net.graph([4], [passed, logits]), { where: "model.onnx" });
    expect(featureExtractor(two).feature).toBe(hidden);
  });
});

describe("a named feature tensor", () => {
  const network = toyNetwork({ template: "mlp", inputShape: [6], widths: [5, 4] });

  it("cuts there", () => {
    const tensors = network.graph.nodes.map(({ outputs }) => outputs[0]);
    const features = featureExtractor(network, tensors[1]);
    expect(features.layers.length).toBe(1);
    expect(features.parameters.length).toBe(2);
  });

  it.each([
    [network.graph.nodes[1].outputs[0].slice(0, -2), new RegExp(`Did you mean "${network.graph.nodes[1].outputs[0]}"`)],
    ["features.0.weight", /got "features\.0\.weight"/],
    ["input", /required/],
  ])("%s is refused", (name, message) => {
    expect(() => featureExtractor(network, name)).toThrow(message);
  });

  it("has to leave F weights", () => {
    const net = new TestNetwork();
    const scaled = net.node("Relu", ["x"]);
    const logits = net.node("Gemm", [scaled, net.weight("w", [4, 3])]);
    const one = net.build([4], logits);
    expect(() => featureExtractor(one, scaled)).toThrow(
      /at least one Gemm, MatMul or Conv .*got none before it.*remove_parametrizations.*remove_weight_norm.*prune\.remove/,
    );
  });

  it("needs a layer before the head", () => {
    for (const first of [undefined, "Relu"]) {
      const net = new TestNetwork();
      const read = first ? net.node(first, ["x"]) : "x";
      const one = net.build([4], net.node("Gemm", [read, net.weight("w", [4, 3])]));
      expect(() => featureExtractor(one)).toThrow(
        /^model\.onnx: required .* before its last layer .*, got none before the last layer, Gemm at \S+\. The last layer is the head, .* one layer has no features to learn without them\.$/,
      );
    }
    const net = new TestNetwork();
    const product = net.node("Mul", [net.weight("g", [4, 1]), net.weight("v", [4, 4])]);
    const hidden = net.node("Relu", [net.node("MatMul", ["x", product])]);
    expect(() => featureExtractor(net.build([4], net.node("Gemm", [hidden, net.weight("w", [4, 3])])))).toThrow(
      /got none before the last layer, .*must be stored: in PyTorch, call .*remove_parametrizations.*weight standardisation/,
    );
  });

  it("needs a layer somewhere", () => {
    const net = new TestNetwork();
    expect(() => featureExtractor(net.build([4], net.node("Relu", ["x"])))).toThrow(
      /^model\.onnx: required a network with a Gemm, MatMul or Conv layer whose weight is stored in the model, got none\./,
    );
  });

  it("has to depend on the sample", () => {
    const net = new TestNetwork();
    const constant = net.node("Relu", [net.weight("c", [1, 4])]);
    const hidden = net.node("Gemm", [net.node("Add", ["x", constant]), net.weight("w", [4, 3])]);
    const known = net.build([4], net.node("Gemm", [hidden, net.weight("v", [3, 2])]));
    expect(() => featureExtractor(known, constant)).toThrow(/which does not depend on x/);
  });
});

describe("of a network that takes tokens", () => {
  it("ends at the embedding where a mask joins its vectors, which is another input", () => {
    const net = new TestNetwork();
    const vectors = net.node("Gather", [net.weight("table", [7, 3]), "x"]);
    const masked = net.node("Mul", [vectors, "mask"]);
    const hidden = net.node("Relu", [net.node("MatMul", [masked, net.weight("hidden", [3, 3])])]);
    const graph = net.graph([], [net.node("MatMul", [hidden, net.weight("head", [3, 2])])]);
    const inputs = [
      { name: "x", type: "int64", shape: ["batch", 5] },
      { name: "mask", type: "float32", shape: ["batch", 5, 1] },
    ] as const;
    const network = analyzeNetwork({ ...graph, inputs: [...inputs] }, { where: "model.onnx", input: "x" });
    expect(featureExtractor(network)).toMatchObject({ feature: vectors, parameters: [{ name: "table" }] });
  });

  it.each(["Gemm", "MatMul"])("ends in front of an output that is tied to the embedding by %s", (op) => {
    const net = new TestNetwork();
    const table = net.weight("table", [7, 3]);
    const mean = net.node("ReduceMean", [net.node("Gather", [table, "x"]), net.ints([1])], { keepdims: 0 });
    const tied = (value: string): string =>
      op === "Gemm"
        ? net.node("Gemm", [value, table], { transB: 1 })
        : net.node("MatMul", [value, net.node("Transpose", [table])]);
    const inputs = [{ name: "x", type: "int64", shape: ["batch", 5] } as const];
    const featureOf = (output: string): FeatureExtractor =>
      featureExtractor(analyzeNetwork({ ...net.graph([], [output]), inputs }, { where: "model.onnx" }));
    expect(featureOf(tied(mean))).toMatchObject({ feature: mean, layers: [], parameters: [{ name: "table" }] });
    // Behind a dense layer, too, which is no head then.
    const hidden = net.node("Relu", [net.node("Gemm", [mean, net.weight("hidden", [3, 3])])]);
    expect(featureOf(tied(hidden))).toMatchObject({
      feature: hidden,
      parameters: [{ name: "table" }, { name: "hidden" }],
    });
  });

  it("may be an embedding and the mean of its vectors", () => {
    const net = new TestNetwork();
    const mean = net.node("ReduceMean", [net.node("Gather", [net.weight("table", [7, 3]), "x"]), net.ints([1])], {
      keepdims: 0,
    });
    const graph = net.graph([], [net.node("Gemm", [mean, net.weight("head", [3, 2])])]);
    const inputs = [{ name: "x", type: "int64", shape: ["batch", 5] } as const];
    const features = featureExtractor(analyzeNetwork({ ...graph, inputs }, { where: "model.onnx" }));
    expect(features).toMatchObject({ feature: mean, layers: [], parameters: [{ name: "table", role: "embedding" }] });
  });
});
