/** The safetensors format: a length, a JSON header, the elements. */
import { type UserError, userError } from "../errors.js";
import { byteLengthOf, type DataType, sizeOf, type Tensor } from "../graph/tensor.js";
import { bytesOf, elementsFromBytes } from "./element-types.js";

/**
 * Header names of element types. Tensors are written in this order, wide elements first, so that each lies aligned; it is
 * the order in which the format's reference library writes, and gives the same bytes.
 */
const types: ReadonlyMap<string, Exclude<DataType, "string">> = new Map([
  ["U64", "uint64"],
  ["I64", "int64"],
  ["F64", "float64"],
  ["F32", "float32"],
  ["U32", "uint32"],
  ["I32", "int32"],
  ["BF16", "bfloat16"],
  ["F16", "float16"],
  ["U16", "uint16"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);
const order = [...types.values()];

const metadataKey = "__metadata__";

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
  if (length > largestHeader || length > bytes.length - 8)
    throw fail("a header within the file", `a header of ${length} bytes`);
  let header: unknown;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, 8 + length));
    header = JSON.parse(text);
  } catch {
    throw fail("a JSON header", "something else");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw fail("a JSON object as header", "something else");
  const twice = repeatedKey(text);
  if (twice !== undefined) throw fail("each tensor once", `${twice} twice`);
  const data = bytes.subarray(8 + length);
  const tensors = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  const spans: { name: string; begin: number; end: number }[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === metadataKey) {
      if (
        typeof entry !== "object" ||
        entry === null ||
        Array.isArray(entry) ||
        !Object.values(entry).every((value) => typeof value === "string")
      )
        throw fail("metadata of strings", "something else");
      metadata = entry as Record<string, string>;
      continue;
    }
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    const type = typeof dtype === "string" ? types.get(dtype) : undefined;
    if (!type) throw fail(`a known element type for ${name}`, String(dtype));
    const isCount = (number: unknown): number is number => Number.isSafeInteger(number) && (number as number) >= 0;
    if (!Array.isArray(shape) || !shape.every(isCount))
      throw fail(`a shape for ${name}`, JSON.stringify(shape) ?? "none");
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
      throw fail(`two offsets for ${name}`, JSON.stringify(offsets) ?? "none");
    const [begin, end] = offsets as [number, number];
    const required = byteLengthOf(type, sizeOf(shape));
    if (begin > end || end > data.length || end - begin !== required)
      throw fail(`${required} bytes within the file for ${name}`, `bytes ${begin} to ${end} of ${data.length}`);
    spans.push({ name, begin, end });
    tensors.set(name, { type, shape, data: elementsFromBytes(type, data.subarray(begin, end)) });
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

/**
 * Writes a safetensors file; equal content gives equal bytes.
 *
 * @throws UserError where a tensor has other than its shape's elements; Error for an element type that the format lacks
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const rank = (type: DataType): number => (order as readonly DataType[]).indexOf(type);
  const codes = [...types.keys()];
  const ordered = [...tensors].sort(
    ([a, { type: typeA }], [b, { type: typeB }]) => rank(typeA) - rank(typeB) || (a < b ? -1 : 1),
  );
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) {
    const sorted = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
    entries.push([metadataKey, Object.fromEntries(sorted)]);
  }
  let offset = 0;
  for (const [name, tensor] of ordered) {
    const dtype = codes[rank(tensor.type)];
    if (dtype === undefined || tensor.type === "string") throw new Error(`safetensors has no ${tensor.type}`);
    if (name === metadataKey) throw new Error(`safetensors keeps the name ${name} for itself`);
    const { length } = bytesOf(tensor);
    const wanted = byteLengthOf(tensor.type, sizeOf(tensor.shape));
    if (length !== wanted)
      throw userError({
        where: `tensor ${name}`,
        required: `${wanted} bytes of elements, as ${tensor.type} of the shape [${tensor.shape.join(", ")}] has`,
        got: String(length),
        advice: "Check its shape and data.",
      });
    entries.push([name, { dtype, shape: tensor.shape, data_offsets: [offset, offset + length] }]);
    offset += length;
  }
  // fromEntries makes own properties of all names, "__proto__" too.
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true);
  bytes.fill(0x20, 8, 8 + headerLength);
  bytes.set(text, 8);
  let place = 8 + headerLength;
  for (const [, tensor] of ordered) {
    const data = bytesOf(tensor);
    bytes.set(data, place);
    place += data.length;
  }
  return bytes;
}

/** The first key that stands twice in the outer object of a valid JSON text; JSON.parse silently takes the last one. */
function repeatedKey(json: string): string | undefined {
  const keys = new Set<string>();
  let depth = 0;
  // By hand: a regular expression for a string runs out of stack where the string is long.
  for (let place = 0; place < json.length; place++) {
    const character = json[place];
    if (character === "{" || character === "[") depth++;
    else if (character === "}" || character === "]") depth--;
    else if (character === '"') {
      const start = place;
      for (place++; json[place] !== '"'; place++) if (json[place] === "\\") place++;
      if (depth !== 1) continue;
      let next = place + 1;
      while (" \t\r\n".includes(json[next])) next++;
      if (json[next] !== ":") continue;
      const key = JSON.parse(json.slice(start, place + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return undefined;
}
