import { describe, expect, it } from "vitest";
import type { Value } from "../../src/graph/builder.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, type Tensor } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { RuleError } from "../../src/ops/operator.js";
import { openSession } from "../../src/runtime/node.js";
import { normalTensor } from "../support/run-graph.js";

const { int, tensor } = attribute;
const int32 = (values: number[], shape = [values.length]): Tensor => ({
  type: "int32",
  shape,
  data: Int32Array.from(values),
});
const bool = (values: number[], shape = [values.length]): Tensor => ({
  type: "bool",
  shape,
  data: Uint8Array.from(values),
});

/** What the operator gives: folded by us, and computed by ONNX Runtime from the same constants. */
interface Case {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes?: Parameters<Emitter["node"]>[2];
}

const x = normalTensor("x", [2, 3, 4]);
const cases: readonly Case[] = [
  { name: "Constant", op: "Constant", inputs: [], attributes: { value: tensor(intTensor([3, -1])) } },
  { name: "ConstantOfShape", op: "ConstantOfShape", inputs: [intTensor([2, 3])] },
  {
    name: "ConstantOfShape of int64",
    op: "ConstantOfShape",
    inputs: [intTensor([2])],
    attributes: { value: tensor(intTensor([-7])) },
  },
  {
    name: "ConstantOfShape of bool",
    op: "ConstantOfShape",
    inputs: [intTensor([2])],
    attributes: { value: tensor(bool([1])) },
  },
  {
    name: "ConstantOfShape, scalar",
    op: "ConstantOfShape",
    inputs: [intTensor([])],
    attributes: { value: tensor(int32([4])) },
  },
  { name: "Shape", op: "Shape", inputs: [x] },
  { name: "Shape from start", op: "Shape", inputs: [x], attributes: { start: int(-2) } },
  { name: "Shape to end", op: "Shape", inputs: [x], attributes: { end: int(-1) } },
  { name: "Shape beyond", op: "Shape", inputs: [x], attributes: { start: int(-9), end: int(9) } },
  { name: "Shape of nothing", op: "Shape", inputs: [x], attributes: { start: int(2), end: int(1) } },
  { name: "Size", op: "Size", inputs: [x] },
  { name: "Range", op: "Range", inputs: [intTensor([2], []), intTensor([9], []), intTensor([3], [])] },
  { name: "Range downwards", op: "Range", inputs: [int32([5], []), int32([-2], []), int32([-2], [])] },
  { name: "Range of nothing", op: "Range", inputs: [intTensor([5], []), intTensor([2], []), intTensor([1], [])] },
  {
    name: "Range of floats",
    op: "Range",
    inputs: [floatTensor([0.5], []), floatTensor([4], []), floatTensor([0.25], [])],
  },
  { name: "NonZero", op: "NonZero", inputs: [intTensor([0, 3, 0, 1, 1, 0], [2, 3])] },
  { name: "NonZero of bool", op: "NonZero", inputs: [bool([1, 0, 1, 1])] },
  { name: "OneHot", op: "OneHot", inputs: [intTensor([1, -1, 3, 0]), intTensor([3], []), floatTensor([0, 1])] },
  {
    name: "OneHot at an axis",
    op: "OneHot",
    inputs: [intTensor([1, 0, 2, 1], [2, 2]), intTensor([3], []), intTensor([5, 6])],
    attributes: { axis: int(1) },
  },
];

describe("shape arithmetic", () => {
  it.each(cases)("folds $name to what ONNX Runtime computes", async ({ op, inputs, attributes = {} }) => {
    const emit = new Emitter();
    const folded = emit.one(
      op,
      inputs.map((input) => emit.constant(input)),
      attributes,
    ).constant;
    const names = inputs.map((_, index) => `input${index}`);
    const session = await openSession(
      {
        name: "computed",
        inputs: inputs.map((input, index) => ({ name: names[index], type: input.type, shape: input.shape })),
        outputs: [{ name: "y", type: folded!.type, shape: folded!.shape }],
        initializers: new Map(),
        nodes: [{ op, domain: "", name: "node", inputs: names, outputs: ["y"], attributes }],
      },
      { threads: 1 },
    );
    try {
      const { y } = await session.run(Object.fromEntries(inputs.map((input, index) => [names[index], input])));
      expect(folded).toEqual({ type: y.type, shape: y.shape, data: y.data });
    } finally {
      await session.release();
    }
  });

  it("knows shapes of what has no elements yet, so that whole chains fold", () => {
    const emit = new Emitter();
    const image = emit.input("image", "float32", [8, 3, 5, 7]);
    const shape = emit.one("Shape", [image]);
    const batch = emit.one("Gather", [shape, emit.scalar(0, "int64")]);
    const target = emit.one("Concat", [emit.one("Unsqueeze", [batch, emit.ints([0])]), emit.ints([-1])], {
      axis: int(0),
    });
    expect(emit.one("Reshape", [image, target]).shape).toEqual([8, 105]);
    expect(emit.nodes.map((node) => node.op)).toEqual(["Reshape"]);
  });

  const wrong: readonly [string, (emit: Emitter) => Value][] = [
    ["attribute value only", (emit) => emit.one("Constant", [], { value_int: int(3) })],
    ["[-1] is not a shape", (emit) => emit.one("ConstantOfShape", [emit.ints([-1])])],
    ["must be a constant", (emit) => emit.one("ConstantOfShape", [emit.input("s", "int64", [1])])],
    [
      "delta other than 0",
      (emit) =>
        emit.one(
          "Range",
          [0, 3, 0].map((number) => emit.scalar(number, "int64")),
        ),
    ],
    ["must be a constant", (emit) => emit.one("NonZero", [emit.input("x", "float32", [3])])],
    ["depth of at least 1", (emit) => emit.one("OneHot", [emit.ints([0]), emit.scalar(0, "int64"), emit.ints([0, 1])])],
  ];
  it.each(wrong)("says: %s", (message, body) => {
    expect(() => body(new Emitter())).toThrow(RuleError);
    expect(() => body(new Emitter())).toThrow(message);
  });
});
