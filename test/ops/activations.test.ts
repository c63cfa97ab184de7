import { describe, expect, it, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, numbersOf } from "../../src/graph/tensor.js";
import { Emitter } from "../../src/ops/emitter.js";
import { activationNames } from "../../src/ops/names.js";
import { expectGradients, expectShapesAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";
import { normalTensor, runGraph } from "../support/run-graph.js";

// Away from 0, ±1, ±2.5, ±3, where some activation or other has a kink.
const x = floatTensor([-4.1, -3.4, -2.2, -1.7, -0.6, -0.3, 0.3, 0.4, 0.7, 1.3, 2.1, 3.6], [2, 3, 2]);
const table = normalTensor("x", [2, 3, 4]);

const cases: OperatorCase[] = [
  ...["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Mish", "HardSwish"].map(
    (op): OperatorCase => ({ op, inputs: [x] }),
  ),
  { op: "LeakyRelu", inputs: [x] },
  { op: "LeakyRelu", variant: "alpha 0.3", inputs: [x], attributes: { alpha: attribute.float(0.3) } },
  { op: "PRelu", variant: "one slope", inputs: [x, floatTensor([0.2])] },
  { op: "PRelu", variant: "a slope a channel", inputs: [x, floatTensor([0.2, -0.4, 0.1], [3, 1])] },
  { op: "PRelu", variant: "a slope an element", inputs: [x, normalTensor("slope", [2, 3, 2])] },
  ...["Elu", "Celu", "ThresholdedRelu"].flatMap((op): OperatorCase[] => [
    { op, inputs: [x] },
    { op, variant: "alpha 0.5", inputs: [x], attributes: { alpha: attribute.float(0.5) } },
  ]),
  { op: "Selu", inputs: [x] },
  {
    op: "Selu",
    variant: "other constants",
    inputs: [x],
    attributes: { alpha: attribute.float(1.2), gamma: attribute.float(0.8) },
  },
  { op: "HardSigmoid", inputs: [x] },
  {
    op: "HardSigmoid",
    variant: "alpha 1/6",
    inputs: [x],
    attributes: { alpha: attribute.float(1 / 6), beta: attribute.float(0.5) },
  },
  { op: "Gelu", inputs: [x] },
  { op: "Gelu", variant: "by tanh", inputs: [x], attributes: { approximate: attribute.string("tanh") } },
  ...["Softmax", "LogSoftmax"].flatMap((op): OperatorCase[] => [
    { op, inputs: [table] },
    { op, variant: "axis 1", inputs: [table], attributes: { axis: attribute.int(1) } },
    { op, variant: "axis -3", inputs: [table], attributes: { axis: attribute.int(-3) } },
  ]),
];

describe("types and shapes are those of ONNX Runtime", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectShapesAsRun(each);
  });

  it("has cases for every operator", () => {
    const tested = new Set(cases.map(({ op }) => op));
    expect(activationNames.filter((name) => !tested.has(name))).toEqual([]);
  });

  it("refuses a slope or an axis that does not fit", () => {
    const emit = new Emitter();
    const input = emit.input("x", "float32", [2, 3]);
    expect(() => emit.one("PRelu", [input, emit.input("slope", "float32", [4, 1, 1])])).toThrow(
      "PRelu: slope [4, 1, 1] does not broadcast to [2, 3]",
    );
    expect(() => emit.one("Softmax", [input], { axis: attribute.int(2) })).toThrow("Softmax: axis 2 does not exist");
  });
});

describe("gradients agree with differences", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectGradients(each);
  });

  it("Relu passes nothing at 0", async () => {
    const { gradient } = await runGraph({ x: floatTensor([-1, 0, 2]) }, (emit, { x: input }) => ({
      gradient: gradients(emit, [{ value: emit.relu(input) }], [input])[0]!,
    }));
    expect(numbersOf(gradient)).toEqual([0, 0, 1]);
  });

  it("LogSoftmax stays finite where probabilities vanish", async () => {
    const { gradient } = await runGraph({ x: floatTensor([0, 1000], [1, 2]) }, (emit, { x: input }) => ({
      gradient: gradients(
        emit,
        [{ value: emit.slice(emit.one("LogSoftmax", [input]), [{ axis: 1, start: 0, end: 1 }]) }],
        [input],
      )[0]!,
    }));
    expect(numbersOf(gradient)).toEqual([1, -1]);
  });
});
