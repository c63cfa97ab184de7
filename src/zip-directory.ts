/** What a zip archive holds, and where. */
import { userError } from "./errors.js";

/** The bytes of an archive, in a file or in memory. */
export interface ZipBytes {
  /** What the archive is called in messages. */
  readonly path: string;
  readonly length: number;
  /** So many of them from a place on. */
  readonly bytes: (start: number, length: number) => Promise<Uint8Array>;
}

/** A file inside a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Where its (packed) bytes begin and how many they are. */
  readonly start: number;
  readonly packed: number;
  readonly length: number;
  readonly deflated: boolean;
  /** CRC-32 of what it unpacks to. */
  readonly checksum: number;
}

/**
 * Reads a zip archive's directory, with the 64-bit sizes that large archives have. Source: PKWARE's APPNOTE 6.3,
 * sections 4.3.7 to 4.3.16.
 *
 * @throws UserError if it is damaged, encrypted, packed otherwise than by deflate, or promises more than deflate can
 */
export async function zipDirectory(file: ZipBytes): Promise<ZipEntry[]> {
  const damaged = (got: string) =>
    userError({ where: file.path, required: "a whole zip archive", got, advice: "Save it again" });
  const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tailLength = Math.min(file.length, 66_000);
  const tail = view(await file.bytes(file.length - tailLength, tailLength));
  let end = tailLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) throw damaged("one without its directory");
  let count = tail.getUint16(end + 10, true);
  let size = tail.getUint32(end + 12, true);
  let start = tail.getUint32(end + 16, true);
  if (end >= 20 && tail.getUint32(end - 20, true) === 0x07064b50) {
    const at = Number(tail.getBigUint64(end - 12, true));
    if (at + 56 > file.length) throw damaged("one with a broken directory");
    const record = view(await file.bytes(at, 56));
    count = Number(record.getBigUint64(32, true));
    size = Number(record.getBigUint64(40, true));
    start = Number(record.getBigUint64(48, true));
  }
  if (start + size > file.length || size > 2 ** 28) throw damaged("one with a broken directory");
  const bytes = await file.bytes(start, size);
  const directory = view(bytes);
  const entries: ZipEntry[] = [];
  for (let at = 0, index = 0; index < count; index++) {
    if (at + 46 > size || directory.getUint32(at, true) !== 0x02014b50) throw damaged("one with a broken directory");
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((place) => directory.getUint16(at + place, true));
    const extraEnd = at + 46 + nameLength + extraLength;
    if (extraEnd + commentLength > size) throw damaged("one with a broken directory");
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const sizes = { length: directory.getUint32(at + 24, true), packed: directory.getUint32(at + 20, true) };
    let header = directory.getUint32(at + 42, true);
    for (let extra = at + 46 + nameLength; extra + 4 <= extraEnd; ) {
      const [kind, length] = [directory.getUint16(extra, true), directory.getUint16(extra + 2, true)];
      if (extra + 4 + length > extraEnd) throw damaged("one with a broken directory");
      let place = extra + 4;
      const next = (known: number) => {
        if (known !== 0xffffffff || place + 8 > extra + 4 + length) return known;
        place += 8;
        return Number(directory.getBigUint64(place - 8, true));
      };
      if (kind === 1) {
        sizes.length = next(sizes.length);
        sizes.packed = next(sizes.packed);
        header = next(header);
      }
      extra += 4 + length;
    }
    const method = directory.getUint16(at + 10, true);
    if ((directory.getUint16(at + 8, true) & 1) === 1 || (method !== 0 && method !== 8)) {
      throw damaged(`${name}, encrypted or packed in an unknown way`);
    }
    // Deflate packs at most about 1,032 bytes into one: more is a bomb or a lie.
    if (sizes.length > 1032 * sizes.packed + 1024) {
      throw damaged(`${name} with an impossible size of ${sizes.length} bytes`);
    }
    if (header + 30 > file.length) throw damaged("one with a broken directory");
    const local = view(await file.bytes(header, 30));
    const first = header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
    if (local.getUint32(0, true) !== 0x04034b50 || first + sizes.packed > file.length) {
      throw damaged(`${name}, which is cut off`);
    }
    const checksum = directory.getUint32(at + 16, true);
    entries.push({ name, start: first, ...sizes, deflated: method === 8, checksum });
    at = extraEnd + commentLength;
  }
  return entries;
}

/**
 * Requires of what an entry unpacks to that it is what was packed.
 *
 * @param found CRC-32 of what it unpacks to
 * @param where the entry, for messages
 * @throws UserError if it is another than the archive says
 */
export function requireChecksum({ checksum }: ZipEntry, found: number, where: string): void {
  if (found === checksum) return;
  throw userError({
    where,
    required: `content with the checksum ${inHexadecimal(checksum)}, as the archive says`,
    got: inHexadecimal(found),
    advice: "The archive is damaged: fetch or save it again",
  });
}

function inHexadecimal(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}

/** Whether a file's first bytes are those of a zip archive. */
export function looksLikeZip(head: Uint8Array): boolean {
  return head.length >= 4 && head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}
