import { describe, expect, it } from "vitest";
import { GraphBuilder, type Value } from "../../src/graph/builder.js";
import { checkGraph } from "../../src/graph/check.js";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor } from "../../src/graph/tensor.js";

const vector = { type: "float32", shape: [3] } as const;

function setUp(): { builder: GraphBuilder; x: Value; y: Value } {
  const builder = new GraphBuilder();
  return { builder, x: builder.input("x", "float32", [3]), y: builder.input("y", "float32", [3]) };
}

describe("GraphBuilder", () => {
  it("keeps what the outputs need, and all inputs", () => {
    const { builder, x } = setUp();
    const used = builder.constant(floatTensor([1, 2, 3]));
    const unused = builder.constant(floatTensor([4, 5, 6]));
    const [sum] = builder.append("Add", [x, used], {}, [vector]);
    builder.append("Mul", [sum, unused], {}, [vector]);
    const [result] = builder.append("Relu", [sum], {}, [vector]);
    builder.output("result", result);
    const graph = builder.build("test");
    expect(checkGraph(graph)).toEqual([]);
    expect(graph.name).toBe("test");
    expect(graph.inputs.map(({ name }) => name)).toEqual(["x", "y"]);
    expect(graph.nodes.map(({ op, outputs }) => [op, ...outputs])).toEqual([
      ["Add", sum.name],
      ["Relu", "result"],
    ]);
    expect([...graph.initializers]).toEqual([[used.name, used.constant]]);
    expect(graph.outputs).toEqual([{ name: "result", ...vector }]);
    expect(builder.outputNames).toEqual(["result"]);
  });

  it("hands out inputs and constants, and one value under two names", () => {
    const { builder, x } = setUp();
    builder.output("a", x);
    builder.output("b", x);
    builder.output("c", builder.constant(floatTensor([1])));
    const graph = builder.build("test");
    expect(checkGraph(graph)).toEqual([]);
    expect(graph.nodes.map(({ op, outputs }) => [op, ...outputs])).toEqual([
      ["Identity", "a"],
      ["Identity", "b"],
      ["Identity", "c"],
    ]);
  });

  it("gives a made value the name under which it goes out first, wherever it is read", () => {
    const { builder, x } = setUp();
    const [relu] = builder.append("Relu", [x], {}, [vector]);
    builder.append("Exp", [relu], {}, [vector]);
    builder.output("first", relu);
    builder.output("second", relu);
    builder.output("third", builder.append("Exp", [relu], {}, [vector])[0]);
    const graph = builder.build("test");
    expect(checkGraph(graph)).toEqual([]);
    expect(graph.nodes.map(({ op, inputs, outputs }) => [op, ...inputs, ...outputs])).toEqual([
      ["Relu", "x", "first"],
      ["Exp", "first", "third"],
      ["Identity", "first", "second"],
    ]);
  });

  it("makes one node of equal ones", () => {
    const { builder, x, y } = setUp();
    const axis = (value: number): Attributes => ({ axis: attribute.int(value), mode: attribute.string("m") });
    const swapped = { mode: attribute.string("m"), axis: attribute.int(1) };
    const [first] = builder.append("Op", [x, y], axis(1), [vector]);
    expect(builder.append("Op", [x, y], swapped, [vector])[0]).toBe(first);
    const others = [
      builder.append("Op", [y, x], axis(1), [vector])[0],
      builder.append("Op", [x, y], axis(2), [vector])[0],
      builder.append("Other", [x, y], axis(1), [vector])[0],
      builder.append("Op", [x, undefined, y], axis(1), [vector])[0],
      builder.append("Op", [x, y], axis(1), [vector, vector])[0],
    ];
    expect(new Set([first, ...others].map(({ name }) => name)).size).toBe(6);
    expect(builder.nodes.length).toBe(6);
  });

  it("tells apart attributes that look alike", () => {
    const { builder, x } = setUp();
    const attributes = [
      attribute.int(1),
      attribute.float(1),
      attribute.string("1"),
      attribute.ints([1]),
      attribute.float(-0),
      attribute.float(0),
      attribute.float(Number.NaN),
      attribute.float(Number.POSITIVE_INFINITY),
      attribute.floats([Number.POSITIVE_INFINITY]),
      attribute.floats([Number.NEGATIVE_INFINITY]),
      attribute.tensor(floatTensor([0])),
      attribute.tensor(floatTensor([-0])),
      attribute.tensor(intTensor([0])),
    ];
    const names = attributes.map((a) => builder.append("Op", [x], { a }, [vector])[0].name);
    expect(new Set(names).size).toBe(attributes.length);
  });

  it("shares small equal constants", () => {
    const { builder } = setUp();
    const one = builder.constant(floatTensor([1]));
    expect(builder.constant(floatTensor([1]))).toBe(one);
    const others = [
      builder.constant(floatTensor([1], [])),
      builder.constant(intTensor([1])),
      builder.constant(floatTensor([0])),
      builder.constant(floatTensor([-0])),
      builder.constant({ type: "string", shape: [1], data: ["1"] }),
      builder.constant({ type: "string", shape: [2], data: ["a", "b,c"] }),
      builder.constant({ type: "string", shape: [2], data: ["a,b", "c"] }),
    ];
    expect(new Set([one, ...others].map(({ name }) => name)).size).toBe(8);
    const large = new Float32Array(65);
    expect(builder.constant(floatTensor(large))).not.toBe(builder.constant(floatTensor(large)));
  });

  it("names nodes within scopes, each once", () => {
    const { builder, x } = setUp();
    builder.input("headstart/layer/Relu_1", "float32", [3]);
    const [first, second] = builder.scope("layer", () => [
      builder.append("Relu", [x], {}, [vector])[0],
      builder.scope("inner", () => builder.append("Tanh", [x], {}, [vector])[0]),
    ]);
    expect([first.name, second.name]).toEqual(["headstart/layer/Relu_2", "headstart/layer/inner/Tanh_1"]);
    expect(() =>
      builder.scope("layer", () => {
        throw new Error("stop");
      }),
    ).toThrow("stop");
    expect(builder.append("Tanh", [first], {}, [vector])[0].name).toBe("headstart/Tanh_1");
  });

  it("names further outputs of a node after the first", () => {
    const { builder, x } = setUp();
    const outputs = builder.append("Split", [x], {}, [vector, vector]);
    expect(outputs.map(({ name }) => name)).toEqual(["headstart/Split_1", "headstart/Split_1:1"]);
  });

  it("leaves out omitted inputs at the end only", () => {
    const { builder, x, y } = setUp();
    builder.output("result", builder.append("Op", [x, undefined, y, undefined, undefined], {}, [vector])[0]);
    expect(builder.build("test").nodes[0].inputs).toEqual(["x", "", "y"]);
  });

  it("gives made values no name that is kept for an input", () => {
    const { builder, x } = setUp();
    builder.reserve(["headstart/constant_1", "headstart/Relu_1"]);
    const { name } = builder.constant(floatTensor([1, 2, 3]));
    const [made] = builder.append("Relu", [x], {}, [vector]);
    expect([name, made.name]).toEqual(["headstart/constant_2", "headstart/Relu_2"]);
    expect(builder.input("headstart/constant_1", "float32", [3]).name).toBe("headstart/constant_1");
  });

  it("refuses a taken name", () => {
    const { builder, x } = setUp();
    expect(() => builder.input("x", "float32", [1])).toThrow(/taken/);
    builder.output("result", x);
    expect(() => builder.output("result", x)).toThrow(/taken/);
  });

  it("refuses an output with the name of another value", () => {
    const { builder, x } = setUp();
    builder.output("headstart/Relu_1", x);
    builder.append("Relu", [x], {}, [vector]);
    expect(() => builder.build("test")).toThrow(/Relu_1/);
  });
});
