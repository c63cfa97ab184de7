/** Holds a serialized message against its schema, field by field. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { type WireField, wireFields, wireType } from "./wire.js";

const fixed64: ReadonlySet<ScalarType> = new Set([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64]);
const fixed32: ReadonlySet<ScalarType> = new Set([ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32]);
const lengthDelimited: ReadonlySet<ScalarType> = new Set([ScalarType.STRING, ScalarType.BYTES]);

/**
 * Checks that every field which the schema knows is encoded as its type demands, in this message and all inside. The
 * parser decodes by the schema alone, so in a damaged file it may see other fields than are there; such a file could be
 * read, but not be written back.
 *
 * @throws RangeError where a field is encoded otherwise
 */
export function checkWire(bytes: Uint8Array, message: DescMessage): void {
  const known = new Map(message.fields.map((field) => [field.number, field]));
  for (const field of wireFields(bytes)) {
    const described = known.get(field.number);
    if (!described) continue;
    if (!isEncodedAs(field, described))
      throw new RangeError(`field ${described.name} of ${message.name} has wire type ${field.type}`);
    if (described.message && field.content) checkWire(field.content, described.message);
  }
}

function isEncodedAs({ type }: WireField, field: DescField): boolean {
  const single = wireTypeOf(field);
  // Lists of numbers may come packed into one field.
  const mayBePacked = field.fieldKind === "list" && !field.message && single !== wireType.bytes;
  return type === single || (mayBePacked && type === wireType.bytes);
}

function wireTypeOf({ message, scalar }: DescField): number {
  if (message) return wireType.bytes;
  // What is neither a message nor a scalar is an enumeration.
  if (scalar === undefined) return wireType.varint;
  if (lengthDelimited.has(scalar)) return wireType.bytes;
  if (fixed64.has(scalar)) return wireType.fixed64;
  return fixed32.has(scalar) ? wireType.fixed32 : wireType.varint;
}
