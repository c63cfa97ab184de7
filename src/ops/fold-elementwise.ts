/**
 * Evaluates elementwise operators on constants, exactly as ONNX defines them: integers in integer arithmetic that wraps
 * at the type's width, floating types rounded to their own precision.
 */
import {
  bfloat16ToNumber,
  type DataType,
  float16ToNumber,
  isFloating,
  numberToBfloat16,
  numberToFloat16,
  sizeOf,
  type Tensor,
} from "../graph/tensor.js";
import { type Operator, RuleError } from "./operator.js";

/** An element while it is computed with: a number for floating types, a bigint for integers and bool (0n or 1n). */
export type Element = number | bigint;

/** What an operator does to one element of each input, by kind of type. A missing kind is not allowed by ONNX. */
export interface Kernel {
  readonly float?: (...elements: number[]) => number | boolean;
  readonly integer?: (...elements: bigint[]) => bigint | boolean;
}

type Fold = NonNullable<Operator["fold"]>;

/** A fold rule that applies a kernel to all inputs, broadcast against each other. */
export function foldElementwise(kernel: Kernel): Fold {
  return ({ op }, inputs, [output]) => {
    const kind = isFloating(inputs[0].type) ? kernel.float : kernel.integer;
    if (!kind) throw new RuleError(`${op} does not take the type ${inputs[0].type}`);
    return [
      broadcastElements(kind as (...elements: Element[]) => Element | boolean, inputs, output.shape, output.type),
    ];
  };
}

/** Applies a function to the elements of inputs that broadcast to the given shape. */
export function broadcastElements(
  compute: (...elements: Element[]) => Element | boolean,
  inputs: readonly Tensor[],
  shape: readonly number[],
  type: DataType,
): Tensor {
  const elements = inputs.map(elementsOf);
  const offsets = inputs.map((input) => broadcastOffsets(input.shape, shape));
  const results: (Element | boolean)[] = [];
  for (let index = 0; index < sizeOf(shape); index++)
    results.push(compute(...elements.map((each, input) => each[offsets[input][index]])));
  return tensorOfElements(type, shape, results);
}

/** For each element of the broadcast shape, in order, where the element of the smaller shape lies. */
function broadcastOffsets(from: readonly number[], to: readonly number[]): number[] {
  let offsets = [0];
  const extra = to.length - from.length;
  // Axis by axis from the left: an offset among the axes so far becomes one among one axis more.
  to.forEach((dimension, axis) => {
    const own = axis < extra ? 1 : from[axis - extra];
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: dimension }, (_, position) => offset * own + (own === 1 ? 0 : position)),
    );
  });
  return offsets;
}

/** The elements of a tensor, ready to compute with. */
export function elementsOf(tensor: Tensor): Element[] {
  const { type, data } = tensor;
  if (type === "float16") return Array.from(data as Uint16Array, float16ToNumber);
  if (type === "bfloat16") return Array.from(data as Uint16Array, bfloat16ToNumber);
  if (data instanceof Float32Array || data instanceof Float64Array) return Array.from(data);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data);
  if (bitsOf[type] === undefined) throw new RuleError(`constants of type ${type} are not computed with`);
  return Array.from(data as Int32Array, (element) => BigInt(element));
}

/** A tensor of computed elements: floats are rounded to the type, integers wrap around. */
export function tensorOfElements(
  type: DataType,
  shape: readonly number[],
  elements: readonly (Element | boolean)[],
): Tensor {
  return { type, shape, data: storageOf(type, elements) };
}

function storageOf(type: DataType, elements: readonly (Element | boolean)[]): Tensor["data"] {
  const wrapped = (): number[] => {
    const bits = bitsOf[type]!;
    const wrap = type.startsWith("u") ? BigInt.asUintN : BigInt.asIntN;
    return elements.map((element) => Number(wrap(bits, BigInt(element))));
  };
  switch (type) {
    case "float32":
      return Float32Array.from(elements, Number);
    case "float64":
      return Float64Array.from(elements, Number);
    case "float16":
      return Uint16Array.from(elements, (element) => numberToFloat16(Number(element)));
    case "bfloat16":
      return Uint16Array.from(elements, (element) => numberToBfloat16(Number(element)));
    case "bool":
      return Uint8Array.from(elements, (element) => (element ? 1 : 0));
    case "int64":
      return BigInt64Array.from(elements, BigInt);
    case "uint64":
      return BigUint64Array.from(elements, BigInt);
    case "int32":
      return Int32Array.from(wrapped());
    case "uint32":
      return Uint32Array.from(wrapped());
    case "int16":
      return Int16Array.from(wrapped());
    case "uint16":
      return Uint16Array.from(wrapped());
    case "int8":
      return Int8Array.from(wrapped());
    case "uint8":
      return Uint8Array.from(wrapped());
    default:
      throw new RuleError(`constants of type ${type} are not computed with`);
  }
}

const bitsOf: Partial<Record<DataType, number>> = {
  bool: 1,
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  int64: 64,
  uint64: 64,
};

/** Cast's rule for one element: floats are cut off towards zero, anything but zero is true. */
export function castElement(element: Element, type: DataType): Element | boolean {
  if (type === "bool") return Boolean(element) || Number.isNaN(element);
  if (isFloating(type)) return Number(element);
  if (typeof element === "bigint") return element;
  // ONNX leaves numbers that do not fit undefined; the nearest that fits is the least surprising.
  if (Number.isNaN(element)) return 0n;
  const bits = bitsOf[type];
  if (bits === undefined) throw new RuleError(`Cast to ${type} is not supported`);
  const [lowest, highest] = type.startsWith("u")
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  if (element >= Number(highest)) return highest;
  if (element <= Number(lowest)) return lowest;
  return BigInt(Math.trunc(element));
}

/** Pow's rule: the result has the base's type, whatever the exponent's. */
export function powerOf(base: Element, exponent: Element): Element {
  if (typeof base === "bigint" && typeof exponent === "bigint" && exponent >= 0n) return wrappedPower(base, exponent);
  const power = Number(base) ** Number(exponent);
  if (typeof base === "number") return power;
  return Number.isFinite(power) ? BigInt(Math.trunc(power)) : 0n;
}

/** The power modulo 2⁶⁴, by squaring: a power itself may have more digits than fit into memory. */
function wrappedPower(base: bigint, exponent: bigint): bigint {
  let power = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) power = BigInt.asIntN(64, power * square);
    square = BigInt.asIntN(64, square * square);
  }
  return power;
}

/** Div's rule for integers: cut off towards zero. */
export function divideIntegers(a: bigint, b: bigint): bigint {
  if (b === 0n) throw new RuleError("Div: division of a constant integer by zero");
  return a / b;
}

/** Mod's rule for integers: the sign of the divisor (fmod = 0) or of the dividend (fmod = 1). */
export function remainderOfIntegers(a: bigint, b: bigint, fmod: boolean): bigint {
  if (b === 0n) throw new RuleError("Mod: division of a constant integer by zero");
  const remainder = a % b;
  return !fmod && remainder !== 0n && remainder < 0n !== b < 0n ? remainder + b : remainder;
}

/** The larger of two integers; Math.max does not take bigints. */
export function largerInteger(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}

/** The smaller of two integers. */
export function smallerInteger(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

/** Round's rule: halves go to the even neighbour. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest < 0.5 || (rest === 0.5 && floor % 2 === 0)) return floor;
  return floor + 1;
}
