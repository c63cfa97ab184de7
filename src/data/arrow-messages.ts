import { DataType, Message, type MessageHeader, MetadataVersion, type Schema } from "apache-arrow";
import { type FileBlock, Footer } from "apache-arrow/ipc/metadata/file";
import { footerTable, messageTable } from "./arrow-metadata.js";
import type { OpenFile } from "./file-samples.js";
import { checkFlatBuffer } from "./flatbuffer-check.js";

/** The mark at both ends of a file. */
const mark = "ARROW1";

/** Where the first message of a file begins: behind the mark, at a multiple of 8. */
const firstMessage = 8;

/** What a file says at its end; a stream says nothing. */
export interface ArrowFooter {
  readonly schema: Schema;
  readonly dictionaries: readonly FileBlock[];
  readonly batches: readonly FileBlock[];
  /** Where it begins. */
  readonly start: number;
}

/** Reads what an Arrow or Feather file says at its end. @throws RangeError, or an Error that says more, if it is damaged */
export async function readArrowFooter(file: OpenFile): Promise<ArrowFooter> {
  const tailLength = 4 + mark.length;
  if (file.length < firstMessage + tailLength) throw new RangeError("a file that is cut off");
  const tail = await file.bytes(file.length - tailLength, tailLength);
  if (String.fromCharCode(...tail.subarray(4)) !== mark) throw new Error("a file without Arrow's mark at its end");
  const length = new DataView(tail.buffer).getInt32(0, true);
  const start = file.length - tailLength - length;
  if (length < 8 || start < firstMessage) throw new RangeError("a file that is cut off");
  const bytes = await file.bytes(start, length);
  checkFlatBuffer(bytes, footerTable);
  const footer = Footer.decode(bytes);
  return {
    schema: footer.schema,
    dictionaries: [...footer.dictionaryBatches()],
    batches: [...footer.recordBatches()],
    start,
  };
}

/**
 * The messages of an Arrow file or stream as a stream: for each a piece with what it says of itself, and one with its
 * body, aligned as a new array is. Whatever lengths and places a message names are checked against what is there before
 * it is handed on, because the reader believes them.
 *
 * @param footer a file's; absent for a stream
 * @throws RangeError, or an Error that says more, if a message is damaged
 */
export async function* arrowMessages(file: OpenFile, footer?: ArrowFooter): AsyncGenerator<Uint8Array> {
  const end = footer?.start ?? file.length;
  const first = await readMessage(file, footer === undefined ? 0 : firstMessage, end);
  if (first?.message.isSchema() !== true) throw new Error("no schema");
  yield* first.pieces;
  const schema = first.message.header() as unknown as Schema;
  const layout = { schema, tops: topNodes(schema.fields.map(({ type }) => type)) };
  // A file may hold its dictionaries behind the batches that need them.
  for (const { offset } of [...(footer?.dictionaries ?? []), ...(footer?.batches ?? [])]) {
    const found = await readMessage(file, offset, end);
    if (found === undefined) throw new RangeError("a message that is cut off");
    checkMessage(found.message, layout);
    yield* found.pieces;
  }
  if (footer !== undefined) return;
  for (let at = first.end; ; ) {
    const found = await readMessage(file, at, end);
    if (found === undefined) return;
    checkMessage(found.message, layout);
    yield* found.pieces;
    at = found.end;
  }
}

/**
 * Counts the rows of a file or stream by what its messages say of themselves, without reading their bodies.
 *
 * @param footer a file's; absent for a stream
 * @throws RangeError, or an Error that says more, if a message is damaged
 */
export async function countArrowRows(file: OpenFile, footer?: ArrowFooter): Promise<number> {
  let rows = 0;
  const count = ({ message }: MessageHead) => {
    if (message.isRecordBatch()) rows += message.header().length;
  };
  if (footer !== undefined) {
    for (const { offset } of footer.batches) {
      const found = await readHead(file, offset, footer.start);
      if (found !== undefined) count(found);
    }
    return rows;
  }
  for (let found = await readHead(file, 0, file.length); found !== undefined; ) {
    count(found);
    found = await readHead(file, found.end, file.length);
  }
  return rows;
}

interface MessageHead {
  readonly message: Message;
  /** What it says of itself behind its length. */
  readonly piece: Uint8Array;
  readonly bodyStart: number;
  readonly end: number;
}

interface FoundMessage {
  readonly message: Message;
  /** What it says of itself behind its length, and its body. */
  readonly pieces: readonly Uint8Array[];
  readonly end: number;
}

/** @returns undefined where a stream ends */
async function readMessage(file: OpenFile, start: number, end: number): Promise<FoundMessage | undefined> {
  const head = await readHead(file, start, end);
  if (head === undefined) return undefined;
  const { message, piece, bodyStart } = head;
  return { message, pieces: [piece, await file.bytes(bodyStart, message.bodyLength)], end: head.end };
}

/** A message without its body. @returns undefined where a stream ends */
async function readHead(file: OpenFile, start: number, end: number): Promise<MessageHead | undefined> {
  if (start === end) return undefined;
  if (start < 0 || start + 4 > end) throw new RangeError("a message that is cut off");
  const head = new DataView((await file.bytes(start, Math.min(8, end - start))).buffer);
  // Files from before Arrow 0.15 have the length without the mark before it.
  const isMarked = head.getInt32(0, true) === -1;
  const length = head.getInt32(isMarked ? 4 : 0, true);
  if (length === 0) return undefined;
  const metadataStart = start + (isMarked ? 8 : 4);
  if (length < 0 || length > end - metadataStart) throw new RangeError("a message that is cut off");
  const piece = new Uint8Array(8 + length);
  new DataView(piece.buffer).setInt32(0, -1, true);
  new DataView(piece.buffer).setInt32(4, length, true);
  const metadata = piece.subarray(8);
  metadata.set(await file.bytes(metadataStart, length));
  checkFlatBuffer(metadata, messageTable);
  const message = Message.decode(metadata);
  if (message.version < MetadataVersion.V4) throw new Error("a file of an Arrow version before 0.8");
  const bodyStart = metadataStart + length;
  const { bodyLength } = message;
  if (!(bodyLength >= 0 && bodyLength <= end - bodyStart)) throw new RangeError("a message that is cut off");
  return { message, piece, bodyStart, end: bodyStart + bodyLength };
}

/** Which of a batch's nodes belong to columns, not to what is inside them, and how many there are. */
function topNodes(types: readonly DataType[]): { places: readonly number[]; count: number } {
  const places: number[] = [];
  let count = 0;
  const visit = (type: DataType): void => {
    count++;
    // The values of a dictionary are elsewhere.
    if (!DataType.isDictionary(type)) for (const child of type.children ?? []) visit(child.type);
  };
  for (const type of types) {
    places.push(count);
    visit(type);
  }
  return { places, count };
}

interface Layout {
  readonly schema: Schema;
  readonly tops: ReturnType<typeof topNodes>;
}

/** Checks a batch of rows or of a dictionary's values against the schema and its own body. */
function checkMessage(message: Message, { schema, tops }: Layout): void {
  if (message.isRecordBatch()) checkBatch(message.header(), tops, message.bodyLength);
  else if (message.isDictionaryBatch()) {
    const { id, data } = message.header();
    const type = schema.dictionaries.get(id);
    if (type === undefined) throw new RangeError(`a dictionary ${id} of no column`);
    checkBatch(data, topNodes([type]), message.bodyLength);
  }
  // A stream has one schema, at its beginning.
  else throw new RangeError("a message of another kind");
}

type Batch = ReturnType<Message<MessageHeader.RecordBatch>["header"]>;

function checkBatch(batch: Batch, tops: ReturnType<typeof topNodes>, bodyLength: number): void {
  const { length, nodes, buffers } = batch;
  // The reader would fill up with nulls what is missing.
  if (!(length >= 0) || nodes.length !== tops.count || tops.places.some((place) => nodes[place].length !== length)) {
    throw new RangeError("a batch of other columns");
  }
  for (const node of nodes) {
    if (!(node.length >= 0 && node.nullCount >= 0 && node.nullCount <= node.length)) {
      throw new RangeError(`a column of ${node.length} values, of these ${node.nullCount} null`);
    }
  }
  for (const buffer of buffers) {
    if (!(buffer.offset >= 0 && buffer.length >= 0 && buffer.offset + buffer.length <= bodyLength)) {
      throw new RangeError("a column beyond the end of its message");
    }
  }
}
