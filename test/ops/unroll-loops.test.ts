import { create, fromBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { Attribute, Graph } from "../../src/graph/graph.js";
import { pinnedOpset as opset } from "../../src/graph/opset.js";
import { intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { unrollLoops } from "../../src/ops/unroll-loops.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { TestNetwork } from "../support/write-network.js";

const where = "net.onnx";
const truth = (value: boolean): Tensor => ({ type: "bool", shape: [], data: Uint8Array.of(Number(value)) });

function graphAttribute(value: Graph): Attribute {
  const { graph } = fromBinary(ModelProtoSchema, serializeGraph(value, opset));
  const parts = { name: "body", type: AttributeProto_AttributeType.GRAPH, g: graph! };
  return { kind: "graph", value, source: create(AttributeProtoSchema, parts) };
}

/** h' = tanh(x_t W + h R), where W goes from turn to turn as it is, and R is stored outside of the body. */
function body(changes: { readonly ends?: boolean; readonly nested?: boolean } = {}): Graph {
  const node = (op: string, inputs: string[], output: string) => {
    return { op, domain: "", name: "", inputs, outputs: [output], attributes: {} };
  };
  const float = (name: string) => ({ name, type: "float32" as const, shape: null });
  return {
    name: "body",
    inputs: [
      { name: "turn", type: "int64", shape: [] },
      { name: "going", type: "bool", shape: [] },
      ...["matrix", "h"].map(float),
    ],
    outputs: [{ name: "goes_on", type: "bool", shape: [] }, ...["matrix_after", "h_after", "shown"].map(float)],
    initializers: new Map([["twice", { type: "float32", shape: [], data: Float32Array.of(2) }]]),
    nodes: [
      changes.ends ? node("Not", ["going"], "goes_on") : node("Identity", ["going"], "goes_on"),
      node("Gather", ["sequence", "turn"], "x_t"),
      node("MatMul", ["x_t", "matrix"], "read"),
      node("MatMul", ["h", "R"], "kept"),
      node("Add", ["read", "kept"], "sum"),
      node("Tanh", ["sum"], "h_after"),
      node("Mul", ["h_after", "twice"], "shown"),
      node("Identity", ["matrix"], "matrix_after"),
      ...(changes.nested ? [{ ...node("If", ["going"], "x"), attributes: { b: graphAttribute(body()) } }] : []),
    ],
  };
}

function network(inside: Graph, turns: Tensor | "batch" = intTensor([4], []), begins = truth(true)) {
  const net = new TestNetwork();
  const sequence = net.node("Transpose", ["x"], { perm: [1, 0, 2] });
  const [W, R, head] = [net.weight("W", [3, 5]), net.weight("R", [5, 5]), net.weight("head", [5, 2])];
  const first = net.node("MatMul", [
    net.node("ReduceMean", ["x", net.ints([1])], { keepdims: 0 }),
    net.weight("F", [3, 5]),
  ]);
  const count = net.node("Size", [net.node("ReduceMean", ["x", net.ints([1, 2])])]);
  const loop = net.node(
    "Loop",
    [turns === "batch" ? count : "turns", "begins", W, first],
    { body: graphAttribute(inside) },
    3,
  );
  const joined = net.node("Add", [`${loop}:1`, net.node("ReduceMean", [`${loop}:2`, net.ints([0])], { keepdims: 0 })]);
  const logits = net.node("MatMul", [joined, head]);
  const graph = net.graph([4, 3], [logits]);
  const initializers = new Map([...graph.initializers, ["begins", begins]]);
  if (turns !== "batch") initializers.set("turns", turns);
  const renamed = (names: readonly string[]) => names.map((name) => (name === sequence ? "sequence" : name));
  const nodes = graph.nodes.map((each) => ({ ...each, inputs: renamed(each.inputs), outputs: renamed(each.outputs) }));
  return { graph: { ...graph, initializers, nodes }, loop, logits, R };
}

describe("unrollLoops", () => {
  it("computes what the loop does, at every turn, and keeps weights one value", async () => {
    const { graph, logits } = network(body());
    const found = unrollLoops(graph, opset, { where });
    expect(found.obstacles.size).toBe(0);
    expect(found.graph.nodes.filter(({ op }) => op === "Loop" || op === "Tanh").map(({ op }) => op)).toEqual(
      new Array(4).fill("Tanh"),
    );
    const x = normalTensor("x", [2, 4, 3]);
    const outputs = await Promise.all(
      [graph, found.graph].map(async (each) => {
        const session = await openSession(each, { threads: 1 });
        const results = await session.run({ x });
        await session.release();
        return numbersOf(results[logits]);
      }),
    );
    expect(outputs[1]).toHaveLength(4);
    outputs[1].forEach((value, at) => {
      expect(value).toBeCloseTo(outputs[0][at], 5);
    });
    const { parameters, layers } = analyzeNetwork(found.graph, { where, constants: found.constants });
    expect([...parameters.keys()].sort()).toEqual(["F", "R", "W", "head"]);
    expect(layers.filter(({ isRecurrent }) => isRecurrent).map(({ weight }) => weight.name)).toEqual(["R"]);
  });

  it.each<[string, Parameters<typeof network>, RegExp]>([
    ["turns that depend on the batch", [body(), "batch"], /how many turns it makes depends on the samples/],
    ["too many turns", [body(), intTensor([513], [])], /loops of 1 to 512 turns can be trained, not of 513/],
    ["no turns", [body(), intTensor([0], [])], /not of 0/],
    ["a condition of its own", [body({ ends: true })], /when it ends depends on what it computes/],
    ["a false beginning", [body(), intTensor([4], []), truth(false)], /whether it begins depends on the samples/],
    ["control flow inside", [body({ nested: true })], /there is control flow inside of it/],
    ["another number of inputs", [{ ...body(), inputs: body().inputs.slice(1) }], /other inputs or outputs than it/],
  ])("leaves %s, and says why", (_, given, message) => {
    const { graph, loop } = network(...given);
    const found = unrollLoops(graph, opset, { where });
    expect(found.graph).toBe(graph);
    expect(found.obstacles.get(loop)).toMatch(message);
  });
});
