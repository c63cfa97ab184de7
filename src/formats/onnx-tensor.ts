/** TensorProto to Tensor: every encoding that ONNX has, checked before anything is allocated. */
import { isFieldSet } from "@bufbuild/protobuf";
import { type TensorProto, TensorProto_DataLocation, TensorProto_DataType, TensorProtoSchema } from "onnx-buf";
import { userError } from "../errors.js";
import { byteLengthOf, type DataType, dataTypes, sizeOf, type Tensor, type TensorData } from "../graph/tensor.js";
import { elementsFromBytes } from "./element-types.js";

/** Gives `length` bytes at `offset` of a file beside the model. */
export type ExternalReader = (location: string, offset: number, length?: number) => Uint8Array;

/** What reading a tensor needs to know of the file around it. */
export interface TensorContext {
  /** The file, for messages. */
  readonly where: string;
  readonly external?: ExternalReader;
}

const largestDimension = 2 ** 31 - 1;
const decoder = new TextDecoder();

/** The name of an ONNX element type's number. @throws UserError for a number that headstart does not know */
export function dataTypeOf(number: number, where: string): DataType {
  const type = dataTypes[number - 1];
  if (type !== undefined) return type;
  throw userError({
    where,
    required: "an element type that headstart knows",
    got: number === 0 ? "none" : (TensorProto_DataType[number] ?? `the type number ${number}`),
    advice: "Export the model with float32 values.",
  });
}

/** Decodes a dense tensor. @throws UserError where dimensions, type and data do not fit each other */
export function readTensor(proto: TensorProto, context: TensorContext): Tensor {
  const where = `${context.where}: tensor ${proto.name || "without a name"}`;
  const type = dataTypeOf(proto.dataType, where);
  const shape = readShape(proto.dims, where);
  const size = sizeOf(shape);
  if (!Number.isSafeInteger(size)) throw damaged(where, "a shape that fits into memory", `[${shape.join(", ")}]`);
  if (proto.segment) throw damaged(where, "a tensor in one piece", "a segment of one");
  if (type === "string") {
    requireCount(proto.stringData.length, size, "strings", where);
    return { type, shape, data: proto.stringData.map((bytes) => decoder.decode(bytes)) };
  }
  const length = byteLengthOf(type, size);
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL)
    return { type, shape, data: elementsFromBytes(type, readExternal(proto, length, context, where)) };
  // A tensor without elements may carry an empty raw_data or no data at all.
  if (proto.rawData.byteLength > 0 || isFieldSet(proto, TensorProtoSchema.field.rawData)) {
    requireCount(proto.rawData.byteLength, length, "bytes", where);
    return { type, shape, data: elementsFromBytes(type, proto.rawData) };
  }
  return { type, shape, data: typedData(proto, type, size, where) };
}

function readShape(dims: readonly bigint[], where: string): number[] {
  return dims.map((dimension) => {
    if (dimension < 0n || dimension > largestDimension)
      throw damaged(where, `dimensions from 0 to ${largestDimension}`, `[${dims.join(", ")}]`);
    return Number(dimension);
  });
}

/** Elements in the field that ONNX assigns to their type; small types stand one in an int32 each. */
function typedData(proto: TensorProto, type: Exclude<DataType, "string">, size: number, where: string): TensorData {
  const take = <Element>(elements: readonly Element[], count: number): readonly Element[] => {
    requireCount(elements.length, count, "elements", where);
    return elements;
  };
  switch (type) {
    case "float32":
      return Float32Array.from(take(proto.floatData, size));
    case "complex64":
      return Float32Array.from(take(proto.floatData, 2 * size));
    case "float64":
      return Float64Array.from(take(proto.doubleData, size));
    case "complex128":
      return Float64Array.from(take(proto.doubleData, 2 * size));
    case "int64":
      return BigInt64Array.from(take(proto.int64Data, size));
    case "uint64":
      return BigUint64Array.from(take(proto.uint64Data, size));
    case "uint32":
      return Uint32Array.from(take(proto.uint64Data, size), Number);
    case "int32":
      return Int32Array.from(take(proto.int32Data, size));
    case "int16":
      return Int16Array.from(take(proto.int32Data, size));
    case "int8":
      return Int8Array.from(take(proto.int32Data, size));
    case "uint16":
    case "float16":
    case "bfloat16":
      return Uint16Array.from(take(proto.int32Data, size));
    case "bool":
      return Uint8Array.from(take(proto.int32Data, size), (value) => (value ? 1 : 0));
    case "uint8":
    case "float8e4m3fn":
    case "float8e4m3fnuz":
    case "float8e5m2":
    case "float8e5m2fnuz":
      return Uint8Array.from(take(proto.int32Data, size));
    case "uint4":
    case "int4":
    case "float4e2m1":
      return Uint8Array.from(take(proto.int32Data, byteLengthOf(type, size)));
  }
}

function readExternal(proto: TensorProto, length: number, context: TensorContext, where: string): Uint8Array {
  const { location, offset, length: declared } = externalEntry(proto, where);
  if (declared !== undefined) requireCount(declared, length, "bytes", where);
  // Nothing to read, and a mapped file of no bytes is an error on some systems.
  if (length === 0) return new Uint8Array(0);
  if (!context.external)
    throw userError({
      where,
      required: "its data inside the model",
      got: `data in the file ${JSON.stringify(location)}`,
      advice: "Save the model in one file.",
    });
  const bytes = context.external(location, offset, length);
  requireCount(bytes.byteLength, length, "bytes", where);
  return bytes;
}

function externalEntry(proto: TensorProto, where: string): { location: string; offset: number; length?: number } {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location");
  if (!location) throw damaged(where, "the location of its external data", "none");
  const count = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value))
      throw damaged(where, `a whole number as ${key} of its external data`, JSON.stringify(text));
    return value;
  };
  const length = count("length");
  return { location, offset: count("offset") ?? 0, ...(length === undefined ? {} : { length }) };
}

function requireCount(got: number, required: number, unit: string, where: string): void {
  if (got !== required) throw damaged(where, `${required} ${unit} by its type and shape`, `${got}`);
}

function damaged(where: string, required: string, got: string): Error {
  return userError({ where, required, got, advice: "The file seems damaged: export or download it again." });
}
