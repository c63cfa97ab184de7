import type { SchemaTree } from "hyparquet";
import { assembleLists, assembleNested } from "hyparquet/src/assemble.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import type { ParquetLeaf } from "./parquet-footer.js";
import { columnDecoder, parquetPages } from "./parquet-pages.js";

/** A leaf of a column: what it is, and its part of the file. */
export interface LeafBytes {
  readonly leaf: ParquetLeaf;
  readonly bytes: Uint8Array;
}

/**
 * Reads a column of anything, lists and structs too, of a row group: a value for each row.
 *
 * @param column the column in the schema
 * @param rows how many there must be
 * @throws RangeError, or an Error that says more, if it is damaged
 */
export function readNestedColumn(column: SchemaTree, leaves: readonly LeafBytes[], rows: number): ArrayLike<unknown> {
  const values = new Map(leaves.map((one): [string, unknown[]] => [one.leaf.path.join("."), leafValues(one)]));
  for (const { length } of values.values()) {
    if (length !== rows) throw new RangeError(`${length} of ${rows} values of ${column.element.name}`);
  }
  assembleNested(values, column, DEFAULT_PARSERS);
  const whole = values.get(column.element.name);
  if (whole?.length !== rows) throw new RangeError(`${whole?.length ?? 0} of ${rows} values of ${column.element.name}`);
  return whole;
}

/** A leaf's values, one for each row: lists in lists, as deep as its schema is. */
function leafValues({ leaf: { meta, schemaPath }, bytes }: LeafBytes): unknown[] {
  const rows: unknown[] = [];
  for (const page of parquetPages(bytes, meta, columnDecoder(meta, schemaPath))) {
    const { values: found, dictionary, definitionLevels, repetitionLevels } = page;
    const values = dictionary === undefined ? found : lookUp(found as ArrayLike<number>, dictionary);
    const put = assembleLists(rows, definitionLevels, repetitionLevels, values as unknown[], schemaPath);
    // Values that need no putting together come as they are.
    if (put !== rows) for (let at = 0; at < put.length; at++) rows.push(put[at]);
  }
  return rows;
}

function lookUp(places: ArrayLike<number>, dictionary: ArrayLike<unknown>): unknown[] {
  const values = new Array<unknown>(places.length);
  for (let at = 0; at < values.length; at++) {
    if (places[at] >>> 0 >= dictionary.length) throw new RangeError("a value that is not in its dictionary");
    values[at] = dictionary[places[at]];
  }
  return values;
}
