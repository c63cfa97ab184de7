/** Builds structs of Thrift's compact protocol for tests. */

/** A number of 32 bits or (bigint) of 64; a text; a struct; a list of structs, of texts or of numbers. */
export type ThriftValue = number | bigint | string | Fields | { readonly list: readonly ThriftValue[] };

/** Fields that follow one another from the first; undefined leaves one out. */
export type Fields = readonly (ThriftValue | undefined)[];

const kinds = { number: 5, bigint: 6, string: 8, list: 9, struct: 12 } as const;

export function thriftStruct(fields: Fields): number[] {
  let before = 0;
  const bytes = fields.flatMap((value, index) => {
    if (value === undefined) return [];
    const head = (index + 1 - before) << 4;
    before = index + 1;
    return [head | kinds[kindOf(value)], ...valueBytes(value)];
  });
  return [...bytes, 0];
}

function kindOf(value: ThriftValue): keyof typeof kinds {
  if (typeof value === "object") return Array.isArray(value) ? "struct" : "list";
  return typeof value as "number" | "bigint" | "string";
}

function valueBytes(value: ThriftValue): number[] {
  if (typeof value === "string") return [...varint(value.length), ...Buffer.from(value)];
  if (typeof value === "number" || typeof value === "bigint") return varint(zigzag(Number(value)));
  if (!("list" in value)) return thriftStruct(value);
  const kind = value.list.length === 0 ? kinds.number : kinds[kindOf(value.list[0])];
  return [0xf0 | kind, ...varint(value.list.length), ...value.list.flatMap(valueBytes)];
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  return [...bytes, left];
}
