import { describe, expect, it } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { mirrored } from "../support/mirror-network.js";
import { normalTensor, runGraph } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

/** A nonlinearity as F writes it, and what the mirror must make of a number. */
interface Case {
  readonly name: string;
  readonly write: (net: TestNetwork) => string;
  readonly expected: (v: number) => number;
}

const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
const relu = (v: number): number => Math.max(v, 0);
const clip = (v: number, low: number, high: number): number => Math.min(Math.max(v, low), high);
const mish = (v: number): number => v * Math.tanh(Math.log1p(Math.exp(v)));
const tanhGelu = (v: number): number => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
/** Abramowitz and Stegun 7.1.26, good to 1.5e-7. */
const erf = (v: number): number => {
  const t = 1 / (1 + 0.3275911 * Math.abs(v));
  const series = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(v) * (1 - series * Math.exp(-v * v));
};
const gelu = (v: number): number => 0.5 * v * (1 + erf(v / Math.SQRT2));

const cases: Case[] = [
  { name: "Relu", write: (net) => net.node("Relu", ["x"]), expected: relu },
  {
    name: "LeakyRelu",
    write: (net) => net.node("LeakyRelu", ["x"], { alpha: attribute.float(0.3) }),
    expected: (v) => (v > 0 ? v : 0.3 * v),
  },
  {
    name: "Clip",
    write: (net) => net.node("Clip", ["x", net.number(0), net.number(0.5)]),
    expected: (v) => clip(v, 0, 0.5),
  },
  { name: "Tanh", write: (net) => net.node("Tanh", ["x"]), expected: Math.tanh },
  { name: "SiLU", write: (net) => net.node("Mul", ["x", net.node("Sigmoid", ["x"])]), expected: (v) => v * sigmoid(v) },
  {
    name: "SiLU, the other way round",
    write: (net) => net.node("Mul", [net.node("Sigmoid", ["x"]), "x"]),
    expected: (v) => v * sigmoid(v),
  },
  {
    name: "GELU, halved last",
    write: (net) => {
      const error = net.node("Erf", [net.node("Div", ["x", net.number(Math.SQRT2)])]);
      return net.node("Mul", [net.node("Mul", ["x", net.node("Add", [error, net.number(1)])]), net.number(0.5)]);
    },
    expected: gelu,
  },
  {
    name: "GELU, halved first",
    write: (net) => {
      const error = net.node("Erf", [net.node("Mul", ["x", net.number(Math.SQRT1_2)])]);
      return net.node("Mul", [net.node("Mul", ["x", net.number(0.5)]), net.node("Add", [error, net.number(1)])]);
    },
    expected: gelu,
  },
  {
    name: "GELU by tanh",
    write: (net) => {
      const cubic = net.node("Mul", [net.node("Pow", ["x", net.number(3)]), net.number(0.044715)]);
      const inner = net.node("Mul", [net.node("Add", ["x", cubic]), net.number(Math.sqrt(2 / Math.PI))]);
      return net.node("Mul", [
        net.node("Mul", ["x", net.number(0.5)]),
        net.node("Add", [net.node("Tanh", [inner]), net.number(1)]),
      ]);
    },
    expected: tanhGelu,
  },
  {
    name: "hard swish",
    write: (net) => {
      const gate = net.node("Clip", [net.node("Add", ["x", net.number(3)]), net.number(0), net.number(6)]);
      return net.node("Div", [net.node("Mul", ["x", gate]), net.number(6)]);
    },
    expected: (v) => (v * clip(v + 3, 0, 6)) / 6,
  },
  {
    name: "Mish",
    write: (net) => net.node("Mul", ["x", net.node("Tanh", [net.node("Softplus", ["x"])])]),
    expected: mish,
  },
  {
    name: "softsign",
    write: (net) => net.node("Div", ["x", net.node("Add", [net.node("Abs", ["x"]), net.number(1)])]),
    expected: (v) => v / (1 + Math.abs(v)),
  },
  {
    name: "leaky ReLU by Max",
    write: (net) => net.node("Max", [net.node("Mul", ["x", net.number(0.1)]), "x"]),
    expected: (v) => Math.max(v, 0.1 * v),
  },
  {
    name: "leaky ReLU by Where",
    write: (net) =>
      net.node("Where", [net.node("Greater", ["x", net.number(0)]), "x", net.node("Mul", ["x", net.number(0.2)])]),
    expected: (v) => (v > 0 ? v : 0.2 * v),
  },
  { name: "a square", write: (net) => net.node("Pow", ["x", net.number(2)]), expected: (v) => v * v },
  {
    name: "a root, which is passed on",
    write: (net) => net.node("Sqrt", [net.node("Abs", ["x"])]),
    expected: Math.abs,
  },
  { name: "Softmax, which is passed on", write: (net) => net.node("Softmax", ["x"]), expected: (v) => v },
];

const sample = [5];
const x = normalTensor("x", [2, ...sample]);
const code = normalTensor("code", [2, ...sample], 1.5);

async function mirrorOf(
  write: (net: TestNetwork) => string,
  shape = sample,
  given: Tensor = x,
  entering: Tensor = code,
) {
  const net = new TestNetwork();
  const feature = write(net);
  const network = net.build(shape, feature);
  const { output } = await runGraph({ x: given, code: entering }, (emit, values) => ({
    output: emit.add(
      mirrored(emit, network, feature, values.x, { code: values.code }).result.output,
      emit.scale(values.x, 0),
    ),
  }));
  return numbersOf(output);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((element, index) => {
    expect(element).toBeCloseTo(expected[index], 5);
  });
}

describe("a nonlinearity stands again", () => {
  for (const { name, write, expected } of cases)
    it(name, async () => expectClose(await mirrorOf(write), numbersOf(code).map(expected)));
});

describe("a gate stays what F computed", () => {
  const given = normalTensor("gated", [2, 6]);
  const entering = normalTensor("entering", [2, 3]);
  const halves = (net: TestNetwork): [string, string] => {
    const first = net.node("Split", ["x"], { axis: 1, num_outputs: 2 }, 2);
    return [first, `${first}:1`];
  };
  const at = (row: number, column: number): number => numbersOf(given)[row * 6 + column];
  const forms: { name: string; write: (net: TestNetwork) => string; content: 0 | 1; gate: (g: number) => number }[] = [
    {
      name: "GLU",
      write: (net) => {
        const [a, b] = halves(net);
        return net.node("Mul", [a, net.node("Sigmoid", [b])]);
      },
      content: 0,
      gate: sigmoid,
    },
    {
      name: "GLU, the gate first",
      write: (net) => {
        const [a, b] = halves(net);
        return net.node("Mul", [net.node("Sigmoid", [a]), b]);
      },
      content: 1,
      gate: sigmoid,
    },
    {
      name: "SwiGLU",
      write: (net) => {
        const [a, b] = halves(net);
        return net.node("Mul", [net.node("Mul", [a, net.node("Sigmoid", [a])]), b]);
      },
      content: 1,
      gate: (g) => g * sigmoid(g),
    },
    {
      name: "a quotient",
      write: (net) => {
        const [a, b] = halves(net);
        return net.node("Div", [a, net.node("Add", [net.node("Abs", [b]), net.number(1)])]);
      },
      content: 0,
      gate: (g) => 1 / (1 + Math.abs(g)),
    },
  ];
  for (const { name, write, content, gate } of forms)
    it(name, async () => {
      const values = numbersOf(entering);
      const expected = [0, 1].flatMap((row) =>
        [0, 1, 2, 3, 4, 5].map((column) => {
          const unit = column % 3;
          return Math.floor(column / 3) === content
            ? values[row * 3 + unit] * gate(at(row, (1 - content) * 3 + unit))
            : 0;
        }),
      );
      expectClose(await mirrorOf(write, [6], given, entering), expected);
    });

  it("squeeze and excitation: the gate is what is broadcast", async () => {
    const given = normalTensor("picture", [1, 2, 2, 1]);
    const entering = normalTensor("picture code", [1, 2, 2, 1]);
    const output = await mirrorOf(
      (net) => net.node("Mul", [net.node("GlobalAveragePool", ["x"]), "x"]),
      [2, 2, 1],
      given,
      entering,
    );
    const [a, b, c, d] = numbersOf(given);
    const [e, f, g, h] = numbersOf(entering);
    expectClose(output, [e * ((a + b) / 2), f * ((a + b) / 2), g * ((c + d) / 2), h * ((c + d) / 2)]);
  });

  it("attention: the content gets Pᵀ v", async () => {
    const given = normalTensor("tokens", [1, 2, 2]);
    const entering = normalTensor("mixed tokens", [1, 2, 2]);
    const output = await mirrorOf(
      (net) => net.node("MatMul", [net.node("Softmax", ["x"]), "x"]),
      [2, 2],
      given,
      entering,
    );
    const [a, b, c, d] = numbersOf(given);
    const [e, f, g, h] = numbersOf(entering);
    const [p, q] = [sigmoid(a - b), sigmoid(c - d)];
    expectClose(output, [p * e + q * g, p * f + q * h, (1 - p) * e + (1 - q) * g, (1 - p) * f + (1 - q) * h]);
  });
});

describe("learned factors", () => {
  it("are the mirror's own, starting at one, or F's where tied", async () => {
    const net = new TestNetwork();
    const hidden = net.node("MatMul", ["x", net.weight("w", [5, 5])]);
    const feature = net.node("PRelu", [
      net.node("Mul", [hidden, net.filled("factor", [5], 3)]),
      net.filled("slope", [5], 0.25),
    ]);
    const network = net.build(sample, feature);
    await runGraph({ x }, (emit, values) => {
      const own = mirrored(emit, network, feature, values.x);
      expect(own.specs.map(({ name, role }) => `${name} ${role}`)).toEqual([
        "mirror/slope slope",
        "mirror/factor scale",
        "mirror/w weight",
        "mirror/w.bias bias",
      ]);
      const tied = mirrored(emit, network, feature, values.x, { tied: true });
      expect(tied.specs.map(({ name }) => name)).toEqual(["mirror/w.bias"]);
      return { output: tied.result.output };
    });
  });
});
