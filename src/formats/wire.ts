/**
 * Protobuf's wire format, as far as changing a few fields of a serialized message needs it. What is not changed is
 * copied byte by byte: decoding and encoding a whole message would lose what the schema does not know and how it was
 * encoded.
 */

/** Protobuf's wire types. */
export const wireType = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** One field as it stands in a serialized message. */
export interface WireField {
  readonly number: number;
  /** How the payload is encoded. */
  readonly type: number;
  /** The field's payload where it is a string, bytes or a message; undefined for numbers and groups. */
  readonly content: Uint8Array | undefined;
  /** Tag, length and payload. */
  readonly whole: Uint8Array;
}

/** The fields of a message in file order. @throws RangeError on bytes that end too early */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  for (let place = 0; place < bytes.length; ) {
    const start = place;
    let tag: number;
    [tag, place] = readVarint(bytes, place);
    const [contentStart, end] = skipField(bytes, place, tag);
    place = end;
    yield {
      number: Math.floor(tag / 8),
      type: tag % 8,
      content: tag % 8 === wireType.bytes ? bytes.subarray(contentStart, end) : undefined,
      whole: bytes.subarray(start, end),
    };
  }
}

/** A serialized message in pieces that stand one after the other. */
export type Pieces = readonly Uint8Array[];

/** What a rewrite does with a field: undefined leaves it, an empty list drops it, pieces become its new content. */
export type FieldRewrite = (field: WireField) => Pieces | undefined;

/**
 * Replaces the contents of some fields of a message.
 *
 * @param added fields that are appended
 * @returns undefined where nothing changed
 */
export function rewriteMessage(bytes: Uint8Array, rewrite: FieldRewrite, added: Pieces = []): Pieces | undefined {
  const pieces: Uint8Array[] = [];
  let changed = added.length > 0;
  for (const field of wireFields(bytes)) {
    const content = rewrite(field);
    if (content === undefined) {
      pieces.push(field.whole);
      continue;
    }
    changed = true;
    if (content.length > 0) pieces.push(...bytesField(field.number, content));
  }
  pieces.push(...added);
  return changed ? pieces : undefined;
}

/** A field of string, bytes or message type. */
export function bytesField(number: number, content: Pieces): Pieces {
  const prefix = [...varint(number * 8 + wireType.bytes), ...varint(lengthOf(content))];
  return [Uint8Array.from(prefix), ...content];
}

/** A field of float type, once for each four of these bytes. */
export function fixed32Fields(number: number, bytes: Uint8Array): Uint8Array {
  const tag = varint(number * 8 + wireType.fixed32);
  const fields: number[] = [];
  for (let place = 0; place < bytes.length; place += 4) fields.push(...tag, ...bytes.subarray(place, place + 4));
  return Uint8Array.from(fields);
}

/** Total number of bytes. */
export function lengthOf(pieces: Pieces): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** All pieces in one array. */
export function join(pieces: Pieces): Uint8Array {
  const bytes = new Uint8Array(lengthOf(pieces));
  let place = 0;
  for (const piece of pieces) {
    bytes.set(piece, place);
    place += piece.length;
  }
  return bytes;
}

/** Start of the payload and end of a field whose tag has been read. */
function skipField(bytes: Uint8Array, place: number, tag: number): [contentStart: number, end: number] {
  let start = place;
  let end: number;
  switch (tag % 8) {
    case wireType.varint:
      [, end] = readVarint(bytes, place);
      break;
    case wireType.fixed64:
      end = place + 8;
      break;
    case wireType.fixed32:
      end = place + 4;
      break;
    case wireType.bytes: {
      const [length, contentStart] = readVarint(bytes, place);
      start = contentStart;
      end = contentStart + length;
      break;
    }
    case wireType.groupStart:
      end = skipGroup(bytes, place);
      break;
    default:
      throw new RangeError(`wire type ${tag % 8}`);
  }
  if (end > bytes.length) throw new RangeError("a field that ends after its message");
  return [start, end];
}

/** End of a group whose start tag has been read; groups nest. */
function skipGroup(bytes: Uint8Array, place: number): number {
  let depth = 1;
  let current = place;
  while (depth > 0) {
    const [tag, next] = readVarint(bytes, current);
    const kind = tag % 8;
    if (kind === wireType.groupStart) depth++;
    else if (kind === wireType.groupEnd) depth--;
    current = kind === wireType.groupStart || kind === wireType.groupEnd ? next : skipField(bytes, next, tag)[1];
  }
  return current;
}

/** Value and end of a varint. Values over 2^53 lose their low bits; tags and lengths are far below. */
function readVarint(bytes: Uint8Array, place: number): [value: number, end: number] {
  let value = 0;
  let scale = 1;
  for (let current = place; current < bytes.length && current < place + 10; current++) {
    const byte = bytes[current];
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return [value, current + 1];
    scale *= 128;
  }
  throw new RangeError("a varint that does not end");
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}
