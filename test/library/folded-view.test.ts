import { describe, expect, it } from "vitest";
import type { ModelFile } from "../../src/formats/model-file.js";
import type { PytorchOrigin } from "../../src/formats/pytorch-origin.js";
import type { Node } from "../../src/graph/graph.js";
import { foldedView } from "../../src/library/folded-view.js";
import { GraphRestorer } from "../../src/library/graph-restorer.js";
import { normalTensor } from "../support/run-graph.js";

/** A node that reads a tensor, with the call that it comes from. */
interface Reader {
  readonly op: string;
  readonly inputs: readonly string[];
  /** Path of the innermost module. */
  readonly module: string;
  readonly operation: string;
  readonly arguments: readonly string[];
  readonly hasKeywords?: boolean;
  readonly moduleClass?: string;
}

const mul = (module: string, inputs: readonly string[], args = inputs.map((name) => `%${name}`)): Reader => ({
  op: "Mul",
  inputs,
  module,
  operation: "aten.mul.Tensor",
  arguments: args,
});

/** What the first of these readers has in this slot, where the file holds one tensor. */
function found(
  readers: readonly Reader[],
  tensor: { readonly name: string; readonly shape: readonly number[]; readonly from: readonly string[] },
  { slot = 1, trained = ["a.gamma", "b.gamma"] }: { slot?: number; trained?: readonly string[] } = {},
) {
  const nodes: Node[] = readers.map(({ op, inputs }, index) => ({
    op,
    domain: "",
    name: "",
    inputs,
    outputs: [`y${index}`],
    attributes: {},
  }));
  const origins = new Map<string, PytorchOrigin>(
    readers.map(({ module, moduleClass = "Block", operation, arguments: parts, hasKeywords = false }, index) => [
      `y${index}`,
      { modules: ["", module], moduleClass, operation, arguments: parts, hasKeywords, isFolded: false },
    ]),
  );
  const initializers = new Map([[tensor.name, normalTensor("t", tensor.shape)]]);
  const graph = { name: "test", inputs: [], outputs: [], initializers, nodes };
  const foldedFrom = new Map([[tensor.name, tensor.from]]);
  const restorer = new GraphRestorer({ graph } as unknown as ModelFile);
  return foldedView(restorer, nodes[0], slot, { origins, foldedFrom, trained: new Set(trained) });
}

const view = { name: "view", shape: [1, 8, 1, 1], from: ["a.gamma", "val_5", "val_6"] };

describe("foldedView", () => {
  it("is a vector that was given more axes, or a matrix that was turned round", () => {
    expect(found([mul("a", ["x", "view"])], view)).toEqual({ parameter: "a.gamma", view: "flat" });
    const twice = { name: "unsqueeze_1", shape: [8, 1, 1], from: ["a.gamma", "unsqueeze", "val_2"] };
    expect(found([mul("a", ["unsqueeze_1", "x"])], twice, { slot: 0 })).toEqual({ parameter: "a.gamma", view: "flat" });
    const product = { ...mul("a", ["x", "t"]), op: "MatMul", operation: "aten.matmul.default" };
    const turned = { name: "t", shape: [4, 8], from: ["a.gamma"] };
    expect(found([product], turned)).toEqual({ parameter: "a.gamma", view: "transposed" });
  });

  it.each([
    ["was computed with", { ...view, from: ["a.gamma", "exp", "val_5"] }],
    ["was computed last", { ...view, name: "exp" }],
    ["comes of two parameters", { ...view, from: ["a.gamma", "b.gamma"] }],
    ["comes of none", { ...view, from: ["arange"] }],
    ["is a matrix in another shape", { ...view, shape: [1, 8, 2, 1] }],
    ["is a matrix of which a part was taken", { name: "t", shape: [4, 8], from: ["a.gamma", "slice_1"] }],
    ["is a vector that cannot have been turned", { name: "t", shape: [8], from: ["a.gamma"] }],
    ["was given too few axes to have had one", { name: "unsqueeze", shape: [1, 8, 1], from: ["a.gamma", "val_2"] }],
    ["is one number", { ...view, shape: [1, 1, 1, 1] }],
  ])("is nothing that %s", (_, tensor) => {
    expect(found([mul("a", ["x", tensor.name])], tensor)).toBeUndefined();
  });

  it("is another block's parameter where that was merged with the one left", () => {
    const [own, other] = [mul("b", ["x", "view"], ["%x", "%view_1"]), mul("a", ["x", "view"])];
    expect(found([own, other], view)).toEqual({ parameter: "b.gamma", view: "flat" });
    expect(found([own, other], view, { trained: ["a.gamma"] })).toBeUndefined();
    expect(found([{ ...own, moduleClass: "Other" }, other], view)).toBeUndefined();
    expect(found([own, { ...other, operation: "aten.div.Tensor" }], view)).toBeUndefined();
    expect(found([mul("b", ["x", "view"], ["%x", "%p_b_gamma"]), other], view)).toBeUndefined();
  });

  it("is what headstart itself has separated", () => {
    const tensor = { name: "a.gamma/flat", shape: [1, 8, 1, 1], from: [] };
    const reader = mul("a", ["x", "a.gamma/flat"], ["%x", "%view"]);
    expect(found([reader], tensor)).toEqual({ parameter: "a.gamma", view: "flat" });
    expect(found([reader], tensor, { trained: ["b.gamma"] })).toBeUndefined();
  });

  it("is none where a block reads the merged tensor at two places", () => {
    const own = mul("a", ["x", "view"]);
    expect(found([own, mul("a", ["h", "view"], ["%h", "%view_1"])], view)).toBeUndefined();
  });

  it("is what addcmul multiplies by one", () => {
    const reader: Reader = {
      op: "Mul",
      inputs: ["tmp", "x"],
      module: "a",
      operation: "aten.addcmul.default",
      arguments: ["%view", "%view_1", "%x"],
    };
    const tensor = { name: "tmp", shape: [1, 8, 1, 1], from: ["a.gamma", "value", "value_cast", "view_1", "val_9"] };
    expect(found([reader], tensor, { slot: 0 })).toEqual({ parameter: "a.gamma", view: "flat" });
    expect(found([{ ...reader, hasKeywords: true }], tensor, { slot: 0 })).toBeUndefined();
    expect(found([mul("a", ["tmp", "x"])], tensor, { slot: 0 })).toBeUndefined();
    // Of the sum's two tensors it is the other one.
    const shared = { ...reader, inputs: ["view", "x"] };
    expect(found([shared], { ...view, from: ["a.gamma"] }, { slot: 0 })).toBeUndefined();
    expect(found([{ ...reader, op: "Add", inputs: ["view", "h"] }], view, { slot: 0 })?.parameter).toBe("a.gamma");
  });
});
