import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { UserError } from "../../src/errors.js";
import { checkWire } from "../../src/formats/check-wire.js";
import { type OnnxModel, readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph, writeOnnx } from "../../src/formats/onnx-write.js";
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor, intTensor } from "../../src/graph/tensor.js";
import { denseGraph } from "./models.js";

const graph: Graph = {
  ...denseGraph,
  initializers: new Map([...denseGraph.initializers, ["steps", intTensor([1, 2])]]),
  nodes: [
    {
      op: "Constant",
      domain: "",
      name: "",
      inputs: [],
      outputs: ["c"],
      attributes: { value_floats: attribute.floats([1]) },
    },
    {
      op: "Constant",
      domain: "",
      name: "",
      inputs: [],
      outputs: ["d"],
      attributes: { value: attribute.tensor(floatTensor([1])) },
    },
    ...denseGraph.nodes,
  ],
};

function readOrRefuse(bytes: Uint8Array): OnnxModel | undefined {
  try {
    return readOnnx(bytes, { where: "m" });
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

describe("checkWire", () => {
  it("finds no fault in what encoders write, packed or not", () => {
    checkWire(serializeGraph(graph, 20), ModelProtoSchema);
    // dims (field 1) one by one and packed; float_data (field 4) one by one and packed; an unknown group (field 99).
    const fields = [
      [0x08, 1, 0x0a, 2, 1, 1],
      [0x25, 0, 0, 0x80, 0x3f, 0x22, 4, 0, 0, 0x80, 0x3f],
      [0x9b, 0x06, 0x9c, 0x06],
    ];
    for (const bytes of fields) checkWire(Uint8Array.from(bytes), TensorProtoSchema);
  });

  it.each([
    ["a number where bytes belong", [0x48, 1]],
    ["bytes where a number belongs", [0x12, 1, 0]],
    ["a double where a float belongs", [0x21, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["a number where a message belongs", [0x18, 1]],
    ["a number for a message in a message", [0x6a, 2, 0x08, 1]],
    ["a field that ends too late", [0x4a, 5, 0]],
    ["the end of a group that never began", [0x9c, 0x06]],
    ["a group that does not end", [0x9b, 0x06]],
  ])("refuses %s", (_, bytes) => {
    expect(() => checkWire(Uint8Array.from(bytes), TensorProtoSchema)).toThrow(RangeError);
  });

  it("lets readOnnx refuse what could not be written back", () => {
    // The parser takes this field for a string of 5 bytes, by its number; encoded it is as a number.
    const bytes = Uint8Array.from([...serializeGraph(graph, 20), 0x10, 5, 97, 98, 99, 100, 101]);
    expect(fromBinary(ModelProtoSchema, bytes).producerName).toBe("abcde");
    expect(readOrRefuse(bytes)).toBeUndefined();
  });

  it("lets through only models that can be written back, however damaged", () => {
    const whole = serializeGraph(graph, 20);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
    let count = 0;
    fc.assert(
      fc.property(damage, (changes) => {
        const bytes = whole.slice();
        for (const [place, byte] of changes) bytes[place] = byte;
        const model = readOrRefuse(bytes);
        if (!model) return;
        count++;
        expect(Buffer.from(writeOnnx(model, new Map())).equals(bytes)).toBe(true);
        const tensors = [...model.graph.initializers].filter(([, { type }]) => type !== "string");
        expect(readOrRefuse(writeOnnx(model, new Map(tensors)))?.graph).toEqual(model.graph);
      }),
      { seed: 5, numRuns: 3000 },
    );
    expect(count).toBeGreaterThan(300);
  });
});
