import { describe, expect, it } from "vitest";
import { type Attributes, attribute, type Graph, type Node } from "../../src/graph/graph.js";
import { intTensor, type Tensor } from "../../src/graph/tensor.js";
import { analyzeNetwork, type Network } from "../../src/ops/network.js";
import { normalTensor } from "../support/run-graph.js";

function node(op: string, inputs: readonly string[], output: string, attributes: Attributes = {}): Node {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes };
}

/** A network on pictures of three channels, with a convolution before these nodes. */
function networkOf(nodes: readonly Node[], tensors: Readonly<Record<string, Tensor>>): Network {
  const graph: Graph = {
    name: "test",
    inputs: [{ name: "x", type: "float32", shape: ["batch", 3, 4, 4] }],
    outputs: [{ name: nodes[nodes.length - 1].outputs[0], type: "float32", shape: null }],
    initializers: new Map(Object.entries({ weight: normalTensor("weight", [8, 3, 1, 1]), ...tensors })),
    nodes: [node("Conv", ["x", "weight"], "h"), ...nodes],
  };
  return analyzeNetwork(graph, { where: "m.onnx" });
}

const rolesOf = (network: Network): Record<string, string> =>
  Object.fromEntries([...network.parameters.values()].map(({ name, role }) => [name, role]));

describe("analyzeNetwork", () => {
  it("knows a class token that is expanded to the batch's size", () => {
    const network = networkOf(
      [
        node("Shape", ["x"], "shape", { end: attribute.int(1) }),
        node("Concat", ["shape", "rest"], "size", { axis: attribute.int(0) }),
        node("Expand", ["token", "size"], "tokens"),
        node("Reshape", ["h", "flat"], "rows"),
        node("Concat", ["tokens", "rows"], "y", { axis: attribute.int(1) }),
      ],
      { rest: intTensor([1, 8]), flat: intTensor([0, -1, 8]), token: normalTensor("token", [1, 1, 8]) },
    );
    expect(rolesOf(network)).toEqual({ weight: "weight", token: "table" });
  });

  it("takes one number expanded to a bias for no parameter", () => {
    const network = networkOf([node("Expand", ["zero", "size"], "bias"), node("Conv", ["h", "second", "bias"], "y")], {
      zero: normalTensor("zero", []),
      size: intTensor([8]),
      second: normalTensor("second", [8, 8, 1, 1]),
    });
    expect(rolesOf(network)).toEqual({ weight: "weight", second: "weight" });
  });

  it("refuses a running statistic that is a learned parameter too", () => {
    const vector = (name: string): Tensor => normalTensor(name, [8]);
    const tensors = { scale: vector("scale"), zero: vector("zero"), variance: vector("variance") };
    const normalise = node("BatchNormalization", ["h", "scale", "zero", "zero", "variance"], "y");
    expect(() => networkOf([normalise], tensors)).toThrow(/m\.onnx: tensor zero: required one purpose.*optimize=False/);
  });
});
