import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import { analyzeNetwork, ancestors, type Network, unitsOf } from "../../src/ops/network.js";
import { toyNetwork } from "../support/toy-data.js";
import { TestNetwork } from "../support/write-network.js";

/** Parameters of a network as name, role and layout. */
function rolesOf(body: (net: TestNetwork) => string, shape: readonly number[] = [4]) {
  const net = new TestNetwork();
  const network = net.build(shape, body(net));
  return [...network.parameters.values()].map(({ name, role, layout }) =>
    layout === undefined
      ? [name, role]
      : [name, role, layout.kind === "convolution" ? `groups ${layout.groups}` : `input axis ${inputAxisOf(layout)}`],
  );
}

const inputAxisOf = (layout: Exclude<WeightLayout, { kind: "convolution" }>): number =>
  layout.kind === "matrix" ? layout.inputAxis : 2;

describe("parameters", () => {
  it("of Gemm, in either orientation", () => {
    expect(rolesOf((net) => net.node("Gemm", ["x", net.weight("w", [4, 3]), net.weight("b", [3])]))).toEqual([
      ["w", "weight", "input axis 0"],
      ["b", "bias"],
    ]);
    expect(rolesOf((net) => net.node("Gemm", ["x", net.weight("w", [3, 4])], { transB: 1 }))).toEqual([
      ["w", "weight", "input axis 1"],
    ]);
  });

  it("of MatMul with an Add behind it", () => {
    expect(
      rolesOf((net) => net.node("Add", [net.node("MatMul", ["x", net.weight("w", [4, 3])]), net.weight("b", [3])])),
    ).toEqual([
      ["w", "weight", "input axis 0"],
      ["b", "bias"],
    ]);
  });

  it("behind views: a transposed weight, an alias", () => {
    expect(
      rolesOf((net) =>
        net.node("MatMul", [
          "x",
          net.node("Transpose", [net.node("Identity", [net.weight("w", [3, 4])])], { perm: [1, 0] }),
        ]),
      ),
    ).toEqual([["w", "weight", "input axis 1"]]);
  });

  it.each(["Slice", "Split"])("of several matrices in one tensor, by %s, with a learned query", (op) => {
    const net = new TestNetwork();
    const parts = (name: string): readonly string[] => {
      if (op === "Slice")
        return [
          [0, 4],
          [4, 12],
        ].map(([start, end]) => net.node(op, [name, net.ints([start]), net.ints([end]), net.ints([0])]));
      const first = net.node(op, [name, net.ints([4, 8])], { axis: 0 }, 2);
      return [first, `${first}:1`];
    };
    const [[queryWeight, otherWeight], [queryBias, otherBias]] = [net.weight("w", [12, 4]), net.weight("b", [12])].map(
      parts,
    );
    const linear = (value: string, weight: string, bias: string): string =>
      net.node("Add", [net.node("MatMul", [value, net.node("Transpose", [weight], { perm: [1, 0] })]), bias]);
    const query = linear(net.node("Expand", [net.weight("query", [1, 4]), net.ints([2, 4])]), queryWeight, queryBias);
    const others = linear("x", otherWeight, otherBias);
    const network = net.build([3, 4], net.node("MatMul", [others, net.node("Concat", [query, query], { axis: 1 })]));
    expect([...network.parameters.values()].map(({ name, role, layout }) => [name, role, layout])).toEqual([
      ["query", "table", undefined],
      ["w", "weight", { kind: "matrix", inputAxis: 1 }],
      ["b", "bias", undefined],
    ]);
    expect(
      network.layers.map(({ weight, bias, rows, isRecurrent }) => [weight.name, bias?.name, rows, isRecurrent]),
    ).toEqual([
      ["w", "b", { first: 0, count: 4 }, false],
      ["w", "b", { first: 4, count: 8 }, false],
    ]);
  });

  it("are tables whose entries are gathered, and parts of columns without a known layout", () => {
    expect(
      rolesOf(
        (net) => {
          const kernel = net.node("Slice", [net.weight("w", [4, 6]), net.ints([1]), net.ints([5]), net.ints([-1])]);
          const entries = net.node("GatherND", [net.weight("table", [9, 4]), net.ints([0, 3])]);
          return net.node("Add", [net.node("MatMul", ["x", kernel]), entries]);
        },
        [4],
      ),
    ).toEqual([
      ["w", "weight"],
      ["table", "bias"],
    ]);
  });

  it("of convolutions with groups, and of batch normalisation", () => {
    expect(
      rolesOf(
        (net) => {
          const maps = net.node("Conv", ["x", net.weight("w", [4, 1, 3, 3])], { group: 2 });
          const statistics = ["s", "t", "m", "v"].map((name) => net.filled(name, [4], 1));
          return net.node("PRelu", [net.node("BatchNormalization", [maps, ...statistics]), net.weight("p", [4, 1, 1])]);
        },
        [2, 8, 8],
      ),
    ).toEqual([
      ["w", "weight", "groups 2"],
      ["s", "scale"],
      ["t", "shift"],
      ["m", "statistic"],
      ["v", "statistic"],
      ["p", "slope"],
    ]);
  });

  it("are not what comes before any weight, nor single numbers", () => {
    expect(
      rolesOf((net) => {
        const scaled = net.node("Div", [net.node("Sub", ["x", net.weight("mean", [4])]), net.weight("std", [4])]);
        const hidden = net.node("MatMul", [scaled, net.weight("w", [4, 3])]);
        return net.node("Mul", [hidden, net.number(0.5)]);
      }),
    ).toEqual([["w", "weight", "input axis 0"]]);
  });

  it("are not what is known to be constant, nor a mask of −∞", () => {
    const net = new TestNetwork();
    const maps = net.node("Conv", ["x", net.weight("w", [2, 2, 3, 3])]);
    const normal = net.node("BatchNormalization", [
      maps,
      ...["s", "t", "m", "v"].map((name) => net.filled(name, [2], 1)),
    ]);
    const blurred = net.node("Conv", [normal, net.weight("blur", [2, 1, 3, 3])], { group: 2 });
    const placed = net.node("Add", [blurred, net.weight("positions", [2, 4, 4])]);
    const masked = net.node("Add", [placed, net.filled("mask", [4, 4], Number.NEGATIVE_INFINITY)]);
    const constants = new Set(["blur", "positions", "m"]);
    const network = analyzeNetwork(net.graph([2, 8, 8], [masked]), { where: "model.onnx", constants });
    expect([...network.parameters.keys()]).toEqual(["w", "s", "t", "v"]);
    expect(network.layers.map(({ weight }) => weight.name)).toEqual(["w"]);
  });

  it("are listed once where they are shared", () => {
    expect(
      rolesOf((net) => {
        const shared = net.weight("w", [4, 4]);
        return net.node("MatMul", [net.node("Relu", [net.node("MatMul", ["x", shared])]), shared]);
      }),
    ).toEqual([["w", "weight", "input axis 0"]]);
  });
});

it.each([
  ["RandomUniformLike", /dropout.*model\.eval\(\)/],
  ["DynamicQuantizeLinear", /quantised; give the one in floating point/],
  ["If", /control flow/],
  ["STFT", /spectra .* --input/],
  ["com.microsoft.FusedConv", /ONNX Runtime has optimised/],
])("knows why %s is in the way", (operator, why) => {
  const net = new TestNetwork();
  const [op = "", ...domain] = operator.split(".").reverse();
  const noise = net.node(op, ["x"]);
  const graph = net.graph([4], [net.node("Gemm", [net.node("Mul", ["x", noise]), net.weight("w", [4, 3])])]);
  const nodes = graph.nodes.map((node) => (node.op === op ? { ...node, domain: domain.reverse().join(".") } : node));
  const network = analyzeNetwork({ ...graph, nodes }, { where: "model.onnx" });
  expect([...network.obstacles]).toEqual([[noise, expect.stringMatching(why)]]);
});

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

describe("the sample input", () => {
  const graphWith = (inputs: Graph["inputs"]): Graph => {
    const net = new TestNetwork();
    return { ...net.graph([4], [net.node("Gemm", ["x", net.weight("w", [4, 3])])]), inputs };
  };
  const x = (shape: readonly (number | string | null)[] | null) => ({ name: "x", type: "float32", shape }) as const;
  const analyze = (inputs: Graph["inputs"], options: { input?: string; sampleShape?: readonly number[] } = {}) =>
    analyzeNetwork(graphWith(inputs), { where: "model.onnx", ...options });

  it.each([
    [x(["n", 4]), undefined],
    [x([null, 4]), undefined],
    [x([0, 4]), undefined],
    [x([-1, 4]), undefined],
    [x([1, 4]), 1],
    [x([32, 4]), 32],
  ])("%j has a batch of %s", (input, fixedBatch) => {
    expect(analyze([input])).toMatchObject({ sampleShape: [4], fixedBatch });
  });

  it("is no initializer that is listed as an input, and no integer", () => {
    const network = analyze([
      { name: "w", type: "float32", shape: [4, 3] },
      { name: "length", type: "int64", shape: ["n"] },
      x(["n", 4]),
    ]);
    expect(network.input.name).toBe("x");
  });

  it.each([
    ["float32", 1],
    ["float16", 10],
  ])("may be whole numbers that become %s", (_, to) => {
    const net = new TestNetwork();
    const numbers = net.node("Cast", ["x"], { to });
    const sizes = net.node("Shape", ["x"]);
    const graph = net.graph([4], [net.node("Gemm", [numbers, net.weight("w", [4, 3])]), sizes]);
    const inputs = graph.inputs.map((input) => ({ ...input, type: "uint8" as const }));
    expect(analyzeNetwork({ ...graph, inputs }, { where: "model.onnx" }).input.name).toBe("x");
  });

  it("is none of whole numbers that are read as such", () => {
    const net = new TestNetwork();
    const outputs = [net.node("Cast", ["x"], { to: 1 }), net.node("Cast", ["x"], { to: 7 })];
    const graph = net.graph([4], outputs);
    const inputs = graph.inputs.map((input) => ({ ...input, type: "uint8" as const }));
    expect(() => analyzeNetwork({ ...graph, inputs }, { where: "model.onnx" })).toThrow(
      /one floating-point input .* got x \(uint8\)/,
    );
  });

  it("takes the shape that is given where the model leaves it open", () => {
    expect(analyze([x(["n", "m"])], { sampleShape: [4] }).sampleShape).toEqual([4]);
    expect(analyze([x(null)], { sampleShape: [4] }).sampleShape).toEqual([4]);
  });

  it.each([
    [[], {}, /^model\.onnx: required a model with one floating-point input .*, got no inputs\./],
    [
      [x(["n", 4]), { ...x(["n", 2]), name: "y" }],
      {},
      /got x \(float32\), y \(float32\)\. Choose one with --input NAME\./,
    ],
    [[x(["n", 4])], { input: "z" }, /required an input named "z", got x \(float32\)\./],
    [[x(["n", "m"])], {}, /input x: required a batch axis .*, got \[n, m\]\. .*--input-shape/],
    [[x(["n"])], {}, /input x: required a batch axis .*, got the shape \[n\]\./],
    [[x(null)], {}, /input x: required a batch axis .*, got an unknown rank\./],
    [[x(["n", 4])], { sampleShape: [5] }, /got the model's \[n, 4\] against --input-shape 5\./],
    [[x(["n", 4])], { sampleShape: [4, 1] }, /got the model's \[n, 4\] against --input-shape 4x1\./],
  ])("%j %j is refused", (inputs, options, message) => {
    expect(() => analyze(inputs, options)).toThrow(message);
  });
});

describe("ancestors", () => {
  it("are the nodes that a value needs, in their order", () => {
    const net = new TestNetwork();
    const a = net.node("Relu", ["x"]);
    const b = net.node("Tanh", ["x"]);
    const c = net.node("Gemm", [a, net.weight("w", [4, 3])]);
    net.node("Add", [c, b]);
    const network = net.build([4], c);
    expect(ancestors(network, [c]).map(({ op }) => op)).toEqual(["Relu", "Gemm"]);
    expect(ancestors(network, [b, a]).map(({ op }) => op)).toEqual(["Relu", "Tanh"]);
    expect(ancestors(network, ["x"])).toEqual([]);
  });
});

describe("parts of a network", () => {
  const net = new TestNetwork();
  const hidden = net.node("Relu", [net.node("Gemm", ["x", net.weight("w1", [4, 3]), net.weight("b1", [3])])]);
  const graph = net.graph([4], [net.node("Gemm", [hidden, net.weight("w2", [3, 2])])]);
  const where = "model.onnx";

  it("begins at a tensor inside, without what computes it", () => {
    const network = analyzeNetwork(graph, { where, input: hidden, sampleShape: [3] });
    expect(network.input.name).toBe(hidden);
    expect(network.sampleShape).toEqual([3]);
    expect([...network.parameters.keys()]).toEqual(["w2"]);
    expect(network.producers.has(hidden)).toBe(false);
    expect(() => analyzeNetwork(graph, { where, input: hidden })).toThrow(
      /required the shape of one sample.*--input-shape/,
    );
    expect(() => analyzeNetwork(graph, { where, input: "none" })).toThrow(/an input named "none"/);
  });

  it("asks the tensor that it begins at for the batch where the export asks the model's input", () => {
    const net = new TestNetwork();
    const inside = net.node("Relu", ["x"]);
    const batch = net.node("Shape", ["x"], { start: 0, end: 1 });
    const graph = net.graph([4], [net.node("Expand", [net.weight("token", [1, 3]), batch]), inside], "s77");
    const begun = analyzeNetwork(graph, { where, input: inside, sampleShape: [3] });
    expect(begun.producers.get(batch)?.inputs).toEqual([inside]);
  });

  it("is frozen up to a tensor", () => {
    const network = analyzeNetwork(graph, { where, frozen: hidden });
    expect([...network.parameters.keys()]).toEqual(["w2"]);
    expect(network.layers.map(({ weight }) => weight.name)).toEqual(["w2"]);
    expect([...network.tensors.keys()]).toEqual(["w1", "b1", "w2"]);
    expect(() => analyzeNetwork(graph, { where, frozen: "w1" })).toThrow(/up to which it is frozen, got "w1"/);
  });
});
