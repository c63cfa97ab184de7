import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import {
  CompressionType,
  compressionRegistry,
  DataType,
  RecordBatchReader,
  type Utf8,
  type Vector,
} from "apache-arrow";
import { compressors } from "hyparquet-compressors";
import { userError } from "../errors.js";
import { ByteDictionary } from "./byte-dictionary.js";
import { type BatchColumn, type CodedTexts, type ColumnarFile, classNamesIn } from "./columnar-file.js";
import { unpackLz4Frame } from "./lz4-frame.js";
import { checkInterrupted } from "./read-bytes.js";

/** Opens an Arrow or Feather file or stream; its record batches are read one at a time. @throws UserError if it is damaged */
export async function openArrow(path: string, head: Uint8Array): Promise<ColumnarFile> {
  registerCodecs();
  const stream = head[0] === 0xff;
  const start = async () => {
    if (stream) return { reader: await (await RecordBatchReader.from(createReadStream(path))).open() };
    const file = await open(path);
    try {
      const reader = await RecordBatchReader.from(advancing(file));
      return { reader: await reader.open(), file };
    } catch (error) {
      await file.close();
      throw error;
    }
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
  const { schema } = first.reader;
  await first.reader.cancel();
  await first.file?.close();
  if (schema === undefined || schema === null) throw damaged(new Error("no schema"));
  const columns = schema.fields.map(({ name }) => name);
  if (columns.length === 0) throw damaged(new Error("no columns"));
  return {
    where: path,
    format: "arrow",
    columns,
    classNames: classNamesIn(schema.metadata.get("huggingface")),
    async *batches(signal) {
      let file: FileHandle | undefined;
      try {
        const started = await start();
        file = started.file;
        for await (const batch of started.reader) {
          checkInterrupted(signal);
          yield new Map(columns.map((name, index): [string, BatchColumn] => [name, columnOf(batch.getChildAt(index))]));
        }
      } catch (error) {
        checkInterrupted(signal);
        throw damaged(error);
      } finally {
        await file?.close();
      }
    },
  };
}

/** More readings of one place than a whole file asks for: one or two. */
const mostReadings = 16;

/**
 * A file that is not read at the same place for ever: arrow's reader does so where a message is of a kind that it does not
 * know, as in a damaged file.
 */
function advancing(file: FileHandle): FileHandle {
  const readings = new Map<number, number>();
  const read = (buffer: Uint8Array, offset: number, length: number, position: number) => {
    const times = (readings.get(position) ?? 0) + 1;
    readings.set(position, times);
    if (times > mostReadings) throw new RangeError(`byte ${position} was read ${mostReadings} times`);
    return file.read(buffer, offset, length, position);
  };
  return { fd: file.fd, stat: () => file.stat(), close: () => file.close(), read } as unknown as FileHandle;
}

/** A column's values: numbers in one typed array, without a copy where there are no gaps; texts as places in a list. */
function columnOf(vector: Vector | null): BatchColumn {
  if (vector === null) return [];
  const { type } = vector;
  if ((DataType.isFloat(type) && type.precision > 0) || DataType.isInt(type)) {
    const values = vector.toArray() as ArrayLike<number | bigint>;
    if (vector.nullCount === 0) return values;
    return Float64Array.from(values, (value, row) => (vector.isValid(row) ? Number(value) : Number.NaN));
  }
  const texts = DataType.isUtf8(type) ? codedTexts(vector as Vector<Utf8>) : undefined;
  return texts ?? Array.from({ length: vector.length }, (_, row) => plainValue(vector.get(row)));
}

/** With more texts than this a list of them is of no use. */
const mostTexts = 4096;

/** Texts as places in a list; undefined where there are too many. */
function codedTexts({ data, length }: Vector<Utf8>): CodedTexts | undefined {
  const dictionary = new ByteDictionary();
  const codes = new Int32Array(length).fill(-1);
  let row = 0;
  for (const part of data) {
    const { values, valueOffsets, nullCount } = part;
    for (let at = 0; at < part.length; at++, row++) {
      if (nullCount > 0 && !part.getValid(at)) continue;
      codes[row] = dictionary.code(values, valueOffsets[at], valueOffsets[at + 1]);
    }
    if (dictionary.known.texts.length > mostTexts) return undefined;
  }
  return { codes, texts: dictionary.known.texts };
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
