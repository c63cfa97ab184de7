import {
  type AsyncBuffer,
  type ColumnMetaData,
  type FileMetaData,
  parquetMetadata,
  parquetSchema,
  type SchemaTree,
} from "hyparquet";
import { getMaxRepetitionLevel } from "hyparquet/src/schema.js";
import { endOfThriftStruct } from "./thrift-check.js";

/** A row group that says it unpacks to more bytes than this is refused. */
const largestGroup = 8e9;

/** More rows in one group than any writer known puts there (pyarrow: at most 2^26). */
const mostRows = 2 ** 26;

/** More values of a list column in one group than can be held. */
const mostValues = 2 ** 28;

/** More levels of structs and lists in one another than any table has. */
const deepest = 64;

/** A column of single values, which may be part of one of lists or structs. */
export interface ParquetLeaf {
  /** Its names in the schema, from the top. */
  readonly path: readonly string[];
  readonly schemaPath: SchemaTree[];
  readonly meta: ColumnMetaData;
  /** Where its part of the file begins. */
  readonly start: number;
  readonly length: number;
}

/** Rows that are stored together. */
export interface ParquetGroup {
  readonly rows: number;
  /** Its leaves by the column at the schema's top: two may have one name. */
  readonly leaves: ReadonlyMap<SchemaTree, readonly ParquetLeaf[]>;
}

export interface ParquetFooter {
  readonly rows: number;
  readonly columns: readonly SchemaTree[];
  readonly groups: readonly ParquetGroup[];
  readonly metadata: FileMetaData;
}

/**
 * Reads the end of a Parquet file, where it says what there is and where; every length, place and number of rows in it is
 * checked against the file before anything is read by it.
 *
 * @throws RangeError, or an Error that says more, if it is damaged
 */
export async function readParquetFooter(file: AsyncBuffer): Promise<ParquetFooter> {
  const { byteLength } = file;
  if (byteLength < 12) throw new RangeError("a file that is cut off");
  const tail = new DataView(await file.slice(byteLength - 8, byteLength));
  if (tail.getUint32(4, true) !== 0x31524150) throw new Error("a file without Parquet's mark at its end");
  const length = tail.getUint32(0, true);
  if (length > byteLength - 12) throw new RangeError("a file that is cut off");
  const end = byteLength - 8 - length;
  const bytes = await file.slice(end, byteLength);
  endOfThriftStruct(new Uint8Array(bytes, 0, length), 0);
  const metadata = parquetMetadata(bytes, { geoparquet: false });
  checkSchema(metadata);
  const root = parquetSchema(metadata);
  const paths = leafPaths(root);
  const groups = metadata.row_groups.map((group) => readGroup(group, paths, end));
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  if (Number(metadata.num_rows) !== rows) throw new Error(`${rows} of ${metadata.num_rows} rows`);
  return { rows, columns: root.children, groups, metadata };
}

/** Elements are listed depth first: each must be somebody's child, and the tree must end with the list. */
function checkSchema({ schema }: FileMetaData): void {
  let at = 0;
  const skip = (depth: number): void => {
    const element = schema[at++];
    if (element === undefined || depth > deepest || typeof element.name !== "string") {
      throw new RangeError("a schema that is cut off");
    }
    const children = element.num_children ?? 0;
    // A group without children, or a leaf without a type.
    if (children < 0 || (children === 0 && element.type === undefined && depth > 0))
      throw new RangeError("a leaf of no type");
    for (let child = 0; child < children; child++) skip(depth + 1);
  };
  skip(0);
  if (at !== schema.length) throw new RangeError("a schema of more elements than it says");
}

/** The schema's leaves in order, each with what leads to it. */
function leafPaths(root: SchemaTree): SchemaTree[][] {
  const paths: SchemaTree[][] = [];
  const visit = (path: SchemaTree[]): void => {
    const { children } = path[path.length - 1];
    if (children.length === 0 && path.length > 1) paths.push(path);
    for (const child of children) visit([...path, child]);
  };
  visit([root]);
  return paths;
}

function readGroup(
  group: FileMetaData["row_groups"][number],
  paths: readonly SchemaTree[][],
  end: number,
): ParquetGroup {
  const rows = Number(group.num_rows);
  const unpacked = Number(group.total_byte_size);
  if (unpacked > largestGroup) throw new Error(`a row group that unpacks to ${unpacked} bytes`);
  if (!isBetween(rows, 0, mostRows)) throw new Error(`a row group of ${rows} rows`);
  if (group.columns.length !== paths.length) throw new RangeError("a row group of other columns");
  const leaves = new Map<SchemaTree, ParquetLeaf[]>();
  for (const [index, schemaPath] of paths.entries()) {
    const leaf = readLeaf(group.columns[index], schemaPath, rows, end);
    const [, column] = schemaPath;
    leaves.set(column, [...(leaves.get(column) ?? []), leaf]);
  }
  return { rows, leaves };
}

function readLeaf(
  { meta_data: meta, file_path: elsewhere }: FileMetaData["row_groups"][number]["columns"][number],
  schemaPath: SchemaTree[],
  rows: number,
  end: number,
): ParquetLeaf {
  if (elsewhere !== undefined) throw new Error(`a column in another file, ${elsewhere}`);
  if (meta === undefined) throw new Error("a column whose description is missing or encrypted");
  const { element, path } = schemaPath[schemaPath.length - 1];
  const name = path.join(".");
  if (meta.path_in_schema.join(".") !== name || meta.type !== element.type) {
    throw new RangeError(`another column in the place of ${name}`);
  }
  const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const length = Number(meta.total_compressed_size);
  if (!isBetween(start, 4, end) || !isBetween(length, 0, end - start))
    throw new RangeError(`a place of ${name} outside`);
  const isRepeated = getMaxRepetitionLevel(schemaPath) > 0;
  if (!isBetween(Number(meta.num_values), rows, isRepeated ? mostValues : rows)) {
    throw new Error(`${meta.num_values} values of ${name} in ${rows} rows`);
  }
  if (!isBetween(Number(meta.total_uncompressed_size), 0, largestGroup)) {
    throw new Error(`a column ${name} that unpacks to ${meta.total_uncompressed_size} bytes`);
  }
  return { path, schemaPath, meta, start, length };
}

function isBetween(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
