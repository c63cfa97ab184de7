import { describe, expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { type Attributes, attribute, type Graph } from "../../src/graph/graph.js";
import { pinnedOpset } from "../../src/graph/opset.js";
import { floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { upgradeGraph } from "../../src/ops/upgrade.js";
import { openSerialized } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const { float, int } = attribute;

interface Case {
  readonly title: string;
  readonly op: string;
  /** An operator set that has the operator. */
  readonly opset: number;
  readonly inputs: readonly Tensor[];
  readonly attributes?: Attributes;
}

function graphOf({ op, inputs, attributes = {} }: Case): Graph {
  const names = inputs.map((_, index) => `x${index}`);
  return {
    name: "composed",
    inputs: inputs.map(({ type, shape }, index) => ({ name: names[index], type, shape })),
    outputs: [{ name: "y", type: "float32", shape: null }],
    initializers: new Map(),
    nodes: [{ op, domain: "", name: "node", inputs: names, outputs: ["y"], attributes }],
  };
}

async function run(graph: Graph, opset: number, inputs: readonly Tensor[]): Promise<Tensor> {
  const session = await openSerialized(serializeGraph(graph, opset), { threads: 1 });
  try {
    return (await session.run(Object.fromEntries(inputs.map((tensor, index) => [`x${index}`, tensor])))).y;
  } finally {
    await session.release();
  }
}

const picture = normalTensor("picture", [2, 6, 3, 4]);
const [query, key, value] = ["query", "key", "value"].map((name) =>
  normalTensor(name, name === "query" ? [2, 3, 4, 8] : [2, 3, 5, 8]),
);
const [flatQuery, flatKey, flatValue] = ["query", "key", "value"].map((name) => normalTensor(name, [2, 5, 12]));
const mask: Tensor = {
  type: "bool",
  shape: [4, 5],
  data: Uint8Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? 0 : 1)),
};
const heads = { q_num_heads: int(3), kv_num_heads: int(3) };

const cases: readonly Case[] = [
  { title: "Shrink", op: "Shrink", opset: 9, inputs: [picture] },
  {
    title: "Shrink with a bias",
    op: "Shrink",
    opset: 9,
    inputs: [picture],
    attributes: { lambd: float(1), bias: float(0.25) },
  },
  { title: "LRN", op: "LRN", opset: 13, inputs: [picture], attributes: { size: int(5), alpha: float(0.5) } },
  {
    title: "LRN with all settings",
    op: "LRN",
    opset: 13,
    inputs: [picture],
    attributes: { size: int(3), alpha: float(2), beta: float(0.5), bias: float(2) },
  },
  { title: "RMSNormalization", op: "RMSNormalization", opset: 23, inputs: [picture, normalTensor("scale", [4])] },
  {
    title: "RMSNormalization of several axes",
    op: "RMSNormalization",
    opset: 23,
    inputs: [picture, normalTensor("scale", [6, 3, 4])],
    attributes: { axis: int(1), epsilon: float(0.5) },
  },
  {
    title: "RMSNormalization, axis from the end",
    op: "RMSNormalization",
    opset: 23,
    inputs: [picture, normalTensor("scale", [3, 4])],
    attributes: { axis: int(-2) },
  },
  { title: "Attention", op: "Attention", opset: 23, inputs: [query, key, value] },
  {
    title: "Attention with a scale, causal",
    op: "Attention",
    opset: 23,
    inputs: [query, key, value],
    attributes: { scale: float(0.25), is_causal: int(1) },
  },
  { title: "Attention with a mask", op: "Attention", opset: 23, inputs: [query, key, value, mask] },
  {
    title: "Attention with a mask, causal",
    op: "Attention",
    opset: 23,
    inputs: [
      query,
      key,
      value,
      { ...mask, data: Uint8Array.from({ length: 20 }, (_, index) => (index % 7 ? 1 : 0) | (index % 5 ? 0 : 1)) },
    ],
    attributes: { is_causal: int(1) },
  },
  {
    title: "Attention with a bias",
    op: "Attention",
    opset: 23,
    inputs: [query, key, value, normalTensor("bias", [3, 4, 5])],
  },
  {
    title: "Attention of joined heads",
    op: "Attention",
    opset: 23,
    inputs: [flatQuery, flatKey, flatValue],
    attributes: heads,
  },
];

describe("a composition computes what ONNX Runtime's own kernel does", () => {
  it.each(cases)("$title", async (each) => {
    const graph = graphOf(each);
    const upgraded = upgradeGraph(graph, each.opset);
    expect(upgraded.nodes.map(({ op }) => op)).not.toContain(each.op);
    const expected = await run(graph, each.opset, each.inputs);
    const actual = await run(upgraded, pinnedOpset, each.inputs);
    expect([...actual.shape]).toEqual([...expected.shape]);
    for (const [index, element] of numbersOf(actual).entries())
      expect(element).toBeCloseTo(numbersOf(expected)[index], 5);
  });
});

describe("compositions", () => {
  it("give Mod the sign of the divisor", async () => {
    const [a, b] = [floatTensor([5.5, -5.5, 5.5, -5.5]), floatTensor([2, 2, -2, -2])];
    const graph = upgradeGraph(graphOf({ title: "", op: "Mod", opset: 28, inputs: [a, b] }), 28);
    expect(numbersOf(await run(graph, pinnedOpset, [a, b]))).toEqual([1.5, 0.5, -0.5, -1.5]);
  });

  it("give zeros to a query that may look nowhere", async () => {
    const nowhere: Tensor = { ...mask, data: new Uint8Array(20).fill(1, 5) };
    const inputs = [query, key, value, nowhere];
    const graph = upgradeGraph(graphOf({ title: "", op: "Attention", opset: 23, inputs }), 23);
    const found = numbersOf(await run(graph, pinnedOpset, inputs));
    expect(found.slice(0, 8)).toEqual(new Array(8).fill(0));
    expect(found.slice(8, 16).every((element) => element !== 0)).toBe(true);
  });

  it.each([
    ["heads apart", [query, key, value], {}],
    ["joined heads", [flatQuery, flatKey, flatValue], heads],
  ])("take attention with %s where no rank is known", (_, inputs, attributes) => {
    const graph = graphOf({ title: "", op: "Attention", opset: 23, inputs, attributes });
    const unknown = { ...graph, inputs: graph.inputs.map((input) => ({ ...input, shape: null })) };
    const upgraded = upgradeGraph(unknown, 23).nodes;
    expect(upgraded).toEqual(upgradeGraph(graph, 23).nodes);
    expect(upgraded.map(({ op }) => op)).toContain("Softmax");
  });

  it.each([
    ["a cache", [query, key, value, floatTensor([], [0]), key], {}],
    ["softcap", [query, key, value], { softcap: float(2) }],
    ["a window", [query, key, value], { left_window_size: int(2) }],
    ["fewer heads of keys", [flatQuery, flatKey, flatValue], { q_num_heads: int(4), kv_num_heads: int(2) }],
  ])("leave attention with %s as it is", (_, inputs, attributes) => {
    const graph = graphOf({ title: "", op: "Attention", opset: 25, inputs, attributes });
    expect(upgradeGraph(graph, 25).nodes).toEqual(graph.nodes);
  });

  it.each([
    ["x and zero", ["x0", "zero"], "Relu"],
    ["zero and x", ["zero", "x0"], "Relu"],
    ["x and one", ["x0", "one"], "Max"],
    ["x and a vector", ["x0", "zeros"], "Max"],
    ["x, zero and one", ["x0", "zero", "one"], "Max"],
  ])("know the larger of %s", async (_, inputs, op) => {
    const tensors = { zero: floatTensor([0], []), one: floatTensor([1], []), zeros: floatTensor([0, 0, 0, 0]) };
    const graph = graphOf({ title: "", op: "Max", opset: 20, inputs: [picture] });
    const given = {
      ...graph,
      initializers: new Map(Object.entries(tensors)),
      nodes: graph.nodes.map((node) => ({ ...node, inputs })),
    };
    const upgraded = upgradeGraph(given, 20);
    expect(upgraded.nodes.map((node) => node.op)).toEqual([op]);
    expect(numbersOf(await run(upgraded, pinnedOpset, [picture]))).toEqual(numbersOf(await run(given, 20, [picture])));
  });
});
