/** What Parquet, Arrow and Feather files have in common: named columns in batches. */

/** Texts, each as a place in a list; -1 for null. */
export interface CodedTexts {
  readonly codes: Int32Array;
  readonly texts: readonly string[];
}

export type BatchColumn = ArrayLike<unknown> | CodedTexts;

/** A batch of rows: each column's values. */
export type ColumnBatch = ReadonlyMap<string, BatchColumn>;

/** Whether a column of a batch has its texts as places in a list. */
export function isCoded(column: BatchColumn): column is CodedTexts {
  return "codes" in column;
}

/** A column's values one by one. */
export function valuesOf(column: BatchColumn): ArrayLike<unknown> {
  return isCoded(column) ? Array.from(column.codes, (code) => (code < 0 ? null : column.texts[code])) : column;
}

export interface ColumnarFile {
  readonly where: string;
  readonly format: "parquet" | "arrow";
  /** Told apart where the file has several of one name. */
  readonly columns: readonly string[];
  /** How many rows there are, where the file says it before it is read. */
  readonly rowCount?: number;
  /** What a column's class numbers stand for, where the file says it (as Hugging Face's datasets does). */
  readonly classNames: ReadonlyMap<string, readonly string[]>;
  /** Counts the rows without reading their values. */
  countRows(): Promise<number>;
  /** All rows in order, a bounded number at once. */
  batches(signal?: AbortSignal): AsyncGenerator<ColumnBatch>;
}

/** Whether a file's first bytes are those of a Parquet file. */
export function looksLikeParquet(head: Uint8Array): boolean {
  return head.length >= 4 && String.fromCharCode(...head.subarray(0, 4)) === "PAR1";
}

/** Whether a file's first bytes are those of an Arrow file (Feather version 2 is the same) or stream. */
export function looksLikeArrow(head: Uint8Array, path: string): boolean {
  const text = String.fromCharCode(...head.subarray(0, 6));
  // A stream begins with a continuation mark, as Hugging Face's cached files do.
  const stream = head.length >= 8 && head.subarray(0, 4).every((byte) => byte === 0xff);
  return text === "ARROW1" || (stream && /\.(arrow|arrows|feather|ipc)$/i.test(path));
}

/** The names of class columns in the metadata that Hugging Face's datasets library writes. */
export function classNamesIn(metadata: string | undefined): Map<string, readonly string[]> {
  const names = new Map<string, readonly string[]>();
  if (metadata === undefined) return names;
  try {
    const features = (JSON.parse(metadata) as { info?: { features?: Record<string, unknown> } }).info?.features ?? {};
    for (const [column, feature] of Object.entries(features)) {
      const { _type: type, names: found } = feature as { _type?: string; names?: unknown };
      if (type === "ClassLabel" && Array.isArray(found)) names.set(column, found.map(String));
    }
  } catch {
    // It says more than is needed: without it, classes are numbers.
  }
  return names;
}
