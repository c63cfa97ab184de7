/** How the elements of each ONNX type lie in memory and in files: little-endian, row-major. */
import type { DataType, Tensor, TensorData } from "../graph/tensor.js";

interface Layout {
  /** Bits of one element in a file. */
  readonly bits: number;
  /** A typed array over bytes that are aligned for it. */
  readonly view: (buffer: ArrayBuffer) => TensorData;
}

const words8 = (buffer: ArrayBuffer) => new Uint8Array(buffer);
const words16 = (buffer: ArrayBuffer) => new Uint16Array(buffer);

const layouts: Readonly<Record<Exclude<DataType, "string">, Layout>> = {
  float32: { bits: 32, view: (buffer) => new Float32Array(buffer) },
  uint8: { bits: 8, view: words8 },
  int8: { bits: 8, view: (buffer) => new Int8Array(buffer) },
  uint16: { bits: 16, view: words16 },
  int16: { bits: 16, view: (buffer) => new Int16Array(buffer) },
  int32: { bits: 32, view: (buffer) => new Int32Array(buffer) },
  int64: { bits: 64, view: (buffer) => new BigInt64Array(buffer) },
  bool: { bits: 8, view: words8 },
  float16: { bits: 16, view: words16 },
  float64: { bits: 64, view: (buffer) => new Float64Array(buffer) },
  uint32: { bits: 32, view: (buffer) => new Uint32Array(buffer) },
  uint64: { bits: 64, view: (buffer) => new BigUint64Array(buffer) },
  complex64: { bits: 64, view: (buffer) => new Float32Array(buffer) },
  complex128: { bits: 128, view: (buffer) => new Float64Array(buffer) },
  bfloat16: { bits: 16, view: words16 },
  float8e4m3fn: { bits: 8, view: words8 },
  float8e4m3fnuz: { bits: 8, view: words8 },
  float8e5m2: { bits: 8, view: words8 },
  float8e5m2fnuz: { bits: 8, view: words8 },
  uint4: { bits: 4, view: words8 },
  int4: { bits: 4, view: words8 },
  float4e2m1: { bits: 4, view: words8 },
};

/** Bytes that `size` elements take in a file; elements under a byte are packed, the last byte filled up. */
export function byteLengthOf(type: Exclude<DataType, "string">, size: number): number {
  return Math.ceil((size * layouts[type].bits) / 8);
}

/** The elements in a copy of these bytes, whose number must fit; the bytes may lie at any offset. */
export function elementsFromBytes(type: Exclude<DataType, "string">, bytes: Uint8Array): TensorData {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return layouts[type].view(copy.buffer);
}

/** A tensor's elements as they stand in a file, without a copy. @throws TypeError for strings */
export function bytesOf(tensor: Tensor): Uint8Array<ArrayBuffer> {
  const { data } = tensor;
  if (Array.isArray(data)) throw new TypeError("strings have no raw bytes");
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
