import type { AsyncBuffer } from "hyparquet";
import { distinctNames } from "./column-names.js";
import { type BatchColumn, type ColumnarFile, classNamesIn } from "./columnar-file.js";
import { damagedFile } from "./damaged-file.js";
import { OpenFile } from "./file-samples.js";
import { readPlainColumn } from "./parquet-column.js";
import { readParquetFooter } from "./parquet-footer.js";
import { readNestedColumn } from "./parquet-nested-column.js";
import { checkInterrupted } from "./read-bytes.js";

/** Opens a Parquet file; its row groups are read one at a time. @throws UserError if it is damaged */
export async function openParquet(path: string): Promise<ColumnarFile> {
  const file = new OpenFile(path);
  const buffer: AsyncBuffer = {
    byteLength: file.length,
    slice: async (start, end = file.length) => (await file.bytes(start, end - start)).buffer as ArrayBuffer,
  };
  const damaged = (error: unknown) => damagedFile(error, path, "a whole Parquet file");
  const { rows, columns, groups, metadata } = await readParquetFooter(buffer).catch((error: unknown) => {
    throw damaged(error);
  });
  const names = distinctNames(columns.map(({ element }) => element.name));
  const huggingface = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  return {
    where: path,
    format: "parquet",
    columns: names,
    rowCount: rows,
    countRows: async () => rows,
    classNames: classNamesIn(huggingface),
    async *batches(signal) {
      try {
        const plain = new Set(columns);
        for (const group of groups) {
          const batch = new Map<string, BatchColumn>();
          for (const [index, column] of columns.entries()) {
            checkInterrupted(signal);
            const leaves = await Promise.all(
              group.leaves
                .get(column)!
                .map(async (leaf) => ({ leaf, bytes: await file.bytes(leaf.start, leaf.length) })),
            );
            const [{ leaf, bytes }] = leaves;
            const read = plain.has(column) ? readPlainColumn(bytes, leaf.meta, leaf.schemaPath) : undefined;
            if (read === undefined) plain.delete(column);
            batch.set(names[index], read ?? readNestedColumn(column, leaves, group.rows));
          }
          if (group.rows > 0) yield batch;
        }
      } catch (error) {
        checkInterrupted(signal);
        throw damaged(error);
      }
    },
  };
}
