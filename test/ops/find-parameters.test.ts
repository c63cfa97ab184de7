import { describe, expect, it } from "vitest";
import type { WeightLayout } from "../../src/graph/weight-layout.js";
import { analyzeNetwork } from "../../src/ops/network.js";
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

  describe("that the framework is known to train", () => {
    /** Names and roles in a network whose framework trains all its tensors, or only these. */
    const rolesWhereTrained = (net: TestNetwork, output: string, trained?: readonly string[]) => {
      const graph = net.graph([4], [output]);
      const names = new Set(trained ?? graph.initializers.keys());
      const { parameters } = analyzeNetwork(graph, { where: "model.onnx", trained: names });
      return [...parameters.values()].map(({ name, role }) => [name, role]);
    };

    it("come before any weight, and may be single numbers", () => {
      const net = new TestNetwork();
      const scaled = net.node("Mul", [net.node("Add", ["x", net.weight("shift", [4])]), net.weight("scale", [4])]);
      const hidden = net.node("Pow", [net.node("MatMul", [scaled, net.weight("w", [4, 3])]), net.weight("p", [1])]);
      const last = net.node("Add", [hidden, net.node("Expand", [net.weight("offset", []), net.ints([3])])]);
      expect(rolesWhereTrained(net, last)).toEqual([
        ["shift", "bias"],
        ["scale", "factor"],
        ["w", "weight"],
        ["p", "table"],
        ["offset", "table"],
      ]);
    });

    it("are computed with before they meet the sample, as in weight standardisation", () => {
      const net = new TestNetwork();
      const weight = net.weight("w", [4, 3]);
      const centred = net.node("Sub", [weight, net.node("ReduceMean", [weight, net.ints([0])])]);
      const scaled = net.node("Mul", [centred, net.node("Exp", [net.weight("gain", [3])])]);
      expect(rolesWhereTrained(net, net.node("MatMul", ["x", scaled]))).toEqual([
        ["w", "table"],
        ["gain", "table"],
      ]);
    });

    it("are not what the sample's values do not vary with", () => {
      const net = new TestNetwork();
      const like = net.node("CastLike", [net.weight("one", []), net.weight("type", [4])]);
      const counted = net.node("Expand", [like, net.node("Shape", [net.weight("shape", [4])])]);
      const compared = net.node("Greater", ["x", net.weight("threshold", [4])]);
      const chosen = net.node("Where", [compared, counted, "x"]);
      expect(rolesWhereTrained(net, chosen, ["type", "shape", "threshold"])).toEqual([]);
    });

    it("are not the parts of a weight that is to be put together before the export", () => {
      const net = new TestNetwork();
      const part = (name: string): string => net.weight(name, [4, 3]);
      const named = net.node("Mul", [
        part("parametrizations.weight.original0"),
        part("parametrizations.weight.original1"),
      ]);
      const older = net.node("Mul", [net.node("Mul", [part("weight_g"), part("weight_v")]), part("weight_orig")]);
      expect(rolesWhereTrained(net, net.node("MatMul", ["x", net.node("Add", [named, older])]))).toEqual([]);
    });
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
