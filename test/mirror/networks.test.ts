import { describe, expect, it } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { numbersOf, sizeOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { mirrored } from "../support/mirror-network.js";
import { normalTensor, runGraph } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const batch = 3;

interface Architecture {
  readonly name: string;
  readonly sample: readonly number[];
  readonly write: (net: TestNetwork) => string;
  /** Operators of F that no value goes back through, in F's order: gates, attention weights, insides of a GELU. */
  readonly unmirrored?: readonly string[];
}

/** Convolution, batch normalisation, ReLU. */
function block(net: TestNetwork, x: string, name: string, weight: readonly number[], attributes = {}): string {
  const convolved = net.node("Conv", [x, net.weight(`${name}.weight`, weight)], attributes);
  const [width] = weight;
  return net.node("Relu", [
    net.node("BatchNormalization", [
      convolved,
      net.filled(`${name}.scale`, [width], 1),
      net.filled(`${name}.shift`, [width], 0),
      net.filled(`${name}.mean`, [width], 0),
      net.filled(`${name}.variance`, [width], 1),
    ]),
  ]);
}

const same = { pads: [1, 1, 1, 1] };
const halving = { strides: [2, 2], pads: [1, 1, 1, 1] };
const dense = (net: TestNetwork, x: string, name: string, units: number, inputs: number): string =>
  net.node("Gemm", [x, net.weight(`${name}.weight`, [units, inputs]), net.filled(`${name}.bias`, [units], 0)], {
    transB: 1,
  });

const architectures: Architecture[] = [
  {
    name: "MLP",
    sample: [6],
    write: (net) => net.node("Relu", [dense(net, net.node("Relu", [dense(net, "x", "a", 5, 6)]), "b", 4, 5)]),
  },
  {
    name: "CNN with pooling",
    sample: [1, 9, 9],
    write: (net) => {
      const first = net.node("MaxPool", [block(net, "x", "a", [4, 1, 3, 3], same)], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
      const second = net.node("AveragePool", [block(net, first, "b", [6, 4, 3, 3])], { kernel_shape: [2, 2] });
      return net.node("Relu", [dense(net, net.node("Flatten", [second]), "c", 5, 6)]);
    },
  },
  {
    name: "residual block with a strided shortcut",
    sample: [2, 8, 8],
    write: (net) => {
      const stem = block(net, "x", "stem", [4, 2, 3, 3], same);
      const long = net.node(
        "Conv",
        [block(net, stem, "a", [6, 4, 3, 3], halving), net.weight("b.weight", [6, 6, 3, 3])],
        same,
      );
      const short = net.node("Conv", [stem, net.weight("shortcut.weight", [6, 4, 1, 1])], { strides: [2, 2] });
      const sum = net.node("Relu", [net.node("Add", [long, short])]);
      return net.node("Flatten", [net.node("GlobalAveragePool", [sum])]);
    },
  },
  {
    name: "dense block",
    sample: [2, 6, 6],
    write: (net) => {
      const first = net.node("Concat", ["x", block(net, "x", "a", [3, 2, 3, 3], same)], { axis: 1 });
      const second = net.node("Concat", [first, block(net, first, "b", [3, 5, 3, 3], same)], { axis: 1 });
      return net.node("AveragePool", [block(net, second, "c", [4, 8, 1, 1])], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
    },
  },
  {
    name: "grouped convolutions",
    sample: [4, 7, 7],
    write: (net) =>
      block(net, block(net, "x", "a", [8, 2, 3, 3], { group: 2, ...halving }), "b", [8, 1, 3, 3], {
        group: 8,
        dilations: [2, 2],
        pads: [2, 2, 2, 2],
      }),
  },
  {
    name: "signals",
    sample: [2, 21],
    write: (net) => {
      const first = net.node("LeakyRelu", [
        net.node("Conv", ["x", net.weight("a", [4, 2, 5])], { strides: [2], pads: [2, 2] }),
      ]);
      const second = net.node("MaxPool", [first], { kernel_shape: [3], strides: [3], pads: [0, 1] });
      return net.node(
        "ReduceMean",
        [net.node("Elu", [net.node("Conv", [second, net.weight("b", [5, 4, 3])])]), net.ints([2])],
        { keepdims: 0 },
      );
    },
  },
  {
    name: "inverted residual with squeeze and excitation",
    sample: [3, 6, 6],
    write: (net) => {
      const wide = net.node("Conv", ["x", net.weight("expand", [6, 3, 1, 1])]);
      const active = net.node("Mul", [wide, net.node("Sigmoid", [wide])]);
      const deep = net.node("HardSwish", [
        net.node("Conv", [active, net.weight("depth", [6, 1, 3, 3])], { group: 6, ...same }),
      ]);
      const squeezed = net.node("Relu", [
        net.node("Conv", [net.node("GlobalAveragePool", [deep]), net.weight("squeeze", [2, 6, 1, 1])]),
      ]);
      const gate = net.node("HardSigmoid", [net.node("Conv", [squeezed, net.weight("excite", [6, 2, 1, 1])])]);
      const narrow = net.node("Conv", [net.node("Mul", [gate, deep]), net.weight("project", [3, 6, 1, 1])]);
      return net.node("Add", ["x", narrow]);
    },
    unmirrored: ["Sigmoid", "GlobalAveragePool", "Conv", "Relu", "Conv", "HardSigmoid"],
  },
  {
    name: "attention block",
    sample: [4, 6],
    write: (net) => {
      const normal = net.node("LayerNormalization", [
        "x",
        net.filled("n.scale", [6], 1),
        net.filled("n.shift", [6], 0),
      ]);
      const qkv = net.node("Add", [
        net.node("MatMul", [normal, net.weight("qkv", [6, 18])]),
        net.weight("qkv.bias", [18]),
      ]);
      const part = net.node("Split", [qkv, net.ints([6, 6, 6])], { axis: 2 }, 3);
      const heads = (name: string, perm: readonly number[]): string =>
        net.node("Transpose", [net.node("Reshape", [name, net.ints([0, 4, 2, 3])])], { perm });
      const scores = net.node("MatMul", [heads(part, [0, 2, 1, 3]), heads(`${part}:1`, [0, 2, 3, 1])]);
      const attention = net.node("Softmax", [net.node("Mul", [scores, net.number(0.5)])], { axis: -1 });
      const mixed = net.node("MatMul", [attention, heads(`${part}:2`, [0, 2, 1, 3])]);
      const joined = net.node("Reshape", [net.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }), net.ints([0, 4, 6])]);
      const sum = net.node("Add", ["x", net.node("MatMul", [joined, net.weight("out", [6, 6])])]);
      const hidden = net.node("MatMul", [sum, net.weight("up", [6, 12])]);
      const error = net.node("Erf", [net.node("Div", [hidden, net.number(Math.SQRT2)])]);
      const gelu = net.node("Mul", [
        net.node("Mul", [hidden, net.node("Add", [error, net.number(1)])]),
        net.number(0.5),
      ]);
      return net.node(
        "Gather",
        [net.node("Add", [sum, net.node("MatMul", [gelu, net.weight("down", [12, 6])])]), net.ints([0])],
        { axis: 1 },
      );
    },
    unmirrored: [
      "Reshape",
      "Transpose",
      "Reshape",
      "Transpose",
      "MatMul",
      "Mul",
      "Softmax",
      "Div",
      "Erf",
      "Add",
      "Mul",
    ],
  },
  {
    name: "upsampling and other normalisations",
    sample: [4, 4, 4],
    write: (net) => {
      const parameters = (name: string, size: number): string[] => [
        net.filled(`${name}.scale`, [size], 1),
        net.filled(`${name}.shift`, [size], 0),
      ];
      const grouped = net.node("GroupNormalization", ["x", ...parameters("g", 2)], { num_groups: 2 });
      // Since 21 scale and shift are per channel.
      const regrouped = net.node("GroupNormalization", [grouped, ...parameters("c", 4)], { num_groups: 2 });
      const bigger = net.node("Resize", [regrouped, "", net.filled("scales", [2], 2)], {
        mode: "nearest",
        axes: [2, 3],
      });
      return net.node("InstanceNormalization", [bigger, ...parameters("i", 4)]);
    },
  },
];

describe("the mirror of", () => {
  for (const { name, sample, write, unmirrored = [] } of architectures) {
    it(name, async () => {
      const net = new TestNetwork();
      const feature = write(net);
      const network = net.build(sample, feature);
      const x = normalTensor("x", [batch, ...sample]);
      const results = await runGraph({ x }, (emit, values) => {
        const { instance, result } = mirrored(emit, network, feature, values.x);
        expect(result.output.shape).toEqual(x.shape);
        const mirroredNodes = new Set(result.steps.map(({ node }) => node));
        const left = instance.steps.filter(
          ({ node, fromSample }) => fromSample.some(Boolean) && !mirroredNodes.has(node.name),
        );
        expect(left.map(({ node }) => node.op)).toEqual(unmirrored);
        const error = emit.reduceMean(emit.square(emit.subtract(result.output, values.x)));
        const [gradient] = gradients(emit, [{ value: error }], [values.x]);
        return { output: result.output, code: instance.targets[0], gradient: gradient! };
      });
      for (const key of ["output", "gradient"]) {
        const numbers = numbersOf(results[key]);
        expect(numbers.every(Number.isFinite)).toBe(true);
        // Neither gone nor blown up: that is what copies for averages are for.
        const size = Math.hypot(...numbers) / Math.sqrt(sizeOf(results[key].shape));
        expect(size).toBeGreaterThan(key === "output" ? 1e-2 : 1e-6);
        expect(size).toBeLessThan(30);
      }
    });
  }
});

it("mirrors gates that were written for a batch of another size", () => {
  const net = new TestNetwork();
  // A gate that is the same for each of two samples, as what recurrent cells make of a first state of zeros.
  const gate = net.node("Gemm", [net.node("ConstantOfShape", [net.ints([2, 4])]), net.weight("u", [4, 5])]);
  const feature = net.node("Mul", [net.node("Gemm", ["x", net.weight("w", [4, 5])]), net.node("Exp", [gate])]);
  const network = analyzeNetwork(net.graph([4], [feature], 2), { where: "model.onnx" });
  const emit = new Emitter();
  const { instance, result } = mirrored(emit, network, feature, emit.input("x", "float32", [batch, 4]));
  expect(instance.targets[0].shape).toEqual([batch, 5]);
  expect(result.output.shape).toEqual([batch, 4]);
});

describe("the mirror's account of itself", () => {
  it("says what became of each step, feature first", () => {
    const [{ write, sample }] = architectures.filter(({ name }) => name.startsWith("residual"));
    const net = new TestNetwork();
    const feature = write(net);
    const emit = new Emitter();
    const { result } = mirrored(emit, net.build(sample, feature), feature, emit.input("x", "float32", [2, ...sample]));
    const lines = result.steps.map(
      ({ op, mirroredBy, to }) => `${op} -> ${mirroredBy || "handed on"} ${to.map((shape) => `[${shape}]`).join(" ")}`,
    );
    expect(lines).toMatchInlineSnapshot(`
      [
        "Flatten -> Reshape [2,6,1,1]",
        "GlobalAveragePool -> Expand [2,6,4,4]",
        "Relu -> Relu [2,6,4,4]",
        "Add -> handed on [2,6,4,4] [2,6,4,4]",
        "Conv -> ConvTranspose [2,4,8,8]",
        "Conv -> ConvTranspose [2,6,4,4]",
        "Relu -> Relu [2,6,4,4]",
        "BatchNormalization -> BatchNormalization [2,6,4,4]",
        "Conv -> ConvTranspose [2,4,8,8]",
        "Relu -> Relu [2,4,8,8]",
        "BatchNormalization -> BatchNormalization [2,4,8,8]",
        "Conv -> ConvTranspose [2,2,8,8]",
      ]
    `);
  });

  it("emits no more than it needs", () => {
    const [{ write, sample }] = architectures.filter(({ name }) => name === "CNN with pooling");
    const net = new TestNetwork();
    const feature = write(net);
    const emit = new Emitter();
    const code = emit.input("code", "float32", [2, 5]);
    const { result } = mirrored(emit, net.build(sample, feature), feature, emit.input("x", "float32", [2, ...sample]), {
      code,
    });
    emit.output("generated", result.output);
    expect(emit.build("mirror").nodes.map(({ op }) => op)).toMatchInlineSnapshot(`
      [
        "Relu",
        "Gemm",
        "Reshape",
        "Mul",
        "ConvTranspose",
        "Relu",
        "ReduceMean",
        "Reshape",
        "Sub",
        "Mul",
        "ReduceMean",
        "BatchNormalization",
        "ConvTranspose",
        "Mul",
        "Mul",
        "Resize",
        "Pad",
        "Relu",
        "ReduceMean",
        "Reshape",
        "Sub",
        "Mul",
        "ReduceMean",
        "BatchNormalization",
        "ConvTranspose",
      ]
    `);
  });
});
