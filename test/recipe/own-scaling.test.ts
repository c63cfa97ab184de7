import { expect, it } from "vitest";
import { floatTensor, numbersOf, sizeOf } from "../../src/graph/tensor.js";
import { networkOnStandardised, ownScalingNote, readingFor } from "../../src/library/reading-for.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { ownScaling } from "../../src/recipe/own-scaling.js";
import { openSession } from "../../src/runtime/node.js";
import { TestNetwork } from "../support/write-network.js";

const pictures = [3, 8, 8] as const;
const network = (shape: readonly number[], front: (net: TestNetwork, x: string) => string) => {
  const net = new TestNetwork();
  const scaled = front(net, "x");
  const layer =
    shape.length === 3
      ? net.node("Conv", [scaled, net.weight("w", [4, 3, 3, 3])])
      : net.node("MatMul", [scaled, net.weight("w", [shape[0], 4])]);
  return analyzeNetwork(net.graph(shape, [layer]), { where: "model.onnx", constants: new Set(["means"]) });
};

async function outputOf(
  { graph }: Network,
  input: string,
  data: Float32Array,
  shape: readonly number[],
): Promise<number[]> {
  const inputs = graph.inputs.filter(({ name }) => name === input);
  const session = await openSession({ ...graph, inputs }, { threads: 1 });
  try {
    return numbersOf((await session.run({ [input]: floatTensor(data, [1, ...shape]) }))[graph.outputs[0].name]);
  } finally {
    await session.release();
  }
}

/** What was measured on pictures of three channels. */
const normalisation = {
  name: "standard",
  scale: [1 / 64, 1 / 64, 1 / 32],
  offset: [-2, -1, -3],
  low: [0, 0, 0],
  high: [255, 255, 255],
};

interface Case {
  readonly does: string;
  readonly shape: readonly number[];
  readonly front: (net: TestNetwork, x: string) => string;
  /** Scale and offset. */
  readonly found?: readonly [number, number];
  readonly taken?: "none" | "unit";
}

it.each<Case>([
  { does: "nothing", shape: pictures, front: (_, x) => x },
  {
    // As PyTorch's dynamo exporter asks for the size of the batch.
    does: "x / 255, beside what asks for its shape",
    shape: pictures,
    front: (net, x) => {
      const size = net.node("Squeeze", [net.node("Shape", [x], { start: 0, end: 1 })]);
      const scaled = net.node("Div", [x, net.number(255)]);
      const shape = net.node("Concat", [net.node("Reshape", [size, net.ints([-1])]), net.ints([3, 8, 8])], { axis: 0 });
      return net.node("Reshape", [scaled, shape]);
    },
    found: [1 / 255, 0],
    taken: "none",
  },
  {
    does: "x / 255",
    shape: pictures,
    front: (net, x) => net.node("Div", [x, net.number(255)]),
    found: [1 / 255, 0],
    taken: "none",
  },
  {
    does: "x / 127.5 − 1 behind a transposition",
    shape: pictures,
    front: (net, x) => {
      const first = net.node("Transpose", [net.node("Transpose", [x], { perm: [0, 2, 3, 1] })], { perm: [0, 3, 1, 2] });
      return net.node("Sub", [net.node("Div", [first, net.number(127.5)]), net.number(1)]);
    },
    found: [1 / 127.5, -1],
    taken: "none",
  },
  {
    does: "x − 110",
    shape: pictures,
    front: (net, x) => net.node("Sub", [x, net.number(110)]),
    found: [1, -110],
    taken: "none",
  },
  {
    does: "(x − 0.5) / 0.25, which pictures from 0 to 1 are for,",
    shape: pictures,
    front: (net, x) => net.node("Div", [net.node("Sub", [x, net.number(0.5)]), net.number(0.25)]),
    found: [4, -2],
    taken: "unit",
  },
  {
    does: "1 − x",
    shape: pictures,
    front: (net, x) => net.node("Sub", [net.number(1), x]),
    found: [-1, 1],
    taken: "unit",
  },
  {
    // As PyTorch's exporter writes it where it is not to optimise.
    does: "x − means[:, None, None], times float(2)",
    shape: pictures,
    front: (net, x) => {
      const means = net.node("Unsqueeze", [net.filled("means", [3], 110), net.ints([1, 2])]);
      return net.node("Mul", [net.node("Sub", [x, means]), net.node("Cast", [net.number(2)], { to: 1 })]);
    },
    found: [2, -220],
    taken: "none",
  },
  {
    does: "a shift by what headstart does not know",
    shape: pictures,
    front: (net, x) => net.node("Add", [x, net.node("Unknown", [net.number(2)])]),
  },
  {
    does: "a shift that is made of a learned one",
    shape: pictures,
    front: (net, x) => net.node("Add", [x, net.node("Unsqueeze", [net.weight("b", [3]), net.ints([1, 2])])]),
  },
  {
    does: "2 x of a table's columns",
    shape: [5],
    front: (net, x) => net.node("Mul", [x, net.number(2)]),
    found: [2, 0],
  },
  { does: "a learned shift", shape: pictures, front: (net, x) => net.node("Add", [x, net.weight("b", [3, 1, 1])]) },
  {
    does: "an encoding of positions",
    shape: pictures,
    front: (net, x) => net.node("Add", [x, net.filled("positions", [1, 8, 8], 2)]),
  },
  { does: "1 / x", shape: pictures, front: (net, x) => net.node("Div", [net.number(1), x]) },
])("$does in front of the first layer", ({ shape, front, found: wanted, taken }) => {
  const own = network(shape, front);
  const found = ownScaling(own);
  expect(found && [found.scale, found.offset]).toEqual(wanted?.map((number) => expect.closeTo(number, 5)));
  expect(readingFor(own)).toEqual({
    ...(shape.length === 1 ? {} : { layout: "NCHW" }),
    ...(wanted && shape.length < 3 ? { normalise: "none" } : {}),
  });
  expect(networkOnStandardised(own, { normalisation }).normalisation).toBe(taken);
});

it("says what the network does, and how it is met", () => {
  const own = network(pictures, (net, x) => net.node("Div", [x, net.number(255)]));
  expect(ownScalingNote(own, undefined)).toMatch(
    /to about 0\.00392 x \+ 0\.00, so it is given samples as they are stored/,
  );
  expect(ownScalingNote(own, "standard")).toMatch(/after the normalisation that was asked for/);
  expect(
    ownScalingNote(
      network(pictures, (_, x) => x),
      undefined,
    ),
  ).toBeUndefined();
});

it("gives a network that begins at a tensor inside the model what the model computes there", async () => {
  const signal = { channels: 3, length: 2, layout: "NHWC" };
  for (const [shape, layout] of [[[2, 3], "NHWC"] as const, [[3], undefined] as const, [[3, 8, 8], "NCHW"] as const]) {
    const net = new TestNetwork();
    const inside = net.node("Sqrt", ["x"]);
    const layer = net.node("MatMul", [inside, net.weight("w", [shape[shape.length - 1], 4])]);
    const begun = analyzeNetwork(net.graph(shape, [layer]), {
      where: "inside.onnx",
      input: inside,
      sampleShape: shape,
    });
    expect(readingFor(begun)).toEqual(layout ? { layout } : {});
    expect(ownScalingNote(begun, undefined)).toMatch(/inside the model.*not normalised/);
    const read = { normalisation, ...(layout === "NHWC" ? { signal } : {}) };
    const { network: whole, record } = networkOnStandardised(begun, read);
    expect(record.normalisation).toMatchObject({ name: "none", scale: [1, 1, 1], offset: [0, 0, 0] });
    const raw = Float32Array.from({ length: sizeOf(shape) }, (_, index) => (index * 37) % 256);
    const channel = (index: number): number => (layout === "NHWC" ? index % 3 : Math.floor((index * 3) / raw.length));
    const z = raw.map(
      (value, index) => value * normalisation.scale[channel(index)] + normalisation.offset[channel(index)],
    );
    const wanted = await outputOf(begun, inside, raw, shape);
    const got = await outputOf(whole, inside, z, shape);
    for (const [index, number] of got.entries()) expect(number).toBeCloseTo(wanted[index], 3);
  }
  const whole = network(pictures, (net, x) => net.node("Sqrt", [x]));
  expect(networkOnStandardised(whole, { normalisation }).network).toBe(whole);
});

it("undoes the data's normalisation in front of the network, channel by channel", async () => {
  const plain = network(pictures, (net, x) =>
    net.node("Div", [net.node("Sub", [x, net.number(0.5)]), net.number(0.25)]),
  );
  const { network: whole, record } = networkOnStandardised(plain, { normalisation });
  expect(whole.parameters).toBe(plain.parameters);
  expect(record.normalisation).toMatchObject({ name: "unit", scale: [1 / 255, 1 / 255, 1 / 255], offset: [0, 0, 0] });
  // Stored pictures raw, standardised ones z, and those from 0 to 1.
  const raw = Float32Array.from({ length: 192 }, (_, index) => (index * 37) % 256);
  const channel = (index: number): number => Math.floor(index / 64);
  const z = raw.map(
    (value, index) => value * normalisation.scale[channel(index)] + normalisation.offset[channel(index)],
  );
  const wanted = await outputOf(
    plain,
    "x",
    raw.map((value) => value / 255),
    pictures,
  );
  const got = await outputOf(whole, "x", z, pictures);
  for (const [index, number] of got.entries()) expect(number).toBeCloseTo(wanted[index], 4);
  // What headstart knows of the nodes holds for the new ones.
  expect(whole.consumers.get("x")).toEqual([whole.graph.nodes[0]]);
  for (const node of whole.graph.nodes) expect(whole.producers.get(node.outputs[0])).toBe(node);
  for (const { node } of whole.layers) expect(whole.graph.nodes).toContain(node);
});
