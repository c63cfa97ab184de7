import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.js";
import { Ranks } from "../../src/ops/ranks.js";
import { TestNetwork } from "../support/write-network.js";

/** The rank of what a network of the input x [batch, 4, 4, 2] computes. */
function rankOf(build: (net: TestNetwork) => string): number | undefined {
  const net = new TestNetwork();
  const output = build(net);
  const graph: Graph = { ...net.graph([4, 4, 2], [output]), outputs: [] };
  const ranks = new Ranks(graph, (name) => graph.initializers.get(name));
  for (const node of graph.nodes) ranks.learn(node);
  return ranks.of(output);
}

/** The batch's size as a vector of one element, by way of a scalar, as jax2onnx writes it. */
function batchOf(net: TestNetwork): string {
  const size = net.node("Gather", [net.node("Shape", ["x"]), net.ints([0])]);
  return net.node("Unsqueeze", [net.node("Squeeze", [size, net.ints([0])]), net.ints([0])]);
}

describe("Ranks", () => {
  it.each<[string, (net: TestNetwork) => string, number | undefined]>([
    ["a Reshape to sizes that are known", (net) => net.node("Reshape", ["x", net.ints([0, -1])]), 2],
    [
      "a Reshape to sizes that are computed",
      (net) => net.node("Reshape", ["x", net.node("Concat", [batchOf(net), net.ints([16, 2])], { axis: 0 })]),
      3,
    ],
    ["a Reshape to another value's shape", (net) => net.node("Reshape", ["x", net.node("Shape", ["x"])]), 4],
    ...(
      [
        [[0], [2], 2],
        [[-3], [9], 3],
        [[3], [1], 0],
      ] as const
    ).map(
      ([from, to, length]) =>
        [
          `a Reshape to positions ${from} to ${to} of a shape, and a size`,
          (net: TestNetwork): string => {
            const part = net.node("Slice", [net.node("Shape", ["x"]), net.ints(from), net.ints(to)]);
            return net.node("Reshape", ["x", net.node("Concat", [part, net.ints([-1])], { axis: 0 })]);
          },
          length + 1,
        ] as [string, (net: TestNetwork) => string, number],
    ),
    [
      "a Reshape to every other size of a shape",
      (net) => {
        const settings = [[0], [4], [0], [2]].map((values) => net.ints(values));
        return net.node("Reshape", ["x", net.node("Slice", [net.node("Shape", ["x"]), ...settings])]);
      },
      undefined,
    ],
    [
      "a Reshape to a part of a shape",
      (net) => net.node("Reshape", ["x", net.node("Shape", ["x"], { start: 1 })]),
      undefined,
    ],
    ["a Reshape to nothing joined", (net) => net.node("Reshape", ["x", net.node("Concat", [], { axis: 0 })]), 0],
    ["a Gather at one position", (net) => net.node("Gather", ["x", net.number(0)], { axis: 1 }), 3],
    ["a Gather at several positions", (net) => net.node("Gather", ["x", net.ints([0, 1])], { axis: 1 }), 4],
  ])("follow %s", (_, build, rank) => {
    expect(rankOf(build)).toBe(rank);
  });
});
