import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { UserError } from "../../src/errors.js";
import type { Value } from "../../src/graph/builder.js";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { numbersOf, sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { mirrored } from "../support/mirror-network.js";
import { normalTensor, runGraph } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const batch = 2;

/** F without nonlinearity, and what its mirror is of its adjoint. */
interface LinearCase {
  readonly name: string;
  readonly sample: readonly number[];
  readonly write: (net: TestNetwork) => string;
  /** Averages are mirrored by copies: the adjoint times this. Default 1. */
  readonly factor?: number;
}

const conv = (net: TestNetwork, weight: readonly number[], attributes = {}): string =>
  net.node("Conv", ["x", net.weight("w", weight), net.filled("b", [weight[0]], 0)], attributes);

const linearCases: LinearCase[] = [
  { name: "Gemm", sample: [5], write: (net) => net.node("Gemm", ["x", net.weight("w", [5, 3])]) },
  {
    name: "Gemm transB, two layers",
    sample: [5],
    write: (net) => {
      const hidden = net.node("Gemm", ["x", net.weight("w1", [4, 5]), net.filled("b1", [4], 0)], { transB: 1 });
      return net.node("Gemm", [hidden, net.weight("w2", [3, 4])], { transB: 1, alpha: attribute.float(0.5) });
    },
  },
  { name: "MatMul", sample: [4, 5], write: (net) => net.node("MatMul", ["x", net.weight("w", [5, 3])]) },
  {
    name: "MatMul, weight on the left",
    sample: [4, 5],
    write: (net) => net.node("MatMul", [net.weight("w", [3, 4]), "x"]),
  },
  {
    name: "MatMul with a stored transpose",
    sample: [5],
    write: (net) => net.node("MatMul", ["x", net.node("Transpose", [net.weight("w", [3, 5])], { perm: [1, 0] })]),
  },
  { name: "Conv", sample: [2, 6, 5], write: (net) => conv(net, [3, 2, 3, 3]) },
  {
    name: "Conv with a stride that leaves a rest",
    sample: [2, 8, 7],
    write: (net) => conv(net, [3, 2, 3, 3], { strides: [2, 3], pads: [1, 1, 1, 1] }),
  },
  {
    name: "Conv with asymmetric pads",
    sample: [2, 7, 7],
    write: (net) => conv(net, [3, 2, 4, 3], { strides: [2, 2], pads: [0, 1, 2, 0] }),
  },
  {
    name: "Conv, SAME_UPPER",
    sample: [2, 7, 6],
    write: (net) => conv(net, [3, 2, 4, 4], { strides: [2, 2], auto_pad: "SAME_UPPER" }),
  },
  {
    name: "Conv, dilated",
    sample: [2, 9, 9],
    write: (net) => conv(net, [3, 2, 3, 3], { dilations: [2, 3], pads: [2, 2, 2, 2] }),
  },
  { name: "Conv in groups", sample: [4, 6, 6], write: (net) => conv(net, [6, 2, 3, 3], { group: 2, strides: [2, 2] }) },
  {
    name: "Conv, depthwise",
    sample: [4, 6, 6],
    write: (net) => conv(net, [4, 1, 3, 3], { group: 4, pads: [1, 1, 1, 1] }),
  },
  {
    name: "Conv in one dimension",
    sample: [3, 11],
    write: (net) => conv(net, [4, 3, 5], { strides: [2], pads: [1, 2] }),
  },
  {
    name: "ConvTranspose",
    sample: [3, 4, 4],
    write: (net) =>
      net.node("ConvTranspose", ["x", net.weight("w", [3, 2, 3, 3])], { strides: [2, 2], output_padding: [1, 0] }),
  },
  {
    name: "Concat of two layers",
    sample: [4],
    write: (net) =>
      net.node(
        "Concat",
        [net.node("Gemm", ["x", net.weight("w", [4, 3])]), net.node("Gemm", ["x", net.weight("v", [4, 2])]), "x"],
        { axis: 1 },
      ),
  },
  {
    name: "Split into branches, one of them unused",
    sample: [6],
    write: (net) => {
      const part = net.node("Split", ["x", net.ints([2, 1, 3])], { axis: 1 }, 3);
      return net.node("Concat", [`${part}:2`, part], { axis: -1 });
    },
  },
  {
    name: "a residual",
    sample: [2, 5, 5],
    write: (net) => net.node("Add", [conv(net, [2, 2, 3, 3], { pads: [1, 1, 1, 1] }), "x"]),
  },
  {
    name: "a difference",
    sample: [4],
    write: (net) => net.node("Sub", [net.node("Gemm", ["x", net.weight("w", [4, 4])]), "x"]),
  },
  { name: "a value added to itself", sample: [4], write: (net) => net.node("Add", ["x", "x"]) },
  {
    name: "preprocessing",
    sample: [3, 2],
    write: (net) =>
      net.node("Div", [net.node("Mul", ["x", net.weight("mean", [3, 1])]), net.filled("deviation", [3, 1], 0.5)]),
  },
  { name: "Neg and Identity", sample: [4], write: (net) => net.node("Neg", [net.node("Identity", ["x"])]) },
  {
    name: "Flatten",
    sample: [2, 3, 2],
    write: (net) => net.node("Gemm", [net.node("Flatten", ["x"]), net.weight("w", [12, 5])]),
  },
  { name: "Transpose", sample: [2, 3, 4], write: (net) => net.node("Transpose", ["x"], { perm: [0, 3, 1, 2] }) },
  {
    name: "Reshape by the input's own shape",
    sample: [2, 6],
    write: (net) => {
      const size = net.node("Gather", [net.node("Shape", ["x"]), net.ints([0])]);
      return net.node("Reshape", ["x", net.node("Concat", [size, net.ints([3, 4])], { axis: 0 })]);
    },
  },
  {
    name: "Squeeze and Unsqueeze",
    sample: [1, 4],
    write: (net) => net.node("Unsqueeze", [net.node("Squeeze", ["x", net.ints([1])]), net.ints([2])]),
  },
  {
    name: "Slice",
    sample: [7],
    write: (net) => net.node("Slice", ["x", net.ints([1]), net.ints([6]), net.ints([1]), net.ints([2])]),
  },
  { name: "Gather", sample: [4, 3], write: (net) => net.node("Gather", ["x", net.ints([2, 0, 2])], { axis: 1 }) },
  { name: "Pad", sample: [2, 4], write: (net) => net.node("Pad", ["x", net.ints([0, 0, 1, 0, 1, 2])]) },
  {
    name: "Pad that reflects",
    sample: [4],
    write: (net) => net.node("Pad", ["x", net.ints([0, 1, 0, 2])], { mode: "reflect" }),
  },
  {
    name: "DepthToSpace",
    sample: [8, 2, 3],
    write: (net) => net.node("DepthToSpace", ["x"], { blocksize: 2, mode: "CRD" }),
  },
  { name: "SpaceToDepth", sample: [2, 4, 6], write: (net) => net.node("SpaceToDepth", ["x"], { blocksize: 2 }) },
  { name: "Trilu", sample: [4, 4], write: (net) => net.node("Trilu", ["x"], { upper: 0 }) },
  { name: "ReduceSum", sample: [3, 4], write: (net) => net.node("ReduceSum", ["x", net.ints([-1])], { keepdims: 0 }) },
  {
    name: "AveragePool",
    sample: [2, 6, 7],
    write: (net) => net.node("AveragePool", ["x"], { kernel_shape: [2, 3], strides: [2, 3] }),
    factor: 6,
  },
  {
    name: "AveragePool with overlaps",
    sample: [2, 7, 7],
    write: (net) => net.node("AveragePool", ["x"], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
    factor: 4,
  },
  { name: "GlobalAveragePool", sample: [3, 4, 5], write: (net) => net.node("GlobalAveragePool", ["x"]), factor: 20 },
  {
    name: "ReduceMean",
    sample: [3, 4],
    write: (net) => net.node("ReduceMean", ["x", net.ints([1])], { keepdims: 0 }),
    factor: 3,
  },
  { name: "Mean", sample: [4], write: (net) => net.node("Mean", ["x", net.node("Neg", ["x"])]), factor: 2 },
  { name: "Expand", sample: [1, 4], write: (net) => net.node("Expand", ["x", net.ints([1, 3, 1])]), factor: 1 / 3 },
  { name: "Tile", sample: [2, 4], write: (net) => net.node("Tile", ["x", net.ints([1, 3, 2])]), factor: 1 / 6 },
];

describe("the mirror of a linear F", () => {
  for (const { name, sample, write, factor = 1 } of linearCases) {
    it(`is its adjoint: ${name}`, async () => {
      const net = new TestNetwork();
      const feature = write(net);
      const network = net.build(sample, feature);
      const x = normalTensor("x", [batch, ...sample]);
      const probe = new Emitter();
      const { shape } = mirrored(probe, network, feature, probe.input("x", "float32", x.shape)).instance.targets[0];
      const code = normalTensor("code", shape);
      const results = await runGraph({ x, code }, (emit, values) => {
        const tied = mirrored(emit, network, feature, values.x, { code: values.code, tied: true });
        expect(tied.specs.filter(({ role }) => role !== "bias")).toEqual([]);
        // With F's own weights in their place, the mirror's weights make the same mirror.
        const untied = mirrored(emit, network, feature, values.x, {
          code: values.code,
          parameter: (spec) => {
            if (spec.role === "bias") return emit.filled(0, spec.shape);
            const source = spec.name.replace(/^mirror\//, "");
            const tensor = network.tensors.get(source)!;
            const value = emit.constant(tensor);
            return spec.shape.join() === tensor.shape.join() ? value : emit.transpose(value, [1, 0]);
          },
        });
        const [gradient] = gradients(emit, [{ value: tied.instance.targets[0], gradient: values.code }], [values.x]);
        return {
          feature: tied.instance.targets[0],
          tied: tied.result.output,
          untied: untied.result.output,
          gradient: emit.scale(gradient!, factor),
        };
      });
      expect(results.tied.shape).toEqual(x.shape);
      expectClose(numbersOf(results.tied), numbersOf(results.gradient));
      expectClose(numbersOf(results.untied), numbersOf(results.tied));
      // ⟨F x, c⟩ = ⟨x, Fᵀ c⟩
      const forward = inner(numbersOf(results.feature), numbersOf(code));
      expect(inner(numbersOf(x), numbersOf(results.tied)) / factor).toBeCloseTo(forward, 3);
    });
  }

  it("would not pass with a wrong geometry", () => {
    expect(() => expectClose([1, 2, 3], [1, 2, 3.1])).toThrow();
  });
});

describe("pooling what the mirror of a pool makes", () => {
  for (const op of ["MaxPool", "AveragePool"]) {
    it(`gives back the code: ${op}`, async () => {
      const net = new TestNetwork();
      const feature = net.node(op, ["x"], { kernel_shape: [2, 2], strides: [2, 2] });
      const network = net.build([3, 7, 6], feature);
      const code = normalTensor("code", [batch, 3, 3, 3], 0.1, 2);
      const results = await runGraph({ x: normalTensor("x", [batch, 3, 7, 6]), code }, (emit, values) => {
        const { result } = mirrored(emit, network, feature, values.x, { code: values.code });
        const pooled = emit.one(op, [result.output], {
          kernel_shape: attribute.ints([2, 2]),
          strides: attribute.ints([2, 2]),
        });
        return { pooled };
      });
      expectClose(numbersOf(results.pooled), numbersOf(code));
    });
  }
});

describe("the mirror of Resize", () => {
  const cubic = { mode: attribute.string("cubic") };
  const cases = [
    ["cubic_coeff_a", cubic, { cubic_coeff_a: attribute.float(-0.5) }],
    ["exclude_outside", cubic, { exclude_outside: attribute.int(1) }],
    ["antialias", { mode: attribute.string("linear") }, { antialias: attribute.int(1) }],
  ] as const;
  it.each(cases)("samples as F does: %s", async (_, mode, own) => {
    const net = new TestNetwork();
    const sizes = net.ints([batch, 2, 8, 8]);
    const feature = net.node("Resize", ["x", "", "", sizes], { ...mode, ...own });
    const network = net.build([2, 5, 5], feature);
    const code = normalTensor("code", [batch, 2, 8, 8]);
    const results = await runGraph({ x: normalTensor("x", [batch, 2, 5, 5]), code }, (emit, values) => {
      const smaller = (attributes: Attributes): Value =>
        emit.one("Resize", [values.code, undefined, undefined, emit.ints([batch, 2, 5, 5])], attributes);
      return {
        mirrored: mirrored(emit, network, feature, values.x, { code: values.code }).result.output,
        alike: smaller({ ...mode, ...own }),
        otherwise: smaller(mode),
      };
    });
    expect(numbersOf(results.mirrored)).toEqual(numbersOf(results.alike));
    expect(numbersOf(results.mirrored)).not.toEqual(numbersOf(results.otherwise));
  });
});

describe("a normalisation in the mirror", () => {
  const net = new TestNetwork();
  const convolved = net.node("Conv", ["x", net.weight("w", [4, 2, 1, 1])]);
  const parameters = ["scale", "shift", "mean", "variance"].map((name) => net.filled(name, [4], 1));
  const feature = net.node("BatchNormalization", [convolved, ...parameters], { momentum: attribute.float(0.75) });
  const network = net.build([2, 3, 3], feature);

  it("has parameters and running statistics of its own", () => {
    const emit = new Emitter();
    const { result, specs } = mirrored(emit, network, feature, emit.input("x", "float32", [4, 2, 3, 3]));
    expect(specs.map(({ name, role }) => `${name} ${role}`)).toEqual([
      "mirror/scale scale",
      "mirror/shift shift",
      "mirror/mean statistic",
      "mirror/variance statistic",
      "mirror/w weight",
      "mirror/w.bias bias",
    ]);
    expect([...result.runningStatistics.keys()]).toEqual(["mirror/mean", "mirror/variance"]);
  });

  it("moves its running mean by the batch's", async () => {
    const code = normalTensor("code", [4, 4, 3, 3], 1, 8);
    const results = await runGraph({ x: normalTensor("x", [4, 2, 3, 3]), code }, (emit, values) => {
      const { result } = mirrored(emit, network, feature, values.x, { code: values.code });
      return {
        mean: result.runningStatistics.get("mirror/mean")!,
        expected: emit.scale(emit.reduceMean(values.code, [0, 2, 3]), 0.25),
      };
    });
    expectClose(numbersOf(results.mean), numbersOf(results.expected));
  });

  it("uses running statistics when asked to", async () => {
    const code = normalTensor("code", [4, 4, 3, 3]);
    const results = await runGraph({ x: normalTensor("x", [4, 2, 3, 3]), code }, (emit, values) => {
      const { result } = mirrored(emit, network, feature, values.x, {
        code: values.code,
        normalization: "running",
        parameter: (spec) =>
          emit.filled({ weight: 0.5, bias: 0, scale: 2, shift: 1, statistic: 3 }[spec.role as string]!, spec.shape),
      });
      expect(result.runningStatistics.size).toBe(0);
      return { output: result.output };
    });
    // 2 (c − 3)/√3 + 1, times ½, summed over 4 channels
    const c = numbersOf(code);
    const first = [0, 1, 2, 3].reduce(
      (sum, channel) => sum + 0.5 * ((2 * (c[channel * 9] - 3)) / Math.sqrt(3 + 1e-5) + 1),
      0,
    );
    expect(numbersOf(results.output)[0]).toBeCloseTo(first, 4);
  });
});

describe("the mirror's parameters", () => {
  it("are laid out as the mirror uses them", () => {
    const net = new TestNetwork();
    const convolved = net.node("Conv", ["x", net.weight("conv.weight", [8, 2, 3, 3]), net.weight("conv.bias", [8])], {
      group: 2,
    });
    const up = net.node("ConvTranspose", [convolved, net.weight("up.weight", [8, 3, 2, 2])], {});
    const flat = net.node("Flatten", [net.node("Relu", [up])]);
    const dense = net.node("Gemm", [flat, net.weight("fc.weight", [10, 75])], { transB: 1 });
    const feature = net.node("Add", [
      net.node("MatMul", [dense, net.weight("proj", [10, 6])]),
      net.weight("proj_bias", [6]),
    ]);
    const network = net.build([4, 6, 6], feature);
    const emit = new Emitter();
    const { specs, result } = mirrored(emit, network, feature, emit.input("x", "float32", [3, 4, 6, 6]));
    expect(specs).toEqual([
      { name: "mirror/proj", shape: [10, 6], role: "weight", layout: { kind: "matrix", inputAxis: 1 }, fanIn: 6 },
      { name: "mirror/proj.bias", shape: [10], role: "bias", fanIn: 6 },
      {
        name: "mirror/fc.weight",
        shape: [10, 75],
        role: "weight",
        layout: { kind: "matrix", inputAxis: 0 },
        fanIn: 10,
      },
      { name: "mirror/fc.bias", shape: [75], role: "bias", fanIn: 10 },
      {
        name: "mirror/up.weight",
        shape: [8, 3, 2, 2],
        role: "weight",
        layout: { kind: "convolution", groups: 1, transposed: false },
        fanIn: 12,
      },
      { name: "mirror/up.bias", shape: [8], role: "bias", fanIn: 12 },
      {
        name: "mirror/conv.weight",
        shape: [8, 2, 3, 3],
        role: "weight",
        layout: { kind: "convolution", groups: 2, transposed: true },
        fanIn: 36,
      },
      { name: "mirror/conv.bias", shape: [4], role: "bias", fanIn: 36 },
    ]);
    expect(result.parameters).toEqual(specs);
  });

  it("get names of their own where one weight of F is used in two directions", () => {
    const net = new TestNetwork();
    const shared = net.weight("w", [5, 4]);
    const down = net.node("Gemm", ["x", shared], { transB: 1 });
    const feature = net.node("Gemm", [net.node("Gemm", [down, shared]), shared], { transB: 1 });
    const emit = new Emitter();
    const { specs } = mirrored(emit, net.build([4], feature), feature, emit.input("x", "float32", [2, 4]));
    expect(specs.map(({ name, shape }) => `${name} ${shape}`)).toEqual([
      "mirror/w 5,4",
      "mirror/w.bias 4",
      "mirror/w.bias/2 5",
    ]);
  });

  it("are used once for both branches of a shared layer", () => {
    const net = new TestNetwork();
    const shared = net.weight("w", [4, 4]);
    const first = net.node("Relu", [net.node("MatMul", ["x", shared])]);
    const feature = net.node("MatMul", [first, shared]);
    const emit = new Emitter();
    const { specs } = mirrored(emit, net.build([4], feature), feature, emit.input("x", "float32", [2, 4]));
    expect(specs.map(({ name }) => name)).toEqual(["mirror/w", "mirror/w.bias"]);
  });
});

describe("the last activation", () => {
  it("fits the output to the data's range", async () => {
    const net = new TestNetwork();
    const feature = net.node("Neg", ["x"]);
    const network = net.build([3], feature);
    const x = normalTensor("x", [2, 3], 3);
    const results = await runGraph({ x }, (emit, values) =>
      Object.fromEntries(
        (["none", "sigmoid", "tanh"] as const).map((lastActivation) => [
          lastActivation,
          mirrored(emit, network, feature, values.x, { lastActivation }).result.output,
        ]),
      ),
    );
    const plain = numbersOf(x);
    expectClose(numbersOf(results.none), plain);
    expectClose(
      numbersOf(results.sigmoid),
      plain.map((a) => 1 / (1 + Math.exp(-a))),
    );
    expectClose(numbersOf(results.tanh), plain.map(Math.tanh));
  });
});

describe("what cannot be mirrored", () => {
  it("names the node and what to do", () => {
    const net = new TestNetwork();
    const feature = net.node("ReduceL2", ["x", net.ints([1])]);
    const attempt = () => {
      const emit = new Emitter();
      return mirrored(emit, net.build([4, 3], feature), feature, emit.input("x", "float32", [2, 4, 3]));
    };
    expect(attempt).toThrow(UserError);
    expect(attempt).toThrow(/^node node_reducel20 \(ReduceL2\): required .*--features\.$/);
  });

  it("says so where nothing leads back to the input", () => {
    const net = new TestNetwork();
    const feature = net.node("Cast", [net.node("Greater", ["x", net.number(0)])], { to: 1 });
    const emit = new Emitter();
    expect(() => mirrored(emit, net.build([4], feature), feature, emit.input("x", "float32", [2, 4]))).toThrow(
      /path back to the sample input/,
    );
  });
});

function inner(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, element, index) => sum + element * b[index], 0);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expect(actual.length).toBeGreaterThan(0);
  const size = Math.max(1, Math.hypot(...expected) / Math.sqrt(sizeOf([expected.length])));
  actual.forEach((element, index) => {
    if (!(Math.abs(element - expected[index]) <= 2e-5 * size))
      throw new Error(`element ${index}: ${element} instead of ${expected[index]}`);
  });
}
