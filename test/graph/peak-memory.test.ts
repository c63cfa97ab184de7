import { expect, it } from "vitest";
import { GraphBuilder, type Value, type ValueType } from "../../src/graph/builder.js";

const numbers = (count: number): ValueType => ({ type: "float32", shape: [count] });
const builder = (): { builder: GraphBuilder; x: Value } => {
  const made = new GraphBuilder();
  return { builder: made, x: made.input("x", "float32", [100]) };
};

it("counts what lives at the same time, and frees what is read for the last time", () => {
  const { builder: graph, x } = builder();
  const [a] = graph.append("Expand", [x], {}, [numbers(1000)]);
  const [b] = graph.append("Expand", [a], {}, [numbers(2000)]);
  const [c] = graph.append("Expand", [b], {}, [numbers(500)]);
  graph.output("c", c);
  // a and b, then b and c.
  expect(graph.peakBytes).toBe(4 * 3000);
  // As an output a lives until the end.
  graph.output("a", a);
  expect(graph.peakBytes).toBe(4 * 3500);
});

it("counts nothing for nodes that write over what they read last, for views, and for what nothing needs", () => {
  const { builder: graph, x } = builder();
  const [a] = graph.append("Expand", [x], {}, [numbers(1000)]);
  const [over] = graph.append("Relu", [a], {}, [numbers(1000)]);
  const [view] = graph.append("Reshape", [over], {}, [{ type: "float32", shape: [10, 100] }]);
  graph.append("Expand", [x], {}, [numbers(1e9)]);
  graph.output("sum", graph.append("ReduceSum", [view], {}, [numbers(1)])[0]);
  expect(graph.peakBytes).toBe(4 * 1001);
});

it("keeps what is read again, through a view too", () => {
  const { builder: graph, x } = builder();
  const [a] = graph.append("Expand", [x], {}, [numbers(1000)]);
  const [view] = graph.append("Reshape", [a], {}, [{ type: "float32", shape: [10, 100] }]);
  const [b] = graph.append("Exp", [a], {}, [numbers(1000)]);
  const [c] = graph.append("Mul", [b, view], {}, [numbers(1000)]);
  graph.output("c", c);
  expect(graph.peakBytes).toBe(4 * 2000);
});

it("knows how long elements are", () => {
  const { builder: graph, x } = builder();
  const [long] = graph.append("Cast", [x], {}, [{ type: "int64", shape: [100] }]);
  const [truth] = graph.append("Cast", [long], {}, [{ type: "bool", shape: [100] }]);
  graph.output("truth", truth);
  expect(graph.peakBytes).toBe(100 * 8 + 100);
});

it.each([
  ["float64", 8],
  ["float16", 2],
  ["bfloat16", 2],
  ["int64", 8],
  ["int16", 2],
  ["bool", 1],
] as const)("counts %s as %i bytes an element", (type, bytes) => {
  const { builder: graph, x } = builder();
  graph.output("cast", graph.append("Cast", [x], {}, [{ type, shape: [10, 100] }])[0]);
  expect(graph.peakBytes).toBe(bytes * 1000);
});
