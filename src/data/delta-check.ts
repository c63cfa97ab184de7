import { deltaBinaryUnpack } from "hyparquet/src/delta.js";
import { readVarint } from "./varint.js";

/**
 * Checks numbers that a Parquet page holds as differences before they are decoded. Source: Apache Parquet, "Encodings",
 * DELTA_BINARY_PACKED = 5.
 *
 * @param start where they begin
 * @param count how many are wanted
 * @returns where they end
 * @throws RangeError if they are damaged
 */
function checkDeltas(bytes: Uint8Array, start: number, count: number): number {
  let at = start;
  const varint = () => {
    const { value, end } = readVarint(bytes, at);
    at = end;
    return value;
  };
  const [blockSize, miniblocks, total] = [varint(), varint(), varint()];
  const perMiniblock = blockSize / miniblocks;
  if (total !== count || !(perMiniblock >= 8 && perMiniblock % 8 === 0) || miniblocks > bytes.length) {
    throw new RangeError("differences that do not fit");
  }
  varint();
  for (let left = count - 1; left > 0; ) {
    varint();
    const widths = bytes.subarray(at, at + miniblocks);
    at += miniblocks;
    for (let miniblock = 0; miniblock < miniblocks && left > 0; miniblock++) {
      const width = widths[miniblock];
      // The last one may be shorter than it should be.
      const needed = Math.ceil((Math.min(left, perMiniblock) * width) / 8);
      if (!(width <= 64) || at + needed > bytes.length) throw new RangeError("differences that do not fit");
      at += (perMiniblock * width) / 8;
      left -= perMiniblock;
    }
  }
  return at;
}

/**
 * Checks the values of a page in one of the encodings with differences, before they are decoded.
 *
 * @param start where they begin in the page
 * @param count how many are wanted
 * @throws RangeError if they are damaged
 */
export function checkDeltaValues(encoding: string, page: Uint8Array, start: number, count: number): void {
  if (count === 0) return;
  const lengths = (from: number) => {
    const end = checkDeltas(page, from, count);
    const values = new Int32Array(count);
    deltaBinaryUnpack(
      { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: from },
      count,
      values,
    );
    return { values, end };
  };
  if (encoding === "DELTA_BINARY_PACKED") checkDeltas(page, start, count);
  if (encoding === "DELTA_LENGTH_BYTE_ARRAY") {
    const { values, end } = lengths(start);
    let left = page.length - end;
    for (const length of values) {
      left -= length;
      if (length < 0 || left < 0) throw new RangeError("a text beyond the end of its page");
    }
  }
  if (encoding === "DELTA_BYTE_ARRAY") {
    const { values: shared, end: middle } = lengths(start);
    const { values: own, end } = lengths(middle);
    let left = page.length - end;
    let before = 0;
    for (let at = 0; at < count; at++) {
      left -= own[at];
      if (own[at] < 0 || left < 0 || shared[at] < 0 || shared[at] > before) {
        throw new RangeError("a text beyond the end of its page");
      }
      before = shared[at] + own[at];
    }
  }
}
