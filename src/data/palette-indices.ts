import { crc32 } from "node:zlib";

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const [greyType, paletteType] = [0, 3];

/** A PNG file with a palette, as one that has the places in the palette as its grey values. */
export interface PaletteIndices {
  /** A grey PNG file of the same size and bit depth. */
  readonly png: Uint8Array;
  /** The palette's colours, 0xRRGGBB. */
  readonly palette: readonly number[];
}

/**
 * Makes the palette's indices of a PNG file readable to decoders, which give its colours only: the pixels of a grey picture are
 * stored just like indices, so the header's colour type alone is changed, and what is for palettes left out (PNG
 * specification, third edition, sections 4.4 and 11.2). Whether the rest is whole is the decoder's to tell.
 *
 * @returns undefined for any other file
 * @throws Error if the file ends within a chunk
 */
export function paletteIndices(bytes: Uint8Array): PaletteIndices | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 33 || !file.subarray(0, 8).equals(signature) || file[25] !== paletteType) return undefined;
  const parts: Buffer[] = [signature];
  const palette: number[] = [];
  for (let at = 8; at < file.length; ) {
    const end = at + 12 + (at + 12 <= file.length ? file.readUInt32BE(at) : 0);
    if (end > file.length) throw new Error("a PNG file that ends within a chunk");
    const type = file.toString("latin1", at + 4, at + 8);
    if (type === "IHDR") parts.push(withColourType(file.subarray(at, end), greyType));
    else if (type === "IDAT" || type === "IEND") parts.push(file.subarray(at, end));
    else if (type === "PLTE")
      for (let entry = at + 8; entry + 3 <= end - 4; entry += 3) palette.push(file.readUIntBE(entry, 3));
    if (type === "IEND") break;
    at = end;
  }
  return { png: Buffer.concat(parts), palette };
}

/** A header's chunk with another colour type; its checksum holds only where the old one did. */
function withColourType(chunk: Buffer, type: number): Buffer {
  const changed = Buffer.from(chunk);
  const sum = (header: Buffer): number => crc32(header.subarray(4, -4));
  const damage = chunk.readUInt32BE(chunk.length - 4) ^ sum(chunk);
  changed[17] = type;
  changed.writeUInt32BE((sum(changed) ^ damage) >>> 0, changed.length - 4);
  return changed;
}
