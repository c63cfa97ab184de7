import { describe, expect, it, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { type Attributes, attribute } from "../../src/graph/graph.js";
import { type FloatTensor, floatTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { dataTypeNumber, Emitter } from "../../src/ops/emitter.js";
import { elementwiseNames } from "../../src/ops/names.js";
import { expectGradients, expectShapesAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";
import { normalTensor, runGraph, runOnce } from "../support/run-graph.js";

/** Numbers from distance to about 4 away from zero, of both signs. */
function awayFromZero(purpose: string, shape: readonly number[], distance = 0.3): FloatTensor {
  const { data } = normalTensor(purpose, shape);
  return floatTensor(
    Array.from(data, (element) => element + Math.sign(element) * distance),
    shape,
  );
}

function positive(purpose: string, shape: readonly number[]): FloatTensor {
  return floatTensor(Array.from(awayFromZero(purpose, shape, 0.5).data, Math.abs), shape);
}

const bools = (elements: readonly number[], shape = [elements.length]): Tensor => ({
  type: "bool",
  shape,
  data: Uint8Array.from(elements),
});

const scalar = (value: number): FloatTensor => floatTensor([value], []);
const x = normalTensor("x", [2, 3]);
const y = normalTensor("y", [4, 1, 3]);

/** Cases whose gradients agree with differences. */
const smooth: OperatorCase[] = [
  { op: "Identity", inputs: [x] },
  ...["Add", "Sub", "Mul"].flatMap((op): OperatorCase[] => [
    { op, inputs: [x, normalTensor("other", [2, 3])] },
    { op, variant: "broadcast both ways", inputs: [x, y] },
    { op, variant: "with a scalar", inputs: [scalar(0.7), x] },
    { op, variant: "constant operand", inputs: [x, y], constants: [1] },
  ]),
  { op: "Div", inputs: [x, positive("divisor", [2, 3])] },
  { op: "Div", variant: "broadcast both ways", inputs: [y, positive("divisor", [2, 3])] },
  {
    op: "Pow",
    variant: "variable exponent, broadcast",
    inputs: [positive("base", [2, 3]), normalTensor("power", [3])],
  },
  ...[-1, 0, 0.5, 1, 2, 3].map(
    (power): OperatorCase => ({
      op: "Pow",
      variant: `constant exponent ${power}`,
      inputs: [positive("base", [2, 3]), scalar(power)],
      constants: [1],
    }),
  ),
  {
    op: "Pow",
    variant: "integer exponent, negative base",
    inputs: [awayFromZero("base", [3]), { type: "int64", shape: [], data: BigInt64Array.of(3n) }],
  },
  ...["Max", "Min"].flatMap((op): OperatorCase[] => [
    { op, inputs: [awayFromZero("x", [2, 3]), scalar(0)] },
    { op, variant: "of one", inputs: [x] },
    {
      op,
      variant: "of three, broadcast",
      inputs: [floatTensor([1, 5, 9]), floatTensor([2, 4], [2, 1]), floatTensor([3, 3, 3, 3, 3, 10], [2, 3])],
    },
  ]),
  { op: "Sum", inputs: [x, y, scalar(2)] },
  { op: "Mean", inputs: [x, y, scalar(2)] },
  { op: "Neg", inputs: [x] },
  { op: "Abs", inputs: [awayFromZero("x", [2, 3])] },
  { op: "Sqrt", inputs: [positive("x", [2, 3])] },
  { op: "Reciprocal", inputs: [positive("x", [2, 3])] },
  { op: "Exp", inputs: [x] },
  { op: "Log", inputs: [positive("x", [2, 3])] },
  { op: "Erf", inputs: [x] },
  { op: "Sin", inputs: [x] },
  { op: "Cos", inputs: [x] },
  ...["Atan", "Asinh", "Sinh", "Cosh"].map((op): OperatorCase => ({ op, inputs: [x] })),
  // Clear of Tan's poles and of the ends of what the others are defined for.
  ...["Tan", "Asin", "Acos", "Atanh"].map((op): OperatorCase => ({ op, inputs: [floatTensor([-0.7, -0.2, 0, 0.6])] })),
  { op: "Acosh", inputs: [floatTensor([1.4, 2, 5])] },
  {
    op: "Mod",
    inputs: [floatTensor([5.5, -5.5, 1.5]), floatTensor([2, 2, 2])],
    attributes: { fmod: attribute.int(1) },
    check: { fixed: ["input1"] },
  },
  { op: "Clip", variant: "both bounds", inputs: [floatTensor([-2, -0.5, 0.5, 2]), scalar(-1), scalar(1)] },
  { op: "Clip", variant: "lower bound", inputs: [floatTensor([-2, 0.5, 2]), scalar(-1)] },
  { op: "Clip", variant: "upper bound", inputs: [floatTensor([-2, 0.5, 2]), undefined, scalar(1)] },
  { op: "Clip", variant: "no bounds", inputs: [x] },
  { op: "Where", inputs: [bools([1, 0, 1]), x, normalTensor("other", [2, 3])] },
  { op: "Where", variant: "broadcast", inputs: [bools([1, 0], [2, 1]), y, scalar(3)] },
  { op: "Dropout", inputs: [x] },
  { op: "Dropout", variant: "with mask", inputs: [x], outputCount: 2 },
  { op: "Cast", inputs: [x], attributes: { to: attribute.int(dataTypeNumber("float32")) } },
];

/** Cases without gradients. */
const other: OperatorCase[] = [
  ...["Sign", "Floor", "Ceil", "Round"].map((op): OperatorCase => ({ op, inputs: [x] })),
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((op): OperatorCase => ({ op, inputs: [x, y] })),
  ...["And", "Or", "Xor"].map((op): OperatorCase => ({ op, inputs: [bools([1, 0]), bools([1, 0, 0], [3, 1])] })),
  { op: "Not", inputs: [bools([1, 0])] },
  { op: "IsNaN", inputs: [x] },
  { op: "IsInf", inputs: [x] },
  { op: "Cast", variant: "to int64", inputs: [x], attributes: { to: attribute.int(dataTypeNumber("int64")) } },
  { op: "Cast", variant: "to float64", inputs: [x], attributes: { to: attribute.int(dataTypeNumber("float64")) } },
];

describe("types and shapes are those of ONNX Runtime", () => {
  test.each([...smooth, ...other].map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectShapesAsRun(each);
  });

  it("has cases for every operator", () => {
    const tested = new Set([...smooth, ...other].map(({ op }) => op));
    expect(elementwiseNames.filter((name) => !tested.has(name))).toEqual([]);
  });

  it.each([
    [
      "Add",
      [
        [2, 3],
        [2, 4],
      ],
      "Add: shapes [2, 3] and [2, 4] do not broadcast",
    ],
    ["Add", [[2]], "Add needs 2 inputs"],
    ["Max", [], "Max needs at least one input"],
    ["Cast", [[2]], "Cast needs a known element type in its attribute `to`"],
  ] as const)("%s of %j: %s", (op, shapes, message) => {
    const emit = new Emitter();
    const inputs = shapes.map((shape, index) => emit.input(`${index}`, "float32", [...shape]));
    expect(() => emit.one(op, inputs)).toThrow(message);
  });

  it("refuses operands of different types", () => {
    const emit = new Emitter();
    expect(() => emit.add(emit.input("a", "float32", [2]), emit.input("b", "int64", [2]))).toThrow(
      "Add: its inputs have different types, float32 and int64",
    );
  });
});

describe("gradients agree with differences", () => {
  test.each(smooth.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectGradients(each);
  });
});

/** The gradients of the sum of a node's output. */
async function gradientsOf(
  op: string,
  inputs: readonly Tensor[],
  attributes: Attributes = {},
): Promise<(number[] | undefined)[]> {
  const fed = Object.fromEntries(inputs.map((tensor, index) => [`input${index}`, tensor]));
  const results = await runGraph(fed, (emit, values) => {
    const all = Object.values(values);
    const found = gradients(emit, [{ value: emit.one(op, all, attributes) }], all);
    return Object.fromEntries(found.flatMap((each, index) => (each ? [[`${index}`, each]] : [])));
  });
  return inputs.map((_, index) => results[index] && numbersOf(results[index]));
}

describe("gradients where differences do not tell", () => {
  it("of Max goes to the first of equals", async () => {
    const inputs = [floatTensor([1, 2, 3]), floatTensor([1, 1, 3]), floatTensor([1, 2, 4])];
    expect(await gradientsOf("Max", inputs)).toEqual([
      [1, 1, 0],
      [0, 0, 0],
      [0, 0, 1],
    ]);
  });

  it("of Min goes to the first of equals", async () => {
    expect(await gradientsOf("Min", [floatTensor([1, 2, 3]), floatTensor([1, 1, 4])])).toEqual([
      [1, 0, 1],
      [0, 1, 0],
    ]);
  });

  it("of Clip passes on the bounds", async () => {
    const found = await gradientsOf("Clip", [floatTensor([-2, -1, 0, 1, 2]), scalar(-1), scalar(1)]);
    expect(found).toEqual([[0, 1, 1, 1, 0], [1], [1]]);
  });

  it("of Pow by the exponent is 0 at a base of 0", async () => {
    expect((await gradientsOf("Pow", [floatTensor([0, 1]), scalar(2)]))[1]).toEqual([0]);
  });

  it("of Pow by an exponent of 0 is 0 at a base of 0", async () => {
    expect((await gradientsOf("Pow", [floatTensor([0, 2]), floatTensor([0, 0])]))[0]).toEqual([0, 0]);
    const emit = new Emitter();
    const x = emit.input("x", "float32", [2]);
    const y = emit.power(x, emit.constant(floatTensor([0, 2])));
    emit.output("gradient", gradients(emit, [{ value: y }], [x])[0]!);
    const { gradient } = await runOnce(emit.build("test"), { x: floatTensor([0, 3]) });
    expect(Array.from(gradient.data as Float32Array)).toEqual([0, 6]);
  });

  it("of Abs is 0 at 0", async () => {
    expect(await gradientsOf("Abs", [floatTensor([0, -2])])).toEqual([[0, -1]]);
  });

  it.each(["Sign", "Floor", "Ceil", "Round"])("of %s does not exist", async (op) => {
    const emit = new Emitter();
    const a = emit.input("a", "float32", [2]);
    expect(gradients(emit, [{ value: emit.one(op, [a]) }], [a])).toEqual([undefined]);
  });

  it("of Cast to an integer type does not exist, of Cast to float64 comes back in float32", () => {
    const emit = new Emitter();
    const a = emit.input("a", "float32", [2]);
    const counted = emit.cast(emit.cast(a, "int64"), "float32");
    expect(gradients(emit, [{ value: counted }], [a])).toEqual([undefined]);
    const wide = emit.cast(emit.exponential(emit.cast(a, "float64")), "float32");
    expect(gradients(emit, [{ value: wide }], [a])[0]).toMatchObject({ type: "float32", shape: [2] });
  });

  it("of Mod by its divisor is an error that says so", () => {
    const emit = new Emitter();
    const [a, b] = [emit.input("a", "float32", [2]), emit.input("b", "float32", [2])];
    const rest = emit.one("Mod", [a, b], { fmod: attribute.int(1) });
    expect(() => gradients(emit, [{ value: rest }], [b])).toThrow("Mod is differentiated by its first operand only.");
  });
});
