import { readVarint } from "./varint.js";

/** Deeper than anything that a Parquet file's metadata holds. */
const mostDepth = 32;

/**
 * Checks a struct of Thrift's compact protocol before the reader of Parquet decodes it, which believes its lengths:
 * that each length fits in what is left, numbers are of at most 64 bits, and structs are not too deep. Source: Apache
 * Thrift, "Thrift Compact protocol encoding".
 *
 * @param start where the struct begins
 * @returns where it ends
 * @throws RangeError if it is damaged
 */
export function endOfThriftStruct(bytes: Uint8Array, start: number): number {
  let at = start;

  const byte = () => {
    if (at >= bytes.length) throw new RangeError("metadata that are cut off");
    return bytes[at++];
  };
  const varint = () => {
    const { value, end } = readVarint(bytes, at);
    at = end;
    return value;
  };
  const skip = (length: number) => {
    if (length > bytes.length - at) throw new RangeError("a length beyond the end");
    at += length;
  };
  const element = (type: number, depth: number, inList: boolean): void => {
    // A field says with its type what it is, an element of a list with a byte.
    if (type === 1 || type === 2) skip(inList ? 1 : 0);
    else if (type === 3) skip(1);
    else if (type >= 4 && type <= 6) varint();
    else if (type === 7) skip(8);
    else if (type === 8) skip(varint());
    else if (type === 9) list(depth + 1);
    else if (type === 12) struct(depth + 1);
    else throw new RangeError(`metadata of the kind ${type}`);
  };
  const list = (depth: number) => {
    const head = byte();
    const count = head >> 4 === 15 ? varint() : head >> 4;
    // Each element takes a byte at least.
    if (count > bytes.length - at || depth > mostDepth) throw new RangeError("a length beyond the end");
    for (let left = count; left > 0; left--) element(head & 15, depth, true);
  };
  const struct = (depth: number) => {
    if (depth > mostDepth) throw new RangeError("metadata that are too deep");
    for (let head = byte(); (head & 15) !== 0; head = byte()) {
      if (head >> 4 === 0) varint();
      element(head & 15, depth, false);
    }
  };

  struct(0);
  return at;
}
