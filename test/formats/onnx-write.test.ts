import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TensorProto_DataLocation as Location, ModelProtoSchema, TensorProto_DataType as Type } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph, writeOnnx } from "../../src/formats/onnx-write.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { openSerialized } from "../../src/runtime/node.js";
import { denseGraph } from "./models.js";

describe("serializeGraph", () => {
  it("writes what ONNX Runtime runs", async () => {
    const session = await openSerialized(serializeGraph(denseGraph, 20), { threads: 1 });
    const { y } = await session.run({ x: floatTensor([1, 2], [1, 2]) });
    // [1, 2] · [[1, 2], [3, 4], [5, 6]]ᵀ + [10, 20, -100], then ReLU.
    expect(Array.from(y.data as Float32Array)).toEqual([15, 31, 0]);
    await session.release();
  });

  it("gives back the same graph when read", () => {
    const tensors: Tensor[] = [
      { type: "float16", shape: [2], data: Uint16Array.of(15360, 1) },
      { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) },
      { type: "string", shape: [2], data: ["a", "ä"] },
      { type: "int4", shape: [3], data: Uint8Array.of(0x21, 0x03) },
      { type: "complex64", shape: [1], data: Float32Array.of(1, 2) },
      intTensor([], [0]),
    ];
    const graph: Graph = {
      name: "kinds",
      inputs: [{ name: "x", type: "float32", shape: ["batch", null, 3] }],
      outputs: [{ name: "y", type: "float32", shape: null }],
      initializers: new Map(tensors.map((tensor, index) => [`t${index}`, tensor])),
      nodes: [
        {
          op: "Anything",
          domain: "my.domain",
          name: "n",
          inputs: ["x", "", "t0"],
          outputs: ["y"],
          attributes: {
            a: attribute.float(0.5),
            b: attribute.int(-3),
            c: attribute.string("ü"),
            d: attribute.tensor(floatTensor([1, 2, 3, 4], [2, 2])),
            e: attribute.floats([1, 2]),
            f: attribute.ints([1, -2]),
            g: attribute.strings(["x", ""]),
            h: attribute.floats([]),
          },
        },
      ],
    };
    const model = readOnnx(serializeGraph(graph, 20), { where: "kinds.onnx" });
    expect(model.graph).toEqual(graph);
    expect(model.domains).toEqual(
      new Map([
        ["", 20],
        ["my.domain", 1],
      ]),
    );
  });

  it("keeps the largest int64, which stands for the end", () => {
    const graph: Graph = {
      ...denseGraph,
      nodes: denseGraph.nodes.map((node) => ({
        ...node,
        attributes: { ...node.attributes, ends: attribute.ints([2 ** 63]) },
      })),
    };
    const { message } = readOnnx(serializeGraph(graph, 20), { where: "m" });
    expect(message.graph?.node[0].attribute.at(-1)?.ints).toEqual([2n ** 63n - 1n]);
  });
});

/** A field that the schema does not know: number 1000, two bytes. */
const unknown = { no: 1000, wireType: 2, data: Uint8Array.of(2, 0xca, 0xfe) };

/** A model with fields that no schema knows at every level, and what an encoder of ours would write otherwise. */
function strangeModel(): Uint8Array {
  const model = fromBinary(ModelProtoSchema, serializeGraph(denseGraph, 17));
  const graph = model.graph!;
  graph.node.unshift(
    fromBinary(ModelProtoSchema, serializeGraph({ ...denseGraph, nodes: [constantNode] }, 17)).graph!.node[0],
  );
  for (const message of [
    model,
    graph,
    graph.node[0],
    graph.node[0].attribute[0],
    graph.node[0].attribute[0].t!,
    graph.node[1],
    graph.initializer[0],
  ])
    message.$unknown = [unknown];
  model.metadataProps.push(
    create(ModelProtoSchema, { metadataProps: [{ key: "author", value: "ä" }] }).metadataProps[0],
  );
  const bytes = toBinary(ModelProtoSchema, model);
  // A documentation string of the model (field 6) that is no UTF-8, behind an unknown group (field 999).
  const group = [0xbb, 0x3e, 0x0a, 0x01, 0x61, 0xbc, 0x3e];
  return Uint8Array.from([...group, 0x32, 2, 0xff, 0xfe, ...bytes]);
}
const constantNode = {
  op: "Constant",
  domain: "",
  name: "c",
  inputs: [],
  outputs: ["c"],
  attributes: { value: attribute.tensor(floatTensor([1, 2])) },
};

describe("writeOnnx", () => {
  const where = "model.onnx";

  it("gives the same bytes where nothing is replaced", () => {
    const bytes = strangeModel();
    expect(writeOnnx(readOnnx(bytes, { where }), new Map())).toEqual(bytes);
  });

  it("changes the named tensors and not a byte besides", () => {
    const bytes = strangeModel();
    const replacements = new Map<string, Tensor>([
      ["weight", floatTensor([6, 5, 4, 3, 2, 1], [3, 2])],
      ["c", floatTensor([-1, -2])],
    ]);
    const written = writeOnnx(readOnnx(bytes, { where }), replacements);
    const model = readOnnx(written, { where });
    expect(model.graph.initializers.get("weight")).toEqual(replacements.get("weight"));
    expect(model.graph.initializers.get("bias")).toEqual(denseGraph.initializers.get("bias"));
    expect(model.graph.nodes[0].attributes.value).toEqual(attribute.tensor(floatTensor([-1, -2])));
    // Putting the old values back gives the old file but for where in its tensor raw_data stands.
    const before = readOnnx(bytes, { where });
    const back = writeOnnx(
      model,
      new Map([
        ["weight", denseGraph.initializers.get("weight")!],
        ["c", floatTensor([1, 2])],
      ]),
    );
    expect(back.length).toBe(bytes.length);
    expect(readOnnx(back, { where }).message).toEqual(before.message);
    expect(Array.from(back.subarray(0, 11))).toEqual(Array.from(bytes.subarray(0, 11)));
    expect(model.message.graph?.initializer[0].$unknown).toEqual([unknown]);
    expect(model.message.graph?.node[0].attribute[0].t?.$unknown).toEqual([unknown]);
  });

  it("replaces what stands in other fields than raw_data, and in a Constant's shorthands", () => {
    const model = create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ version: 17n }],
      graph: {
        output: [{ name: "z", type: { value: { case: "tensorType", value: { elemType: 1 } } } }],
        initializer: [
          { name: "f", dataType: Type.FLOAT, dims: [2n], floatData: [1, 2] },
          { name: "h", dataType: Type.FLOAT16, dims: [1n], int32Data: [15360] },
          { name: "d", dataType: Type.DOUBLE, dims: [1n], doubleData: [3] },
        ],
        node: [
          { opType: "Constant", output: ["a"], attribute: [{ name: "value_floats", type: 6, floats: [1, 2, 3] }] },
          { opType: "Constant", output: ["b"], attribute: [{ name: "value_float", type: 1, f: 1 }] },
          { opType: "Sum", input: ["a", "b", "f"], output: ["z"] },
        ],
      },
    });
    const written = writeOnnx(
      readOnnx(toBinary(ModelProtoSchema, model), { where }),
      new Map<string, Tensor>([
        ["f", floatTensor([8, 9])],
        ["h", { type: "float16", shape: [1], data: Uint16Array.of(0) }],
        ["d", { type: "float64", shape: [1], data: Float64Array.of(0.1) }],
        ["a", floatTensor([4, 5, 6])],
        ["b", floatTensor([7], [])],
      ]),
    );
    const { graph } = readOnnx(written, { where });
    expect(graph.initializers.get("f")?.data).toEqual(Float32Array.of(8, 9));
    expect(graph.initializers.get("h")?.data).toEqual(Uint16Array.of(0));
    expect(graph.initializers.get("d")?.data).toEqual(Float64Array.of(0.1));
    expect(graph.nodes[0].attributes).toEqual({ value_floats: attribute.floats([4, 5, 6]) });
    expect(graph.nodes[1].attributes).toEqual({ value_float: attribute.float(7) });
  });

  it("takes external data into the model", () => {
    const model = fromBinary(ModelProtoSchema, serializeGraph(denseGraph, 17));
    const [weight] = model.graph!.initializer;
    const stored = weight.rawData;
    model.graph!.initializer[0] = create(ModelProtoSchema, {
      graph: {
        initializer: [
          {
            name: "weight",
            dataType: 1,
            dims: [3n, 2n],
            dataLocation: Location.EXTERNAL,
            externalData: [{ key: "location", value: "w" }],
          },
        ],
      },
    }).graph!.initializer[0];
    const written = writeOnnx(
      readOnnx(toBinary(ModelProtoSchema, model), { where, external: () => stored }),
      new Map(),
    );
    expect(readOnnx(written, { where }).graph).toEqual(denseGraph);
  });

  it("refuses what does not fit", () => {
    const model = readOnnx(serializeGraph(denseGraph, 17), { where });
    const replace = (name: string, tensor: Tensor) => () => writeOnnx(model, new Map([[name, tensor]]));
    expect(replace("other", floatTensor([1]))).toThrow(/no tensor other/);
    expect(replace("bias", floatTensor([1]))).toThrow(/float32\[3\], not float32\[1\]/);
    expect(replace("bias", intTensor([1, 2, 3]))).toThrow(/not int64/);
  });
});
