import { describe, expect, it, test } from "vitest";
import { gradients } from "../../src/autodiff/gradients.js";
import { attribute } from "../../src/graph/graph.js";
import { Emitter } from "../../src/ops/emitter.js";
import { expectGradients, expectShapesAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";
import { normalTensor } from "../support/run-graph.js";

const matmul = (left: readonly number[], right: readonly number[]): OperatorCase => ({
  op: "MatMul",
  variant: `[${left}] by [${right}]`,
  inputs: [normalTensor("left", left), normalTensor("right", right)],
});

const gemm = (transA: number, transB: number, summand?: readonly number[]): OperatorCase => ({
  op: "Gemm",
  variant: `transA ${transA}, transB ${transB}, ${summand ? `summand [${summand}]` : "no summand"}`,
  inputs: [
    normalTensor("left", transA ? [3, 2] : [2, 3]),
    normalTensor("right", transB ? [4, 3] : [3, 4]),
    ...(summand ? [normalTensor("summand", summand)] : []),
  ],
  attributes: {
    transA: attribute.int(transA),
    transB: attribute.int(transB),
    ...(summand && { alpha: attribute.float(0.7), beta: attribute.float(1.3) }),
  },
});

const cases: OperatorCase[] = [
  matmul([2, 3], [3, 4]),
  matmul([5, 2, 3], [3, 4]),
  matmul([2, 2, 2, 3], [3, 2]),
  matmul([5, 2, 3], [5, 3, 4]),
  matmul([2, 3], [5, 3, 4]),
  matmul([2, 1, 2, 3], [3, 3, 2]),
  matmul([3], [3]),
  matmul([3], [3, 4]),
  matmul([2, 3], [3]),
  matmul([3], [5, 3, 4]),
  matmul([5, 2, 3], [3]),
  ...[0, 1].flatMap((transA) => [0, 1].flatMap((transB) => [gemm(transA, transB), gemm(transA, transB, [2, 4])])),
  gemm(0, 1, [4]),
  gemm(0, 0, [2, 1]),
  gemm(0, 0, []),
];

describe("types and shapes are those of ONNX Runtime", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectShapesAsRun(each);
  });

  it.each([
    [
      "MatMul",
      [
        [2, 3],
        [4, 5],
      ],
      "MatMul: inner dimensions of [2, 3] and [4, 5] differ",
    ],
    ["MatMul", [[], [4, 5]], "MatMul: does not take scalars"],
    [
      "MatMul",
      [
        [2, 2, 3],
        [3, 3, 5],
      ],
      "do not broadcast",
    ],
    [
      "Gemm",
      [
        [2, 3],
        [4, 5],
      ],
      "Gemm: inner dimensions 3 and 4 of [2, 3] and [4, 5] differ",
    ],
    [
      "Gemm",
      [
        [1, 2, 3],
        [3, 5],
      ],
      "Gemm: takes matrices, not shapes [1, 2, 3] and [3, 5]",
    ],
    [
      "Gemm",
      [
        [2, 3],
        [3, 5],
        [3, 5],
      ],
      "do not broadcast",
    ],
    [
      "Gemm",
      [
        [2, 3],
        [3, 5],
        [4, 2, 5],
      ],
      "Gemm: the summand [4, 2, 5] does not broadcast to [2, 5]",
    ],
  ] as const)("%s of %j: %s", (op, shapes, message) => {
    const emit = new Emitter();
    const inputs = shapes.map((shape, index) => emit.input(`${index}`, "float32", [...shape]));
    expect(() => emit.one(op, inputs)).toThrow(message);
  });
});

describe("gradients agree with differences", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectGradients(each);
  });
});

describe("gradients are single products", () => {
  const emitted = (body: (emit: Emitter) => void): string[] => {
    const emit = new Emitter();
    body(emit);
    return emit.nodes.map(({ op }) => op);
  };

  it("of a layer with a transposed weight: one Gemm each, no Transpose", () => {
    const ops = emitted((emit) => {
      const inputs = [emit.input("x", "float32", [8, 3]), emit.input("w", "float32", [4, 3])];
      const y = emit.one("Gemm", inputs, { transB: attribute.int(1) });
      gradients(emit, [{ value: y, gradient: emit.input("g", "float32", [8, 4]) }], inputs);
    });
    expect(ops).toEqual(["Gemm", "Gemm", "Gemm"]);
  });

  it("of one weight matrix for a sequence: rows are put together first", () => {
    const ops = emitted((emit) => {
      const inputs = [emit.input("x", "float32", [8, 5, 3]), emit.input("w", "float32", [3, 4])];
      const g = emit.input("g", "float32", [8, 5, 4]);
      gradients(emit, [{ value: emit.matmul(inputs[0], inputs[1]), gradient: g }], inputs);
    });
    expect(ops).toEqual(["MatMul", "Reshape", "Gemm", "Reshape", "Reshape", "Gemm"]);
  });
});
