import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProto_AttributeType as AttributeType,
  type GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  type TensorProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import { RandomStream } from "../../src/random/stream.js";
import { denseGraph } from "./models.js";

type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
type ModelInit = MessageInitShape<typeof ModelProtoSchema>;
type GraphInit = MessageInitShape<typeof GraphProtoSchema>;

const where = "model.onnx";
const floats = (name: string) => ({
  name,
  type: { value: { case: "tensorType" as const, value: { elemType: Type.FLOAT, shape: { dim: [{}] } } } },
});

function modelBytes(graph: Partial<GraphInit> = {}, model: Partial<ModelInit> = {}): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: "", version: 17n }],
      graph: {
        input: [floats("x")],
        output: [floats("y")],
        node: [{ opType: "Relu", input: ["x"], output: ["y"] }],
        ...graph,
      } as GraphInit,
      ...model,
    } as ModelInit),
  );
}

const readTensorOf = (
  init: TensorInit,
  external?: (location: string, offset: number, length: number | undefined) => Uint8Array,
) =>
  readOnnx(modelBytes({ initializer: [{ name: "t", ...init }] }), {
    where,
    ...(external ? { external } : {}),
  }).graph.initializers.get("t");

const encodings: [string, TensorInit, ArrayLike<unknown>][] = [
  [
    "float32, raw",
    { dataType: Type.FLOAT, dims: [2n], rawData: new Uint8Array(Float32Array.of(1.5, -2).buffer) },
    [1.5, -2],
  ],
  ["float32", { dataType: Type.FLOAT, dims: [2n], floatData: [1.5, -2] }, [1.5, -2]],
  ["complex64", { dataType: Type.COMPLEX64, dims: [1n], floatData: [1, 2] }, [1, 2]],
  ["float64", { dataType: Type.DOUBLE, dims: [1n], doubleData: [0.1] }, [0.1]],
  ["complex128", { dataType: Type.COMPLEX128, dims: [1n], doubleData: [1, 2] }, [1, 2]],
  ["int64", { dataType: Type.INT64, dims: [1n], int64Data: [-(2n ** 63n)] }, [-(2n ** 63n)]],
  ["uint64", { dataType: Type.UINT64, dims: [1n], uint64Data: [2n ** 64n - 1n] }, [2n ** 64n - 1n]],
  ["uint32", { dataType: Type.UINT32, dims: [1n], uint64Data: [4294967295n] }, [4294967295]],
  ["int32", { dataType: Type.INT32, dims: [1n], int32Data: [-5] }, [-5]],
  ["int16", { dataType: Type.INT16, dims: [1n], int32Data: [-5] }, [-5]],
  ["int8", { dataType: Type.INT8, dims: [1n], int32Data: [-5] }, [-5]],
  ["uint8", { dataType: Type.UINT8, dims: [1n], int32Data: [200] }, [200]],
  ["uint16", { dataType: Type.UINT16, dims: [1n], int32Data: [65535] }, [65535]],
  ["bool", { dataType: Type.BOOL, dims: [2n], int32Data: [1, 0] }, [1, 0]],
  ["float16, bits", { dataType: Type.FLOAT16, dims: [1n], int32Data: [15360] }, [15360]],
  ["bfloat16, bits", { dataType: Type.BFLOAT16, dims: [1n], int32Data: [16256] }, [16256]],
  ["int4, packed", { dataType: Type.INT4, dims: [3n], int32Data: [0x21, 0x03] }, [0x21, 0x03]],
  ["string", { dataType: Type.STRING, dims: [1n], stringData: [new TextEncoder().encode("é")] }, ["é"]],
  ["a scalar", { dataType: Type.FLOAT, floatData: [3] }, [3]],
  ["nothing", { dataType: Type.FLOAT, dims: [0n] }, []],
];

describe("readOnnx", () => {
  it.each(encodings)("decodes a tensor of %s", (_, init, elements) => {
    expect(Array.from(readTensorOf(init)?.data as ArrayLike<unknown>)).toEqual(elements);
  });

  it("reads from a Buffer at an odd offset", () => {
    const bytes = serializeGraph(denseGraph, 17);
    const buffer = Buffer.alloc(bytes.length + 1);
    buffer.set(bytes, 1);
    expect(readOnnx(buffer.subarray(1), { where }).graph).toEqual(denseGraph);
  });

  it("puts nodes in the order in which they are computed", () => {
    const node = [
      { opType: "Relu", input: ["h"], output: ["y"] },
      { opType: "Cast", input: ["x"], output: ["h"], attribute: [{ name: "to", i: 10n }] },
    ];
    const { graph } = readOnnx(modelBytes({ node }), { where });
    expect(graph.nodes.map(({ op }) => op)).toEqual(["Cast", "Relu"]);
  });

  it("reads external data through the given reader", () => {
    const calls: unknown[] = [];
    const tensor = readTensorOf(
      {
        dataType: Type.FLOAT,
        dims: [2n],
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: [
          { key: "location", value: "weights.bin" },
          { key: "offset", value: "4096" },
        ],
      },
      (...call) => {
        calls.push(call);
        return new Uint8Array(Float32Array.of(7, 8).buffer);
      },
    );
    expect(tensor?.data).toEqual(Float32Array.of(7, 8));
    expect(calls).toEqual([["weights.bin", 4096, 8]]);
  });

  it("reads branches, keeps rare attributes opaque, takes ai.onnx for the standard domain, and unwritten kinds from the field", () => {
    const { graph, opset, domains } = readOnnx(
      modelBytes(
        {
          node: [
            {
              opType: "If",
              domain: "ai.onnx",
              input: ["x"],
              output: ["y"],
              attribute: [
                { name: "then_branch", type: AttributeType.GRAPH, g: { name: "inner" } },
                { name: "else_branch", type: AttributeType.GRAPH, g: { input: [{ name: "sequence" }] } },
                { name: "others", type: AttributeType.GRAPHS, graphs: [{ name: "inner" }] },
                { name: "axis", i: 2n },
                { name: "axes", ints: [1n] },
              ],
            },
          ],
        },
        { opsetImport: [{ domain: "ai.onnx", version: 15n }] },
      ),
      { where },
    );
    expect(graph.nodes[0].domain).toBe("");
    expect(graph.nodes[0].attributes).toMatchObject({
      then_branch: { kind: "graph", value: { name: "inner", nodes: [] } },
      // Not of tensors throughout.
      else_branch: { kind: "opaque" },
      others: { kind: "opaque" },
      axis: { kind: "int", value: 2 },
      axes: { kind: "ints", value: [1] },
    });
    expect(opset).toBe(15);
    expect(domains).toEqual(new Map([["", 15]]));
  });

  const external = (entries: [string, string][]): TensorInit => ({
    dataType: Type.FLOAT,
    dims: [2n],
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: entries.map(([key, value]) => ({ key, value })),
  });
  const initializer = (init: TensorInit) => modelBytes({ initializer: [{ name: "t", ...init }] });
  const bad: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(0), /graph/],
    ["text", new TextEncoder().encode("<html>not found</html>"), /bytes that are none/],
    ["a graph without nodes", modelBytes({ node: [] }), /without nodes/],
    ["an old operator set", modelBytes({}, { opsetImport: [{ version: 5n }] }), /operator set 6 to 28, got 5/],
    ["a future operator set", modelBytes({}, { opsetImport: [{ version: 99n }] }), /got 99/],
    ["a negative operator set", modelBytes({}, { opsetImport: [{ version: -1n }] }), /got -1/],
    ["no operator set", modelBytes({}, { opsetImport: [] }), /got none/],
    ["functions", modelBytes({}, { functions: [{ name: "f", domain: "d" }] }), /got d::f/],
    ["too few elements", initializer({ dataType: Type.FLOAT, dims: [3n], floatData: [1] }), /t: required 3 elements/],
    ["too few bytes", initializer({ dataType: Type.FLOAT, dims: [3n], rawData: new Uint8Array(8) }), /12 bytes/],
    [
      "a huge claim",
      initializer({ dataType: Type.FLOAT, dims: [2147483647n, 2000n], rawData: new Uint8Array(8) }),
      /bytes/,
    ],
    ["an overflowing shape", initializer({ dataType: Type.FLOAT, dims: [2147483647n, 2147483647n] }), /memory/],
    ["a huge dimension", initializer({ dataType: Type.FLOAT, dims: [2n ** 62n] }), /dimensions from 0/],
    ["a negative dimension", initializer({ dataType: Type.FLOAT, dims: [-1n] }), /dimensions from 0/],
    ["an unknown type", initializer({ dataType: 77, dims: [1n], rawData: new Uint8Array(1) }), /type number 77/],
    ["no type", initializer({ dims: [1n], rawData: new Uint8Array(1) }), /got none/],
    ["external data without a reader", initializer(external([["location", "w.bin"]])), /"w.bin"/],
    ["external data without a location", initializer(external([])), /location/],
    [
      "a negative offset",
      initializer(
        external([
          ["location", "w"],
          ["offset", "-4"],
        ]),
      ),
      /offset/,
    ],
    [
      "a length that does not fit",
      initializer(
        external([
          ["location", "w"],
          ["length", "9"],
        ]),
      ),
      /8 bytes/,
    ],
    ["a sparse initializer", modelBytes({ sparseInitializer: [{ dims: [1n] }] }), /sparse/],
    [
      "one name for two initializers",
      modelBytes({
        initializer: [
          { name: "t", dataType: 1 },
          { name: "t", dataType: 1 },
        ].map((t) => ({ ...t, floatData: [1] })),
      }),
      /two called t/,
    ],
    [
      "an undefined name",
      modelBytes({ node: [{ opType: "Relu", input: ["z"], output: ["y"] }] }),
      /reads z, which nothing/,
    ],
    [
      "a value that is called as a buffer, as PyTorch exports mean(x - self.mean)",
      modelBytes({
        initializer: [{ name: "mean", dataType: Type.FLOAT, dims: [1n], floatData: [1] }],
        node: [
          { opType: "Sub", input: ["x", "mean"], output: ["sub"] },
          { opType: "ReduceMean", name: "node_mean", input: ["sub"], output: ["mean"] },
          { opType: "Relu", input: ["mean"], output: ["y"] },
        ],
      }),
      /mean is defined twice, as an initializer, then by the node node_mean \(ReduceMean\)\. In PyTorch, rename the parameter/,
    ],
    ["a cycle", modelBytes({ node: [{ opType: "Add", input: ["x", "y"], output: ["y"] }] }), /cycle/],
    [
      "a sequence as input",
      modelBytes({ input: [{ name: "x", type: { value: { case: "sequenceType", value: {} } } }] }),
      /got a sequence/,
    ],
    [
      "an attribute twice",
      modelBytes({
        node: [
          {
            opType: "Relu",
            input: ["x"],
            output: ["y"],
            attribute: [
              { name: "a", i: 1n },
              { name: "a", i: 2n },
            ],
          },
        ],
      }),
      /two of one name/,
    ],
  ];
  it.each(bad)("refuses %s", (_, bytes, message) => {
    expect(() => readOnnx(bytes, { where })).toThrow(UserError);
    expect(() => readOnnx(bytes, { where })).toThrow(message);
    expect(() => readOnnx(bytes, { where })).toThrow(/^model\.onnx/);
  });

  it("answers any damage with a model or a UserError", () => {
    const whole = serializeGraph(denseGraph, 17);
    const stream = new RandomStream(0, "damage");
    const damaged: Uint8Array[] = [];
    for (let length = 0; length < whole.length; length++) damaged.push(whole.subarray(0, length));
    for (let round = 0; round < 2000; round++) {
      const bytes = whole.slice();
      for (let change = 0; change < 3; change++)
        bytes[Math.floor(stream.uniform() * bytes.length)] = Math.floor(stream.uniform() * 256);
      damaged.push(bytes);
    }
    let refused = 0;
    for (const bytes of damaged) {
      try {
        readOnnx(bytes, { where });
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(damaged.length / 4);
  });
});
