import { describe, expect, it, test } from "vitest";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { pinnedOpset as opset } from "../../src/graph/opset.js";
import { type Gate, recurrentNode } from "../../src/graph/recurrent-node.js";
import { floatTensor, intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { type PlainAttributes, TestNetwork } from "../support/write-network.js";

const where = "model.onnx";
const [batch, length, width, hidden] = [2, 4, 3, 5];

type Kind = "LSTM" | "GRU" | "RNN";
const gates: Readonly<Record<Kind, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

interface Case {
  readonly kind: Kind;
  readonly attributes?: PlainAttributes;
  readonly bias?: boolean;
  /** Initial states: constants, zeros of the batch's size, or none. */
  readonly state?: "given" | "zeros";
  readonly peepholes?: boolean;
  readonly length?: number;
  readonly size?: number;
  /** Nodes that exchange batch and length in the layer's states and outputs. */
  readonly transposes?: boolean;
}

/** x, transposed to what the layer reads, and the layer, all of whose outputs are outputs. */
function layer({ kind, attributes = {}, bias = true, state, ...rest }: Case): Graph {
  const { peepholes, length: steps = length, size = hidden, transposes } = rest;
  const net = new TestNetwork();
  const count = attributes.direction === "bidirectional" ? 2 : 1;
  const rows = gates[kind] * size;
  const sequence = attributes.layout === 1 ? "x" : net.node("Transpose", ["x"], { perm: [1, 0, 2] });
  const first = (name: string): string => {
    if (state === undefined) return "";
    const byBatch = attributes.layout === 1 || transposes;
    const given = state === "given" ? net.weight(name, byBatch ? [batch, count, size] : [count, batch, size], 1) : "";
    if (transposes) return net.node("Transpose", [given], { perm: [1, 0, 2] });
    if (given) return given;
    const sizes = net.node("Shape", ["x"], { end: 1 });
    const shape = net.node("Concat", [net.ints([count]), sizes, net.ints([size])], { axis: 0 });
    return net.node("ConstantOfShape", [shape]);
  };
  const inputs = [
    sequence,
    net.weight("w", [count, rows, width], 1),
    net.weight("r", [count, rows, size], 0.6),
    bias ? net.weight("b", [count, 2 * rows], 0.5) : "",
    "",
    first("h0"),
    ...(kind === "LSTM" ? [first("c0"), peepholes ? net.weight("p", [count, 3 * size], 0.5) : ""] : []),
  ];
  const outputs = kind === "LSTM" ? 3 : 2;
  const name = net.node(kind, inputs, { hidden_size: size, ...attributes }, outputs);
  const names = Array.from({ length: outputs }, (_, index) => (index === 0 ? name : `${name}:${index}`));
  const outside = names.map((each, index) =>
    transposes ? net.node("Transpose", [each], { perm: index === 0 ? [2, 0, 1, 3] : [1, 0, 2] }) : each,
  );
  return net.graph([steps, width], outside);
}

async function run(graph: Graph, x: Tensor): Promise<Tensor[]> {
  const session = await openSession(graph, { threads: 1 });
  try {
    const outputs = await session.run({ x });
    return graph.outputs.map(({ name }) => outputs[name]);
  } finally {
    await session.release();
  }
}

function requireClose(got: readonly Tensor[], wanted: readonly Tensor[]): void {
  expect(got.map(({ shape }) => shape)).toEqual(wanted.map(({ shape }) => shape));
  got.forEach((tensor, index) => {
    const [ours, theirs] = [numbersOf(tensor), numbersOf(wanted[index])];
    expect(Math.max(...ours.map((value, place) => Math.abs(value - theirs[place])))).toBeLessThan(2e-6);
    expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(0.01);
  });
}

const unrolled = (graph: Graph) => unrollRecurrences(graph, opset, { where });
const samples = (steps = length): Tensor => normalTensor("samples", [batch, steps, width], 1);

const cases: readonly (readonly [string, Case])[] = [
  ["an LSTM", { kind: "LSTM" }],
  ["a GRU", { kind: "GRU" }],
  ["an RNN", { kind: "RNN" }],
  ["a GRU that resets after the product", { kind: "GRU", attributes: { linear_before_reset: 1 } }],
  ...(["LSTM", "GRU", "RNN"] as const).flatMap((kind): [string, Case][] => [
    [`${kind} backwards`, { kind, attributes: { direction: "reverse" } }],
    [`${kind} in both directions`, { kind, attributes: { direction: "bidirectional" } }],
    [`${kind} without biases`, { kind, bias: false }],
    [`${kind} from given states`, { kind, state: "given" }],
    [
      `${kind} from given states in both directions`,
      { kind, state: "given", attributes: { direction: "bidirectional" } },
    ],
    [`${kind} from zeros`, { kind, state: "zeros" }],
    [`${kind} of one position`, { kind, length: 1 }],
    [`${kind} of one unit`, { kind, size: 1, state: "given" }],
  ]),
  [
    "GRU that resets after the product, in both directions, from given states",
    {
      kind: "GRU",
      state: "given",
      attributes: { linear_before_reset: 1, direction: "bidirectional" },
    },
  ],
  [
    "GRU that resets after the product, without biases",
    { kind: "GRU", bias: false, attributes: { linear_before_reset: 1 } },
  ],
  ["LSTM with peepholes", { kind: "LSTM", peepholes: true, state: "given" }],
  [
    "LSTM with peepholes in both directions",
    { kind: "LSTM", peepholes: true, attributes: { direction: "bidirectional" } },
  ],
  ["RNN with Relu", { kind: "RNN", attributes: { activations: attribute.strings(["Relu"]) } }],
  [
    "LSTM with other activations",
    {
      kind: "LSTM",
      attributes: { activations: attribute.strings(["HardSigmoid", "Softsign", "Relu"]) },
    },
  ],
  [
    "GRU with other activations in both directions",
    {
      kind: "GRU",
      attributes: {
        direction: "bidirectional",
        activations: attribute.strings(["sigmoid", "softsign", "sigmoid", "softsign"]),
      },
    },
  ],
];

test.each(cases)("%s computes what ONNX Runtime's operator does", async (_, each) => {
  const graph = layer(each);
  const result = unrolled(graph);
  expect(result.graph.nodes.map(({ op }) => op)).not.toContain(each.kind);
  expect(result.obstacles.size).toBe(0);
  const x = samples(each.length);
  requireClose(await run(result.graph, x), await run(graph, x));
});

test.each(["LSTM", "GRU", "RNN"] as const)(
  "%s with the batch first is the other one between transpositions",
  async (kind) => {
    const each: Case = { kind, state: "given", attributes: { direction: "bidirectional" } };
    const theirs = layer({ ...each, transposes: true });
    const ours = unrolled(layer({ ...each, attributes: { ...each.attributes, layout: 1 } }));
    requireClose(await run(ours.graph, samples()), await run(theirs, samples()));
  },
);

/** A node with matrices of its own, made of the stacked tensors of {@link layer} by another order of gates. */
function withOwnMatrices(graph: Graph, order: readonly Gate[], onnx: readonly Gate[]): Graph {
  const node = graph.nodes.find(({ op }) => gates[op as Kind])!;
  const kind = node.op as Kind;
  const initializers = new Map(graph.initializers);
  const directions = [0, 1].map((direction) => {
    const rowsOf = (name: string, columns: number, from: number): string => {
      const whole = numbersOf(graph.initializers.get(name)!);
      const size = hidden * columns;
      const start = from * gates[kind] * size;
      const rows = order.flatMap((gate) => {
        const place = start + onnx.indexOf(gate) * size;
        return whole.slice(place, place + size);
      });
      const own = `${name}${from}`;
      initializers.set(own, floatTensor(rows, columns === 1 ? [rows.length] : [rows.length / columns, columns]));
      return own;
    };
    return {
      inputWeight: rowsOf("w", width, direction),
      stateWeight: rowsOf("r", hidden, direction),
      inputBias: rowsOf("b", 1, 2 * direction),
      stateBias: rowsOf("b", 1, 2 * direction + 1),
    };
  });
  const own = recurrentNode({
    op: kind,
    name: node.name,
    sequence: node.inputs[0],
    state: node.inputs[5],
    cell: node.inputs[6] ?? "",
    directions,
    gates: order,
    attributes: node.attributes,
    outputs: node.outputs,
  });
  return { ...graph, initializers, nodes: graph.nodes.map((each) => (each === node ? own : each)) };
}

test.each([
  ["LSTM", ["input", "forget", "cell", "output"], ["input", "output", "forget", "cell"], {}],
  ["GRU", ["reset", "update", "hidden"], ["update", "reset", "hidden"], { linear_before_reset: 1 }],
  ["GRU", ["reset", "update", "hidden"], ["update", "reset", "hidden"], {}],
  ["RNN", ["hidden"], ["hidden"], {}],
] as const)("%s with matrices of its own, gates in the order %s", async (kind, order, onnx, settings) => {
  const graph = layer({ kind, state: "given", attributes: { direction: "bidirectional", ...settings } });
  const ours = unrolled(withOwnMatrices(graph, order, onnx));
  requireClose(await run(ours.graph, samples()), await run(graph, samples()));
});

describe("what becomes of parameters", () => {
  const networkOf = (graph: Graph) => analyzeNetwork(upgradeGraph(unrolled(graph).graph, opset), { where });

  it("finds them with layouts, and each layer once", () => {
    const { parameters, layers } = networkOf(layer({ kind: "LSTM", attributes: { direction: "bidirectional" } }));
    expect([...parameters.values()]).toEqual([
      { name: "w", shape: [2, 20, width], role: "weight", layout: { kind: "matrices" }, fanIn: width },
      { name: "b", shape: [2, 40], role: "bias", fanIn: width },
      { name: "r", shape: [2, 20, hidden], role: "weight", layout: { kind: "matrices" }, fanIn: hidden },
    ]);
    expect(layers.map(({ weight, isRecurrent }) => [weight.name, isRecurrent])).toEqual([
      ["w", false],
      ["r", true],
    ]);
  });

  it("finds peepholes", () => {
    const { parameters } = networkOf(layer({ kind: "LSTM", peepholes: true }));
    expect(parameters.get("p")).toMatchObject({ shape: [1, 3 * hidden], role: "factor" });
  });

  it("knows a gate's rows as part of their matrix", () => {
    const order = ["update", "reset", "hidden"] as const;
    const graph = withOwnMatrices(layer({ kind: "GRU", attributes: { direction: "bidirectional" } }), order, order);
    const { parameters, layers } = networkOf(graph);
    expect(parameters.get("r0")).toMatchObject({ shape: [15, hidden], layout: { kind: "matrix", inputAxis: 1 } });
    expect(parameters.get("b0")).toMatchObject({ role: "bias" });
    expect(layers.find(({ weight }) => weight.name === "w0")?.bias?.name).toBe("b0");
    expect(layers.filter(({ isRecurrent }) => isRecurrent).map(({ weight }) => weight.name)).toEqual(["r0", "r1"]);
  });

  it("says of each node which layer it is a part of", () => {
    const graph = layer({ kind: "RNN" });
    const { layers, graph: plain } = unrolled(graph);
    const parts = plain.nodes.filter(({ outputs }) => layers.has(outputs[0]));
    expect(parts).toHaveLength(plain.nodes.length - 1);
    expect(new Set(layers.values())).toEqual(new Set([graph.nodes[1]]));
  });
});

test("layers are unrolled one after another, with the lengths that the ones before them give", async () => {
  const net = new TestNetwork();
  const sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
  const first = net.node("GRU", [sequence, net.weight("w", [1, 15, width], 1), net.weight("r", [1, 15, 5])], {
    hidden_size: 5,
  });
  const states = net.node("Squeeze", [first, net.ints([1])]);
  const half = net.node("Slice", [states, net.ints([0]), net.ints([2]), net.ints([0])]);
  const second = net.node("RNN", [half, net.weight("w2", [1, 2, 5], 1), net.weight("r2", [1, 2, 2])], {
    hidden_size: 2,
  });
  const graph = net.graph([length, width], [second]);
  const ours = unrolled(graph);
  expect(ours.obstacles.size).toBe(0);
  requireClose(await run(ours.graph, samples()), await run(graph, samples()));
});

it("unrolls no more than so many positions in all", () => {
  const net = new TestNetwork();
  let sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
  const names = [0, 1, 2, 3, 4].map((index) => {
    const weights = [net.weight(`w${index}`, [1, 3, index === 0 ? 1 : 3]), net.weight(`r${index}`, [1, 3, 3])];
    const states = net.node("RNN", [sequence, ...weights], { hidden_size: 3 });
    sequence = net.node("Squeeze", [states, net.ints([1])]);
    return states;
  });
  const { obstacles, graph } = unrolled(net.graph([500, 1], [sequence]));
  expect([...obstacles]).toEqual([[names[4], "with it recurrent layers have more than 2048 positions in all"]]);
  expect(graph.nodes.filter(({ op }) => op === "RNN")).toHaveLength(1);
});

describe("what cannot be unrolled says why", () => {
  const obstacleOf = (graph: Graph): string => {
    const { obstacles, graph: left } = unrolled(graph);
    expect(left.nodes).toEqual(graph.nodes);
    expect(obstacles.size).toBe(1);
    return [...obstacles.values()][0];
  };
  const changed = (change: (graph: Graph) => Partial<Graph>, each: Case = { kind: "LSTM" }): string => {
    const graph = layer(each);
    return obstacleOf({ ...graph, ...change(graph) });
  };
  const lstm = (attributes: PlainAttributes): string => obstacleOf(layer({ kind: "LSTM", attributes }));

  it.each([
    [/clips/, () => lstm({ clip: attribute.float(1) })],
    [/coupled/, () => lstm({ input_forget: 1 })],
    [/direction is "sideways"/, () => lstm({ direction: "sideways" })],
    [/hidden_size/, () => lstm({ hidden_size: 0 })],
    [
      /activations are Affine, Tanh, Tanh; Sigmoid/,
      () => lstm({ activations: attribute.strings(["Affine", "Tanh", "Tanh"]) }),
    ],
    [/the shape \[1, 20, 3\], not \[1, 24, 3\]/, () => lstm({ hidden_size: 6 })],
    [
      /tensor h0 has the shape \[2, 1, 5\], not \[1, 1, 5\]/,
      () =>
        changed(
          ({ initializers }) => ({
            initializers: new Map(initializers).set("h0", normalTensor("h0", [2, 1, 5])),
          }),
          { kind: "GRU", state: "given" },
        ),
    ],
    [
      /lacks a tensor of the shape \[1, 20, 3\]/,
      () =>
        changed(({ nodes }) => ({
          nodes: nodes.map((node) => (node.op === "LSTM" ? { ...node, inputs: node.inputs.slice(0, 1) } : node)),
        })),
    ],
    [
      /same for both directions/,
      () => {
        const activations = attribute.strings(["Tanh", "Relu"]);
        return obstacleOf(layer({ kind: "RNN", attributes: { direction: "bidirectional", activations } }));
      },
    ],
    [
      /lengths of their own/,
      () =>
        changed(({ nodes, initializers }) => ({
          initializers: new Map([...initializers, ["lengths", intTensor([1, 2])]]),
          nodes: nodes.map((node) => (node.op === "LSTM" ? { ...node, inputs: node.inputs.with(4, "lengths") } : node)),
        })),
    ],
    [
      /run along the first axis/,
      () =>
        changed(({ nodes }) => ({
          nodes: nodes.slice(1).map((node) => ({ ...node, inputs: node.inputs.with(0, "x") })),
        })),
    ],
    [/1 to 512 positions can be trained, not of 513/, () => obstacleOf(layer({ kind: "RNN", length: 513 }))],
    [/activation_alpha/, () => lstm({ activation_alpha: attribute.floats([0.1, 0, 0]) })],
    [
      /what it reads is not known: .*Unheard/,
      () =>
        changed(({ nodes }) => ({
          nodes: nodes.map((node) => (node.op === "Transpose" ? { ...node, op: "Unheard" } : node)),
        })),
    ],
  ])("%s", (wanted, obstacle) => {
    expect(obstacle()).toMatch(wanted);
  });
});
