import type { ColumnMetaData, SchemaTree } from "hyparquet";
import { getMaxDefinitionLevel } from "hyparquet/src/schema.js";
import type { CodedTexts } from "./columnar-file.js";
import { columnDecoder, parquetPages } from "./parquet-pages.js";

type Values = ArrayLike<unknown>;

/**
 * Reads a column of single numbers or texts of a row group, page by page. The reader as a whole puts a column together
 * value by value wherever there might be nulls, which takes three times as long (docs/log.md).
 *
 * @param bytes the column's part of the file
 * @returns numbers, NaN for null; or texts; undefined for a column of anything else, see {@link readNestedColumn}
 * @throws RangeError, or an Error that says more, if it is damaged
 */
export function readPlainColumn(
  bytes: Uint8Array,
  meta: ColumnMetaData,
  schemaPath: SchemaTree[],
): Float64Array | CodedTexts | undefined {
  const { element } = schemaPath[schemaPath.length - 1];
  // What JSON holds may be different in each row.
  const isJson = element.converted_type === "JSON" || element.logical_type?.type === "JSON";
  if (schemaPath.length > 2 || element.repetition_type === "REPEATED" || isJson) return undefined;
  const present = getMaxDefinitionLevel(schemaPath);
  const taken = new PlainValues(Number(meta.num_values));
  for (const page of parquetPages(bytes, meta, columnDecoder(meta, schemaPath))) {
    const { values, dictionary, definitionLevels } = page;
    const isTaken =
      dictionary === undefined
        ? taken.add(values, definitionLevels, present)
        : taken.addCodes(values as ArrayLike<number>, dictionary, definitionLevels, present);
    if (!isTaken) return undefined;
  }
  return taken.column();
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
      const { length } = dictionary;
      this.#spread(levels, present, places.length, (row, at) => {
        const place = places[at];
        if (place >>> 0 >= length) throw notThere();
        codes[row] = start + place;
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
    const { length } = known;
    this.#spread(levels, present, places.length, (row, at) => {
      const place = places[at];
      if (place >>> 0 >= length) throw notThere();
      numbers[row] = known[place];
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

/** What would be taken for a null. */
function notThere(): RangeError {
  return new RangeError("a value that is not in its dictionary");
}

function isBig(values: unknown): boolean {
  return values instanceof BigInt64Array || values instanceof BigUint64Array;
}

/** The number that a value is; undefined where it is none. */
function numberIn(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "bigint" || typeof value === "boolean" ? Number(value) : undefined;
}
