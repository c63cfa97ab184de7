/** Bytes as the typed array of an element type. */
import type { DataType, TensorData } from "../graph/tensor.js";

/** A typed array over a copy of the bytes (little endian, as every machine that runs Node). */
export function typedView(type: DataType, source: Uint8Array): TensorData {
  const bytes = source.slice();
  const { buffer } = bytes;
  switch (type) {
    case "float32":
    case "complex64":
      return new Float32Array(buffer);
    case "float64":
    case "complex128":
      return new Float64Array(buffer);
    case "int8":
      return new Int8Array(buffer);
    case "uint16":
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer);
    case "int16":
      return new Int16Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "uint32":
      return new Uint32Array(buffer);
    case "int64":
      return new BigInt64Array(buffer);
    case "uint64":
      return new BigUint64Array(buffer);
    default:
      return bytes;
  }
}
