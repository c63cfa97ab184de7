import { describe, expect, it, test } from "vitest";
import { attribute } from "../../src/graph/graph.js";
import { floatTensor, intTensor, numbersOf, type Tensor } from "../../src/graph/tensor.js";
import { dataTypeNumber, Emitter } from "../../src/ops/emitter.js";
import { expectFoldAsRun, type OperatorCase, titleOf } from "../support/check-operator.js";

const floats = floatTensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 7.3, -7.3], [2, 4]);
const row = floatTensor([3, -2, 0.1, 2], [4]);
const integers = intTensor([-7, -6, -1, 0, 1, 6, 7, 12], [2, 4]);
const integerRow = intTensor([3, -3, 4, -4]);
const flags: Tensor = { type: "bool", shape: [4], data: Uint8Array.of(1, 0, 1, 0) };
const otherFlags: Tensor = { type: "bool", shape: [2, 1], data: Uint8Array.of(1, 0) };
const narrow: Tensor = { type: "int32", shape: [3], data: Int32Array.of(2147483647, -2147483648, 65537) };
const big: Tensor = { type: "int64", shape: [2], data: BigInt64Array.of(9007199254740993n, 3037000500n) };

const both = (op: string): OperatorCase[] => [
  { op, variant: "float32", inputs: [floats, row] },
  { op, variant: "int64", inputs: [integers, integerRow] },
];
const either = (op: string): OperatorCase[] => [
  { op, variant: "float32", inputs: [floats] },
  { op, variant: "int64", inputs: [integers] },
];
const castTo = (type: "float32" | "int64" | "int32" | "bool" | "float64" | "uint8", input: Tensor): OperatorCase => ({
  op: "Cast",
  variant: `${input.type} to ${type}`,
  inputs: [input],
  attributes: { to: attribute.int(dataTypeNumber(type)) },
});

const cases: OperatorCase[] = [
  ...["Add", "Sub", "Mul", "Div", "Max", "Min", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].flatMap(
    both,
  ),
  ...["Neg", "Abs", "Sign", "Identity"].flatMap(either),
  ...["Add", "Mul"].map((op): OperatorCase => ({ op, variant: "int32 wraps around", inputs: [narrow, narrow] })),
  { op: "Mul", variant: "int64 beyond 2^53", inputs: [big, big] },
  ...["Floor", "Ceil", "Round", "Exp", "Sin", "Cos", "Reciprocal"].map(
    (op): OperatorCase => ({ op, inputs: [floats] }),
  ),
  ...["Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh"].map(
    (op): OperatorCase => ({ op, inputs: [floatTensor([-0.7, -0.2, 0, 0.6])] }),
  ),
  { op: "Acosh", inputs: [floatTensor([1, 1.4, 2, 100])] },
  ...["Sqrt", "Log"].map((op): OperatorCase => ({ op, inputs: [floatTensor([0.1, 1, 2, 1e20])] })),
  { op: "Sum", inputs: [floats, row, floats] },
  { op: "Mean", inputs: [floats, row, floats] },
  { op: "Max", variant: "of three", inputs: [floats, row, floatTensor([0.2], [])] },
  { op: "Pow", variant: "float32", inputs: [floatTensor([2, 3, 0.5]), floatTensor([0.5, -2, 3])] },
  { op: "Pow", variant: "int64 to the int64", inputs: [intTensor([2, -3, 10]), intTensor([10, 3, 18])] },
  { op: "Pow", variant: "int64 to the float32", inputs: [intTensor([4, 9, 10]), floatTensor([0.5, 0.5, 2])] },
  { op: "Pow", variant: "float32 to the int64", inputs: [floatTensor([1.5, -2]), intTensor([2, 3])] },
  { op: "Mod", variant: "int64", inputs: [integers, integerRow] },
  { op: "Mod", variant: "int64, fmod", inputs: [integers, integerRow], attributes: { fmod: attribute.int(1) } },
  { op: "Mod", variant: "float32, fmod", inputs: [floats, row], attributes: { fmod: attribute.int(1) } },
  { op: "Clip", inputs: [floats, floatTensor([-1], []), floatTensor([2], [])] },
  { op: "Clip", variant: "upper bound only, int64", inputs: [integers, undefined, intTensor([2], [])] },
  { op: "Clip", variant: "crossed bounds", inputs: [floats, floatTensor([2], []), floatTensor([-1], [])] },
  { op: "Where", variant: "float32", inputs: [flags, floats, row] },
  { op: "Where", variant: "int64", inputs: [otherFlags, integers, integerRow] },
  { op: "Not", inputs: [flags] },
  ...["And", "Or", "Xor", "Equal"].map((op): OperatorCase => ({ op, variant: "bool", inputs: [flags, otherFlags] })),
  { op: "IsNaN", inputs: [floatTensor([Number.NaN, 1, Number.POSITIVE_INFINITY])] },
  { op: "IsInf", inputs: [floatTensor([Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY])] },
  {
    op: "IsInf",
    variant: "positive only",
    inputs: [floatTensor([Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY])],
    attributes: { detect_negative: attribute.int(0) },
  },
  castTo("int64", floats),
  castTo("int32", floats),
  castTo("bool", floatTensor([0, -0, 0.1, Number.NaN])),
  castTo("float64", floats),
  castTo("float32", integers),
  castTo("bool", integers),
  castTo("int32", intTensor([4294967297, -1])),
  castTo("uint8", intTensor([257, 255, 3])),
  castTo("float32", flags),
  castTo("int64", flags),
];

describe("constants fold to what ONNX Runtime computes", () => {
  test.each(cases.map((each) => [titleOf(each), each] as const))("%s", async (_, each) => {
    await expectFoldAsRun({ ...each, constants: [] });
  });
});

describe("folding", () => {
  it("keeps half precision's own rounding", () => {
    const emit = new Emitter();
    const half = (bits: number[]): Tensor => ({ type: "float16", shape: [bits.length], data: Uint16Array.from(bits) });
    // 2048 + 1 lies between two half-precision numbers and goes to the even one; 1 + 1 = 2.
    const total = emit.add(emit.constant(half([0x6800, 0x3c00])), emit.constant(half([0x3c00, 0x3c00])));
    expect(numbersOf(total.constant!)).toEqual([2048, 2]);
  });

  it("saturates floats that an integer type cannot hold", () => {
    const emit = new Emitter();
    const cast = emit.cast(emit.constant(floatTensor([1e30, -1e30, Number.NaN])), "int32");
    expect(numbersOf(cast.constant!)).toEqual([2147483647, -2147483648, 0]);
  });

  it.each(["Div", "Mod"])("refuses %s of integers by zero", (op) => {
    const emit = new Emitter();
    expect(() => emit.one(op, [emit.scalar(1, "int64"), emit.scalar(0, "int64")])).toThrow("by zero");
  });

  it("wraps integer powers of any size", () => {
    const emit = new Emitter();
    const power = (base: number, exponent: number) =>
      emit.power(emit.scalar(base, "int64"), emit.scalar(exponent, "int64")).constant?.data;
    expect(power(3, 41)).toEqual(BigInt64Array.of(BigInt.asIntN(64, 3n ** 41n)));
    expect(power(-3, 41)).toEqual(BigInt64Array.of(BigInt.asIntN(64, (-3n) ** 41n)));
    expect(power(2, 2 ** 40)).toEqual(BigInt64Array.of(0n));
    expect(power(5, 0)).toEqual(BigInt64Array.of(1n));
  });

  it("does not list positions beside an axis of no elements", () => {
    const emit = new Emitter();
    const empty = emit.constant(floatTensor([], [0, 2 ** 31 - 1]));
    expect(emit.add(empty, empty)).toMatchObject({ shape: [0, 2 ** 31 - 1] });
    expect(emit.reduceSum(empty).shape).toEqual([]);
    expect(emit.one("Shape", [empty]).constant?.data).toEqual(BigInt64Array.of(0n, 2n ** 31n - 1n));
  });

  it("does not happen where one input is not constant", () => {
    const emit = new Emitter();
    expect(emit.add(emit.input("a", "int64", [2]), emit.ints([1, 2])).constant).toBeUndefined();
  });
});
