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
  const grow = (needed: number) => {
    if (needed <= output.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * output.length));
    grown.set(output.subarray(0, length));
    output = grown;
  };
  for (;;) {
    const head = view.getUint32(at, true);
    at += 4;
    if (head === 0) break;
    const size = head & 0x7fffffff;
    const end = at + size;
    if (end > frame.length) throw new RangeError("an LZ4 frame that is cut off");
    if (head & 0x80000000) {
      grow(length + size);
      output.set(frame.subarray(at, end), length);
      length += size;
    } else {
      // Blocks may refer to what earlier ones hold: all go into one array.
      while (at < end) {
        const token = frame[at++];
        let literals = token >> 4;
        if (literals === 15) for (let more = 255; more === 255; literals += more) more = frame[at++];
        if (at + literals > end) throw new RangeError("an LZ4 block that is cut off");
        grow(length + literals);
        output.set(frame.subarray(at, at + literals), length);
        at += literals;
        length += literals;
        if (at >= end) break;
        const offset = view.getUint16(at, true);
        at += 2;
        let match = (token & 15) + 4;
        if (match === 19) for (let more = 255; more === 255; match += more) more = frame[at++];
        if (offset === 0 || offset > length) throw new RangeError("an LZ4 block that refers to nothing");
        grow(length + match);
        for (let end_ = length + match; length < end_; length++) output[length] = output[length - offset];
      }
    }
    at = end + (flags & 16 ? 4 : 0);
  }
  return output.subarray(0, length);
}
