/** Tensors in memory: element types of ONNX and the typed arrays that hold them. */

/** ONNX element types, under their field-standard names. Index = TensorProto.DataType minus 1. */
export const dataTypes = [
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  "complex64",
  "complex128",
  "bfloat16",
  "float8e4m3fn",
  "float8e4m3fnuz",
  "float8e5m2",
  "float8e5m2fnuz",
  "uint4",
  "int4",
  "float4e2m1",
] as const;

/** The element type of a tensor. */
export type DataType = (typeof dataTypes)[number];

/** Raw elements. float16 and bfloat16 are kept as their bits, bool as 0 or 1, sub-byte types packed as in ONNX. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | string[];

/** A dense tensor, row-major. */
export interface Tensor {
  readonly type: DataType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** A float32 tensor: what everything that is trained is made of. */
export interface FloatTensor extends Tensor {
  readonly type: "float32";
  readonly data: Float32Array;
}

/** Number of elements of a shape. A scalar (empty shape) has one. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

/** Bits of one element, in memory and in files. */
const elementBits: Readonly<Record<Exclude<DataType, "string">, number>> = {
  float32: 32,
  uint8: 8,
  int8: 8,
  uint16: 16,
  int16: 16,
  int32: 32,
  int64: 64,
  bool: 8,
  float16: 16,
  float64: 64,
  uint32: 32,
  uint64: 64,
  complex64: 64,
  complex128: 128,
  bfloat16: 16,
  float8e4m3fn: 8,
  float8e4m3fnuz: 8,
  float8e5m2: 8,
  float8e5m2fnuz: 8,
  uint4: 4,
  int4: 4,
  float4e2m1: 4,
};

/** Bytes that `size` elements take; elements under a byte are packed, the last byte filled up. */
export function byteLengthOf(type: Exclude<DataType, "string">, size: number): number {
  return Math.ceil((size * elementBits[type]) / 8);
}

/** A float32 tensor from numbers; shape defaults to one axis. */
export function floatTensor(values: ArrayLike<number>, shape: readonly number[] = [values.length]): FloatTensor {
  const data = values instanceof Float32Array ? values : Float32Array.from(values);
  return { type: "float32", shape, data };
}

/** An int64 tensor from numbers; shape defaults to one axis. */
export function intTensor(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return { type: "int64", shape, data: BigInt64Array.from(values, (value) => BigInt(value)) };
}

/** A tensor of zeros, for the types that results of graphs have. */
export function zeros(type: DataType, shape: readonly number[]): Tensor | undefined {
  const size = sizeOf(shape);
  switch (type) {
    case "float32":
      return { type, shape, data: new Float32Array(size) };
    case "int64":
      return { type, shape, data: new BigInt64Array(size) };
    case "int32":
      return { type, shape, data: new Int32Array(size) };
    case "bool":
      return { type, shape, data: new Uint8Array(size) };
    default:
      return undefined;
  }
}

/** The elements as plain numbers (float16 and bfloat16 decoded); throws a TypeError for strings and packed types. */
export function numbersOf(tensor: Tensor): number[] {
  if (tensor.type === "float16") return Array.from(tensor.data as Uint16Array, float16ToNumber);
  if (tensor.type === "bfloat16") return Array.from(tensor.data as Uint16Array, bfloat16ToNumber);
  if (Array.isArray(tensor.data)) throw new TypeError("a string tensor has no numbers");
  if (tensor.data instanceof BigInt64Array || tensor.data instanceof BigUint64Array)
    return Array.from(tensor.data as BigInt64Array, Number);
  return Array.from(tensor.data as Float32Array);
}

/** True for the types that hold real numbers which gradients can flow through. */
export function isFloating(type: DataType): boolean {
  return type === "float32" || type === "float64" || type === "float16" || type === "bfloat16";
}

const floatBits = new Float32Array(1);
const floatBitsAsInt = new Uint32Array(floatBits.buffer);

/** Decodes IEEE half precision. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}

/** Encodes IEEE half precision, rounding to nearest even. */
export function numberToFloat16(value: number): number {
  floatBits[0] = value;
  const bits = floatBitsAsInt[0];
  const sign = (bits >>> 16) & 0x8000;
  if (Number.isNaN(value)) return sign | 0x7e00;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) {
    const scaled = magnitude * 2 ** 24;
    return sign | roundHalfToEven(scaled);
  }
  const exponent = Math.floor(Math.log2(magnitude));
  const safeExponent =
    magnitude < 2 ** exponent ? exponent - 1 : magnitude >= 2 ** (exponent + 1) ? exponent + 1 : exponent;
  const fraction = roundHalfToEven((magnitude / 2 ** safeExponent - 1) * 1024);
  return sign | (((safeExponent + 15) << 10) + fraction);
}

/** Decodes bfloat16. */
export function bfloat16ToNumber(bits: number): number {
  floatBitsAsInt[0] = bits << 16;
  return floatBits[0];
}

/** Encodes bfloat16, rounding to nearest even. */
export function numberToBfloat16(value: number): number {
  floatBits[0] = value;
  const bits = floatBitsAsInt[0];
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
