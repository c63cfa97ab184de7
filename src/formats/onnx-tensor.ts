/** Tensors between ONNX's messages and memory. */
import { create } from "@bufbuild/protobuf";
import { type TensorProto, TensorProto_DataLocation, TensorProtoSchema } from "onnx-buf";
import { userError } from "../errors.js";
import { type DataType, dataTypes, sizeOf, type Tensor, type TensorData } from "../graph/tensor.js";
import { typedView } from "./typed-view.js";

/** Reads a piece of a file beside the model. */
export type ExternalReader = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** Bits of one element as stored in raw_data; strings and complex numbers have no raw form here. */
const elementBits: Partial<Record<DataType, number>> = {
  float32: 32, uint8: 8, int8: 8, uint16: 16, int16: 16, int32: 32, int64: 64, bool: 8, float16: 16, float64: 64, uint32: 32, uint64: 64,
  bfloat16: 16, float8e4m3fn: 8, float8e4m3fnuz: 8, float8e5m2: 8, float8e5m2fnuz: 8, uint4: 4, int4: 4, float4e2m1: 4, complex64: 64, complex128: 128,
};

/** ONNX's number of an element type. */
export function typeNumber(type: DataType): number {
  return dataTypes.indexOf(type) + 1;
}

/** The element type of ONNX's number; undefined for numbers that ONNX does not have (yet). */
export function typeOfNumber(number: number): DataType | undefined {
  return dataTypes[number - 1];
}

/** Number of bytes that a tensor takes in raw_data. */
export function rawLength(type: DataType, size: number): number {
  return Math.ceil((size * (elementBits[type] ?? 0)) / 8);
}

/**
 * The tensor that a message describes. Its size is checked against the bytes that are there before anything is made.
 *
 * @param where names the file and tensor in messages
 */
export function readTensor(message: TensorProto, where: string, external: ExternalReader | undefined): Tensor {
  const type = typeOfNumber(message.dataType);
  if (type === undefined)
    throw userError({ where, required: "an element type of ONNX", got: `number ${message.dataType}`, advice: "Check the model with onnx.checker." });
  const shape = message.dims.map(Number);
  const size = sizeOf(shape);
  if (shape.some((dimension) => !Number.isSafeInteger(dimension) || dimension < 0) || !Number.isSafeInteger(size) || message.dims.some((d) => d > 0x7fffffffffffn))
    throw userError({ where, required: "dimensions from 0 up", got: `[${message.dims.join(", ")}]`, advice: "The file is damaged; export the model again." });
  if (type === "string") {
    expectCount(where, size, message.stringData.length);
    const decoder = new TextDecoder();
    return { type, shape, data: message.stringData.map((bytes) => decoder.decode(bytes)) };
  }
  const length = rawLength(type, size);
  if (message.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    const bytes = externalBytes(message, where, length, external);
    return { type, shape, data: typedView(type, bytes) };
  }
  if (message.rawData.length > 0) {
    expectCount(where, length, message.rawData.length, "bytes");
    return { type, shape, data: typedView(type, message.rawData) };
  }
  return { type, shape, data: fromTypedFields(message, type, size, where) };
}

/** A message for a tensor, elements in raw_data. */
export function writeTensor(name: string, tensor: Tensor): TensorProto {
  const message = create(TensorProtoSchema, { name, dataType: typeNumber(tensor.type), dims: tensor.shape.map(BigInt) });
  setElements(message, tensor);
  return message;
}

/** Replaces the elements of a message; everything else in it stays. */
export function setElements(message: TensorProto, tensor: Tensor): void {
  message.floatData = [];
  message.int32Data = [];
  message.int64Data = [];
  message.doubleData = [];
  message.uint64Data = [];
  message.stringData = [];
  message.externalData = [];
  message.dataLocation = TensorProto_DataLocation.DEFAULT;
  if (Array.isArray(tensor.data)) {
    const encoder = new TextEncoder();
    message.stringData = tensor.data.map((text) => encoder.encode(text));
    return;
  }
  const { buffer, byteOffset, byteLength } = tensor.data;
  message.rawData = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

function expectCount(where: string, expected: number, found: number, what = "elements"): void {
  if (expected !== found)
    throw userError({ where, required: `${expected} ${what}, as its shape says`, got: `${found}`, advice: "The file is damaged; export the model again." });
}

function externalBytes(message: TensorProto, where: string, length: number, external: ExternalReader | undefined): Uint8Array {
  const entries = new Map(message.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (location === undefined || !external)
    throw userError({ where, required: "a location of its external data", got: location === undefined ? "none" : "no folder to look in", advice: "Export the model again." });
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined || text === "") return undefined;
    if (!/^\d{1,15}$/.test(text))
      throw userError({ where, required: `a whole number as ${key} of its external data`, got: `"${text}"`, advice: "The file is damaged; export the model again." });
    return Number(text);
  };
  const declared = number("length");
  if (declared !== undefined && declared !== length) expectCount(where, length, declared, "bytes");
  const bytes = external(location, number("offset") ?? 0, length);
  expectCount(where, length, bytes.length, "bytes");
  return bytes;
}

function fromTypedFields(message: TensorProto, type: DataType, size: number, where: string): TensorData {
  switch (type) {
    case "float32":
    case "complex64":
      expectCount(where, type === "float32" ? size : 2 * size, message.floatData.length);
      return Float32Array.from(message.floatData);
    case "float64":
    case "complex128":
      expectCount(where, type === "float64" ? size : 2 * size, message.doubleData.length);
      return Float64Array.from(message.doubleData);
    case "int64":
      expectCount(where, size, message.int64Data.length);
      return BigInt64Array.from(message.int64Data);
    case "uint64":
      expectCount(where, size, message.uint64Data.length);
      return BigUint64Array.from(message.uint64Data);
    case "uint32":
      expectCount(where, size, message.uint64Data.length);
      return Uint32Array.from(message.uint64Data, Number);
    default: {
      const packed = elementBits[type] === 4 ? Math.ceil(size / 2) : size;
      expectCount(where, packed, message.int32Data.length);
      const values = message.int32Data;
      if (type === "int8") return Int8Array.from(values);
      if (type === "uint16" || type === "float16" || type === "bfloat16") return Uint16Array.from(values);
      if (type === "int16") return Int16Array.from(values);
      if (type === "int32") return Int32Array.from(values);
      return Uint8Array.from(values);
    }
  }
}

