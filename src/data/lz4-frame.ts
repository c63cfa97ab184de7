/** Bytes that are copied faster one by one than in one go. */
const shortRun = 32;

/**
 * Unpacks an LZ4 frame, as Arrow and Feather files hold them. Source: the LZ4 frame format 1.6.4 and block format.
 * Checksums are not verified: Arrow's own readers leave them out too.
 *
 * @throws RangeError if it is damaged
 */
export function unpackLz4Frame(frame: Uint8Array): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== 0x184d2204) throw new RangeError("no LZ4 frame");
  const flags = frame[4];
  // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
  const largestBlock = 1 << (8 + 2 * ((frame[5] >> 4) & 7));
  let at = 6;
  let known: number | undefined;
  if (flags & 8) {
    known = Number(view.getBigUint64(at, true));
    at += 8;
  }
  if (flags & 1) at += 4;
  at += 1;
  // A lying length must not make us allocate: LZ4 packs at most about 255 bytes into one.
  let output = new Uint8Array(Math.min(known ?? 4 * frame.length, 255 * frame.length));
  let length = 0;
  for (;;) {
    const head = view.getUint32(at, true);
    at += 4;
    if (head === 0) break;
    const end = at + (head & 0x7fffffff);
    if (end > frame.length) throw new RangeError("an LZ4 frame that is cut off");
    const needed = length + largestBlock;
    if (known === undefined && needed > output.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * output.length));
      grown.set(output.subarray(0, length));
      output = grown;
    }
    if (head & 0x80000000) {
      output.set(frame.subarray(at, end), length);
      length += end - at;
    } else length = unpackBlock(frame, at, end, output, length);
    at = end + (flags & 16 ? 4 : 0);
  }
  return output.subarray(0, length);
}

/**
 * Unpacks a block behind what is there already, to which it may refer.
 *
 * @returns the length of all
 */
function unpackBlock(source: Uint8Array, from: number, end: number, output: Uint8Array, before: number): number {
  let at = from;
  let length = before;
  while (at < end) {
    const token = source[at++];
    let literals = token >> 4;
    if (literals === 15) for (let more = 255; more === 255; literals += more) more = source[at++];
    if (at + literals > end) throw new RangeError("an LZ4 block that is cut off");
    if (length + literals > output.length) throw new RangeError("an LZ4 block that is longer than it may be");
    // Few at a time, as most are, take less one by one.
    if (literals > shortRun) {
      output.set(source.subarray(at, at + literals), length);
      at += literals;
      length += literals;
    } else for (const last = at + literals; at < last; at++, length++) output[length] = source[at];
    if (at >= end) break;
    const offset = source[at] | (source[at + 1] << 8);
    at += 2;
    let match = (token & 15) + 4;
    if (match === 19) for (let more = 255; more === 255; match += more) more = source[at++];
    if (offset === 0 || offset > length) throw new RangeError("an LZ4 block that refers to nothing");
    if (length + match > output.length) throw new RangeError("an LZ4 block that is longer than it may be");
    if (match > shortRun && offset >= match) {
      output.copyWithin(length, length - offset, length - offset + match);
      length += match;
    } else for (const last = length + match; length < last; length++) output[length] = output[length - offset];
  }
  return length;
}
