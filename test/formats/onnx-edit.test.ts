import { expect, it } from "vitest";
import { editOnnx } from "../../src/formats/onnx-edit.js";
import { readOnnx } from "../../src/formats/onnx-read.js";
import { serializeGraph } from "../../src/formats/onnx-write.js";
import type { Node } from "../../src/graph/graph.js";
import { floatTensor } from "../../src/graph/tensor.js";
import { denseGraph } from "./models.js";

it("adds an initializer, drops a node and changes inputs, and leaves the rest", () => {
  const copy: Node = { op: "Identity", domain: "", name: "copy", inputs: ["bias"], outputs: ["other"], attributes: {} };
  const bytes = serializeGraph({ ...denseGraph, nodes: [copy, ...denseGraph.nodes] }, 20);
  const added = floatTensor([7, 8, 9]);
  const { graph } = readOnnx(
    editOnnx(bytes, {
      added: new Map([["other", added]]),
      dropped: new Set(["other"]),
      inputs: new Map([["h", ["x", "weight", "other"]]]),
    }),
    { where: "edited.onnx" },
  );
  expect(graph).toEqual({
    ...denseGraph,
    initializers: new Map([...denseGraph.initializers, ["other", added]]),
    nodes: [{ ...denseGraph.nodes[0], inputs: ["x", "weight", "other"] }, denseGraph.nodes[1]],
  });
  const none = { added: new Map(), dropped: new Set(["nothing"]), inputs: new Map() };
  expect(editOnnx(bytes, none)).toEqual(bytes);
});
