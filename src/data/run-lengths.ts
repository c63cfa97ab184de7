import { countOnes } from "./count-ones.js";

/**
 * Checks numbers of a Parquet page in its mixture of runs and packed bits before they are decoded: the decoder writes
 * each run as long as it says it is, beyond the end of what is wanted. Source: Apache Parquet, "Encodings", RLE = 3.
 *
 * @param start where the first run begins
 * @param end where the last one ends at the latest
 * @param width bits of a number
 * @param count how many numbers are wanted
 * @param largest the largest number that there may be, as far as this can be seen from the runs
 * @throws RangeError if they are damaged
 */
export function checkRuns(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  largest: number,
): void {
  eachRun(bytes, start, end, width, count, (_, value) => {
    if (value !== undefined && value > largest) throw new RangeError("a run of a number that is not there");
  });
}

/** How many of such numbers are the largest that there may be: of definition levels, how many values are no nulls. */
export function countLargest(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  largest: number,
): number {
  let found = 0;
  eachRun(bytes, start, end, width, count, (length, value, at) => {
    if (value === undefined)
      found += width === 1 ? countOnes(bytes, at, length) : packedIn(bytes, at, width, length, largest);
    else if (value === largest) found += length;
    else if (value > largest) throw new RangeError("a run of a number that is not there");
  });
  return found;
}

/** @param visit is told of each run: its length, its value or undefined for packed bits, and where these begin */
function eachRun(
  bytes: Uint8Array,
  start: number,
  end: number,
  width: number,
  count: number,
  visit: (length: number, value: number | undefined, at: number) => void,
): void {
  if (width > 31 || end > bytes.length) throw new RangeError("numbers that are too long");
  const valueBytes = (width + 7) >> 3;
  let at = start;
  for (let left = count; left > 0; ) {
    let head = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= end || shift > 28) throw new RangeError("a run that is cut off");
      const byte = bytes[at++];
      head += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const isPacked = head % 2 === 1;
    const length = Math.floor(head / 2);
    const next = at + (isPacked ? length * width : valueBytes);
    // Packed numbers come in groups of eight: the last ones may be more than are wanted. Those of no bits must be the last.
    const isLong = isPacked ? width === 0 && (8 * length >= left + 8 || 8 * length < left) : length > left;
    if (next > end || isLong) throw new RangeError("a run that is too long");
    if (isPacked) visit(Math.min(8 * length, left), undefined, at);
    else {
      let value = 0;
      for (let place = 0; place < valueBytes; place++) value += bytes[at + place] * 2 ** (8 * place);
      visit(length, value, at);
    }
    at = next;
    left -= isPacked ? 8 * length : length;
  }
}

/** How often a number stands among packed ones, of at most 24 bits each. */
function packedIn(bytes: Uint8Array, start: number, width: number, count: number, wanted: number): number {
  const mask = 2 ** width - 1;
  let found = 0;
  for (let index = 0; index < count; index++) {
    const bit = index * width;
    const at = start + (bit >> 3);
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    if (((word >>> (bit & 7)) & mask) === wanted) found++;
  }
  return found;
}
