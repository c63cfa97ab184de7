/** What a field of a table of a FlatBuffer may be. */
export type FlatField =
  | { readonly kind: "scalar"; readonly bytes: number }
  | { readonly kind: "string" }
  | { readonly kind: "table"; readonly table: () => FlatTable }
  /** Numbers or structs, one after another. */
  | { readonly kind: "vector"; readonly bytes: number }
  | { readonly kind: "tables"; readonly table: () => FlatTable }
  /** A table of the kind that the field before says. */
  | { readonly kind: "union"; readonly tables: Readonly<Record<number, FlatTable>> };

/** A table's fields in the order of their numbers. */
export type FlatTable = readonly FlatField[];

/** Deeper than any schema. */
const mostDepth = 64;

/**
 * Checks a FlatBuffer before its reader, which believes every length and place in it, goes by them: that all that is
 * named lies inside, is not too deep, and is not named over and over. Source: FlatBuffers, "FlatBuffer Internals".
 *
 * @param root what the buffer's table should be
 * @throws RangeError if it is damaged
 */
export function checkFlatBuffer(bytes: Uint8Array, root: FlatTable): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Parts may be named twice, but not so often that the whole gets many times as long.
  let left = 4 * bytes.length + 64;
  const spend = (count: number) => {
    left -= count;
    if (left < 0) throw new RangeError("metadata that go round in circles");
  };
  const inside = (at: number, length: number) => {
    if (at < 0 || at + length > bytes.length) throw new RangeError("metadata that point outside");
    return at;
  };
  /** Where an offset at a place leads to. */
  const follow = (at: number) => inside(at + view.getUint32(inside(at, 4), true), 4);
  /** Where the elements of a vector begin, and how many there are. */
  const vector = (at: number, elementBytes: number) => {
    const start = follow(at);
    const count = view.getUint32(start, true);
    inside(start + 4, count * elementBytes);
    spend(1 + count * elementBytes);
    return { start: start + 4, count };
  };
  const table = (at: number, fields: FlatTable, depth: number): void => {
    spend(1);
    if (depth > mostDepth) throw new RangeError("metadata that are too deep");
    const fieldPlaces = inside(at - view.getInt32(inside(at, 4), true), 4);
    const placesLength = view.getUint16(fieldPlaces, true);
    inside(fieldPlaces, placesLength);
    const placeOf = (index: number) => {
      const place = 4 + 2 * index + 2 <= placesLength ? view.getUint16(fieldPlaces + 4 + 2 * index, true) : 0;
      return place === 0 ? undefined : at + place;
    };
    for (const [index, field] of fields.entries()) {
      const place = placeOf(index);
      if (place === undefined) continue;
      if (field.kind === "scalar") inside(place, field.bytes);
      else if (field.kind === "string") vector(place, 1);
      else if (field.kind === "vector") vector(place, field.bytes);
      else if (field.kind === "table") table(follow(place), field.table(), depth + 1);
      else if (field.kind === "tables") {
        const { start, count } = vector(place, 4);
        for (let element = 0; element < count; element++) table(follow(start + 4 * element), field.table(), depth + 1);
      } else {
        const kindPlace = placeOf(index - 1);
        const kind = kindPlace === undefined ? 0 : view.getUint8(inside(kindPlace, 1));
        table(follow(place), field.tables[kind] ?? [], depth + 1);
      }
    }
  };
  table(follow(0), root, 0);
}
