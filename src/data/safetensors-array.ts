import { userError } from "../errors.js";
import type { OpenFile } from "./file-samples.js";
import { decodeNpy, npyValueBytes } from "./npy.js";
import type { SampleArray } from "./sample-array.js";

/** safetensors' type names that hold numbers, by NumPy's code. BF16 is the upper half of a 32-bit float. */
const types: Readonly<Record<string, string>> = {
  BOOL: "b1",
  U8: "u1",
  I8: "i1",
  U16: "u2",
  I16: "i2",
  U32: "u4",
  I32: "i4",
  U64: "u8",
  I64: "i8",
  F16: "f2",
  F32: "f4",
  F64: "f8",
  BF16: "u2",
};

/** A tensor of a safetensors file. */
export interface FiledTensor {
  readonly dims: readonly number[];
  readonly boolean: boolean;
  readonly start: number;
  readonly valueBytes: number;
  readonly decode: (bytes: Uint8Array) => SampleArray;
}

/** Whether a file's first bytes and name say that it is a safetensors file. */
export function looksLikeSafetensors(head: Uint8Array, path: string): boolean {
  return /\.safetensors$/i.test(path) && head.length > 8 && head[8] === 0x7b;
}

/**
 * The tensors of a safetensors file by name, from its header alone.
 *
 * @throws UserError if the header is damaged, or says more than the file holds
 */
export async function safetensorsDirectory(file: OpenFile): Promise<Map<string, FiledTensor>> {
  const damaged = (got: string) =>
    userError({ where: file.path, required: "a whole safetensors file", got, advice: "Fetch or save it again" });
  const head = await file.bytes(0, 8);
  const length = Number(new DataView(head.buffer).getBigUint64(0, true));
  if (length > Math.min(2 ** 28, file.length - 8)) throw damaged("a header that is longer than the file");
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await file.bytes(8, length)));
  } catch {
    throw damaged("a header that cannot be read");
  }
  const tensors = new Map<string, FiledTensor>();
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
    const whole = (list: unknown): list is number[] =>
      Array.isArray(list) && list.every((value) => Number.isSafeInteger(value) && value >= 0);
    if (typeof dtype !== "string" || !whole(shape) || !whole(offsets) || offsets.length !== 2) {
      throw damaged(`the tensor ${name}, which is not described`);
    }
    // Types without a plain meaning as numbers (8-bit floats) cannot be samples.
    const type = Object.hasOwn(types, dtype) ? types[dtype] : undefined;
    if (type === undefined) continue;
    const valueBytes = npyValueBytes(type);
    const bytes = shape.reduce((product, next) => product * next, valueBytes);
    if (offsets[1] - offsets[0] !== bytes || 8 + length + offsets[1] > file.length) {
      throw damaged(`the tensor ${name}, whose bytes are not there`);
    }
    const decode = (values: Uint8Array) => decodeNpy(values, { type, bigEndian: false });
    tensors.set(name, {
      dims: shape,
      boolean: dtype === "BOOL",
      start: 8 + length + offsets[0],
      valueBytes,
      decode: dtype === "BF16" ? (values) => fromBrainFloat(decode(values)) : decode,
    });
  }
  return tensors;
}

function fromBrainFloat(halves: SampleArray): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half * 65536).buffer);
}
