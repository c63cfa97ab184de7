import { type Data, DataType, UnionMode, type Vector } from "apache-arrow";
import { countOnes } from "./count-ones.js";

/** More values that take no bytes than this are refused. */
const mostEmpty = 2 ** 20;

/** Checks the columns of an Arrow batch, see {@link checkArrowColumn}. @throws RangeError if one is damaged */
export function checkArrowColumns(columns: readonly Data[], rows: number): void {
  // Where one column has bytes for each row, those that have none may be as long.
  const isBacked = columns.some(({ byteLength }) => 8 * byteLength >= rows);
  for (const column of columns) checkArrowColumn(column, rows, isBacked ? rows : mostEmpty);
}

/** Dictionaries that have been checked: each batch refers to them again. */
const checkedDictionaries = new WeakSet<Vector>();

/**
 * Checks a column of an Arrow batch: that it has its rows, all places of texts, lists and dictionaries lie inside, and
 * the nulls are as many as it says. The reader takes what is missing for undefined or for values of other rows.
 *
 * @param rows how many there must be
 * @param most how many may take no bytes
 * @throws RangeError if it is damaged
 */
function checkArrowColumn(data: Data, rows: number, most = mostEmpty): void {
  const { type, length, values, children } = data;
  if (length !== rows) throw new RangeError(`a column of ${length} in place of ${rows} values`);
  if (!DataType.isUnion(type)) checkNulls(data);
  if (DataType.isNull(type)) requireFew(length, most);
  else if (DataType.isDictionary(type)) checkDictionary(data);
  else if (DataType.isUtf8(type) || DataType.isBinary(type) || isLarge(type)) {
    checkOffsets(data, values?.length ?? 0);
  } else if (DataType.isList(type) || DataType.isLargeList(type) || DataType.isMap(type)) {
    checkOffsets(data, childOf(data).length);
    checkArrowColumn(childOf(data), childOf(data).length);
  } else if (DataType.isFixedSizeList(type)) {
    if (!(type.listSize > 0)) requireFew(type.listSize === 0 ? length : Number.NaN, most);
    // Lists may be followed by more than they need.
    const child = childOf(data);
    if (child.length < length * type.listSize) throw new RangeError("lists that are cut off");
    checkArrowColumn(child, child.length);
  } else if (DataType.isStruct(type)) {
    if (children.length === 0) requireFew(length, most);
    for (const child of children) checkArrowColumn(child, length, most);
  } else if (DataType.isUnion(type)) checkUnion(data);
  else if (DataType.isUtf8View(type) || DataType.isBinaryView(type)) checkViews(data);
  else {
    if (!(data.stride > 0)) requireFew(data.stride === 0 ? length : Number.NaN, most);
    const needed = DataType.isBool(type) ? Math.ceil(length / 8) : length * data.stride;
    if ((values?.length ?? 0) < needed) throw new RangeError("values that are cut off");
  }
}

function isLarge(type: DataType): boolean {
  return DataType.isLargeUtf8(type) || DataType.isLargeBinary(type);
}

function childOf({ children }: Data): Data {
  const [child] = children;
  if (child === undefined) throw new RangeError("lists of nothing");
  return child;
}

/** Where no bytes bound a length. */
function requireFew(length: number, most: number): void {
  if (!(length <= most)) throw new RangeError(`${length} values of no size`);
}

function checkNulls(data: Data): void {
  const { nullBitmap, length, nullCount, type } = data;
  // All of a column of nulls are, without a bit for each.
  if (nullCount === 0 || DataType.isNull(type)) return;
  if (nullBitmap === undefined || nullBitmap.length < Math.ceil(length / 8))
    throw new RangeError("nulls that are cut off");
  const present = countOnes(nullBitmap, 0, length);
  if (length - present !== nullCount) throw new RangeError(`${length - present} in place of ${nullCount} nulls`);
}

/** Offsets must rise, and end inside. */
function checkOffsets({ valueOffsets, length }: Data, end: number): void {
  if (length === 0) return;
  const offsets: ArrayLike<number> | BigInt64Array = valueOffsets ?? [];
  if (offsets.length <= length) throw new RangeError("places that are cut off");
  if (offsets instanceof BigInt64Array) {
    // Two words each, which are compared faster than long integers.
    const words = new Int32Array(offsets.buffer, offsets.byteOffset, 2 * (length + 1));
    let before = 0;
    for (let at = 0; at <= length; at++) {
      const offset = words[2 * at + 1] * 2 ** 32 + (words[2 * at] >>> 0);
      if (offset < before) throw new RangeError("places that go back");
      before = offset;
    }
    if (before > end) throw new RangeError("places outside");
    return;
  }
  let before = 0;
  for (let at = 0; at <= length; at++) {
    const offset = offsets[at];
    if (offset < before) throw new RangeError("places that go back");
    before = offset;
  }
  if (before > end) throw new RangeError("places outside");
}

function checkDictionary(data: Data): void {
  const { values, length, nullCount } = data;
  const dictionary = data.dictionary as Vector | undefined;
  if (dictionary === undefined) throw new RangeError("a dictionary that is missing");
  if (!checkedDictionaries.has(dictionary)) {
    for (const part of dictionary.data) checkArrowColumn(part, part.length);
    checkedDictionaries.add(dictionary);
  }
  if ((values?.length ?? 0) < length) throw new RangeError("values that are cut off");
  const places = values as ArrayLike<number | bigint>;
  for (let row = 0; row < length; row++) {
    const place = Number(places[row]);
    if (place >= 0 && place < dictionary.length) continue;
    if (nullCount === 0 || data.getValid(row)) throw new RangeError("a value that is not in its dictionary");
  }
}

function checkUnion(data: Data): void {
  const { children, typeIds, valueOffsets, length } = data;
  const { mode, typeIdToChildIndex } = data.type as DataType & {
    mode: UnionMode;
    typeIdToChildIndex: Record<number, number>;
  };
  const isDense = mode === UnionMode.Dense;
  for (const child of children) checkArrowColumn(child, isDense ? child.length : length);
  if ((typeIds?.length ?? 0) < length || (isDense && (valueOffsets?.length ?? 0) < length)) {
    throw new RangeError("values that are cut off");
  }
  for (let row = 0; row < length; row++) {
    const child = children[typeIdToChildIndex[typeIds[row]]];
    const place = isDense ? Number(valueOffsets[row]) : row;
    if (!(place >= 0 && place < child?.length)) throw new RangeError("a value that is of no type");
  }
}

/** Texts or bytes of more than 12 bytes lie in other buffers: a view has their length, first bytes, buffer and place. */
function checkViews({ values, variadicBuffers, length }: Data): void {
  if ((values?.length ?? 0) < 16 * length) throw new RangeError("values that are cut off");
  const view = new DataView(values.buffer, values.byteOffset, 16 * length);
  for (let at = 0; at < 16 * length; at += 16) {
    const size = view.getInt32(at, true);
    if (size >= 0 && size <= 12) continue;
    const start = view.getInt32(at + 12, true);
    const buffer = variadicBuffers[view.getInt32(at + 8, true)];
    if (!(size >= 0 && start >= 0 && start + size <= buffer?.length)) throw new RangeError("a text outside");
  }
}
