/** How the elements of each ONNX type lie in memory and in files: little-endian, row-major. */
import type { DataType, Tensor, TensorData } from "../graph/tensor.js";

const words8 = (buffer: ArrayBuffer) => new Uint8Array(buffer);
const words16 = (buffer: ArrayBuffer) => new Uint16Array(buffer);

/** A typed array over bytes that are aligned for it. */
const views: Readonly<Record<Exclude<DataType, "string">, (buffer: ArrayBuffer) => TensorData>> = {
  float32: (buffer) => new Float32Array(buffer),
  uint8: words8,
  int8: (buffer) => new Int8Array(buffer),
  uint16: words16,
  int16: (buffer) => new Int16Array(buffer),
  int32: (buffer) => new Int32Array(buffer),
  int64: (buffer) => new BigInt64Array(buffer),
  bool: words8,
  float16: words16,
  float64: (buffer) => new Float64Array(buffer),
  uint32: (buffer) => new Uint32Array(buffer),
  uint64: (buffer) => new BigUint64Array(buffer),
  complex64: (buffer) => new Float32Array(buffer),
  complex128: (buffer) => new Float64Array(buffer),
  bfloat16: words16,
  float8e4m3fn: words8,
  float8e4m3fnuz: words8,
  float8e5m2: words8,
  float8e5m2fnuz: words8,
  uint4: words8,
  int4: words8,
  float4e2m1: words8,
};

/** The elements in a copy of these bytes, whose number must fit; the bytes may lie at any offset. */
export function elementsFromBytes(type: Exclude<DataType, "string">, bytes: Uint8Array): TensorData {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return views[type](copy.buffer);
}

/** A tensor's elements as they stand in a file, without a copy. @throws TypeError for strings */
export function bytesOf(tensor: Tensor): Uint8Array<ArrayBuffer> {
  const { data } = tensor;
  if (Array.isArray(data)) throw new TypeError("strings have no raw bytes");
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}
