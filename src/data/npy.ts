import { userError } from "../errors.js";
import type { RawArray, SampleArray } from "./sample-array.js";

/** What an NPY file's header says. */
export interface NpyHeader {
  /** Type code without its byte order, such as "f4". */
  type: string;
  bigEndian: boolean;
  fortran: boolean;
  dims: number[];
  /** Where the values begin. */
  start: number;
}

interface ElementType {
  bytes: number;
  make(length: number): SampleArray;
  get(view: DataView, at: number, little: boolean): number;
}

/** NumPy's type codes. Source: numpy.lib.format, versions 1.0 to 3.0. */
const elementTypes: Record<string, ElementType> = {
  b1: { bytes: 1, make: (length) => new Uint8Array(length), get: (view, at) => view.getUint8(at) },
  u1: { bytes: 1, make: (length) => new Uint8Array(length), get: (view, at) => view.getUint8(at) },
  i1: { bytes: 1, make: (length) => new Int8Array(length), get: (view, at) => view.getInt8(at) },
  u2: { bytes: 2, make: (length) => new Uint16Array(length), get: (view, at, little) => view.getUint16(at, little) },
  i2: { bytes: 2, make: (length) => new Int16Array(length), get: (view, at, little) => view.getInt16(at, little) },
  u4: { bytes: 4, make: (length) => new Uint32Array(length), get: (view, at, little) => view.getUint32(at, little) },
  i4: { bytes: 4, make: (length) => new Int32Array(length), get: (view, at, little) => view.getInt32(at, little) },
  u8: {
    bytes: 8,
    make: (length) => new Float64Array(length),
    get: (view, at, little) => Number(view.getBigUint64(at, little)),
  },
  i8: {
    bytes: 8,
    make: (length) => new Float64Array(length),
    get: (view, at, little) => Number(view.getBigInt64(at, little)),
  },
  f2: {
    bytes: 2,
    make: (length) => new Float32Array(length),
    get: (view, at, little) => halfToNumber(view.getUint16(at, little)),
  },
  f4: { bytes: 4, make: (length) => new Float32Array(length), get: (view, at, little) => view.getFloat32(at, little) },
  f8: { bytes: 8, make: (length) => new Float64Array(length), get: (view, at, little) => view.getFloat64(at, little) },
};

/** Whether a file's first bytes are those of an NPY file. */
export function looksLikeNpy(head: Uint8Array): boolean {
  return head.length >= 6 && head[0] === 0x93 && String.fromCharCode(...head.subarray(1, 6)) === "NUMPY";
}

/**
 * Parses the bytes of an NPY file: versions 1 to 3, C and Fortran order, both byte orders, booleans, integers and
 * floats.
 *
 * @throws UserError if it is not NPY, is truncated, or holds another type
 */
export function parseNpy(bytes: Uint8Array, where: string): RawArray {
  const header = npyHeader(bytes, where);
  if (header === undefined) throw damaged(where, "an NPY file's header", "less");
  const type = elementTypes[header.type];
  const length = header.dims.reduce((product, next) => product * next, 1);
  const got = bytes.length - header.start;
  if (got !== length * type.bytes) {
    throw damaged(where, `${length * type.bytes} bytes of values, as its header says`, `${got}`);
  }
  const data = decodeNpy(bytes.subarray(header.start), header);
  return {
    data: header.fortran && header.dims.length > 1 ? fromFortranOrder(data, header.dims, type) : data,
    dims: header.dims,
    ...(header.type === "b1" ? { boolean: true } : {}),
  };
}

/** Turns the bytes of values into numbers, in the order in which they lie. */
export function decodeNpy(bytes: Uint8Array, header: Pick<NpyHeader, "type" | "bigEndian">): SampleArray {
  const type = elementTypes[header.type];
  const length = Math.floor(bytes.length / type.bytes);
  const empty = type.make(0);
  const sameType = empty.BYTES_PER_ELEMENT === type.bytes && header.type !== "u8" && header.type !== "i8";
  if (sameType && (type.bytes === 1 || !header.bigEndian)) {
    // Values as this machine has them are used in place, or copied once if they do not lie at a multiple of their size.
    const Kind = empty.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => SampleArray;
    if (bytes.byteOffset % type.bytes === 0) return new Kind(bytes.buffer, bytes.byteOffset, length);
    return new Kind(bytes.slice().buffer, 0, length);
  }
  const data = type.make(length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < length; index++) {
    data[index] = type.get(view, index * type.bytes, !header.bigEndian);
  }
  return data;
}

/** Bytes of one value of a type code such as "f4". */
export function npyValueBytes(type: string): number {
  return elementTypes[type].bytes;
}

/** In Fortran order the first axis runs fastest: the value at (i0, i1, ...) lies at i0 + d0·(i1 + d1·(i2 + ...)). */
function fromFortranOrder(data: SampleArray, dims: readonly number[], type: ElementType): SampleArray {
  const ordered = type.make(data.length);
  const strides = dims.map((_, axis) => dims.slice(0, axis).reduce((product, length) => product * length, 1));
  const position = dims.map(() => 0);
  let source = 0;
  for (let target = 0; target < data.length; target++) {
    ordered[target] = data[source];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      position[axis]++;
      source += strides[axis];
      if (position[axis] < dims[axis]) break;
      source -= strides[axis] * dims[axis];
      position[axis] = 0;
    }
  }
  return ordered;
}

/** Reads the header from a file's first bytes, or gives undefined if these are too few. @throws UserError if it is none */
export function npyHeader(bytes: Uint8Array, where: string): NpyHeader | undefined {
  if (bytes.length < 12) return undefined;
  if (!looksLikeNpy(bytes)) throw damaged(where, "an NPY file", "another content");
  const version = bytes[6];
  if (version < 1 || version > 3) throw damaged(where, "an NPY file of version 1, 2 or 3", `version ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const textStart = version === 1 ? 10 : 12;
  const start = textStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (start > 2 ** 20) throw damaged(where, "an NPY header", `one of ${start} bytes`);
  if (bytes.length < start) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(textStart, start));
  const descr = /'descr'\s*:\s*'([<>|=]?)(\w+)'/.exec(text);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(text);
  if (descr === null || !(descr[2] in elementTypes)) {
    throw userError({
      where,
      required: "an array of booleans, integers or floats",
      got: descr === null ? "a structured or unreadable type" : `the type ${descr[1]}${descr[2]}`,
      advice: /^[US]/.test(descr?.[2] ?? "")
        ? "Save numbers in place of the texts, such as numpy.unique(array, return_inverse=True)[1], which numbers them in their order"
        : "Save it with a numeric type, such as array.astype('float32')",
    });
  }
  if (fortran === null || shape === null) throw damaged(where, "an NPY header", "one that cannot be read");
  return {
    type: descr[2],
    bigEndian: descr[1] === ">",
    fortran: fortran[1] === "True",
    dims: shape[1]
      .split(",")
      .map((part) => part.replace("L", "").trim())
      .filter((part) => part !== "")
      .map(Number),
    start,
  };
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function damaged(where: string, required: string, got: string): Error {
  return userError({ where, required, got, advice: "The file is truncated or damaged: save it again with numpy.save" });
}
