import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { checkGraph } from "../../src/graph/check.js";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { openSerialized } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const { int, ints, float, floats, string, strings, tensor } = attribute;

interface Case {
  readonly opset: number;
  readonly op: string;
  readonly attributes?: Attributes;
  /** The first is the graph's input, the others initializers. */
  readonly inputs?: readonly (Tensor | undefined)[];
  readonly outputs?: number;
  /** Operators that the upgraded graph has. */
  readonly becomes?: readonly string[];
  /** The graph leaves the input's number of axes open. */
  readonly open?: boolean;
}

const picture = normalTensor("picture", [2, 4, 3, 4]);
const channels = (name: string) => normalTensor(name, [4]);
const positive = floatTensor([0.5, 1, 2, 3]);
const perElement = (name: string, shift = 0) => {
  const { shape, data } = normalTensor(name, [4, 3, 4]);
  return floatTensor(
    data.map((value) => (shift ? Math.abs(value) + shift : value)),
    shape,
  );
};

const cases: Case[] = [
  { opset: 12, op: "Squeeze", attributes: { axes: ints([1]) }, inputs: [normalTensor("s", [2, 1, 3])] },
  { opset: 12, op: "Squeeze", inputs: [normalTensor("s", [2, 1, 3])] },
  { opset: 11, op: "Unsqueeze", attributes: { axes: ints([0, -1]) } },
  { opset: 12, op: "ReduceSum", attributes: { axes: ints([1, 2]), keepdims: int(0) } },
  { opset: 9, op: "ReduceSum" },
  ...[
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "ReduceLogSumExp",
  ].map((op): Case => ({ opset: 17, op, attributes: { axes: ints([-1]), keepdims: int(0) } })),
  { opset: 13, op: "ReduceMean" },
  { opset: 9, op: "Slice", attributes: { starts: ints([1, -3]), ends: ints([2 ** 63, -1]), axes: ints([1, 3]) } },
  { opset: 7, op: "Slice", attributes: { starts: ints([1, 0]), ends: ints([9, 2]) } },
  { opset: 10, op: "Slice", inputs: [picture, intTensor([1]), intTensor([3]), intTensor([1])] },
  { opset: 7, op: "Clip", attributes: { min: float(-0.5), max: float(0.25) } },
  { opset: 10, op: "Clip", attributes: { min: float(0) } },
  { opset: 10, op: "Clip", attributes: { max: float(0) } },
  { opset: 10, op: "Clip" },
  { opset: 10, op: "Pad", attributes: { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), value: float(0.5) } },
  { opset: 7, op: "Pad", attributes: { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]) } },
  { opset: 10, op: "Pad", attributes: { pads: ints([0, 0, 1, 2, 0, 0, 0, 1]), mode: string("reflect") } },
  { opset: 11, op: "Dropout", attributes: { ratio: float(0.3) } },
  { opset: 7, op: "Dropout", attributes: { ratio: float(0.3) } },
  { opset: 11, op: "Split", attributes: { split: ints([1, 3]), axis: int(1) }, outputs: 2 },
  { opset: 12, op: "Split", attributes: { axis: int(1) }, outputs: 2 },
  { opset: 13, op: "Split", attributes: { axis: int(3) }, outputs: 4 },
  { opset: 17, op: "Split", attributes: { axis: int(1) }, inputs: [picture, intTensor([3, 1])], outputs: 2 },
  { opset: 7, op: "Upsample", attributes: { scales: floats([1, 1, 2, 3]) }, becomes: ["Resize"] },
  { opset: 9, op: "Upsample", inputs: [picture, floatTensor([1, 1, 2, 2])], becomes: ["Resize"] },
  { opset: 9, op: "Upsample", attributes: { mode: string("linear") }, inputs: [picture, floatTensor([1, 1, 2, 3])] },
  { opset: 10, op: "Resize", inputs: [picture, floatTensor([1, 1, 2, 1.5])] },
  { opset: 10, op: "Resize", inputs: [normalTensor("r", [1, 1, 6, 8]), floatTensor([1, 1, 0.5, 0.4])] },
  { opset: 10, op: "Resize", attributes: { mode: string("linear") }, inputs: [picture, floatTensor([1, 1, 2, 3])] },
  {
    opset: 11,
    op: "Resize",
    attributes: { coordinate_transformation_mode: string("tf_half_pixel_for_nn"), nearest_mode: string("floor") },
    inputs: [picture, floatTensor([]), floatTensor([1, 1, 1.5, 2.5])],
  },
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((op): Case[] => [
    { opset: 12, op, becomes: ["Flatten", op, "Shape", "Reshape"] },
    { opset: 11, op, attributes: { axis: int(-1) }, becomes: [op] },
    { opset: 11, op, attributes: { axis: int(2) }, becomes: ["Flatten", op, "Shape", "Reshape"] },
    { opset: 7, op, inputs: [normalTensor("m", [3, 5])], becomes: [op] },
    { opset: 7, op, inputs: [normalTensor("m", [3, 5])], open: true, becomes: ["Flatten", op, "Shape", "Reshape"] },
    { opset: 13, op, becomes: [op] },
  ]),
  {
    opset: 7,
    op: "BatchNormalization",
    attributes: { spatial: int(1), epsilon: float(1e-3) },
    inputs: [picture, channels("scale"), channels("bias"), channels("mean"), positive],
    becomes: ["BatchNormalization"],
  },
  {
    opset: 8,
    op: "BatchNormalization",
    attributes: { spatial: int(0) },
    inputs: [picture, perElement("scale"), perElement("bias"), perElement("mean"), perElement("variance", 0.5)],
    becomes: ["Sub", "Add", "Sqrt", "Div", "Mul", "Add"],
  },
  {
    opset: 9,
    op: "BatchNormalization",
    inputs: [picture, channels("scale"), channels("bias"), channels("mean"), positive],
  },
  { opset: 7, op: "Gemm", inputs: [normalTensor("a", [2, 3]), normalTensor("b", [3, 4]), channels("c")] },
  { opset: 11, op: "Gemm", inputs: [normalTensor("a", [2, 3]), normalTensor("b", [3, 4])] },
  { opset: 7, op: "Reshape", inputs: [picture, intTensor([0, -1])] },
  { opset: 8, op: "Cast", attributes: { to: int(6) } },
  { opset: 7, op: "Sum", inputs: [channels("a"), channels("b"), channels("c")] },
  { opset: 8, op: "Max", inputs: [picture, channels("b")] },
  { opset: 7, op: "Flatten", attributes: { axis: int(2) } },
  { opset: 7, op: "PRelu", inputs: [picture, normalTensor("slope", [4, 1, 1])] },
  {
    opset: 9,
    op: "Scatter",
    inputs: [normalTensor("d", [2, 3]), intTensor([1, 0], [1, 2]), floatTensor([7, 8], [1, 2])],
    becomes: ["ScatterElements"],
  },
];

function graphOf({ op, attributes = {}, inputs = [picture], outputs = 1, open }: Case): Graph {
  const [x, ...others] = inputs;
  const names = others.map((other, index) => (other ? `i${index}` : ""));
  const node: Node = {
    op,
    domain: "",
    name: "node",
    inputs: ["x", ...names],
    outputs: Array.from({ length: outputs }, (_, index) => `y${index}`),
    attributes,
  };
  const { type, shape } = x as Tensor;
  return {
    name: op,
    inputs: [{ name: "x", type, shape: open ? null : shape }],
    outputs: node.outputs.map((name) => ({ name, type: op === "Cast" ? "int32" : "float32", shape: null })),
    initializers: new Map(others.flatMap((other, index) => (other ? [[names[index], other] as const] : []))),
    nodes: [node],
  };
}

async function run(graph: Graph, opset: number, x: Tensor): Promise<Record<string, Tensor>> {
  const session = await openSerialized(serializeGraph(graph, opset), { threads: 1 });
  const result = { ...(await session.run({ x })) };
  await session.release();
  return result;
}

function expectClose(got: Float32Array, wanted: Float32Array): void {
  expect(got.length).toBe(wanted.length);
  for (const [index, value] of got.entries()) expect(value).toBeCloseTo(wanted[index], 5);
}

describe("upgradeGraph", () => {
  it.each(cases.map((one) => [`${one.op}-${one.opset} ${JSON.stringify(one.attributes ?? {})}`, one] as const))(
    "%s",
    async (_, one) => {
      const graph = graphOf(one);
      const upgraded = upgradeGraph(graph, one.opset);
      expect(checkGraph(upgraded)).toEqual([]);
      if (one.becomes) expect(upgraded.nodes.map(({ op }) => op)).toEqual(one.becomes);
      const x = (one.inputs?.[0] ?? picture) as Tensor;
      const before = await run(graph, one.opset, x);
      const after = await run(upgraded, pinnedOpset, x);
      for (const name of Object.keys(before)) {
        expect(after[name].shape).toEqual(before[name].shape);
        const [got, wanted] = [after[name].data, before[name].data] as Float32Array[];
        expect(got.length).toBe(wanted.length);
        got.forEach((value, index) => expect(value).toBeCloseTo(wanted[index], 5));
      }
    },
  );

  it("says the shorthands of Constant as tensors", () => {
    const forms: [Attributes, Tensor][] = [
      [{ value_float: float(2) }, floatTensor([2], [])],
      [{ value_floats: floats([1, 2]) }, floatTensor([1, 2])],
      [{ value_int: int(3) }, intTensor([3], [])],
      [{ value_ints: ints([4, -1]) }, intTensor([4, -1])],
      [{ value_string: string("a") }, { type: "string", shape: [], data: ["a"] }],
      [{ value_strings: strings(["a", "b"]) }, { type: "string", shape: [2], data: ["a", "b"] }],
      [{ value: tensor(floatTensor([5])) }, floatTensor([5])],
    ];
    for (const [attributes, wanted] of forms) {
      const graph = graphOf({ opset: 20, op: "Constant", attributes });
      const { nodes } = upgradeGraph({ ...graph, nodes: [{ ...graph.nodes[0], inputs: [] }] }, 20);
      expect(nodes[0].attributes).toEqual({ value: tensor(wanted) });
    }
  });

  it("gives bounds in the type of what they bound", () => {
    const graph = graphOf({ opset: 10, op: "Clip", attributes: { min: float(-1), max: float(1) } });
    const half: Graph = {
      ...graph,
      nodes: [
        { ...graph.nodes[0], op: "Cast", outputs: ["half"], attributes: { to: int(10) } },
        { ...graph.nodes[0], inputs: ["half"] },
      ],
    };
    const { initializers } = upgradeGraph(half, 10);
    expect(initializers).toEqual(
      new Map([
        ["y0/min", { type: "float16", shape: [], data: Uint16Array.of(0xbc00) }],
        ["y0/max", { type: "float16", shape: [], data: Uint16Array.of(0x3c00) }],
      ]),
    );
  });

  it("drops outputs of a training BatchNormalization that no longer exist, unless something reads them", () => {
    const graph = graphOf({
      opset: 9,
      op: "BatchNormalization",
      inputs: [picture, positive, positive, positive, positive],
      outputs: 5,
    });
    const unread: Graph = { ...graph, outputs: graph.outputs.slice(0, 1) };
    const { nodes } = upgradeGraph(unread, 9);
    expect(nodes[0].outputs).toEqual(["y0", "y1", "y2"]);
    expect(nodes[0].attributes).toEqual({ training_mode: int(1) });
    expect(() => upgradeGraph(graph, 9)).toThrow(UserError);
  });

  it("says Swish in sigmoids", async () => {
    const graph = upgradeGraph(graphOf({ opset: 24, op: "Swish", attributes: { alpha: float(2) } }), 24);
    const { y0 } = await run(graph, pinnedOpset, picture);
    const wanted = picture.data.map((x) => x / (1 + Math.exp(-2 * x)));
    expectClose(y0.data as Float32Array, wanted);
  });

  it("leaves other domains, unknown operators and taken names alone", () => {
    const base = graphOf({
      opset: 12,
      op: "Squeeze",
      attributes: { axes: ints([1]) },
      inputs: [normalTensor("s", [2, 1, 3]), channels("other")],
    });
    const graph: Graph = {
      ...base,
      initializers: new Map([["y0/axes", channels("other")]]),
      nodes: [
        { ...base.nodes[0], inputs: ["x"] },
        { ...base.nodes[0], inputs: ["y0"], outputs: ["z"], domain: "other" },
        { ...base.nodes[0], inputs: ["z"], outputs: ["w"], op: "toString" },
      ],
    };
    const { nodes } = upgradeGraph(graph, 12);
    expect(nodes[0].inputs).toEqual(["x", "y0/axes_2"]);
    expect(nodes.slice(1)).toEqual(graph.nodes.slice(1));
  });
});
