/** Small graphs that the tests of formats write and read. */
import { attribute, type Graph } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";

/** y = relu(x · weightᵀ + bias), from two numbers to three. */
export const denseGraph: Graph = {
  name: "dense",
  inputs: [{ name: "x", type: "float32", shape: ["batch", 2] }],
  outputs: [{ name: "y", type: "float32", shape: ["batch", 3] }],
  initializers: new Map([
    ["weight", floatTensor([1, 2, 3, 4, 5, 6], [3, 2])],
    ["bias", floatTensor([10, 20, -100])],
  ]),
  nodes: [
    {
      op: "Gemm",
      domain: "",
      name: "dense",
      inputs: ["x", "weight", "bias"],
      outputs: ["h"],
      attributes: { transB: attribute.int(1) },
    },
    { op: "Relu", domain: "", name: "", inputs: ["h"], outputs: ["y"], attributes: {} },
  ],
};
