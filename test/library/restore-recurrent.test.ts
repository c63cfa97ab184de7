import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { PytorchOrigin } from "../../src/formats/pytorch-origin.js";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { recurrentDomain } from "../../src/graph/recurrent-node.js";
import { floatTensor, intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { openModel } from "../../src/library/open-model.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { restorationLine, restoreModel } from "../../src/library/restore-model.js";
import { unrollRecurrences } from "../../src/ops/unroll-recurrences.js";
import { normalTensor, runOnce } from "../support/run-graph.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
let files = 0;
const [length, width, hidden] = [3, 4, 2];
const opset = 17;

function node(op: string, name: string, inputs: string[], outputs: string[], attributes: Attributes = {}): Node {
  return { op, domain: "", name, inputs, outputs, attributes };
}

interface Kind {
  readonly op: "LSTM" | "GRU" | "RNN";
  readonly operation: string;
  readonly gates: number;
  /** Where PyTorch has the rows of ONNX's gates. */
  readonly rows: readonly number[];
}
const lstm: Kind = { op: "LSTM", operation: "aten.lstm.input", gates: 4, rows: [0, 3, 1, 2] };
const gru: Kind = { op: "GRU", operation: "aten.gru.input", gates: 3, rows: [1, 0, 2] };
const rnn: Kind = { op: "RNN", operation: "aten.rnn_tanh.input", gates: 1, rows: [0] };

/** PyTorch's tensors of a module's layers, in PyTorch's order of names. */
function stateOf({ gates }: Kind, module: string, layers: number, directions: number): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  const rows = gates * hidden;
  for (let layer = 0; layer < layers; layer++)
    for (const end of ["", "_reverse"].slice(0, directions)) {
      const columns = layer === 0 ? width : directions * hidden;
      const shapes = { weight_ih: [rows, columns], weight_hh: [rows, hidden], bias_ih: [rows], bias_hh: [rows] };
      for (const [name, shape] of Object.entries(shapes)) {
        const full = `${module}${name}_l${layer}${end}`;
        state.set(full, normalTensor(full, shape, 0.7));
      }
    }
  return state;
}

/** Several of PyTorch's tensors as ONNX stacks them. */
function stacked({ gates, rows }: Kind, parts: readonly Tensor[], shape: readonly number[]): Tensor {
  const elements = parts.flatMap((part) => {
    const numbers = numbersOf(part);
    const size = numbers.length / gates;
    return rows.flatMap((row) => numbers.slice(row * size, (row + 1) * size));
  });
  return floatTensor(elements, shape);
}

interface Written {
  readonly graph: Graph;
  readonly origins: ReadonlyMap<string, PytorchOrigin>;
  readonly state: ReadonlyMap<string, Tensor>;
}

/** The layers of one module, as the dynamo exporter writes them. */
function written(kind: Kind, layers = 1, directions = 2): Written {
  const state = stateOf(kind, "net.rnn.", layers, directions);
  const ends = ["", "_reverse"].slice(0, directions);
  const tensor = (name: string): Tensor => state.get(`net.rnn.${name}`)!;
  const initializers = new Map<string, Tensor>([["flat", intTensor([length, -1, directions * hidden])]]);
  const nodes = [node("Transpose", "first", ["x"], ["sequence"], { perm: attribute.ints([1, 0, 2]) })];
  const origins = new Map<string, PytorchOrigin>();
  const list = [...state.keys()].map((name) => `%p_${name.replaceAll(".", "_")}`).join(", ");
  let reads = "sequence";
  for (let layer = 0; layer < layers; layer++) {
    const rows = kind.gates * hidden;
    const all = (stem: string): Tensor[] => ends.map((end) => tensor(`${stem}_l${layer}${end}`));
    const columns = layer === 0 ? width : directions * hidden;
    const biases = ends.flatMap((end) => [tensor(`bias_ih_l${layer}${end}`), tensor(`bias_hh_l${layer}${end}`)]);
    initializers.set(`val_w${layer}`, stacked(kind, all("weight_ih"), [directions, rows, columns]));
    initializers.set(`val_r${layer}`, stacked(kind, all("weight_hh"), [directions, rows, hidden]));
    initializers.set(`val_b${layer}`, stacked(kind, biases, [directions, 2 * rows]));
    const inputs = [reads, `val_w${layer}`, `val_r${layer}`, `val_b${layer}`];
    const states = `states${layer}`;
    nodes.push(
      node(kind.op, `layer${layer}`, inputs, [states], {
        hidden_size: attribute.int(hidden),
        direction: attribute.string(directions === 2 ? "bidirectional" : "forward"),
        ...(kind.op === "GRU" ? { linear_before_reset: attribute.int(1) } : {}),
      }),
      node("Transpose", `turn${layer}`, [states], [`turned${layer}`], { perm: attribute.ints([0, 2, 1, 3]) }),
      node("Reshape", `join${layer}`, [`turned${layer}`, "flat"], [`joined${layer}`]),
    );
    origins.set(states, {
      modules: ["", "net", "net.rnn"],
      moduleClass: `torch.nn.modules.rnn.${kind.op}`,
      operation: kind.operation,
      arguments: ["%x", "[%zeros, %zeros_1]", `[${list}]`, "True", String(layers), "0.0", "False", "True", "True"],
      isFolded: false,
      hasKeywords: false,
    });
    reads = `joined${layer}`;
  }
  const graph: Graph = {
    name: "test",
    inputs: [{ name: "x", type: "float32", shape: ["batch", length, width] }],
    outputs: [{ name: reads, type: "float32", shape: null }],
    initializers,
    nodes,
  };
  return { graph, origins, state };
}

/** A model file of PyTorch's. */
async function fileOf({ graph, origins }: Pick<Written, "graph" | "origins">): Promise<ModelFile> {
  const path = join(folder, `${files++}.onnx`);
  writeFileSync(path, serializeGraph(graph, opset));
  return { ...(await readModelFile(path)).model, producer: "pytorch 2.15", origins };
}

const samples = normalTensor("samples", [2, length, width], 1);

async function outputOf(graph: Graph): Promise<number[]> {
  const plain = unrollRecurrences(graph, opset, { where: "test" });
  expect(plain.obstacles.size).toBe(0);
  return numbersOf((await runOnce(plain.graph, { x: samples }))[graph.outputs[0].name]);
}

/** The restored tensors are PyTorch's, and the restored graph and the file with other weights in it compute the same. */
async function expectRestored(model: ModelFile, state: ReadonlyMap<string, Tensor>): Promise<void> {
  for (const [name, tensor] of state) {
    expect(model.graph.initializers.get(name), name).toBeDefined();
    expect(model.asStored(name, model.graph.initializers.get(name)!)).toEqual(tensor);
  }
  const others = new Map([...state].map(([name, { shape }]) => [name, normalTensor(`other ${name}`, shape, 0.8)]));
  const [[, bytes]] = await model.write(others);
  const file = readOnnx(bytes, { where: "written.onnx" }).graph;
  const ours = await outputOf({ ...model.graph, initializers: new Map([...model.graph.initializers, ...others]) });
  const theirs = numbersOf((await runOnce(file, { x: samples }))[file.outputs[0].name]);
  expect(Math.max(...ours.map((value, place) => Math.abs(value - theirs[place])))).toBeLessThan(1e-6);
  expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(0.05);
}

const cases = [
  ["LSTM of two layers in both directions", lstm, 2, 2],
  ["GRU", gru, 1, 1],
  ["GRU in both directions", gru, 1, 2],
  ["RNN of three layers", rnn, 3, 1],
] as const;

describe("PyTorch's recurrent layers", () => {
  it.each(cases)("are found by the exporter's notes: %s", async (_, kind, layers, directions) => {
    const each = written(kind, layers, directions);
    const { model, restoration } = restoreModel(await fileOf(each));
    expect(Object.keys(restoration.unstacked).sort()).toEqual([...each.state.keys()].sort());
    expect(restoration.unstacked["net.rnn.weight_ih_l0"]).toBe("val_w0");
    expect(restorationLine(restoration)).toMatch(/of recurrent layers, stacked \(net\.rnn\.weight_ih_l0/);
    await expectRestored(model, each.state);
  });

  it.each(cases)("are found by the elements of the state: %s", async (_, kind, layers, directions) => {
    const each = written(kind, layers, directions);
    const file = await fileOf({ ...each, origins: new Map() });
    expect(restoreModel(file).restoration.unstacked).toEqual({});
    const tensors = new Map([...each.state, ["other.weight_ih_l0", each.state.get("net.rnn.weight_hh_l0")!]]);
    const { model } = restoreModel(file, { where: "state.safetensors", hash: "", tensors, aliases: new Map() });
    await expectRestored(model, each.state);
  });

  it("are read as they are where the graph stacks them, names kept or not", async () => {
    const { graph, state } = written(gru, 1, 1);
    const parts = { w: "weight_ih", r: "weight_hh" } as const;
    const initializers = new Map([...graph.initializers, ...state]);
    const rows = new Map([0, 1, 2, 3].map((row) => [`row${row}`, intTensor([row * hidden])]));
    const first = node("Constant", "first", [], ["axis"], { value: attribute.tensor(intTensor([0])) });
    const order = gru.rows;
    const computed = Object.entries(parts).flatMap(([letter, stem]): Node[] => {
      initializers.delete(`val_${letter}0`);
      const slices = order.map((row, index) =>
        node(
          "Slice",
          `${letter}${index}`,
          [`net.rnn.${stem}_l0`, `row${row}`, `row${row + 1}`, "axis"],
          [`${letter}${index}`],
        ),
      );
      const names = order.map((__, index) => `${letter}${index}`);
      return [
        ...slices,
        node("Concat", `${letter}_rows`, names, [`${letter}_rows`], { axis: attribute.int(0) }),
        node("Unsqueeze", `val_${letter}0`, [`${letter}_rows`, "axis"], [`val_${letter}0`]),
      ];
    });
    // What is left stacked has its names by those of the others.
    const mixed = {
      ...graph,
      initializers: new Map([...initializers, ...rows].filter(([name]) => !name.includes("bias_"))),
      nodes: [first, ...computed, ...graph.nodes],
    };
    const { model, restoration } = restoreModel(await fileOf({ graph: mixed, origins: new Map() }));
    expect(Object.keys(restoration.unstacked)).toEqual(["net.rnn.bias_ih_l0", "net.rnn.bias_hh_l0"]);
    await expectRestored(model, state);

    const withoutBiases = {
      ...mixed,
      initializers: new Map([...mixed.initializers].filter(([name]) => name !== "val_b0")),
      nodes: mixed.nodes.map((each) => (each.op === "GRU" ? { ...each, inputs: each.inputs.slice(0, 3) } : each)),
    };
    const path = join(folder, "kept.onnx");
    writeFileSync(path, serializeGraph(withoutBiases, opset));
    const { network } = await openModel(path, { keepNames: true });
    expect([...network.parameters.keys()]).toEqual(["net.rnn.weight_ih_l0", "net.rnn.weight_hh_l0"]);
    expect(restoreModel(await fileOf({ graph: withoutBiases, origins: new Map() })).restoration.unstacked).toEqual({});
  });

  it("that two calls share have one set of tensors", async () => {
    const { graph, origins, state } = written(lstm, 1, 1);
    const square = new Map([...state].filter(([name]) => !name.includes("weight_ih")));
    const weight = normalTensor("square", [4 * hidden, hidden], 0.7);
    square.set("net.rnn.weight_ih_l0", weight);
    const initializers = new Map(graph.initializers).set("val_w0", stacked(lstm, [weight], [1, 4 * hidden, hidden]));
    const again = graph.nodes.slice(1).map((each) => ({
      ...each,
      name: `${each.name}_again`,
      inputs: each.inputs.map(
        (name) => ({ sequence: "joined0", states0: "states1", turned0: "turned1" })[name] ?? name,
      ),
      outputs: each.outputs.map((name) => name.replace("0", "1")),
    }));
    const twice: Graph = {
      ...graph,
      inputs: [{ name: "x", type: "float32", shape: ["batch", length, hidden] }],
      outputs: [{ name: "joined1", type: "float32", shape: null }],
      initializers,
      nodes: [...graph.nodes, ...again],
    };
    const origin = origins.get("states0")!;
    const second = { ...origin, arguments: ["%lstm", ...origin.arguments.slice(1)] };
    const { model, restoration } = restoreModel(
      await fileOf({ graph: twice, origins: new Map([...origins, ["states1", second]]) }),
    );
    expect(Object.keys(restoration.unstacked)).toHaveLength(4);
    expect(model.graph.nodes.filter(({ domain }) => domain === recurrentDomain)).toHaveLength(2);
    expect(model.graph.initializers.get("net.rnn.weight_ih_l0")).toEqual(weight);
  });

  it.each<readonly [string, (each: Written) => Pick<Written, "graph" | "origins">]>([
    [
      "one of the tensors is read elsewhere",
      ({ graph, origins }) => ({
        origins,
        graph: { ...graph, nodes: [...graph.nodes, node("Neg", "other", ["val_w0"], ["copy"])] },
      }),
    ],
    [
      "a name is taken",
      ({ graph, origins }) => ({
        origins,
        graph: {
          ...graph,
          initializers: new Map([...graph.initializers, ["net.rnn.bias_hh_l0", floatTensor([1, 2])]]),
          nodes: [...graph.nodes, node("Neg", "other", ["net.rnn.bias_hh_l0"], ["copy"])],
        },
      }),
    ],
    [
      "the notes are of more layers than there are",
      ({ graph, origins }) => ({
        graph,
        origins: new Map(
          [...origins].map(([name, each]) => [name, { ...each, arguments: [`[%p_net_rnn_weight_ih_l0]`] }]),
        ),
      }),
    ],
    [
      "the notes have biases and the layer has none",
      ({ graph, origins }) => ({
        origins,
        graph: {
          ...graph,
          nodes: graph.nodes.map((each) => (each.op === "LSTM" ? { ...each, inputs: each.inputs.slice(0, 3) } : each)),
        },
      }),
    ],
  ])("are left alone where %s", async (_, change) => {
    const file = await fileOf(change(written(lstm)));
    const { model, restoration } = restoreModel(file);
    expect(restoration.unstacked).toEqual({});
    expect(model.graph.nodes).toEqual(file.graph.nodes);
  });
});
