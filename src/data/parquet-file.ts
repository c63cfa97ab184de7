import { type AsyncBuffer, parquetMetadataAsync, parquetScan } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { userError } from "../errors.js";
import { type BatchColumn, type ColumnarFile, classNamesIn } from "./columnar-file.js";
import { OpenFile } from "./file-samples.js";
import { readPlainColumn } from "./parquet-column.js";
import { checkInterrupted } from "./read-bytes.js";

/** A part of a file that says it unpacks to more than this is refused. */
const largestGroup = 8e9;

/** Values that a scan may hold before another takes its place. */
const mostHeld = 2 ** 18;

/** Opens a Parquet file; its row groups are read one at a time. @throws UserError if it is damaged */
export async function openParquet(path: string): Promise<ColumnarFile> {
  const file = new OpenFile(path);
  const buffer: AsyncBuffer = {
    byteLength: file.length,
    slice: async (start, end = file.length) => (await file.bytes(start, end - start)).buffer as ArrayBuffer,
  };
  const damaged = (error: unknown) =>
    error instanceof Error && error.name === "UserError"
      ? error
      : userError({
          where: path,
          required: "a whole Parquet file",
          got: error instanceof Error ? error.message : String(error),
          advice: "The file is damaged: fetch or save it again",
        });
  const metadata = await parquetMetadataAsync(buffer).catch((error: unknown) => {
    throw damaged(error);
  });
  for (const group of metadata.row_groups) {
    const packed = group.columns.reduce((sum, { meta_data }) => sum + Number(meta_data?.total_compressed_size ?? 0), 0);
    const unpacked = Number(group.total_byte_size);
    if (unpacked > largestGroup || packed > file.length) {
      throw damaged(new Error(`a row group that unpacks to ${unpacked} bytes`));
    }
  }
  const columns = metadata.schema[0].num_children === undefined ? [] : topColumns(metadata.schema);
  const huggingface = metadata.key_value_metadata?.find(({ key }) => key === "huggingface")?.value;
  return {
    where: path,
    format: "parquet",
    columns,
    rowCount: Number(metadata.num_rows),
    classNames: classNamesIn(huggingface),
    async *batches(signal) {
      try {
        // Bytes stay bytes where the file does not say that they are text.
        const begin = () => parquetScan({ file: buffer, metadata, compressors, utf8: false, geoparquet: false });
        let scan = await begin();
        let held = 0;
        const plain = new Set(columns);
        let rowStart = 0;
        for (const group of metadata.row_groups) {
          const rowEnd = rowStart + Number(group.num_rows);
          const batch = new Map<string, BatchColumn>();
          for (const column of columns) {
            checkInterrupted(signal);
            const read = plain.has(column)
              ? await readPlainColumn(buffer, metadata, group, column, compressors)
              : undefined;
            if (read !== undefined) {
              batch.set(column, read);
              continue;
            }
            plain.delete(column);
            // A scan holds on to what it read last of each column.
            if (held > mostHeld) [scan, held] = [await begin(), 0];
            batch.set(column, await scan.readColumn({ column, rowStart, rowEnd }));
            held += rowEnd - rowStart;
          }
          if (rowEnd > rowStart) yield batch;
          rowStart = rowEnd;
        }
      } catch (error) {
        checkInterrupted(signal);
        throw damaged(error);
      }
    },
  };
}

/** Names of the columns at the schema's top: its elements are listed depth first. */
function topColumns(schema: readonly { name: string; num_children?: number | undefined }[]): string[] {
  const names: string[] = [];
  let at = 1;
  const skip = (): void => {
    const children = schema[at++]?.num_children ?? 0;
    for (let child = 0; child < children; child++) skip();
  };
  for (let child = 0; child < (schema[0].num_children ?? 0); child++) {
    names.push(schema[at].name);
    skip();
  }
  return names;
}
