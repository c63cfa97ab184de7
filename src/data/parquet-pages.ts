import { crc32 } from "node:zlib";
import type { ColumnMetaData, SchemaTree } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { convert, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { readPlain } from "hyparquet/src/plain.js";
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from "hyparquet/src/schema.js";
import { checkDeltaValues } from "./delta-check.js";
import { pageCodecs } from "./page-codecs.js";
import { checkRuns, countLargest } from "./run-lengths.js";
import { endOfThriftStruct } from "./thrift-check.js";

type Values = ArrayLike<unknown>;
type Decoder = Parameters<typeof readDataPage>[2];
type Header = ReturnType<typeof parquetHeader>;

/** The decoder's lists are slow beyond this: V8 keeps longer ones as hash tables. */
const mostValues = 2 ** 25;

/** A page of a column's values. */
export interface ParquetPage {
  /** The values that are not null: as they are, or their places in the dictionary. */
  readonly values: Values;
  /** What the places stand for. */
  readonly dictionary: Values | undefined;
  /** Of all values; undefined where none is null. */
  readonly definitionLevels: number[] | undefined;
  readonly repetitionLevels: number[];
  /** Values and nulls. */
  readonly count: number;
}

/** How a column's pages are to be read. */
export function columnDecoder(meta: ColumnMetaData, schemaPath: SchemaTree[]): Decoder {
  const { codec, type, path_in_schema: pathInSchema } = meta;
  const { element } = schemaPath[schemaPath.length - 1];
  // Bytes stay bytes where the file does not say that they are text.
  return {
    pathInSchema,
    type,
    element,
    schemaPath,
    codec,
    parsers: DEFAULT_PARSERS,
    compressors: pageCodecs,
    utf8: false,
  };
}

/**
 * The pages of a column in a row group, each decoded by the reader's own parts; package.json names one version of it,
 * because these may change. Before the reader sees a page, whatever lengths and numbers of values it names are checked
 * against what is there: the reader believes them, and would fill the memory or go on for ever with a damaged one.
 * Source: Apache Parquet, "File Format", "Encodings" and parquet.thrift.
 *
 * @param bytes the column's part of the file
 * @throws RangeError, or an Error that says more, if a page is damaged
 */
export function* parquetPages(bytes: Uint8Array, meta: ColumnMetaData, decoder: Decoder): Generator<ParquetPage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wanted = Number(meta.num_values);
  const mostUnpacked = Number(meta.total_uncompressed_size);
  let dictionary: Values | undefined;
  let count = 0;
  for (let at = 0; count < wanted; ) {
    const start = endOfThriftStruct(bytes, at);
    const header = parquetHeader({ view, offset: at });
    const { compressed_page_size: packedLength, uncompressed_page_size: length, crc } = header;
    at = start + packedLength;
    if (!isCount(packedLength, bytes.length - start) || !isCount(length, mostUnpacked)) {
      throw new RangeError("a page beyond the end of its column");
    }
    const packed = bytes.subarray(start, at);
    if (crc !== undefined && crc >>> 0 !== crc32(packed)) throw new Error("a page whose checksum does not fit");
    if (header.type === "DICTIONARY_PAGE") {
      dictionary = dictionaryIn(packed, header, decoder);
      continue;
    }
    const page = dataIn(packed, header, decoder, wanted - count, dictionary);
    count += page.count;
    if (page.count > 0) yield page;
  }
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most;
}

/** A copy of its own: the reader looks beyond the end of what is part of something longer. */
function unpack(packed: Uint8Array, length: number, { codec, compressors }: Decoder): Uint8Array {
  const page = decompressPage(packed, length, codec, compressors);
  return page.byteLength === page.buffer.byteLength ? page : new Uint8Array(page);
}

function dictionaryIn(packed: Uint8Array, header: Header, decoder: Decoder): Values {
  const count = header.dictionary_page_header?.num_values;
  const page = unpack(packed, header.uncompressed_page_size, decoder);
  // Eight booleans take a byte.
  if (!isCount(count, Math.min(mostValues, 8 * page.length))) throw new RangeError("a dictionary that is cut off");
  const reader = { view: new DataView(page.buffer), offset: 0 };
  return convert(readPlain(reader, decoder.type, count, decoder.element.type_length), decoder);
}

function dataIn(
  packed: Uint8Array,
  header: Header,
  decoder: Decoder,
  most: number,
  dictionary: Values | undefined,
): ParquetPage {
  const { data_page_header: head, data_page_header_v2: head2 } = header;
  const isFirst = header.type === "DATA_PAGE" && head !== undefined;
  const isSecond = header.type === "DATA_PAGE_V2" && head2 !== undefined;
  const { num_values: count, encoding } = (isFirst ? head : isSecond ? head2 : undefined) ?? {};
  if (encoding === undefined) throw new Error(`a page of the kind ${header.type}`);
  if (!isCount(count, Math.min(most, mostValues))) throw new RangeError(`a page of ${count} values`);
  if (count === 0) {
    return { values: [], dictionary: undefined, definitionLevels: undefined, repetitionLevels: [], count };
  }
  const isCoded = encoding.endsWith("_DICTIONARY");
  if (isCoded && dictionary === undefined) throw new Error("a page without its dictionary");
  const largest = dictionary === undefined ? 0 : dictionary.length - 1;
  let decoded: ReturnType<typeof readDataPage>;
  if (isSecond) {
    const page = unpackSecond(packed, header, head2, decoder);
    const { start, isPlain } = checkSecond(page, head2, decoder, largest);
    const lengths = isPlain ? { repetition_levels_byte_length: 0, definition_levels_byte_length: 0 } : {};
    const left = {
      ...header,
      uncompressed_page_size: isPlain ? page.length - start : page.length,
      data_page_header_v2: { ...head2, ...lengths, is_compressed: false },
    };
    decoded = readDataPageV2(isPlain ? page.subarray(start) : page, left, isPlain ? withoutLevels(decoder) : decoder);
  } else {
    const page = unpack(packed, header.uncompressed_page_size, decoder);
    const { start, isPlain } = checkFirst(page, head!, decoder, largest);
    decoded = isPlain
      ? readDataPage(page.subarray(start), head!, withoutLevels(decoder))
      : readDataPage(page, head!, decoder);
  }
  const { dataPage, definitionLevels, repetitionLevels } = decoded;
  return {
    values: isCoded ? dataPage : convert(dataPage, decoder),
    dictionary: isCoded ? dictionary : undefined,
    definitionLevels: definitionLevels?.length ? definitionLevels : undefined,
    repetitionLevels,
    count,
  };
}

/** Levels that say that nothing is null are not read: that takes as long as the values. */
function withoutLevels(decoder: Decoder): Decoder {
  return { ...decoder, schemaPath: [] };
}

interface Checked {
  /** Where the values begin. */
  readonly start: number;
  /** Whether there are no nulls, and no lists. */
  readonly isPlain: boolean;
}

/** Levels lie before the values, each behind their length. */
function checkFirst(
  page: Uint8Array,
  head: NonNullable<Header["data_page_header"]>,
  decoder: Decoder,
  largest: number,
): Checked {
  const view = new DataView(page.buffer);
  const { num_values: count } = head;
  let at = 0;
  let present = count;
  const repetitions = getMaxRepetitionLevel(decoder.schemaPath);
  const definitions = getMaxDefinitionLevel(decoder.schemaPath);
  if (repetitions > 0) {
    const end = at + 4 + view.getUint32(at, true);
    checkRuns(page, at + 4, end, widthOf(repetitions), count, repetitions);
    at = end;
  }
  if (definitions > 0) {
    const end = at + 4 + view.getUint32(at, true);
    present = countLargest(page, at + 4, end, widthOf(definitions), count, definitions);
    at = end;
  }
  checkValues(page, at, head.encoding, decoder, present, largest, false);
  return { start: at, isPlain: repetitions === 0 && present === count };
}

/** Levels lie before the values and are not packed; the header says how long they are. */
function checkSecond(
  page: Uint8Array,
  head: NonNullable<Header["data_page_header_v2"]>,
  decoder: Decoder,
  largest: number,
): Checked {
  const { num_values: count, num_nulls: nulls } = head;
  const { repetition_levels_byte_length: repeating, definition_levels_byte_length: defining } = head;
  const repetitions = getMaxRepetitionLevel(decoder.schemaPath);
  const definitions = getMaxDefinitionLevel(decoder.schemaPath);
  if (repetitions > 0) checkRuns(page, 0, repeating, widthOf(repetitions), count, repetitions);
  const present =
    definitions === 0
      ? count
      : countLargest(page, repeating, repeating + defining, widthOf(definitions), count, definitions);
  if (nulls !== count - present) throw new RangeError(`a page of ${nulls} nulls`);
  const start = repeating + defining;
  checkValues(page, start, head.encoding, decoder, present, largest, true);
  return { start, isPlain: repetitions === 0 && present === count };
}

function unpackSecond(
  packed: Uint8Array,
  { uncompressed_page_size: length }: Header,
  head: NonNullable<Header["data_page_header_v2"]>,
  decoder: Decoder,
): Uint8Array {
  const { repetition_levels_byte_length: repeating, definition_levels_byte_length: defining, is_compressed } = head;
  const most = Math.min(length, packed.length);
  if (!isCount(repeating, most) || !isCount(defining, most) || repeating + defining > most) {
    throw new RangeError("levels beyond the end of their page");
  }
  const levels = repeating + defining;
  const rest = packed.subarray(levels);
  const values =
    is_compressed === false ? rest : decompressPage(rest, length - levels, decoder.codec, decoder.compressors);
  const page = new Uint8Array(length);
  page.set(packed.subarray(0, levels));
  page.set(values, levels);
  return page;
}

function checkValues(
  page: Uint8Array,
  start: number,
  encoding: string,
  { type }: Decoder,
  count: number,
  largest: number,
  isSecond: boolean,
): void {
  if (start > page.length) throw new RangeError("a page that is cut off");
  const isBoolean = type === "BOOLEAN";
  if (encoding === "RLE" && isBoolean) {
    const length = new DataView(page.buffer).getUint32(start, true);
    checkRuns(page, start + 4, start + 4 + length, 1, count, 1);
  } else if (encoding === "RLE" || (isBoolean && encoding.endsWith("_DICTIONARY"))) {
    throw new Error(`values of the type ${type} as ${encoding}`);
  } else if (encoding.endsWith("_DICTIONARY") && count > 0) {
    const width = page[start];
    if (width === undefined || largest < 0) throw new RangeError("a page that is cut off");
    // Numbers of no bits are not read from a page of the first kind.
    if (width > 0 || isSecond) checkRuns(page, start + 1, page.length, width, count, largest);
  } else if (encoding.startsWith("DELTA_")) checkDeltaValues(encoding, page, start, count);
}

/** Bits of levels up to the largest. */
function widthOf(largest: number): number {
  return 32 - Math.clz32(largest);
}
