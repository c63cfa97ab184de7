import { CompressionType, compressionRegistry, DataType, RecordBatchReader, type Utf8, Vector } from "apache-arrow";
import { checkArrowColumns } from "./arrow-column-check.js";
import { arrowMessages, countArrowRows, readArrowFooter } from "./arrow-messages.js";
import { ByteDictionary } from "./byte-dictionary.js";
import { distinctNames } from "./column-names.js";
import { type BatchColumn, type CodedTexts, type ColumnarFile, classNamesIn } from "./columnar-file.js";
import { damagedFile } from "./damaged-file.js";
import { OpenFile } from "./file-samples.js";
import { unpackLz4Frame } from "./lz4-frame.js";
import { checkInterrupted } from "./read-bytes.js";
import { unpackZstd } from "./zstd-frames.js";

/** Opens an Arrow or Feather file or stream; its record batches are read one at a time. @throws UserError if it is damaged */
export async function openArrow(path: string, head: Uint8Array): Promise<ColumnarFile> {
  registerCodecs();
  const file = new OpenFile(path);
  const isStream = head[0] === 0xff;
  const damaged = (error: unknown) => damagedFile(error, path, "a whole Arrow or Feather file");
  const readFooter = async () => (isStream ? undefined : readArrowFooter(file));
  const open = async () => {
    const footer = await readFooter();
    const reader = await (await RecordBatchReader.from(arrowMessages(file, footer))).open();
    const { schema } = reader;
    if (schema === undefined || schema === null) throw new Error("no schema");
    if (footer !== undefined && footer.schema.fields.map(String).join() !== schema.fields.map(String).join()) {
      throw new Error("two schemas that are not the same");
    }
    return { reader, schema: footer?.schema ?? schema };
  };
  const { reader, schema } = await open().catch((error: unknown) => {
    throw damaged(error);
  });
  await reader.cancel();
  const columns = distinctNames(schema.fields.map(({ name }) => name));
  if (columns.length === 0) throw damaged(new Error("no columns"));
  return {
    where: path,
    format: "arrow",
    columns,
    classNames: classNamesIn(schema.metadata.get("huggingface")),
    countRows: async () => {
      try {
        return await countArrowRows(file, await readFooter());
      } catch (error) {
        throw damaged(error);
      }
    },
    async *batches(signal) {
      try {
        for await (const batch of (await open()).reader) {
          checkInterrupted(signal);
          if (batch.numRows === 0) continue;
          checkArrowColumns(batch.data.children, batch.numRows);
          yield new Map(columns.map((name, index): [string, BatchColumn] => [name, columnOf(batch.getChildAt(index))]));
        }
      } catch (error) {
        checkInterrupted(signal);
        throw damaged(error);
      }
    },
  };
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
  if (DataType.isDecimal(type)) {
    return Float64Array.from({ length: vector.length }, (_, row) => decimalValue(vector.get(row), type.scale));
  }
  if (isOfDates(type)) {
    return Array.from({ length: vector.length }, (_, row) => {
      const milliseconds: number | null = vector.get(row);
      return milliseconds === null ? null : new Date(milliseconds);
    });
  }
  const texts = DataType.isUtf8(type) ? codedTexts(vector as Vector<Utf8>) : undefined;
  return texts ?? Array.from({ length: vector.length }, (_, row) => plainValue(vector.get(row)));
}

/** Whether values are dates or timestamps, which arrow gives as milliseconds. */
function isOfDates(type: DataType): boolean {
  const own = DataType.isDictionary(type) ? type.dictionary : type;
  return DataType.isDate(own) || DataType.isTimestamp(own);
}

/** The number nearest to a decimal one, which arrow gives as 32-bit words, the lowest first, in two's complement. */
function decimalValue(words: Uint32Array | null, scale: number): number {
  if (words === null) return Number.NaN;
  const bits = words.reduceRight((whole, word) => (whole << 32n) | BigInt(word), 0n);
  return Number(`${BigInt.asIntN(32 * words.length, bits)}e${-scale}`);
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
    if (value instanceof Vector && (DataType.isDecimal(value.type) || isOfDates(value.type))) return columnOf(value);
    return Array.from(value as unknown as Iterable<unknown>, plainValue);
  }
  if (typeof vector.toJSON === "function") {
    const fields = vector.toJSON() as Record<string, unknown>;
    return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, plainValue(field)]));
  }
  return value;
}

function registerCodecs(): void {
  const codecs = [
    [CompressionType.LZ4_FRAME, unpackLz4Frame],
    [CompressionType.ZSTD, unpackZstd],
  ] as const;
  for (const [type, unpack] of codecs) {
    if (compressionRegistry.get(type)?.decode !== undefined) continue;
    compressionRegistry.set(type, { decode: (bytes) => unpack(bytes, lengthBefore(bytes)) });
  }
}

/** The length that a column's bytes unpack to, which stands before them in the message. */
function lengthBefore({ buffer, byteOffset }: Uint8Array): number {
  const length = Number(new DataView(buffer, byteOffset - 8, 8).getBigInt64(0, true));
  if (!(length >= 0)) throw new RangeError(`a column that unpacks to ${length} bytes`);
  return length;
}
