import { expect, it } from "vitest";
import { dependents, isOfShapes, type Node } from "../../src/graph/graph.js";

const node = (op: string, inputs: string[], outputs: string[]): Node => ({
  name: "",
  op,
  domain: "",
  inputs,
  outputs,
  attributes: {},
});

it("are all that comes of a value, and nothing by an output or input that is left out", () => {
  const nodes = [node("Dropout", ["x"], ["kept", ""]), node("Clip", ["y", "", "most"], ["clipped"])];
  expect([...dependents({ nodes }, new Set(["x"]))]).toEqual(["x", "kept"]);
});

it("stop where a node does not pass them on", () => {
  const nodes = [node("Shape", ["x"], ["size"]), node("Reshape", ["y", "size"], ["z"]), node("Relu", ["x"], ["r"])];
  expect([...dependents({ nodes }, new Set(["x"]), (each) => !isOfShapes(each))]).toEqual(["x", "r"]);
});
