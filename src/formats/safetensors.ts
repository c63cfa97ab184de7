/** The safetensors format: a length, a JSON header, the elements. */
import { type UserError, userError } from "../errors.js";
import { type DataType, sizeOf, type Tensor, type TensorData } from "../graph/tensor.js";
import { typedView } from "./typed-view.js";

/** Header names of element types, with the bytes of one element; larger ones are written first, as the format's own library does. */
const types: readonly (readonly [string, DataType, number])[] = [
  ["I64", "int64", 8],
  ["U64", "uint64", 8],
  ["F64", "float64", 8],
  ["F32", "float32", 4],
  ["I32", "int32", 4],
  ["U32", "uint32", 4],
  ["F16", "float16", 2],
  ["BF16", "bfloat16", 2],
  ["I16", "int16", 2],
  ["U16", "uint16", 2],
  ["I8", "int8", 1],
  ["U8", "uint8", 1],
  ["BOOL", "bool", 1],
];

/** As the format's own library limits it. */
const largestHeader = 100_000_000;

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Record<string, string>;
}

/**
 * Reads a safetensors file, checking header, offsets and sizes against the bytes that are there.
 *
 * @param where names the file in messages
 */
export function readSafetensors(bytes: Uint8Array, where: string): Safetensors {
  const fail = (required: string, got: string): UserError =>
    userError({ where, required, got, advice: "The file is damaged or no safetensors file; write it again." });
  if (bytes.length < 8) throw fail("a safetensors file", `${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > largestHeader || length > bytes.length - 8) throw fail("a header within the file", `a header of ${length} bytes`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length)));
  } catch {
    throw fail("a JSON header", "something else");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) throw fail("a JSON object as header", "something else");
  const data = bytes.subarray(8 + length);
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  const spans: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (typeof entry !== "object" || entry === null || !Object.values(entry).every((value) => typeof value === "string"))
        throw fail("metadata of strings", "something else");
      metadata = entry as Record<string, string>;
      continue;
    }
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    const known = types.find(([code]) => code === dtype);
    if (!known) throw fail(`a known element type for ${name}`, String(dtype));
    const isCount = (number: unknown): number is number => Number.isSafeInteger(number) && (number as number) >= 0;
    if (!Array.isArray(shape) || !shape.every(isCount)) throw fail(`a shape for ${name}`, JSON.stringify(shape) ?? "none");
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) throw fail(`two offsets for ${name}`, JSON.stringify(offsets) ?? "none");
    const [begin, end] = offsets as [number, number];
    const [, type, elementBytes] = known;
    if (begin > end || end > data.length || end - begin !== sizeOf(shape) * elementBytes)
      throw fail(`${sizeOf(shape) * elementBytes} bytes within the file for ${name}`, `bytes ${begin} to ${end} of ${data.length}`);
    spans.push({ name, begin, end });
    tensors.set(name, { type, shape, data: typedView(type, data.subarray(begin, end)) });
  }
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const { name, begin, end } of spans) {
    if (begin !== reached) throw fail(`${name} to begin at byte ${reached}, without gap or overlap`, `byte ${begin}`);
    reached = end;
  }
  if (reached !== data.length) throw fail(`${reached} bytes of elements`, String(data.length));
  return { tensors, metadata };
}

/** Writes a safetensors file; equal content gives equal bytes. */
export function writeSafetensors(tensors: ReadonlyMap<string, Tensor>, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const rank = (type: DataType): number => types.findIndex(([, known]) => known === type);
  const ordered = [...tensors].sort(([a, { type: typeA }], [b, { type: typeB }]) => rank(typeA) - rank(typeB) || (a < b ? -1 : 1));
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let offset = 0;
  for (const [name, tensor] of ordered) {
    const [code] = types[rank(tensor.type)] ?? [];
    if (code === undefined || Array.isArray(tensor.data)) throw new Error(`safetensors has no ${tensor.type}`);
    header[name] = { dtype: code, shape: tensor.shape, data_offsets: [offset, offset + tensor.data.byteLength] };
    offset += tensor.data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(text, 8);
  let place = 8 + headerLength;
  for (const [, tensor] of ordered) {
    const data = tensor.data as Exclude<TensorData, string[]>;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), place);
    place += data.byteLength;
  }
  return bytes;
}
