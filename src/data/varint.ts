/** Bytes of the longest number of 64 bits. */
const mostBytes = 10;

/**
 * Reads a number of seven bits in each byte, lowest first (LEB128), as Parquet and Thrift write theirs.
 *
 * @returns the number and where it ends
 * @throws RangeError if it is cut off, or longer than 64 bits
 */
export function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0;
  for (let place = 0; place < mostBytes && start + place < bytes.length; place++) {
    const next = bytes[start + place];
    value += (next & 0x7f) * 2 ** (7 * place);
    if (next < 0x80) return { value, end: start + place + 1 };
  }
  throw new RangeError("a number that is cut off or too long");
}
