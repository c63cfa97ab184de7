import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, StringStringEntryProtoSchema, ValueInfoProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { PytorchOrigin } from "../../src/formats/pytorch-origin.js";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { floatTensor, intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { viewed } from "../../src/library/graph-restorer.js";
import { readModelFile } from "../../src/library/read-model-file.js";
import { restorationLine, restoreModel } from "../../src/library/restore-model.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";
import { sharedTemporaryFolder } from "../support/temporary-folder.js";

const folder = sharedTemporaryFolder();
let files = 0;

function node(op: string, name: string, inputs: string[], output: string, attributes: Attributes = {}): Node {
  return { op, domain: "", name, inputs, outputs: [output], attributes };
}

/** As PyTorch would have written it. */
async function modelOf(
  nodes: readonly Node[],
  initializers: Readonly<Record<string, Tensor>>,
  shape: readonly (number | string)[],
  origins: ReadonlyMap<string, PytorchOrigin> = new Map(),
): Promise<ModelFile> {
  const graph: Graph = {
    name: "test",
    inputs: [{ name: "x", type: "float32", shape }],
    outputs: [{ name: "y", type: "float32", shape: null }],
    initializers: new Map(Object.entries(initializers)),
    nodes,
  };
  const path = join(folder, `${files++}.onnx`);
  writeFileSync(path, serializeGraph(graph, 17));
  return { ...(await readModelFile(path)).model, producer: "pytorch 2.15", origins };
}

async function outputOf(graph: Graph, x: Tensor): Promise<number[]> {
  const session = await openSession(graph, { threads: 1 });
  try {
    return numbersOf((await session.run({ x })).y);
  } finally {
    await session.release();
  }
}

/** Puts other weights into the restored graph, and into the file through it: both must compute the same. */
async function expectSameWhenWritten(model: ModelFile, x: Tensor): Promise<void> {
  const replacements = new Map(
    [...model.graph.initializers]
      .filter(([, { type, shape }]) => type === "float32" && shape.length > 0)
      .map(([name, { shape }]) => [
        name,
        /var/.test(name)
          ? floatTensor(
              numbersOf(normalTensor(name, shape)).map((v) => v * v + 0.5),
              shape,
            )
          : normalTensor(name, shape),
      ]),
  );
  const [[, bytes]] = await model.write(replacements);
  const written = readOnnx(bytes, { where: "written.onnx" }).graph;
  const expected = await outputOf(
    { ...model.graph, initializers: new Map([...model.graph.initializers, ...replacements]) },
    x,
  );
  const found = await outputOf(written, x);
  found.forEach((value, place) => {
    expect(value).toBeCloseTo(expected[place], 4);
  });
  expect(new Set(found.map((value) => value.toFixed(3))).size).toBeGreaterThan(2);
}

const x = normalTensor("x", [2, 3, 4, 4]);
const picture = ["batch", 3, 4, 4];

/** What the exporter notes of a node that a call in some modules made. */
function origin(modules: string[], operation: string, ...parts: string[]): PytorchOrigin {
  return {
    modules,
    moduleClass: "Module",
    operation: `aten.${operation}.default`,
    arguments: parts,
    isFolded: false,
    hasKeywords: false,
  };
}

describe("TorchScript exports", () => {
  const nodes = [
    node("MatMul", "/body/body.0/MatMul", ["x", "onnx::MatMul_9"], "a"),
    node("Add", "/body/body.0/Add", ["body.0.bias", "a"], "b"),
    node("MatMul", "/body/body.1/MatMul", ["b", "onnx::MatMul_10"], "y"),
  ];
  const tensors = {
    "onnx::MatMul_9": normalTensor("first", [4, 5]),
    "body.0.bias": normalTensor("bias", [5]),
    "onnx::MatMul_10": normalTensor("second", [5, 2]),
  };

  it("names turned matrices by the bias beside them, or by a scope that is a layer's", async () => {
    const { model, restoration } = restoreModel(await modelOf(nodes, tensors, ["batch", 4]));
    expect(restoration.renamed).toEqual({ "body.0.weight": "onnx::MatMul_9", "body.1.weight": "onnx::MatMul_10" });
    expect(restorationLine(restoration)).toMatch(/2 renamed \(onnx::MatMul_9 is body\.0\.weight\)/);
    const stored = model.asStored("body.0.weight", tensors["onnx::MatMul_9"]);
    expect(stored.shape).toEqual([5, 4]);
    expect((stored.data as Float32Array)[1]).toBe((tensors["onnx::MatMul_9"].data as Float32Array)[5]);
    await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
  });

  it("leaves a matrix without bias where scopes are not paths, or where the scope does more", async () => {
    const elsewhere = nodes.map((old) => ({ ...old, name: old.name.replace("/body/body.", "/part/") }));
    const { restoration } = restoreModel(await modelOf(elsewhere, tensors, ["batch", 4]));
    expect(Object.keys(restoration.renamed)).toEqual(["body.0.weight"]);
    const more = [
      ...nodes.slice(0, 2),
      node("MatMul", "/body/body.1/MatMul", ["b", "onnx::MatMul_10"], "c"),
      node("Relu", "/body/body.1/Relu", ["c"], "y"),
    ];
    expect(Object.keys(restoreModel(await modelOf(more, tensors, ["batch", 4])).restoration.renamed)).toEqual([
      "body.0.weight",
    ]);
  });

  it("parts what was merged, of one number or of many", async () => {
    const ones = floatTensor(new Float32Array(4).fill(1));
    const zeros = floatTensor(new Float32Array(4));
    const norms = [
      node("Identity", "Identity_0", ["norm1.weight"], "norm2.weight"),
      node("Identity", "Identity_1", ["norm1.bias"], "norm2.bias"),
      node("Identity", "Identity_2", ["factor"], "copied"),
      node("LayerNormalization", "/norm1/LayerNormalization", ["x", "norm1.weight", "norm1.bias"], "a"),
      node("Mul", "/Mul", ["a", "factor"], "b"),
      node("Mul", "/Mul_1", ["b", "copied"], "c"),
      node("LayerNormalization", "/norm2/LayerNormalization", ["c", "norm2.weight", "norm2.bias"], "y"),
    ];
    const { model, restoration } = restoreModel(
      await modelOf(norms, { "norm1.weight": ones, "norm1.bias": zeros, factor: normalTensor("factor", [4]) }, [
        "batch",
        4,
      ]),
    );
    expect(restoration.separated).toEqual(["norm2.weight", "norm2.bias", "copied"]);
    await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
  });

  it("leaves files of other programs as they are", async () => {
    const plain = [
      node("MatMul", "/body/body.0/MatMul", ["x", "kernel"], "a"),
      node("Add", "/body/body.0/Add", ["body.0.bias", "a"], "y"),
    ];
    const given = { kernel: tensors["onnx::MatMul_9"], "body.0.bias": tensors["body.0.bias"] };
    const model = { ...(await modelOf(plain, given, ["batch", 4])), producer: "tf2onnx 1.17" };
    expect(restoreModel(model).model).toBe(model);
  });
});

const normOrigin: PytorchOrigin = {
  modules: ["", "block", "block.bn1"],
  moduleClass: "torch.nn.modules.batchnorm.BatchNorm2d",
  operation: "aten._native_batch_norm_legit_no_training.default",
  arguments: [
    "%conv2d",
    "%p_block_bn1_weight",
    "%p_block_bn1_bias",
    "%b_block_bn1_running_mean",
    "%b_block_bn1_running_var",
    "0.1",
    "0.001",
  ],
  isFolded: true,
  hasKeywords: false,
};

describe("dynamo exports", () => {
  it("takes a batch normalisation out again by the origin", async () => {
    const folded = normalTensor("w", [5, 3, 3, 3]);
    for (const inputs of [
      ["x", "block.conv.weight"],
      ["x", "block.conv.weight", "block.conv.weight_bias"],
      ["x", "block.conv.weight", "block.conv.bias"],
    ]) {
      const tensors = Object.fromEntries(
        inputs.slice(1).map((name) => [name, /bias/.test(name) ? normalTensor("b", [5]) : folded]),
      );
      const given = await modelOf(
        [node("Conv", "node_Conv_1", inputs, "y")],
        tensors,
        picture,
        new Map([["y", normOrigin]]),
      );
      const { model, restoration } = restoreModel(given);
      const parts = ["block.bn1.weight", "block.bn1.bias", "block.bn1.running_mean", "block.bn1.running_var"];
      expect(restoration.unfolded).toEqual({ "block.conv.weight": parts });
      const before = await outputOf(given.graph, x);
      (await outputOf(model.graph, x)).forEach((value, place) => {
        expect(value).toBeCloseTo(before[place], 4);
      });
      expect([...model.graph.initializers.keys()].sort()).toEqual(
        ["block.conv.weight", ...(inputs[2] === "block.conv.bias" ? ["block.conv.bias"] : []), ...parts].sort(),
      );
      await expectSameWhenWritten(model, x);
    }
  });

  it("gives a layer its bias again that was left out as zero, where its normalisation scales by zero", async () => {
    for (const trained of [["block.conv.weight", "block.conv.bias"], ["block.conv.weight"]]) {
      const given = await modelOf(
        [node("Conv", "node_Conv_1", ["x", "block.conv.weight"], "y")],
        { "block.conv.weight": floatTensor(new Float32Array(5 * 3 * 3 * 3), [5, 3, 3, 3]) },
        picture,
        new Map([["y", normOrigin]]),
      );
      const { model } = restoreModel({ ...given, signature: { trained: new Set(trained), names: new Map() } });
      const bias = model.graph.initializers.get("block.conv.bias");
      expect(bias?.data).toEqual(trained.includes("block.conv.bias") ? new Float32Array(5) : undefined);
      expect(model.graph.nodes[0].inputs).toEqual(["x", ...trained]);
      await expectSameWhenWritten(model, x);
    }
  });

  it("gives a bias that was left out as zero back to each call of a layer", async () => {
    const call = (input: string) => origin(["", "linear"], "linear", `%${input}`, "%p_linear_weight", "%p_linear_bias");
    const turned = { transB: attribute.int(1) };
    const given = await modelOf(
      [
        { ...node("Gemm", "node_Gemm_1", ["x", "linear.weight"], "a"), attributes: turned },
        { ...node("Gemm", "node_Gemm_2", ["a", "linear.weight"], "y"), attributes: turned },
      ],
      { "linear.weight": normalTensor("w", [4, 4]) },
      ["batch", 4],
      new Map([
        ["a", call("x")],
        ["y", call("a")],
      ]),
    );
    const { model, restoration } = restoreModel(given);
    expect(restoration.zeros).toEqual(["linear.bias"]);
    expect(model.graph.nodes.map(({ inputs }) => inputs[2])).toEqual(["linear.bias", "linear.bias"]);
    await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
  });

  it("drops the bias with an axis too many that conv3d without a bias is exported with", async () => {
    const operation = "aten.conv3d.default";
    const origin = { modules: ["", "conv"], moduleClass: "Conv3d", operation, arguments: ["%x", "%p_conv_weight"] };
    const given = await modelOf(
      [node("Expand", "zeros", ["zero", "sizes"], "bias"), node("Conv", "conv", ["x", "conv.weight", "bias"], "y")],
      {
        "conv.weight": normalTensor("w", [5, 3, 3, 3]),
        zero: floatTensor([0], []),
        sizes: intTensor([5, 2]),
      },
      picture,
      new Map([["y", { ...origin, isFolded: false, hasKeywords: false }]]),
    );
    const { model } = restoreModel(given);
    expect(model.graph.nodes.at(-1)?.inputs).toEqual(["x", "conv.weight"]);
    await expectSameWhenWritten(model, x);
  });

  it("leaves copies alone: a buffer's, and running statistics of a module that is called again", async () => {
    const call = (...parts: string[]): PytorchOrigin => {
      const module = { modules: ["", "norm"], moduleClass: "BatchNorm2d" };
      return {
        ...module,
        operation: "aten._native_batch_norm_legit_functional.default",
        arguments: parts,
        isFolded: false,
        hasKeywords: false,
      };
    };
    const own = ["%p_norm_weight", "%p_norm_bias"];
    const parts = ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"];
    const given = await modelOf(
      [
        node("BatchNormalization", "first", ["x", ...parts], "a"),
        node("Identity", "mean", [parts[2]], "getitem_3"),
        node("Identity", "variance", [parts[3]], "getitem_4"),
        node("Identity", "alias", ["positions"], "alias"),
        node("Add", "add", ["a", "alias"], "b"),
        node("BatchNormalization", "second", ["b", ...parts.slice(0, 2), "getitem_3", "getitem_4"], "y"),
      ],
      {
        ...Object.fromEntries(parts.map((name) => [name, floatTensor([1, 2, 3])])),
        positions: normalTensor("positions", [3, 4, 4]),
      },
      picture,
      new Map([
        ["a", call("%x", ...own, "%b_norm_running_mean", "%b_norm_running_var")],
        ["getitem_3", call("%x", ...own, "%b_norm_running_mean", "%b_norm_running_var")],
        ["getitem_4", call("%x", ...own, "%b_norm_running_mean", "%b_norm_running_var")],
        ["y", call("%b", ...own, "%getitem_3", "%getitem_4")],
      ]),
    );
    const { model, restoration } = restoreModel(given);
    expect(restoration).toMatchObject({ renamed: {}, separated: [], merged: [] });
    expect(model.graph.nodes).toBe(given.graph.nodes);
  });

  it("names turned matrices, and parts merged scales, by arguments", async () => {
    const ones = floatTensor(new Float32Array(4).fill(1));
    const nodes = [
      node("LayerNormalization", "", ["x", "norm.weight"], "a"),
      node("MatMul", "", ["a", "val_1"], "b"),
      node("LayerNormalization", "", ["b", "norm.weight"], "c"),
      node("Mul", "", ["c", "norm.weight"], "y"),
    ];
    const origins = new Map([
      ["a", origin(["", "norm"], "layer_norm", "%x", "[4]", "%p_norm_weight", "None")],
      ["b", origin(["", "in_proj"], "linear", "%layer_norm", "%p_in_proj_weight")],
      ["c", origin(["", "norm_2"], "layer_norm", "%x", "[4]", "%p_norm_2_weight", "None")],
      ["y", origin([""], "mul", "%layer_norm_1", "%p_layer_scale")],
    ]);
    const { model, restoration } = restoreModel(
      await modelOf(nodes, { "norm.weight": ones, val_1: normalTensor("m", [4, 4]) }, ["batch", 4], origins),
    );
    expect(restoration.renamed).toEqual({ "in_proj.weight": "val_1" });
    expect(restoration.separated).toEqual(["norm_2.weight", "layer_scale"]);
    await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
  });
});

describe("what dynamo exports say is a buffer", () => {
  const origin = (...parts: string[]): PytorchOrigin => ({
    modules: [""],
    moduleClass: "Module",
    operation: "aten.mul.Tensor",
    arguments: parts,
    isFolded: false,
    hasKeywords: false,
  });
  const nodes = [node("Mul", "", ["x", "scale"], "a"), node("Mul", "", ["a", "scale"], "y")];
  const tensors = { scale: floatTensor(new Float32Array(4).fill(2)) };

  it("stays one when it is parted from a parameter of equal elements", async () => {
    const origins = new Map([
      ["a", origin("%x", "%p_scale")],
      ["y", origin("%mul", "%b_gain")],
    ]);
    const { restoration, constants } = restoreModel(await modelOf(nodes, tensors, ["batch", 4], origins));
    expect(restoration.separated).toEqual(["gain"]);
    expect([...constants]).toEqual(["gain"]);
  });

  it("is none where a parameter of the same name is used", async () => {
    const origins = new Map(["a", "y"].map((output) => [output, origin("%x", "%p_scale")]));
    expect([...restoreModel(await modelOf(nodes, tensors, ["batch", 4], origins)).constants]).toEqual([]);
  });

  it("is read from the notes at the tensors", async () => {
    const normal = node("BatchNormalization", "", ["y", "scale", "scale", "mean", "variance"], "z");
    const statistics = { mean: floatTensor([0, 0, 0, 0]), variance: floatTensor([1, 1, 1, 1]) };
    const given = await modelOf([...nodes, normal], { ...tensors, ...statistics }, ["batch", 4]);
    const message = fromBinary(ModelProtoSchema, serializeGraph(given.graph, 17));
    const kind = "pkg.torch.export.graph_signature.InputSpec.kind";
    message.graph!.valueInfo.push(
      // Running statistics follow the data.
      ...["scale", "mean", "variance"].map((name) =>
        create(ValueInfoProtoSchema, { name, metadataProps: [{ key: kind, value: "BUFFER" }] }),
      ),
      create(ValueInfoProtoSchema, { name: "a", metadataProps: [{ key: kind, value: "PARAMETER" }] }),
    );
    const path = join(folder, "buffers.onnx");
    const readConstants = async () => {
      writeFileSync(path, toBinary(ModelProtoSchema, message));
      return (await readModelFile(path)).model;
    };
    const folded = (name: string, from: string) =>
      create(ValueInfoProtoSchema, {
        name,
        metadataProps: [{ key: "pkg.onnxscript.optimizer.folded_from", value: from }],
      });
    message.graph!.valueInfo.push(folded("cos", "['arange', 'mul']"), folded("exp", "['b', 'val_0']"));
    // Without the list of parameters nothing tells what was computed from them.
    expect([...((await readConstants()).constants ?? [])]).toEqual(["scale"]);
    const signature = "pkg.torch.export.ExportedProgram.graph_signature";
    message.graph!.metadataProps.push(
      create(StringStringEntryProtoSchema, {
        key: signature,
        value: "# inputs\np_b: PARAMETER target='b'\nx: USER_INPUT",
      }),
    );
    expect([...((await readConstants()).constants ?? [])]).toEqual(["scale", "cos"]);
    expect((await readModelFile(path)).foldedFrom?.get("exp")).toEqual(["b", "val_0"]);
    message.graph!.metadataProps.length = 0;
    const model = await readConstants();
    expect([...restoreModel(model).constants]).toEqual(["scale"]);
  });
});

describe("with the framework's own tensors", () => {
  const channels = 5;
  const state = new Map<string, Tensor>([
    ["conv1.weight", normalTensor("w1", [channels, 3, 3, 3])],
    ["conv2.weight", normalTensor("w2", [channels, channels, 1, 1])],
    ["conv2.bias", normalTensor("b2", [channels])],
  ]);
  const normalise = (state: Map<string, Tensor>, module: string, fresh: boolean): void => {
    const tensor = (part: string, by: (value: number) => number, value: number): void => {
      const numbers = fresh
        ? new Array<number>(channels).fill(value)
        : numbersOf(normalTensor(part + module, [channels])).map(by);
      state.set(`${module}.${part}`, floatTensor(numbers));
    };
    tensor("weight", (value) => value + 3, 1);
    tensor("bias", (value) => value, 0);
    tensor("running_mean", (value) => value, 0);
    tensor("running_var", (value) => value * value + 0.5, 1);
  };

  /** Both convolutions with their normalisations folded in, as the TorchScript exporter does. */
  async function folded(
    own: ReadonlyMap<string, Tensor>,
    norms: readonly [string, string],
    epsilon: number,
  ): Promise<ModelFile> {
    const tensors: Record<string, Tensor> = {};
    ["conv1", "conv2"].forEach((layer, index) => {
      const [scale, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((part) =>
        numbersOf(own.get(`${norms[index]}.${part}`)!),
      );
      const weight = own.get(`${layer}.weight`)!;
      const bias = own.get(`${layer}.bias`);
      const factors = scale.map((value, unit) => value / Math.sqrt(variance[unit] + epsilon));
      const size = weight.data.length / channels;
      tensors[`onnx::Conv_${index}1`] = floatTensor(
        numbersOf(weight).map((value, place) => value * factors[Math.floor(place / size)]),
        weight.shape,
      );
      tensors[`onnx::Conv_${index}2`] = floatTensor(
        factors.map((factor, unit) => shift[unit] + ((bias ? numbersOf(bias)[unit] : 0) - mean[unit]) * factor),
      );
    });
    const nodes = [
      node("Conv", "/conv1/Conv", ["x", "onnx::Conv_01", "onnx::Conv_02"], "a"),
      node("Relu", "/Relu", ["a"], "b"),
      node("Conv", "/conv2/Conv", ["b", "onnx::Conv_11", "onnx::Conv_12"], "y"),
    ];
    return modelOf(nodes, tensors, picture);
  }

  it("finds layer and normalisation by value, whatever their names and epsilon", async () => {
    const own = new Map(state);
    normalise(own, "second", false);
    normalise(own, "first", false);
    const given = await folded(own, ["first", "second"], 1e-3);
    expect(Object.keys(restoreModel(given).restoration.unfolded)).toEqual([]);
    const { model, restoration } = restoreModel(given, { where: "s", hash: "", tensors: own, aliases: new Map() });
    expect(Object.entries(restoration.unfolded).map(([weight, [scale]]) => [weight, scale])).toEqual([
      ["conv1.weight", "first.weight"],
      ["conv2.weight", "second.weight"],
    ]);
    expect(new Set(model.graph.initializers.keys())).toEqual(new Set(own.keys()));
    expect(model.graph.nodes[1].attributes.epsilon).toEqual(attribute.float(1e-3));
    await expectSameWhenWritten(model, x);
  });

  it("in a fresh network by the names beside the layer, or not at all", async () => {
    for (const [norms, certain] of [
      [["bn1", "bn2"], true],
      [["first", "second"], false],
    ] as const) {
      const own = new Map(state);
      for (const name of norms) normalise(own, name, true);
      const { restoration } = restoreModel(await folded(own, [...norms], 1e-5), {
        where: "s",
        hash: "",
        tensors: own,
        aliases: new Map(),
      });
      expect(Object.keys(restoration.unfolded)).toEqual(certain ? ["conv1.weight", "conv2.weight"] : []);
    }
  });

  it("refuses the tensors of another network", async () => {
    const nodes = [node("Gemm", "/fc/Gemm", ["x", "fc.weight"], "y", { transB: attribute.int(1) })];
    const model = await modelOf(nodes, { "fc.weight": normalTensor("w", [2, 4]) }, ["batch", 4]);
    const other = (tensor: Tensor) => () =>
      restoreModel(model, { where: "s", hash: "", tensors: new Map([["fc.weight", tensor]]), aliases: new Map() });
    expect(other(normalTensor("other", [2, 4]))).toThrow(
      /s: fc\.weight: required the elements that the model has there/,
    );
    expect(other(normalTensor("w", [4, 2]))).toThrow(/required the model's shape \[2, 4\], got \[4, 2\]/);
    expect(other(normalTensor("w", [2, 4]))).not.toThrow();
  });

  it("refuses those of the network in a wrapper, and says what to save", async () => {
    const nodes = [node("Gemm", "/fc/Gemm", ["x", "fc.weight"], "y", { transB: attribute.int(1) })];
    const weight = normalTensor("w", [2, 4]);
    const model = await modelOf(nodes, { "fc.weight": weight }, ["batch", 4]);
    const wrapped = new Map([
      ["_orig_mod.module.fc.weight", weight],
      ["_orig_mod.module.other.weight", weight],
    ]);
    expect(() => restoreModel(model, { where: "s", hash: "", tensors: wrapped, aliases: new Map() })).toThrow(
      /s: required the names of the network .*, got names that all begin with "_orig_mod\.module\.".* save_model\(model\._orig_mod\.module, /,
    );
  });
});

describe("tied weights", () => {
  const encoder = origin(["", "enc"], "linear", "%x", "%p_enc_weight");
  const decoder = origin([""], "linear", "%linear", "%t");
  const linear = (input: string, weight: string, output: string): Node =>
    node("Gemm", "", [input, weight], output, { transB: attribute.int(1) });
  const weight = normalTensor("enc", [5, 4]);
  const turned = viewed(weight, "transposed");

  it("are no merged ones where a call names the tensor that is turned round", async () => {
    const turn = node("Transpose", "", ["enc.weight"], "t", { perm: attribute.ints([1, 0]) });
    const nodes = [linear("x", "enc.weight", "a"), turn, linear("a", "t", "y")];
    const given = (name: string): Promise<ModelFile> => {
      const origins = new Map([
        ["a", encoder],
        ["t", origin([""], "t", name)],
        ["y", decoder],
      ]);
      return modelOf(nodes, { "enc.weight": weight }, ["batch", 4], origins);
    };
    expect(restoreModel(await given("%p_enc_weight")).restoration.merged).toEqual([]);
    // Another tensor was equal, and is gone.
    expect(restoreModel(await given("%p_dec_weight")).restoration.merged).toEqual(["enc.weight"]);
  });

  it("are the table of a call that reads it in another way", async () => {
    const origins = new Map([
      ["a", encoder],
      ["y", origin([""], "embedding", "%p_enc_weight", "%tokens")],
    ]);
    const nodes = [linear("x", "enc.weight", "a"), node("Gather", "", ["enc.weight", "a"], "y")];
    const model = await modelOf(nodes, { "enc.weight": weight }, ["batch", 4], origins);
    expect(restoreModel(model).restoration.merged).toEqual([]);
  });

  it("have the copies written anew that the exporter has folded", async () => {
    const origins = new Map([
      ["a", encoder],
      ["y", decoder],
    ]);
    const given = await modelOf(
      [linear("x", "enc.weight", "a"), linear("a", "t", "y")],
      { "enc.weight": weight, t: turned },
      ["batch", 4],
      origins,
    );
    const { model, restoration } = restoreModel(given);
    expect(restoration.tied).toEqual({ t: "enc.weight" });
    expect(restorationLine(restoration)).toMatch(/1 copied, though tied \(t is made of enc\.weight\)/);
    expect([...model.graph.initializers.keys()]).toEqual(["enc.weight"]);
    await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
    // What the file says of the copy's origin decides: two weights may be equal.
    expect(restoreModel(given, undefined, new Map([["t", ["b.weight"]]])).restoration.tied).toEqual({});
    expect(restoreModel(given, undefined, new Map([["t", ["enc.weight"]]])).restoration.tied).toEqual(restoration.tied);
    const other = new Map([...given.graph.initializers, ["t", normalTensor("other", [4, 5])]] as [string, Tensor][]);
    expect(restoreModel({ ...given, graph: { ...given.graph, initializers: other } }).restoration.tied).toEqual({});
  });

  it("are known by one name for two tensors, as they are or turned round", async () => {
    for (const second of [weight, turned]) {
      const [transB, isTurned] = second === weight ? [1, true] : [0, false];
      const nodes = [
        node("MatMul", "", ["x", "val_0"], "a"),
        node("Gemm", "", ["x", "val_2"], "b", { transB: attribute.int(transB) }),
        node("Add", "", ["a", "b"], "y"),
      ];
      const origins = new Map(["a", "b"].map((output) => [output, encoder]));
      const { model, restoration } = restoreModel(
        await modelOf(nodes, { val_0: turned, val_2: second }, ["batch", 4], origins),
      );
      expect(restoration.renamed).toEqual({ "enc.weight": "val_0" });
      expect(restoration.tied).toEqual({ val_2: "enc.weight" });
      expect(model.graph.nodes.some(({ op }) => op === "Transpose")).toBe(isTurned);
      await expectSameWhenWritten(model, normalTensor("x", [2, 4]));
    }
  });

  it("are not made of matrices of zeros, which are equal by themselves", async () => {
    const [zeros, others] = [
      [5, 4],
      [4, 5],
    ].map((shape) => floatTensor(new Float32Array(20), shape));
    const nodes = [linear("x", "enc.weight", "a"), linear("a", "t", "y")];
    const model = await modelOf(nodes, { "enc.weight": zeros, t: others }, ["batch", 4], new Map([["a", encoder]]));
    expect(restoreModel(model).restoration.tied).toEqual({});
  });
});
