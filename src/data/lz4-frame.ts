/** Bytes that are copied faster one by one than in one go. */
const shortRun = 32;

/** A byte packs at most so many. */
const mostByOne = 255;

/**
 * Unpacks an LZ4 frame, as Arrow and Feather files hold them. Source: the LZ4 frame format 1.6.4 and block format.
 * Checksums are not verified: Arrow's own readers leave them out too.
 *
 * @param expected its length, where that is known from elsewhere
 * @throws RangeError if it is damaged
 */
export function unpackLz4Frame(frame: Uint8Array, expected?: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== 0x184d2204) throw new RangeError("no LZ4 frame");
  const flags = frame[4];
  // 64 KiB, 256 KiB, 1 MiB or 4 MiB.
  const largestBlock = 1 << (8 + 2 * ((frame[5] >> 4) & 7));
  let at = 6;
  let known = expected;
  if (flags & 8) {
    const said = Number(view.getBigUint64(at, true));
    if (known !== undefined && known !== said) throw new RangeError("an LZ4 frame of another length");
    known = said;
    at += 8;
  }
  if (flags & 1) at += 4;
  at += 1;
  // A lying length must not make us allocate.
  let output = new Uint8Array(Math.min(known ?? 4 * frame.length, mostByOne * frame.length));
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
  if (known !== undefined && known !== length) throw new RangeError("an LZ4 frame of another length");
  return output.subarray(0, length);
}

/** Unpacks one LZ4 block of a length that is known. @throws RangeError if it is damaged */
export function unpackLz4Block(block: Uint8Array, length: number): Uint8Array {
  if (length > mostByOne * block.length) throw new RangeError("an LZ4 block of another length");
  const output = new Uint8Array(length);
  if (unpackBlock(block, 0, block.length, output, 0) !== length) throw new RangeError("an LZ4 block of another length");
  return output;
}

/**
 * Unpacks what Parquet's older codec LZ4 holds: blocks as Hadoop writes them, each behind its length unpacked and packed
 * (big end first), or one block alone. @throws RangeError if it is damaged
 */
export function unpackLz4(packed: Uint8Array, length: number): Uint8Array {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const blocks: { from: number; end: number; length: number }[] = [];
  let total = 0;
  for (let at = 0; at < packed.length && total <= length; ) {
    if (at + 8 > packed.length) return unpackLz4Block(packed, length);
    const unpacked = view.getUint32(at);
    const end = at + 8 + view.getUint32(at + 4);
    if (end > packed.length) return unpackLz4Block(packed, length);
    blocks.push({ from: at + 8, end, length: unpacked });
    total += unpacked;
    at = end;
  }
  if (total !== length) return unpackLz4Block(packed, length);
  if (length > mostByOne * packed.length) throw new RangeError("LZ4 blocks of another length");
  const output = new Uint8Array(length);
  let done = 0;
  for (const block of blocks) {
    const part = output.subarray(done, done + block.length);
    if (unpackBlock(packed, block.from, block.end, part, 0) !== block.length) {
      throw new RangeError("LZ4 blocks of another length");
    }
    done += block.length;
  }
  return output;
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
    if (literals === 15) for (let more = 255; more === 255 && at < end; literals += more) more = source[at++];
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
    if (match === 19) for (let more = 255; more === 255 && at < end; match += more) more = source[at++];
    if (at > end) throw new RangeError("an LZ4 block that is cut off");
    if (offset === 0 || offset > length) throw new RangeError("an LZ4 block that refers to nothing");
    if (length + match > output.length) throw new RangeError("an LZ4 block that is longer than it may be");
    if (match > shortRun && offset >= match) {
      output.copyWithin(length, length - offset, length - offset + match);
      length += match;
    } else for (const last = length + match; length < last; length++) output[length] = output[length - offset];
  }
  return length;
}
