import { decompressZstd } from "hyparquet-compressors";

/** A block unpacks to at most so many bytes. */
const largestBlock = 128 * 1024;

/** What decoders look back by default, at most: 2^27 bytes. Ours makes room for it. */
const largestWindow = 27;

/**
 * Unpacks Zstandard data of a length that is known. Source: RFC 8878. Checksums are not verified.
 *
 * @throws RangeError if the data cannot come to that length
 */
export function unpackZstd(packed: Uint8Array, length: number): Uint8Array {
  const { most, said } = surveyFrames(packed);
  const isFit = length <= most && (said === undefined || said === length);
  const output = isFit ? decompressZstd(packed) : undefined;
  if (output?.length !== length) throw new RangeError("Zstandard data of another length");
  // A copy, because Arrow's columns must begin at multiples of 8. (The decoder compares an array that it is given to
  // write to with a number, for which it is made a text: that takes longer than the unpacking.)
  return output.slice();
}

/** What the frames may unpack to at most, and to what they say they do, if all say so. */
function surveyFrames(packed: Uint8Array): { most: number; said: number | undefined } {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  let most = 0;
  let said: number | undefined = 0;
  for (let at = 0; at < packed.length; ) {
    const magic = view.getUint32(at, true);
    at += 4;
    // A frame to be skipped.
    if ((magic & 0xfffffff0) >>> 0 === 0x184d2a50) {
      at += 4 + view.getUint32(at, true);
      continue;
    }
    if (magic !== 0xfd2fb528) throw new RangeError("no Zstandard frame");
    const flags = view.getUint8(at++);
    const isOnePiece = (flags & 0x20) !== 0;
    if (!isOnePiece && 10 + (view.getUint8(at++) >> 3) > largestWindow)
      throw new RangeError("a Zstandard window too large");
    at += [0, 1, 2, 4][flags & 3];
    const sizeBytes = [isOnePiece ? 1 : 0, 2, 4, 8][flags >> 6];
    let size: number | undefined;
    if (sizeBytes === 1) size = view.getUint8(at);
    else if (sizeBytes === 2) size = view.getUint16(at, true) + 256;
    else if (sizeBytes === 4) size = view.getUint32(at, true);
    else if (sizeBytes === 8) size = Number(view.getBigUint64(at, true));
    at += sizeBytes;
    let mostOfFrame = 0;
    for (let isLast = false; !isLast; ) {
      const head = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
      at += 3;
      isLast = (head & 1) === 1;
      const kind = (head >> 1) & 3;
      const blockSize = head >> 3;
      if (kind === 3 || blockSize > largestBlock) throw new RangeError("a Zstandard block of no known kind");
      // As it is, one byte repeated, or packed.
      mostOfFrame += kind === 2 ? largestBlock : blockSize;
      at += kind === 1 ? 1 : blockSize;
    }
    if ((flags & 4) !== 0) at += 4;
    // What is said and cannot be would be made room for.
    if (at > packed.length || (size !== undefined && size > mostOfFrame)) {
      throw new RangeError("a Zstandard frame that is cut off");
    }
    most += mostOfFrame;
    said = size === undefined || said === undefined ? undefined : said + size;
  }
  return { most, said };
}
