import type { AsyncBuffer, ColumnMetaData, Compressors, FileMetaData } from "hyparquet";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { decompressPage, readDataPage, readDataPageV2 } from "hyparquet/src/datapage.js";
import { getMaxDefinitionLevel, getSchemaPath } from "hyparquet/src/schema.js";
import type { CodedTexts } from "./columnar-file.js";

type RowGroup = FileMetaData["row_groups"][number];
type Values = ArrayLike<unknown>;

/**
 * Reads a column of single numbers or texts of a row group, page by page, with the reader's own parts; package.json
 * names one version of it, because these may change. The reader as a whole puts a column together value by value
 * wherever there might be nulls, which takes three times as long (docs/log.md).
 *
 * @returns numbers, NaN for null; or texts; undefined for a column of anything else: the reader must read that
 */
export async function readPlainColumn(
  file: AsyncBuffer,
  { schema }: FileMetaData,
  group: RowGroup,
  name: string,
  compressors: Compressors,
): Promise<Float64Array | CodedTexts | undefined> {
  const column = group.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name);
  const { meta_data: meta, file_path: elsewhere } = column ?? {};
  if (meta === undefined || elsewhere !== undefined || meta.path_in_schema.length > 1) return undefined;
  const schemaPath = getSchemaPath(schema, meta.path_in_schema);
  const { element } = schemaPath[schemaPath.length - 1];
  // What JSON holds may be different in each row.
  const isJson = element.converted_type === "JSON" || element.logical_type?.type === "JSON";
  if (element.repetition_type === "REPEATED" || isJson) return undefined;
  const { codec, type, path_in_schema: pathInSchema } = meta;
  const decoder = {
    pathInSchema,
    type,
    element,
    schemaPath,
    codec,
    parsers: DEFAULT_PARSERS,
    compressors,
    utf8: false,
  };
  const present = getMaxDefinitionLevel(schemaPath);
  const reader = { view: new DataView(await file.slice(...bytesOf(meta))), offset: 0 };
  const rows = Number(group.num_rows);
  const taken = new PlainValues(rows);
  let dictionary: Values | undefined;
  while (taken.count < rows && reader.offset < reader.view.byteLength - 1) {
    const header = parquetHeader(reader);
    if (header.type === "DICTIONARY_PAGE") {
      const { data } = readPage(reader, header, decoder, undefined, undefined, 0);
      dictionary = data && convert(data, decoder);
      continue;
    }
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
    const bytes = new Uint8Array(reader.view.buffer, reader.view.byteOffset + reader.offset, packed);
    reader.offset += packed;
    const head = header.data_page_header ?? header.data_page_header_v2;
    if (head === undefined) throw new Error(`a page of the kind ${header.type} in ${name}`);
    const page =
      header.data_page_header === undefined
        ? readDataPageV2(bytes, header, decoder)
        : readDataPage(decompressPage(bytes, unpacked, codec, compressors), header.data_page_header, decoder);
    const levels = page.definitionLevels?.length ? page.definitionLevels : undefined;
    const isCoded = dictionary !== undefined && head.encoding.endsWith("_DICTIONARY");
    const isTaken = isCoded
      ? taken.addCodes(page.dataPage as ArrayLike<number>, dictionary!, levels, present)
      : taken.add(convert(page.dataPage, decoder), levels, present);
    if (!isTaken) return undefined;
  }
  if (taken.count !== rows) throw new Error(`${taken.count} of ${rows} values of ${name}`);
  return taken.column();
}

function bytesOf(meta: ColumnMetaData): [number, number] {
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  return [start, start + Number(meta.total_compressed_size)];
}

/** Numbers or texts of a column, as its pages bring them. */
class PlainValues {
  count = 0;
  readonly #rows: number;
  #numbers: Float64Array | undefined;
  #codes: Int32Array | undefined;
  readonly #texts: string[] = [];
  /** The dictionary at hand, and what has been made of it. */
  #dictionary: Values | undefined;
  #dictionaryNumbers: Float64Array | undefined;
  #firstText = 0;

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Adds values, with nulls where a level is less than `present`. @returns whether they are numbers or texts */
  add(values: Values, levels: ArrayLike<number> | undefined, present: number): boolean {
    const first = this.count;
    if (values.length === 0) return this.#addNulls(levels?.length ?? 0);
    if (typeof values[0] === "string") {
      const codes = this.#asTexts();
      if (codes === undefined) return false;
      const start = this.#texts.length;
      for (let at = 0; at < values.length; at++) this.#texts.push(values[at] as string);
      this.#spread(levels, present, values.length, (row, at) => {
        codes[row] = start + at;
      });
      return true;
    }
    if (numberIn(values[0]) === undefined) return false;
    const numbers = this.#asNumbers();
    if (numbers === undefined) return false;
    if (levels === undefined && ArrayBuffer.isView(values) && !isBig(values)) {
      numbers.set(values as Float64Array, first);
      this.count += values.length;
      return true;
    }
    this.#spread(levels, present, values.length, (row, at) => {
      numbers[row] = numberIn(values[at]) ?? Number.NaN;
    });
    return true;
  }

  /** The same with places in a dictionary. */
  addCodes(places: ArrayLike<number>, dictionary: Values, levels: ArrayLike<number> | undefined, present: number) {
    if (places.length === 0) return this.#addNulls(levels?.length ?? 0);
    if (typeof dictionary[0] === "string") {
      const codes = this.#asTexts();
      if (codes === undefined) return false;
      if (this.#dictionary !== dictionary) {
        this.#dictionary = dictionary;
        this.#firstText = this.#texts.length;
        for (let at = 0; at < dictionary.length; at++) this.#texts.push(dictionary[at] as string);
      }
      const start = this.#firstText;
      this.#spread(levels, present, places.length, (row, at) => {
        codes[row] = start + places[at];
      });
      return true;
    }
    if (numberIn(dictionary[0]) === undefined) return false;
    const numbers = this.#asNumbers();
    if (numbers === undefined) return false;
    if (this.#dictionary !== dictionary) {
      this.#dictionary = dictionary;
      this.#dictionaryNumbers = Float64Array.from(dictionary, (value) => numberIn(value) ?? Number.NaN);
    }
    const known = this.#dictionaryNumbers!;
    this.#spread(levels, present, places.length, (row, at) => {
      numbers[row] = known[places[at]];
    });
    return true;
  }

  column(): Float64Array | CodedTexts {
    if (this.#codes === undefined) return this.#numbers ?? new Float64Array(this.#rows).fill(Number.NaN);
    return { codes: this.#codes, texts: this.#texts };
  }

  /** Where only nulls have come, a column may still become either. */
  #asNumbers(): Float64Array | undefined {
    if (this.#codes !== undefined) return undefined;
    this.#numbers ??= new Float64Array(this.#rows).fill(Number.NaN);
    return this.#numbers;
  }

  #asTexts(): Int32Array | undefined {
    if (this.#numbers !== undefined) return undefined;
    this.#codes ??= new Int32Array(this.#rows).fill(-1);
    return this.#codes;
  }

  #addNulls(count: number): boolean {
    this.count += count;
    return true;
  }

  /** Tells of each value in which row it stands. */
  #spread(
    levels: ArrayLike<number> | undefined,
    present: number,
    count: number,
    put: (row: number, at: number) => void,
  ): void {
    const first = this.count;
    if (levels === undefined) {
      for (let at = 0; at < count; at++) put(first + at, at);
      this.count += count;
      return;
    }
    for (let row = 0, at = 0; row < levels.length; row++) if (levels[row] === present) put(first + row, at++);
    this.count += levels.length;
  }
}

function isBig(values: unknown): boolean {
  return values instanceof BigInt64Array || values instanceof BigUint64Array;
}

/** The number that a value is; undefined where it is none. */
function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  return value instanceof Date ? value.getTime() : undefined;
}
