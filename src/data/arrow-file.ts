import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { CompressionType, compressionRegistry, DataType, RecordBatchReader, type Vector } from "apache-arrow";
import { compressors } from "hyparquet-compressors";
import { userError } from "../errors.js";
import { type ColumnarFile, type ColumnBatch, classNamesIn } from "./columnar-file.js";
import { unpackLz4Frame } from "./lz4-frame.js";
import { checkInterrupted } from "./read-bytes.js";

/** Opens an Arrow or Feather file or stream; its record batches are read one at a time. @throws UserError if it is damaged */
export async function openArrow(path: string, head: Uint8Array): Promise<ColumnarFile> {
  registerCodecs();
  const stream = head[0] === 0xff;
  const start = async () => {
    const reader = stream
      ? await RecordBatchReader.from(createReadStream(path))
      : await RecordBatchReader.from(await open(path));
    return reader.open();
  };
  const damaged = (error: unknown) =>
    error instanceof Error && error.name === "UserError"
      ? error
      : userError({
          where: path,
          required: "a whole Arrow or Feather file",
          // What the reader trips over inside says nothing of the file.
          got:
            error instanceof Error && !(error instanceof TypeError || error instanceof RangeError)
              ? error.message.replace(/\.+$/, "")
              : "one that is cut off or damaged",
          advice: "The file is damaged: fetch or save it again",
        });
  const first = await start().catch((error: unknown) => {
    throw damaged(error);
  });
  const { schema } = first;
  await first.cancel();
  if (schema === undefined || schema === null) throw damaged(new Error("no schema"));
  const columns = schema.fields.map(({ name }) => name);
  return {
    where: path,
    format: "arrow",
    columns,
    classNames: classNamesIn(schema.metadata.get("huggingface")),
    async *batches(signal) {
      try {
        const reader = await start();
        for await (const batch of reader) {
          checkInterrupted(signal);
          const read = columns.map((name, index): [string, ArrayLike<unknown>] => [
            name,
            valuesOf(batch.getChildAt(index)),
          ]);
          yield new Map(read) as ColumnBatch;
        }
      } catch (error) {
        checkInterrupted(signal);
        throw damaged(error);
      }
    },
  };
}

/** A column's values; numbers without gaps in one typed array, without a copy. */
function valuesOf(vector: Vector | null): ArrayLike<unknown> {
  if (vector === null) return [];
  const { type } = vector;
  const plain = (DataType.isFloat(type) && type.precision > 0) || DataType.isInt(type);
  if (plain && vector.nullCount === 0) return vector.toArray() as ArrayLike<number | bigint>;
  return Array.from({ length: vector.length }, (_, row) => plainValue(vector.get(row)));
}

/** Lists as arrays and structs as objects, without arrow's own classes. */
function plainValue(value: unknown): unknown {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value) || value instanceof Date) return value;
  const vector = value as { toArray?: () => unknown; toJSON?: () => unknown; nullCount?: number; length?: number };
  if (typeof vector.length === "number") {
    return Array.from(value as unknown as Iterable<unknown>, plainValue);
  }
  if (typeof vector.toJSON === "function") {
    const fields = vector.toJSON() as Record<string, unknown>;
    return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, plainValue(field)]));
  }
  return value;
}

function registerCodecs(): void {
  if (compressionRegistry.get(CompressionType.LZ4_FRAME)?.decode === undefined) {
    compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: unpackLz4Frame });
  }
  if (compressionRegistry.get(CompressionType.ZSTD)?.decode === undefined) {
    // A copy, because columns must begin at multiples of 8.
    compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => compressors.ZSTD!(bytes, 0).slice() });
  }
}
