import { describe, expect, it } from "vitest";
import type { Dimension, Graph } from "../../src/graph/graph.js";
import { analyzeNetwork } from "../../src/ops/network.js";
import { withSharedShapes } from "../../src/ops/shared-shapes.js";
import { featureExtractor } from "../../src/recipe/feature-extractor.js";
import { TestNetwork } from "../support/write-network.js";

const info = (name: string, shape: readonly Dimension[] | null) => ({ name, type: "float32", shape }) as const;

/** What the Shape of another input reads and from where to where, where the samples are x. */
function readShape(
  sample: readonly Dimension[] | null,
  other: readonly Dimension[] | null,
  attributes: Record<string, number> = {},
) {
  const net = new TestNetwork();
  const graph = { ...net.graph([4], [net.node("Shape", ["y"], attributes)]), inputs: [info("y", other)] };
  const [node] = withSharedShapes(graph, info("x", sample)).nodes;
  return [...node.inputs, node.attributes.start, node.attributes.end].map((part) =>
    typeof part === "object" && "value" in part ? part.value : part,
  );
}

describe("the shape of another input", () => {
  it("is the sample's where what is taken of it has the same names and sizes", () => {
    expect(readShape(["n", 3, 8], ["n", 3, 8])).toEqual(["x", 0, 3]);
    expect(readShape(["n", 3, 8], ["n", 5], { start: 0, end: 1 })).toEqual(["x", 0, 1]);
    // A negative axis is one of the other input's, whose rank differs.
    expect(readShape(["n", 3, 8], ["n", 3], { start: -1 })).toEqual(["x", 1, 2]);
  });

  it.each([
    [
      ["n", 3, 8],
      ["m", 3, 8],
    ],
    [
      ["n", 3, 8],
      ["n", 3, 9],
    ],
    [
      ["n", 3],
      ["n", 3, 8],
    ],
    [["n", 3, 8], null],
    [null, ["n", 3, 8]],
    [
      [null, 3],
      [null, 3],
    ],
  ])("of %j is not that of %j", (sample, other) => {
    expect(readShape(sample, other)).toEqual(["y", undefined, undefined]);
  });
});

describe("a network of two pictures", () => {
  /** The same layers for both, whose batch is asked of the second, as PyTorch's exporter does. */
  function siamese(): Graph {
    const net = new TestNetwork();
    const batch = net.node("Shape", ["y"], { start: 0, end: 1 });
    const shape = net.node("Concat", [batch, net.ints([12])], { axis: 0 });
    const encoded = ["x", "y"].map((picture) => {
      const convolved = net.node("Conv", [picture, net.weight("conv", [3, 1, 1, 1])]);
      return net.node("Gemm", [net.node("Reshape", [convolved, shape]), net.weight("dense", [12, 5])]);
    });
    const graph = net.graph([], [net.node("Gemm", [net.node("Sub", encoded), net.weight("out", [5, 1])])]);
    return { ...graph, inputs: [info("x", ["n", 1, 2, 2]), info("y", ["n", 1, 2, 2])] };
  }

  it("has all layers that one of them goes through in F", () => {
    const { feature, parameters } = featureExtractor(analyzeNetwork(siamese(), { where: "model.onnx", input: "x" }));
    expect(feature).toBe("gemm4");
    expect(parameters.map(({ name }) => name)).toEqual(["conv", "dense"]);
  });
});
