import { describe, expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { checkGraph } from "../../src/graph/check.js";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { floatTensor, intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { openSerialized } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const { float, floats, int, ints, string, strings, tensor } = attribute;

interface Case {
  readonly title: string;
  readonly opset: number;
  readonly op: string;
  readonly x?: readonly number[];
  readonly attributes?: Attributes;
  /** The inputs behind x. */
  readonly constants?: readonly Tensor[];
  readonly outputCount?: number;
  /** Operators of the upgraded graph. */
  readonly ops?: readonly string[];
  /** The graph does not say how many axes the input and the outputs have. */
  readonly hidesRank?: boolean;
}

function graphOf({ op, x = [2, 3, 4], attributes = {}, constants = [], outputCount = 1, hidesRank }: Case): Graph {
  const outputs = Array.from({ length: outputCount }, (_, index) => `y${index}`);
  const initializers = new Map(constants.map((constant, index) => [`c${index}`, constant]));
  const inputs = op === "Constant" ? [] : ["x", ...initializers.keys()];
  return {
    name: "old",
    inputs: [{ name: "x", type: "float32", shape: hidesRank ? null : x }],
    outputs: outputs.map((name) => ({ name, type: "float32", shape: null })),
    initializers,
    nodes: [{ op, domain: "", name: "node", inputs, outputs, attributes }],
  };
}

async function run(graph: Graph, opset: number, x: Tensor): Promise<Record<string, Tensor>> {
  const session = await openSerialized(serializeGraph(graph, opset), { threads: 1 });
  try {
    return await session.run({ x });
  } finally {
    await session.release();
  }
}

const cases: readonly Case[] = [
  { title: "Squeeze 11", opset: 11, op: "Squeeze", x: [2, 1, 3, 1], attributes: { axes: ints([1]) } },
  { title: "Squeeze 11 of all axes", opset: 11, op: "Squeeze", x: [2, 1, 3, 1] },
  { title: "Unsqueeze 8", opset: 8, op: "Unsqueeze", attributes: { axes: ints([0, 4]) } },
  { title: "ReduceSum 12", opset: 12, op: "ReduceSum", attributes: { axes: ints([-1]), keepdims: int(0) } },
  { title: "ReduceSum 12 of all axes", opset: 12, op: "ReduceSum" },
  { title: "ReduceSum 13", opset: 13, op: "ReduceSum", constants: [intTensor([1])] },
  ...["Mean", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"].map((kind) => ({
    title: `Reduce${kind} 17`,
    opset: 17,
    op: `Reduce${kind}`,
    attributes: { axes: ints([0, 2]) },
  })),
  {
    title: "Slice 9",
    opset: 9,
    op: "Slice",
    attributes: { starts: ints([1, -3]), ends: ints([2 ** 63, -1]), axes: ints([1, 2]) },
  },
  { title: "Slice 9 without axes", opset: 9, op: "Slice", attributes: { starts: ints([1]), ends: ints([2]) } },
  {
    title: "Slice 10",
    opset: 10,
    op: "Slice",
    constants: [intTensor([3]), intTensor([0]), intTensor([2]), intTensor([-2])],
  },
  { title: "Clip 10", opset: 10, op: "Clip", attributes: { min: float(-0.5), max: float(0.25) } },
  { title: "Clip 10 from above", opset: 10, op: "Clip", attributes: { max: float(0) } },
  { title: "Clip 7 without bounds", opset: 7, op: "Clip" },
  { title: "Pad 10", opset: 10, op: "Pad", attributes: { pads: ints([0, 1, 0, 0, 0, 2]) } },
  {
    title: "Pad 10 with a value",
    opset: 10,
    op: "Pad",
    attributes: { pads: ints([0, 1, 0, 0, -1, 2]), value: float(7), mode: string("constant") },
  },
  {
    title: "Pad 10 by reflection",
    opset: 10,
    op: "Pad",
    attributes: { pads: ints([0, 1, 0, 0, 0, 2]), mode: string("reflect"), value: float(0) },
  },
  { title: "Dropout 7", opset: 7, op: "Dropout", attributes: { ratio: float(0.3) } },
  { title: "Dropout 10 without a ratio", opset: 10, op: "Dropout" },
  { title: "Split 11", opset: 11, op: "Split", outputCount: 2, attributes: { axis: int(2), split: ints([1, 3]) } },
  { title: "Split 11 in equal parts", opset: 11, op: "Split", outputCount: 2, attributes: { axis: int(2) } },
  {
    title: "Split 13",
    opset: 13,
    op: "Split",
    outputCount: 2,
    attributes: { axis: int(1) },
    constants: [intTensor([2, 1])],
  },
  { title: "Split 17 in equal parts", opset: 17, op: "Split", outputCount: 3, attributes: { axis: int(1) } },
  ...(["nearest", "linear"] as const).flatMap((mode): Case[] => {
    const x = [1, 2, 3, 4];
    const attributes = { mode: string(mode) };
    return [
      {
        title: `Upsample 7 ${mode}`,
        opset: 7,
        op: "Upsample",
        x,
        attributes: { ...attributes, scales: floats([1, 1, 2, 1.5]) },
      },
      {
        title: `Upsample 9 ${mode}`,
        opset: 9,
        op: "Upsample",
        x,
        attributes,
        constants: [floatTensor([1, 1, 1.3, 2])],
      },
      { title: `Resize 10 ${mode}`, opset: 10, op: "Resize", x, attributes, constants: [floatTensor([1, 1, 3, 2.5])] },
      {
        title: `Resize 10 ${mode}, smaller`,
        opset: 10,
        op: "Resize",
        x: [1, 2, 7, 9],
        attributes,
        constants: [floatTensor([1, 1, 0.6, 0.4])],
      },
    ];
  }),
  {
    title: "Resize 10 nearest, larger and smaller",
    opset: 10,
    op: "Resize",
    x: [1, 2, 5, 7],
    attributes: { mode: string("nearest") },
    constants: [floatTensor([1, 1, 1.7, 0.6])],
    ops: ["Resize", "Resize"],
  },
  ...[1, 2, 1.5, 0.4].map((scale) => ({
    title: `Resize 12, TensorFlow's nearest by ${scale}`,
    opset: 12,
    op: "Resize",
    x: [1, 2, 5, 4],
    attributes: {
      mode: string("nearest"),
      nearest_mode: string("floor"),
      coordinate_transformation_mode: string("tf_half_pixel_for_nn"),
    },
    constants: [floatTensor([]), floatTensor([1, 1, scale, 1])],
  })),
  { title: "Swish 24", opset: 24, op: "Swish", ops: ["Sigmoid", "Mul"] },
  {
    title: "Swish 24 with a factor",
    opset: 24,
    op: "Swish",
    attributes: { alpha: float(0.7) },
    ops: ["Mul", "Sigmoid", "Mul"],
  },
  {
    title: "Resize 11",
    opset: 11,
    op: "Resize",
    x: [1, 2, 3, 4],
    attributes: { mode: string("linear") },
    constants: [floatTensor([]), floatTensor([1, 1, 2, 2])],
    ops: ["Resize"],
  },
  ...["Softmax", "LogSoftmax"].flatMap((op): Case[] => [
    { title: `${op} 11 of a matrix`, opset: 11, op, x: [3, 4], ops: [op] },
    { title: `${op} 11`, opset: 11, op, ops: ["Shape", "Flatten", op, "Reshape"] },
    {
      title: `${op} 7 of axis 0`,
      opset: 7,
      op,
      attributes: { axis: int(0) },
      ops: ["Shape", "Flatten", op, "Reshape"],
    },
    {
      title: `${op} 11 of axis -2`,
      opset: 11,
      op,
      attributes: { axis: int(-2) },
      ops: ["Shape", "Flatten", op, "Reshape"],
    },
    { title: `${op} 12 of the last axis`, opset: 12, op, attributes: { axis: int(2) }, ops: [op] },
    {
      title: `${op} 12 of axis -1, rank unknown`,
      opset: 12,
      op,
      attributes: { axis: int(-1) },
      hidesRank: true,
      ops: [op],
    },
    { title: `${op} 11, rank unknown`, opset: 11, op, hidesRank: true, ops: ["Shape", "Flatten", op, "Reshape"] },
    { title: `${op} 13`, opset: 13, op, attributes: { axis: int(1) }, ops: [op] },
    { title: `${op} 13 of the default axis`, opset: 13, op, ops: [op] },
  ]),
  {
    title: "BatchNormalization 7",
    opset: 7,
    op: "BatchNormalization",
    attributes: { epsilon: float(0.1) },
    constants: [floatTensor([1, 2, 3]), floatTensor([0, 1, -1]), floatTensor([0.5, 0, 1]), floatTensor([1, 2, 0.3])],
  },
  {
    title: "BatchNormalization 8, spatial",
    opset: 8,
    op: "BatchNormalization",
    attributes: { spatial: int(1), momentum: float(0.8) },
    constants: [floatTensor([1, 2, 3]), floatTensor([0, 1, -1]), floatTensor([0.5, 0, 1]), floatTensor([1, 2, 0.3])],
  },
  {
    title: "Scatter 10",
    opset: 10,
    op: "Scatter",
    x: [3, 2],
    attributes: { axis: int(0) },
    constants: [intTensor([2, 0], [1, 2]), floatTensor([8, 9], [1, 2])],
    ops: ["ScatterElements"],
  },
  { title: "Constant 12, float", opset: 12, op: "Constant", attributes: { value_float: float(0.5) } },
  { title: "Constant 13, floats", opset: 13, op: "Constant", attributes: { value_floats: floats([1, 2]) } },
  { title: "Constant 9, tensor", opset: 9, op: "Constant", attributes: { value: tensor(floatTensor([1, 2], [1, 2])) } },
  ...["MaxPool", "AveragePool"].map((op) => ({
    title: `${op} 7`,
    opset: 7,
    op,
    x: [1, 2, 5],
    attributes: { kernel_shape: ints([2]), strides: ints([2]) },
  })),
  {
    title: "Gemm 7",
    opset: 7,
    op: "Gemm",
    x: [2, 3],
    constants: [normalTensor("w", [3, 4]), floatTensor([1, 2, 3, 4])],
  },
  { title: "PRelu 7", opset: 7, op: "PRelu", constants: [floatTensor([0.1, 0.2, 0.3], [3, 1])] },
  { title: "Flatten 8", opset: 8, op: "Flatten", attributes: { axis: int(2) } },
  { title: "Cast 9", opset: 9, op: "Cast", attributes: { to: int(1) } },
  { title: "Sum 7", opset: 7, op: "Sum", constants: [normalTensor("sum", [2, 3, 4])] },
];

describe("upgradeGraph", () => {
  it.each(cases)("keeps what $title computes", async (testCase) => {
    const graph = graphOf(testCase);
    const upgraded = upgradeGraph(graph, testCase.opset);
    expect(checkGraph(upgraded)).toEqual([]);
    if (testCase.ops) expect(upgraded.nodes.map(({ op }) => op)).toEqual(testCase.ops);
    // Away from 0, so that logarithms of sums exist.
    const shift = testCase.op === "ReduceLogSum" ? 10 : 0;
    const x = normalTensor("x", testCase.x ?? [2, 3, 4], 1, shift);
    const expected = await run(graph, testCase.opset, x);
    const actual = await run(upgraded, pinnedOpset, x);
    expect(Object.keys(actual)).toEqual(Object.keys(expected));
    for (const [name, { shape, data }] of Object.entries(expected)) {
      expect([...actual[name].shape]).toEqual([...shape]);
      numbersOf(actual[name]).forEach((element, index) => {
        expect(element).toBeCloseTo(Number((data as Float32Array)[index]), 5);
      });
    }
  });

  it.each([
    ["value_int", int(3), intTensor([3], [])],
    ["value_ints", ints([1, -2]), intTensor([1, -2])],
    ["value_string", string("a"), { type: "string", shape: [], data: ["a"] }],
    ["value_strings", strings(["a", "b"]), { type: "string", shape: [2], data: ["a", "b"] }],
  ] as const)("makes a tensor of a Constant's %s", (name, given, expected) => {
    const graph = graphOf({ title: "", opset: 13, op: "Constant", attributes: { [name]: given } });
    expect(upgradeGraph(graph, 13).nodes[0].attributes).toEqual({ value: tensor(expected as Tensor) });
  });

  it("keeps ONNX's largest int64", () => {
    const attributes = { starts: ints([0]), ends: ints([2 ** 63]) };
    const { initializers } = upgradeGraph(graphOf({ title: "", opset: 9, op: "Slice", attributes }), 9);
    expect(initializers.get("upgrade/y0/ends")?.data).toEqual(BigInt64Array.of(2n ** 63n - 1n));
  });

  it("takes as many of the largest as TopK's attribute said before 10", async () => {
    const graph = graphOf({ title: "", opset: 9, op: "TopK", outputCount: 2, attributes: { axis: int(1), k: int(2) } });
    const old = { ...graph, outputs: graph.outputs.slice(0, 1) };
    const x = normalTensor("x", [2, 3, 4]);
    const [before, after] = [await run(old, 9, x), await run(upgradeGraph(old, 9), pinnedOpset, x)];
    expect(before.y0.shape).toEqual([2, 2, 4]);
    expect(after.y0).toEqual(before.y0);
  });

  it("drops what only training reads of BatchNormalization", () => {
    const constants = [1, 2, 3, 4].map(() => floatTensor([1, 1, 1]));
    const graph = graphOf({ title: "", opset: 12, op: "BatchNormalization", constants, outputCount: 5 });
    expect(upgradeGraph({ ...graph, outputs: graph.outputs.slice(0, 1) }, 12).nodes[0].outputs).toEqual(["y0"]);
  });

  it("drops attributes of later operator sets that say nothing in float32", () => {
    const cast = graphOf({ title: "", opset: 25, op: "Cast", attributes: { to: int(1), round_mode: string("up") } });
    expect(upgradeGraph(cast, 25).nodes[0].attributes).toEqual({ to: int(1) });
    const attributes = { num_groups: int(1), stash_type: int(1) };
    const group = graphOf({ title: "", opset: 21, op: "GroupNormalization", attributes });
    expect(upgradeGraph(group, 21).nodes[0].attributes).toEqual({ num_groups: int(1) });
  });

  it.each([
    ["Add", { broadcast: int(1), axis: int(1) }, "Add", [3, 1]],
    ["Div", { broadcast: int(1), axis: int(-2) }, "Div", [3, 1]],
    ["Mul", { broadcast: int(1) }, "Mul", undefined],
    ["PRelu", {}, "PRelu", [3, 1]],
  ])("aligns the operands of %s before 7", async (op, attributes, last, aligned) => {
    const size = aligned ? 3 : 4;
    const operand = floatTensor(Array.from({ length: size }, (_, index) => index + 1));
    const upgraded = upgradeGraph(graphOf({ title: "", opset: 6, op, constants: [operand], attributes }), 6);
    expect(upgraded.nodes.at(-1)).toMatchObject({ op: last, attributes: {} });
    const x = normalTensor("x", [2, 3, 4]);
    const { y0 } = await run(upgraded, pinnedOpset, x);
    // The same in today's form.
    const today = graphOf({ title: "", opset: 20, op, constants: [{ ...operand, shape: aligned ?? [4] }] });
    expect(numbersOf(y0)).toEqual(numbersOf((await run(today, pinnedOpset, x)).y0));
  });

  it("drops what operator set 6 said of training and broadcasts", () => {
    const constants = [1, 2, 3, 4].map(() => floatTensor([1, 1, 1]));
    const attributes = { is_test: int(1) };
    const norm = graphOf({ title: "", opset: 6, op: "BatchNormalization", constants, attributes });
    expect(upgradeGraph(norm, 6).nodes[0].attributes).toEqual({});
    const gemm = graphOf({ title: "", opset: 6, op: "Gemm", attributes: { broadcast: int(1), transB: int(1) } });
    expect(upgradeGraph(gemm, 6).nodes[0].attributes).toEqual({ transB: int(1) });
  });

  it("drops SpaceToDepth's mode of 28 where it is the only one of before", () => {
    const modeAfter = (mode: string) => {
      const graph = graphOf({ title: "", opset: 28, op: "SpaceToDepth", attributes: { mode: string(mode) } });
      return upgradeGraph(graph, 28).nodes[0].attributes;
    };
    expect(modeAfter("DCR")).toEqual({});
    expect(modeAfter("CRD")).toEqual({ mode: string("CRD") });
  });

  it("leaves other domains, unknown operators and faulty nodes as they are", () => {
    const node = (op: string, domain: string, attributes: Attributes): Node => {
      return { op, domain, name: op, inputs: ["x"], outputs: [`${domain}${op}`], attributes };
    };
    const nodes = [
      node("Squeeze", "com.microsoft", { axes: ints([0]) }),
      node("Unknown", "", { axes: ints([0]) }),
      node("toString", "", {}),
      node("Upsample", "", {}),
      node("Constant", "", {}),
    ];
    const graph: Graph = { ...graphOf({ title: "", opset: 9, op: "Relu" }), nodes };
    expect(upgradeGraph(graph, 9).nodes).toEqual(nodes);
    expect([...upgradeGraph(graph, 9).initializers]).toEqual([]);
  });

  it("turns CastLike into Cast to the other value's type", async () => {
    const node = (op: string, inputs: string[], output: string, attributes: Attributes = {}): Node => {
      return { op, domain: "", name: output, inputs, outputs: [output], attributes };
    };
    const nodes = [
      node("Shape", ["x"], "shape"),
      node("Equal", ["shape", "shape"], "same"),
      node("Identity", ["x"], "copy"),
      node("CastLike", ["x", "shape"], "whole"),
      node("CastLike", ["x", "same"], "truth"),
      node("CastLike", ["shape", "copy"], "y0"),
    ];
    const graph: Graph = { ...graphOf({ title: "", opset: 18, op: "Relu" }), nodes };
    const cast = upgradeGraph(graph, 18).nodes.slice(3);
    expect(cast.map(({ op, attributes }) => [op, attributes.to])).toEqual([
      ["Cast", int(7)],
      ["Cast", int(9)],
      ["Cast", int(1)],
    ]);
  });

  it.each([
    ["equal parts", intTensor([2], []), 1, [2, 4]],
    ["parts of different lengths", intTensor([1, 2]), 1, [1, 3]],
  ] as const)("takes %s from a sequence by Slice", (_, split, index, [start, end]) => {
    const nodes: Node[] = [
      {
        op: "SplitToSequence",
        domain: "",
        name: "",
        inputs: ["x", "split"],
        outputs: ["parts"],
        attributes: { axis: int(1) },
      },
      { op: "SequenceAt", domain: "", name: "", inputs: ["parts", "index"], outputs: ["y0"], attributes: {} },
    ];
    const initializers = new Map<string, Tensor>([
      ["split", split],
      ["index", intTensor([index], [])],
    ]);
    const upgraded = upgradeGraph({ ...graphOf({ title: "", opset: 18, op: "Relu" }), nodes, initializers }, 18);
    expect(upgraded.nodes[1].op).toBe("Slice");
    const [x, ...bounds] = upgraded.nodes[1].inputs;
    expect(x).toBe("x");
    expect(bounds.map((name) => numbersOf(upgraded.initializers.get(name)!))).toEqual([[start], [end], [1]]);
  });

  it("gives new values names that nothing has", () => {
    const graph = graphOf({ title: "", opset: 11, op: "Squeeze", x: [1, 2], attributes: { axes: ints([0]) } });
    const taken = new Map([["upgrade/y0/axes", floatTensor([1])]]);
    const upgraded = upgradeGraph({ ...graph, initializers: taken }, 11);
    expect(upgraded.nodes[0].inputs).toEqual(["x", "upgrade/y0/axes_2"]);
    expect(upgraded.initializers.get("upgrade/y0/axes")).toBe(taken.get("upgrade/y0/axes"));
  });

  it("leaves a graph of the pinned operator set as it is", () => {
    for (const op of ["Softmax", "Split", "Resize", "Relu"]) {
      const graph = graphOf({ title: "", opset: pinnedOpset, op });
      expect(upgradeGraph(graph, pinnedOpset)).toEqual(graph);
    }
  });
});

/** Where a Softmax of rank 2 stands behind these nodes, it must stay one node: reports and mirrors look for it. */
describe("upgradeGraph's knowledge of ranks", () => {
  const step = (op: string, inputs: string[], output: string, attributes: Attributes = {}): Node => {
    return { op, domain: "", name: "", inputs, outputs: [output], attributes };
  };
  it.each<[string, number, Node[]]>([
    ["Gemm", 2, [step("Gemm", ["x", "w"], "h")]],
    ["Flatten", 4, [step("Flatten", ["x"], "h")]],
    ["Relu and Add", 2, [step("Relu", ["x"], "a"), step("Add", ["a", "w"], "h")]],
    ["MatMul", 2, [step("MatMul", ["x", "w"], "h")]],
    ["Conv and Squeeze", 4, [step("Conv", ["x", "w"], "a"), step("Squeeze", ["a"], "h", { axes: ints([2, 3]) })]],
    ["ReduceMean", 4, [step("ReduceMean", ["x"], "h", { axes: ints([2, 3]), keepdims: int(0) })]],
    [
      "ReduceMean and Unsqueeze",
      2,
      [
        step("ReduceMean", ["x"], "a", { axes: ints([0]), keepdims: int(0) }),
        step("Unsqueeze", ["a"], "h", { axes: ints([0]) }),
      ],
    ],
    ["Reshape", 4, [step("Constant", [], "s", { value_ints: ints([0, -1]) }), step("Reshape", ["x", "s"], "h")]],
    ["Concat", 2, [step("Concat", ["x", "w"], "h", { axis: int(1) })]],
  ])("follows %s", (_, rank, nodes) => {
    const graph: Graph = {
      name: "",
      inputs: [{ name: "x", type: "float32", shape: new Array<null>(rank).fill(null) }],
      outputs: [],
      initializers: new Map([["w", floatTensor([1], [1, 1])]]),
      nodes: [...nodes, step("Softmax", ["h"], "y")],
    };
    const upgraded = upgradeGraph(graph, 12);
    expect(upgraded.nodes.at(-1)).toEqual(step("Softmax", ["h"], "y", { axis: int(-1) }));
  });
});

describe("upgradeGraph of a part of a sequence", () => {
  const parts = (split: Tensor, index: number): Graph => ({
    ...graphOf({ title: "", opset: 18, op: "Relu", x: [2, 7] }),
    initializers: new Map([
      ["split", split],
      ["index", intTensor([index], [])],
    ]),
    nodes: [
      {
        op: "SplitToSequence",
        domain: "",
        name: "",
        inputs: ["x", "split"],
        outputs: ["s"],
        attributes: { axis: int(1) },
      },
      { op: "SequenceAt", domain: "", name: "", inputs: ["s", "index"], outputs: ["y0"], attributes: {} },
    ],
  });

  it.each([
    ["of equal parts", intTensor([3], []), 1],
    ["of equal parts, the last one shorter", intTensor([3], []), 2],
    ["of given parts", intTensor([1, 4, 2]), 1],
    ["of given parts, the last one", intTensor([1, 4, 2]), 2],
  ])("reads it %s", async (_, split, index) => {
    const graph = parts(split, index);
    const upgraded = upgradeGraph(graph, 18);
    expect(upgraded.nodes[1].op).toBe("Slice");
    const x = normalTensor("x", [2, 7]);
    const [expected, actual] = [(await run(graph, 18, x)).y0, (await run(upgraded, pinnedOpset, x)).y0];
    expect([...actual.shape]).toEqual([...expected.shape]);
    expect(actual.data).toEqual(expected.data);
  });

  it.each([
    ["a position beyond the parts", intTensor([3, 4]), 2],
    ["a position from the end", intTensor([3, 4]), -1],
    ["lengths in texts", { type: "string", shape: [1], data: ["3"] } as Tensor, 0],
  ])("leaves %s as it is", (_, split, index) => {
    expect(upgradeGraph(parts(split, index), 18).nodes).toEqual(parts(split, index).nodes);
  });

  it("takes no time for a huge position", () => {
    expect(upgradeGraph(parts(intTensor([3], []), 2 ** 52), 18).nodes[1].op).toBe("Slice");
  });
});
