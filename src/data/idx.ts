import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { userError } from "../errors.js";
import type { RawArray, SampleArray } from "./sample-array.js";

/** The element types of IDX by their code; values are big-endian. Source: LeCun's description of the MNIST files. */
const elementTypes: Record<
  number,
  { bytes: number; make: (length: number) => SampleArray; get: (view: DataView, at: number) => number }
> = {
  8: { bytes: 1, make: (length) => new Uint8Array(length), get: (view, at) => view.getUint8(at) },
  9: { bytes: 1, make: (length) => new Int8Array(length), get: (view, at) => view.getInt8(at) },
  11: { bytes: 2, make: (length) => new Int16Array(length), get: (view, at) => view.getInt16(at) },
  12: { bytes: 4, make: (length) => new Int32Array(length), get: (view, at) => view.getInt32(at) },
  13: { bytes: 4, make: (length) => new Float32Array(length), get: (view, at) => view.getFloat32(at) },
  14: { bytes: 8, make: (length) => new Float64Array(length), get: (view, at) => view.getFloat64(at) },
};

/** Whether a file's first bytes are those of an IDX file. */
export function looksLikeIdx(head: Uint8Array): boolean {
  return head.length >= 8 && head[0] === 0 && head[1] === 0 && head[2] in elementTypes && head[3] > 0 && head[3] < 9;
}

/** The length that an IDX file's header says the whole has, or undefined if the head is too short to tell. */
function idxLength(head: Uint8Array): number | undefined {
  if (head.length < 4 || head.length < 4 + 4 * head[3]) return undefined;
  return dimsOf(head).reduce((product, length) => product * length, elementTypes[head[2]].bytes) + 4 + 4 * head[3];
}

function dimsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes[3] }, (_, axis) => view.getUint32(4 + 4 * axis));
}

/**
 * Parses the bytes of an IDX file; `where` begins the error messages.
 *
 * @throws UserError if it is not IDX or its length is not what its header says
 */
export function parseIdx(bytes: Uint8Array, where: string): RawArray {
  const length = looksLikeIdx(bytes) ? idxLength(bytes) : undefined;
  if (length === undefined) {
    throw userError({
      where,
      required: "an IDX file",
      got: "another content",
      advice: "IDX files are those of MNIST and its relatives, such as train-images-idx3-ubyte.gz",
    });
  }
  if (bytes.length !== length) {
    throw userError({
      where,
      required: `${length} bytes, as its header says`,
      got: `${bytes.length}`,
      advice: "The file is truncated or damaged: fetch it again",
    });
  }
  const { dims, start, type } = idxHeader(bytes)!;
  return { data: decodeIdx(bytes.subarray(start), type), dims };
}

/** The axes, where the values begin, and the type code; undefined if the head is too short. */
export function idxHeader(
  head: Uint8Array,
): { dims: number[]; start: number; type: number; valueBytes: number } | undefined {
  if (!looksLikeIdx(head) || idxLength(head) === undefined) return undefined;
  const dims = dimsOf(head);
  return { dims, start: 4 + 4 * dims.length, type: head[2], valueBytes: elementTypes[head[2]].bytes };
}

/** Turns the bytes of values of a type code into numbers. */
export function decodeIdx(bytes: Uint8Array, code: number): SampleArray {
  if (code === 8) return bytes;
  const type = elementTypes[code];
  const data = type.make(bytes.length / type.bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < data.length; index++) data[index] = type.get(view, index * type.bytes);
  return data;
}

/** The labels file that lies beside an IDX file of images by MNIST's naming, if there is one. */
export async function findIdxLabels(path: string): Promise<string | undefined> {
  const match = /^(.*)images([.-])idx\d-(\w+?)(\.gz)?$/.exec(basename(path));
  if (match === null) return undefined;
  const stem = `${match[1]}labels${match[2]}idx1-ubyte`;
  const names = new Set(await readdir(dirname(path)));
  const found = [stem + (match[4] ?? ""), stem, `${stem}.gz`].find((name) => names.has(name));
  return found === undefined ? undefined : join(dirname(path), found);
}

/** Which of a folder's files is meant when the folder holds IDX files: the training images, or the only images. */
export function chooseIdxImages(names: readonly string[], where: string): string | undefined {
  const files = names.filter((name) => /[.-]idx\d-\w+(\.gz)?$/.test(name) && !/labels/.test(name)).sort();
  const training = files.filter((name) => name.startsWith("train"));
  const candidates = training.length > 0 ? training : files;
  // The same file plain and gzipped is one candidate.
  const distinct = new Set(candidates.map((name) => name.replace(/\.gz$/, "")));
  if (distinct.size > 1) {
    throw userError({
      where,
      required: "one IDX file of training images",
      got: [...distinct].join(", "),
      advice: "Give the path of the file that is meant, not of its folder",
    });
  }
  return candidates[0];
}
