import { describe, expect, it, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { reductionNames } from "../../src/ops/names.js";
import {
  expectFoldAsRun,
  expectGradients,
  expectShapesAsRun,
  type OperatorCase,
  titleOf,
} from "../support/check-operator.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

const drop: Attributes = { keepdims: attribute.int(0) };
const idle: Attributes = { noop_with_empty_axes: attribute.int(1) };
// No zeros, no ties, no kinks nearby.
const x = floatTensor(
  Array.from({ length: 24 }, (_, index) => (index % 2 ? 1 : -1) * (0.5 + ((index * 7) % 24) / 8)),
  [2, 3, 4],
);
const names = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"];

const variants = (op: string, input = x): OperatorCase[] => [
  { op, variant: "everything", inputs: [input] },
  { op, variant: "everything, axes dropped", inputs: [input], attributes: drop },
  { op, variant: "one axis", inputs: [input, intTensor([-1])], constants: [1] },
  { op, variant: "two axes, dropped", inputs: [input, intTensor([2, 0])], constants: [1], attributes: drop },
];

const reduced: OperatorCase[] = [
  ...names.flatMap((op) => variants(op)),
  ...variants("ReduceLogSumExp"),
  ...variants("ReduceProd", floatTensor([1.1, -0.9, 0.7, 1.2, -1.3, 0.8], [1, 3, 2])),
  {
    op: "ReduceProd",
    variant: "with zeros",
    inputs: [floatTensor([0.9, 1.2, -0.7, 0, 1.1, 0.8, 0, -1.2, 0, 0.7, 1.3, 0], [3, 4]), intTensor([1])],
    constants: [1],
  },
  {
    op: "ReduceProd",
    variant: "with zeros, two axes apart",
    inputs: [floatTensor([0, 1.2, -0.7, 0, 1.1, 0.8, 0.6, -1.2, 0.9, 0, 1.3, 0], [2, 3, 2]), intTensor([0, 2])],
    constants: [1],
    attributes: drop,
  },
  {
    op: "ReduceProd",
    variant: "along an axis of one",
    inputs: [normalTensor("one", [3, 1, 2]), intTensor([1])],
    constants: [1],
  },
  ...[...names, "ReduceLogSumExp"].flatMap((op): OperatorCase[] => [
    {
      op,
      variant: "empty axes, every element by itself",
      inputs: [x, intTensor([])],
      constants: [1],
      attributes: idle,
    },
    { op, variant: "no axes, every element by itself", inputs: [x], attributes: idle },
  ]),
  { op: "ReduceMax", variant: "of a scalar", inputs: [floatTensor([2], [])] },
];

/** Along an axis without elements, which some exporters leave in shape arithmetic. */
const ofNothing = ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"].map(
  (op): OperatorCase => ({
    op,
    variant: "of nothing",
    inputs: [floatTensor([], [2, 0, 3]), intTensor([1])],
    constants: [1],
  }),
);

const cumulative: OperatorCase[] = [0, 1].flatMap((exclusive) =>
  [0, 1].map(
    (reverse): OperatorCase => ({
      op: "CumSum",
      variant: `exclusive ${exclusive}, reverse ${reverse}`,
      inputs: [x, intTensor([-2], [])],
      constants: [1],
      attributes: { exclusive: attribute.int(exclusive), reverse: attribute.int(reverse) },
    }),
  ),
);

const positions: OperatorCase[] = ["ArgMax", "ArgMin"].flatMap((op): OperatorCase[] => [
  { op, inputs: [x] },
  { op, variant: "last axis, dropped", inputs: [x], attributes: { axis: attribute.int(-1), ...drop } },
]);

const withGradient = [...reduced, ...cumulative];
const all = [...withGradient, ...positions];

describe("types and shapes are those of ONNX Runtime", () => {
  test.each(all.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectShapesAsRun(each);
  });

  it("has cases for every operator", () => {
    const tested = new Set(all.map(({ op }) => op));
    expect(reductionNames.filter((name) => !tested.has(name))).toEqual([]);
  });

  it("refuses axes that do not exist or are not constant", () => {
    const emit = new Emitter();
    const input = emit.input("x", "float32", [2, 3]);
    expect(() => emit.one("ReduceSum", [input, emit.ints([2])])).toThrow("ReduceSum: axis 2 does not exist in rank 2");
    expect(() => emit.one("ReduceSum", [input, emit.input("axes", "int64", [1])])).toThrow("must be a constant");
  });
});

describe("gradients agree with differences", () => {
  test.each(withGradient.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectGradients(each);
  });

  async function gradientOf(op: string, elements: number[]): Promise<number[]> {
    const { gradient } = await runGraph({ x: floatTensor(elements) }, (emit, { x: input }) => ({
      gradient: gradients(emit, [{ value: emit.one(op, [input]) }], [input])[0]!,
    }));
    return numbersOf(gradient);
  }

  it("factors of a product get that of the others, whichever are 0", async () => {
    expect(await gradientOf("ReduceProd", [2, 3, 4])).toEqual([12, 8, 6]);
    expect(await gradientOf("ReduceProd", [0, 3, 4])).toEqual([12, 0, 0]);
    expect(await gradientOf("ReduceProd", [0, 3, 0])).toEqual([0, 0, 0]);
  });

  it("equal extremes share the gradient", async () => {
    expect(await gradientOf("ReduceMax", [3, 1, 3])).toEqual([0.5, 0, 0.5]);
    expect(await gradientOf("ReduceMin", [3, 1, 3])).toEqual([0, 1, 0]);
  });

  it("the Euclidean norm passes nothing at the origin", async () => {
    expect(await gradientOf("ReduceL2", [0, 0])).toEqual([0, 0]);
    expect(await gradientOf("ReduceL2", [3, -4])).toEqual([Math.fround(0.6), Math.fround(-0.8)]);
  });
});

describe("constants fold to what ONNX Runtime computes", () => {
  const integers = intTensor([-7, -6, -1, 2, 1, 6, 7, 12], [2, 4]);
  const cases = ["ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"].flatMap((op): OperatorCase[] => [
    { op, variant: "int64, everything", inputs: [integers], attributes: drop },
    { op, variant: "int64, one axis", inputs: [integers, intTensor([0])], attributes: drop },
    { op, variant: "float32, kept", inputs: [normalTensor("fold", [2, 3, 2]), intTensor([0, -1])] },
    { op, variant: "empty axes", inputs: [integers, intTensor([])], attributes: idle },
  ]);
  test.each([...cases, ...ofNothing].map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectFoldAsRun({ ...each, constants: [1] });
  });
});
